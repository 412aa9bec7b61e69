import test, { type ExecutionContext } from 'ava';
import { Cluster } from './cluster.ts';

/** The class whose Services need no pool to be claimed. */
export const l2 = 'io.cilium/l2-announcer';

/** One row of the edge cases in lb-ipam.md 15, on a cluster of its own. */
export function row(
  number: number,
  claim: string,
  body: (t: ExecutionContext, c: Cluster) => void,
): void {
  test(`lb-ipam ${number}: ${claim}`, (t) => body(t, new Cluster()));
}

/** Verdict and addresses in one text: `10.0.10.0 True/satisfied`. */
export function shown(c: Cluster, name: string): string {
  return `${c.ips(name)} ${c.verdict(name)}`.trim();
}
