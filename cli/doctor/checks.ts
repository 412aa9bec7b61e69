import type { Check } from './check.ts';
import { clusterChecks } from './cluster.ts';
import { machineChecks } from './machine.ts';
import { networkChecks } from './network.ts';
import { nodeChecks } from './node.ts';

/** Every check, in the order of the table. */
export const checks: readonly Check[] = [
  ...machineChecks, ...networkChecks, ...clusterChecks, ...nodeChecks,
];
