import type { Service } from '../lb/model.ts';
import type { Paint } from './console.ts';
import { alignRows } from './table.ts';

/** The five links of the chain from a Service to its clients, in order (interface.md 6). */
export const explainSteps = [
  'allocation', 'announcement', 'frontends', 'backends', 'datapath',
] as const;

export type StepName = (typeof explainSteps)[number];

/** One look at one object. */
export interface Evidence {
  readonly object: string;
  readonly code: string;
  readonly message: string;
}

/**
 * One link of the chain. `unreached`: an earlier one is broken.
 */
export interface ExplainStep {
  readonly step: StepName;
  readonly state: 'ok' | 'fail' | 'unreached';
  /** The code of a broken link. */
  readonly reason?: string;
  readonly message: string;
  readonly evidence: readonly Evidence[];
  /** What an operator can do about a broken link. */
  readonly next?: string;
}

/** Why a Service works or does not: what `service explain` prints. */
export interface ServiceExplanation {
  /** `web/nginx`. */
  readonly service: string;
  readonly type: Service['type'];
  readonly families: readonly string[];
  /** `80/TCP`. */
  readonly ports: readonly string[];
  readonly source: 'cluster' | 'manifests' | 'recording';
  /** What the answer rests on: `12 objects, 3 nodes assumed, 11.2s virtual`. */
  readonly basis: string;
  readonly steps: readonly ExplainStep[];
}

/** Whether every link that was looked at holds. */
export function chainHolds({ steps }: ServiceExplanation): boolean {
  return steps.every(({ state }) => state !== 'fail');
}

/** The chain up to its first broken link; later ones count as not reached. */
export function stopAtFirstFault(steps: readonly ExplainStep[]): ExplainStep[] {
  const broken = steps.findIndex(({ state }) => state === 'fail');
  return steps.map((step, index) => {
    if (broken < 0 || index <= broken) return step;
    return { step: step.step, state: 'unreached', message: 'not reached', evidence: [] };
  });
}

const words = { ok: 'OK', fail: 'FAIL', unreached: '-' } as const;
const colours = { ok: 'green', fail: 'red', unreached: 'dim' } as const;

/** The explanation as text: one line a step, evidence below it, remedies at the end. */
export function explanationText(explanation: ServiceExplanation, paint: Paint): string {
  const { service, type, families, ports, source, basis } = explanation;
  const title = [`Service ${service}`, type, families.join(','), ports.join(',')];
  const head = `${title.filter((part) => part !== '').join('   ')}            ` +
    `source: ${source} (${basis})\n`;
  const lines = groups(explanation.steps).map(({ label, step }) => {
    const reason = step.reason === undefined ? '' : `${step.reason}: `;
    const word = paint(colours[step.state], words[step.state].padEnd(4));
    const line = `${label.padEnd(17)}${word}   ${reason}${step.message}`.trimEnd();
    const rows = step.evidence.map(({ object, code, message }) => [object, code, message]);
    const evidence = alignRows(rows).split('\n').filter((row) => row !== '');
    return [line, ...evidence.map((row) => `${' '.repeat(26)}${row}`)].join('\n');
  });
  const fixes = explanation.steps.flatMap(({ next }) =>
    next === undefined ? [] : [`fix: ${next}`],
  );
  return `${head}${[...lines, ...fixes].join('\n')}\n`;
}

// Steps that say the same and nothing more stand on one line: `3..5   -   not reached`.
function groups(steps: readonly ExplainStep[]): { label: string; step: ExplainStep }[] {
  const grouped: { label: string; step: ExplainStep }[] = [];
  for (let first = 0; first < steps.length; first += 1) {
    const step = steps[first];
    if (step === undefined) continue;
    let last = first;
    const goesOn = (next: ExplainStep | undefined): boolean =>
      step.state === 'unreached' && next?.state === 'unreached';
    while (goesOn(steps[last + 1])) last += 1;
    const label = last > first ? `${first + 1}..${last + 1}` : `${first + 1} ${step.step}`;
    grouped.push({ label, step });
    first = last;
  }
  return grouped;
}
