import { parseSelectorText } from '../../kube/selector-text.ts';
import type { LabelSelector } from '../../lb/selector.ts';
import type { Reader } from '../scenario/reader.ts';
import type { FaultKind } from './fault.ts';

interface PodTarget {
  readonly namespace: string;
  readonly selector: LabelSelector | undefined;
  readonly name: string | undefined;
}

/** Reads `namespace`, and `selector: app=web` or `pod: NAME`. */
function readPodTarget(parameters: Reader): PodTarget {
  const namespace = parameters.text('namespace') ?? 'default';
  const name = parameters.text('pod');
  const text = parameters.text('selector');
  if (text === undefined) {
    if (name === undefined) parameters.fault('pod', 'expected a pod or a selector');
    return { namespace, selector: undefined, name };
  }
  const parsed = parseSelectorText(text);
  if (!parsed.ok) parameters.fault('selector', parsed.error.message);
  return { namespace, selector: parsed.ok ? parsed.value : undefined, name };
}

/** Faults of pods (simulator.md 8). */
export const workloadFaults: Readonly<Record<string, FaultKind>> = {
  /** One pod of the selected exits; its kubelet starts it again. */
  'pod.crash': {
    prepare(parameters) {
      const target = readPodTarget(parameters);
      return (cluster) => {
        cluster.crashPod(target);
        return () => undefined;
      };
    },
  },
  /** Readiness of the selected pods toggles each `period`. */
  'pod.flap': {
    prepare(parameters) {
      const target = readPodTarget(parameters);
      const period = parameters.duration('period') ?? 5_000_000;
      return (cluster) => cluster.flapPods(target, period);
    },
  },
};
