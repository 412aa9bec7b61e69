import type { Micros } from '../../lb/ports.ts';
import type { Finding } from '../check/finding.ts';

export interface CheckVerdict {
  /** Path of the check in the scenario file. */
  readonly path: string;
  readonly what: string;
  readonly at: Micros;
  readonly passed: boolean;
  /** Why it failed; empty when it passed. */
  readonly message: string;
}

export interface ExpectationVerdict {
  readonly name: string;
  readonly passed: boolean;
  readonly message: string;
}

/** What one run of one scenario with one seed came to. */
export interface RunVerdict {
  readonly scenario: string;
  readonly seed: bigint;
  readonly checks: readonly CheckVerdict[];
  readonly expectations: readonly ExpectationVerdict[];
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** Virtual time at the end. */
  readonly duration: Micros;
  readonly events: number;
  readonly hash: string;
  readonly unseed: string;
  readonly blocks: readonly string[];
}

/** Exit classes of `sim` (simulator.md 7.3), already in their order of precedence. */
export type ExitClass = 'non-determinism' | 'safety' | 'liveness' | 'assertion' | 'vacuous' | 'ok';

export const exitCodes: Readonly<Record<ExitClass, number>> = {
  'non-determinism': 4,
  safety: 2,
  liveness: 3,
  assertion: 1,
  vacuous: 5,
  ok: 0,
};

/** The gravest class of a run; non-determinism is told by comparing two of them. */
export function exitClass(verdict: RunVerdict): ExitClass {
  if (verdict.findings.some((finding) => finding.type === 'safety')) return 'safety';
  if (verdict.findings.length > 0) return 'liveness';
  const failed = verdict.expectations.filter((expectation) => !expectation.passed);
  if (verdict.checks.some((check) => !check.passed)) return 'assertion';
  if (failed.some((expectation) => !expectation.name.startsWith('sometimes '))) return 'assertion';
  return failed.length > 0 ? 'vacuous' : 'ok';
}

/** The class that decides the exit of several runs. */
export function gravest(classes: readonly ExitClass[]): ExitClass {
  const order: readonly ExitClass[] = [
    'non-determinism',
    'safety',
    'liveness',
    'assertion',
    'vacuous',
  ];
  return order.find((candidate) => classes.includes(candidate)) ?? 'ok';
}
