import type { KubeObject } from '../../../kube/port.ts';
import type { Micros } from '../../../lb/ports.ts';
import { compareText } from '../../../lb/table.ts';
import { textOf, type JsonObject } from '../json.ts';
import { ageOf } from './age.ts';
import { at, countAt, entriesAt, textAt } from './column.ts';

function containers(pod: KubeObject): readonly JsonObject[] {
  return entriesAt(pod, 'status', 'containerStatuses');
}

function runs(container: JsonObject): boolean {
  return container['ready'] === true && at(container, 'state', 'running') !== undefined;
}

/** `1/2`: containers that run and are ready, of all. */
export function podReady(pod: KubeObject): string {
  return `${containers(pod).filter(runs).length}/${entriesAt(pod, 'spec', 'containers').length}`;
}

/** The word of column Status: the phase, or the reason that is closer to the cause. */
export function podStatus(pod: KubeObject): string {
  const phase = textAt(pod, ['status', 'phase'], '');
  const stated = textAt(pod, ['status', 'reason'], '');
  const reason = containerReason(pod) ?? (stated === '' ? phase : stated);
  if (textOf(at(pod, 'metadata', 'deletionTimestamp')) === undefined) return reason;
  if (stated === 'NodeLost') return 'Unknown';
  return phase === 'Succeeded' || phase === 'Failed' ? reason : 'Terminating';
}

// The first container that has something to say decides; one that completed beside others that run
// does not.
function containerReason(pod: KubeObject): string | undefined {
  const reasons = containers(pod).flatMap((container) => {
    const waiting = textOf(at(container, 'state', 'waiting', 'reason'));
    return waiting ?? textOf(at(container, 'state', 'terminated', 'reason')) ?? [];
  });
  const [reason] = reasons;
  if (reason !== 'Completed' || !containers(pod).some(runs)) return reason;
  const ready = entriesAt(pod, 'status', 'conditions').some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  );
  return ready ? 'Running' : 'NotReady';
}

/** `3 (5m ago)`: restarts of all containers, and when the last one ended. */
export function podRestarts(pod: KubeObject, wall: Micros): string {
  const all = containers(pod);
  const restarts = all.reduce((sum, container) => sum + countAt(container, 'restartCount'), 0);
  const ends = all.flatMap((container) =>
    textOf(at(container, 'lastState', 'terminated', 'finishedAt')) ?? []);
  const last = ends.sort(compareText).at(-1);
  return restarts === 0 || last === undefined
    ? String(restarts)
    : `${restarts} (${ageOf(last, wall)} ago)`;
}
