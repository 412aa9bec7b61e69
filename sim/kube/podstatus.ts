import type { Ip } from '../../lb/ip.ts';
import type { KubeObject } from '../../kube/port.ts';
import { fields, items, text, type Fields } from './fields.ts';
import type { PodPhase, PodView } from './pod.ts';

/** What a kubelet knows of a pod that it runs. */
export interface PodReport {
  readonly phase: PodPhase;
  readonly ready: boolean;
  readonly ips: readonly Ip[];
  readonly hostIps: readonly Ip[];
  readonly restarts: number;
  /** RFC 3339, of the write. */
  readonly stamp: string;
}

/** The pod with its status as reported; transition times move only with their condition. */
export function reportedPod(pod: PodView, report: PodReport): KubeObject {
  const before = fields(pod.object['status']);
  const { hostIps } = report;
  const told = items(before['containerStatuses']);
  const status = {
    ...before,
    phase: report.phase,
    conditions: withConditions(before, report.stamp, [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Initialized', status: 'True' },
      condition('ContainersReady', report.ready),
      condition('Ready', report.ready),
    ]),
    startTime: text(before['startTime']) === '' ? report.stamp : before['startTime'],
    ...(hostIps.length > 0 && { hostIP: hostIps[0], hostIPs: ipList(hostIps) }),
    ...(report.ips.length > 0 && { podIP: report.ips[0], podIPs: ipList(report.ips) }),
    containerStatuses: items(pod.spec.fields['containers']).map((container) => ({
      name: container['name'],
      image: container['image'] ?? '',
      imageID: '',
      ready: report.ready,
      started: report.phase === 'Running',
      restartCount: report.restarts,
      ...containerState(told.find((one) => one['name'] === container['name']) ?? {}, report),
    })),
  };
  return { ...pod.object, status };
}

// A container keeps the time of its start until it is another run of it.
function containerState(before: Fields, report: PodReport): Fields {
  const { phase, restarts, stamp } = report;
  const again = typeof before['restartCount'] === 'number' && restarts > before['restartCount'];
  const startedAt = text(fields(fields(before['state'])['running'])['startedAt']);
  const ended = { exitCode: 1, reason: 'Error', finishedAt: stamp };
  const lastState = again ? { terminated: ended } : before['lastState'];
  return {
    state: {
      ...(phase === 'Pending' && { waiting: { reason: 'ContainerCreating' } }),
      ...(phase === 'Running' && {
        running: { startedAt: again || startedAt === '' ? stamp : startedAt },
      }),
      ...(phase === 'Failed' && { terminated: ended }),
      ...(phase === 'Succeeded' && {
        terminated: { exitCode: 0, reason: 'Completed', finishedAt: stamp },
      }),
    },
    ...(lastState !== undefined && { lastState }),
  };
}

/** The object with one condition set and the others kept. */
export function withCondition(object: KubeObject, condition: Fields, stamp: string): KubeObject {
  const status = fields(object['status']);
  return {
    ...object, status: { ...status, conditions: withConditions(status, stamp, [condition]) },
  };
}

/** Container restarts so far. */
export function restartsOf(pod: PodView): number {
  const first = items(fields(pod.object['status'])['containerStatuses'])[0]?.['restartCount'];
  return typeof first === 'number' ? first : 0;
}

function condition(type: string, holds: boolean): Fields {
  if (holds) return { type, status: 'True' };
  return {
    type, status: 'False', reason: 'ContainersNotReady', message: 'containers are not ready',
  };
}

function withConditions(
  status: Fields, stamp: string, wanted: readonly Fields[],
): readonly Fields[] {
  const before = items(status['conditions']);
  const rest = before.filter((entry) => !wanted.some((own) => own['type'] === entry['type']));
  const own = wanted.map((entry) => {
    const same = before.find(
      (other) => other['type'] === entry['type'] && other['status'] === entry['status'],
    );
    return { ...entry, lastTransitionTime: same?.['lastTransitionTime'] ?? stamp };
  });
  return [...own, ...rest];
}

function ipList(ips: readonly Ip[]): readonly Fields[] {
  return ips.map((ip) => ({ ip }));
}
