import { AssertionError } from '../../lb/result.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Expect, Severity } from '../scenario/spec.ts';
import type { Finding } from './finding.ts';
import { watchAddresses } from './addresses.ts';
import { watchLocalMeansLocal } from './local-means-local.ts';
import { watchOneOwner } from './one-owner.ts';
import { watchTruthfulStatus } from './truthful-status.ts';

/** What an oracle says when it sees a breach; the watch adds time and history. */
export type Report = (breach: Pick<Finding, 'oracle' | 'object' | 'text'>) => void;

export interface OracleWatch {
  /** Ends the run: adds what is judged at the end and returns all breaches by severity. */
  close(unconverged: readonly string[]): {
    findings: readonly Finding[];
    warnings: readonly Finding[];
  };
}

/** How many breaches of one oracle are kept: the first ones tell the story. */
const findingsMax = 20;
const relatedMax = 20;

/** Which oracles judge a run that names none: all that are safety, and `no-crash`. */
const defaults = ['one-owner', 'no-double-assignment', 'in-pool', 'sticky-address', 'no-crash'];

/**
 * Attaches the oracles of a scenario to a cluster. They only look: nothing in the product knows
 * that it is judged (simulator.md 9).
 */
export function watchOracles(
  cluster: Cluster,
  expect: Pick<Expect, 'always' | 'oracles' | 'grace'>,
): OracleWatch {
  const findings: Finding[] = [];
  const wanted = new Set(expect.always.length > 0 ? expect.always : defaults);
  const severityOf = (oracle: string): Severity => expect.oracles[oracle] ?? 'fail';
  const report: Report = (breach) => {
    if (findings.filter((finding) => finding.oracle === breach.oracle).length >= findingsMax)
      return;
    const type =
      breach.oracle === 'truthful-status' || breach.oracle === 'converged' ? 'liveness' : 'safety';
    findings.push({
      ...breach,
      type,
      time: cluster.world.now,
      related: cluster.world.notes.slice(-relatedMax),
    });
  };
  if (wanted.has('one-owner')) watchOneOwner(cluster, expect.grace, report);
  watchAddresses(cluster, wanted, report);
  if (wanted.has('local-means-local')) watchLocalMeansLocal(cluster, report);
  if (wanted.has('truthful-status')) watchTruthfulStatus(cluster, report);
  return {
    close(unconverged) {
      for (const difference of unconverged)
        report({ oracle: 'converged', object: 'cluster', text: difference });
      reportCrashes(cluster, report);
      return {
        findings: findings.filter((finding) => severityOf(finding.oracle) === 'fail'),
        warnings: findings.filter((finding) => severityOf(finding.oracle) === 'warn'),
      };
    },
  };
}

function reportCrashes(cluster: Cluster, report: Report): void {
  for (const process of cluster.machines.processes()) {
    if (process.fault === undefined) continue;
    const text = faultText(process.fault);
    report({ oracle: 'no-crash', object: process.name, text });
  }
}

function faultText(fault: unknown): string {
  if (fault instanceof AssertionError) return `assertion failed: ${fault.message}`;
  if (fault instanceof Error) return `unhandled error: ${fault.name}: ${fault.message}`;
  return 'unhandled error of an unknown kind';
}
