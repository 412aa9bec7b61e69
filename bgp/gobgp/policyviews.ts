import type { PolicyStatement } from '../port.ts';
import { importPolicy, next6Name, policyName, setName } from './names.ts';
import type { StatementSpec } from './policies.ts';

/** One statement of the layout with the neighbour that it matches. */
export interface InstalledStatement {
  /** `192.0.2.1/32`; undefined: its peer is gone, and the statement goes with it. */
  readonly neighbour: string | undefined;
  readonly spec: StatementSpec;
}

/** What the daemon filters by, as people read it (bgp.md 5.4, 8): one row a statement. Pure. */
export function policyStatements(installed: readonly InstalledStatement[]): PolicyStatement[] {
  return [
    {
      policy: importPolicy, statement: importPolicy, direction: 'import', peers: [], families: [],
      control: undefined, action: 'accept', actions: ['routes of our own alone'],
    },
    ...installed.flatMap(exportStatements),
  ];
}

function exportStatements({ neighbour, spec }: InstalledStatement): PolicyStatement[] {
  const { target, next6 } = spec;
  const statement: PolicyStatement = {
    policy: policyName(target.index), statement: setName(target), direction: 'export',
    peers: neighbour === undefined ? [] : [neighbour], families: [],
    control: `${target.index}:${target.set}`, action: 'accept', actions: actionsOf(spec),
  };
  if (next6 === undefined) return [statement];
  return [
    {
      ...statement, statement: next6Name(target), families: ['IPv6'],
      actions: [...statement.actions, `next hop ${next6}`],
    },
    statement,
  ];
}

function actionsOf({ attributes }: StatementSpec): string[] {
  if (attributes === undefined) return ['remove control'];
  const { communities, large, localPref } = attributes;
  const plain = communities.map((number) => `${number >>> 16}:${number & 0xffff}`);
  return [
    `communities ${plain.length === 0 ? 'none' : plain.join(' ')}`,
    `large ${large.length === 0 ? 'none' : large.map((parts) => parts.join(':')).join(' ')}`,
    ...(localPref === undefined ? [] : [`local preference ${localPref}`]),
  ];
}
