import { parseSelectorText } from '../../lb/selector-text.ts';
import type { PodChoice } from '../kube/actors.ts';
import type { Reader } from '../scenario/reader.ts';
import type { FaultKind } from './fault.ts';


/** Reads `namespace`, and `selector: app=web` or `pod: NAME`. */
function readPodTarget(parameters: Reader): PodChoice {
  const namespace = parameters.text('namespace') ?? 'default';
  const name = parameters.text('pod') ?? parameters.text('pods');
  const text = parameters.text('selector');
  if (text === undefined) {
    if (name === undefined) parameters.fault('pod', 'expected a pod or a selector');
    return { namespace, ...(name === undefined ? {} : { name }) };
  }
  const parsed = parseSelectorText(text);
  if (!parsed.ok) parameters.fault('selector', parsed.error.message);
  return { namespace, ...(parsed.ok ? { labels: parsed.value } : {}) };
}

/** Faults of pods (simulator.md 8). */
export const workloadFaults: Readonly<Record<string, FaultKind>> = {
  /** One pod of the selected exits; its kubelet starts it again. */
  'pod.crash': {
    prepare(parameters) {
      const target = readPodTarget(parameters);
      return (cluster) => {
        cluster.actors.crashPods(target);
        return () => undefined;
      };
    },
  },
  /** Readiness of the selected pods toggles each `period`. */
  'pod.flap': {
    prepare(parameters) {
      const target = readPodTarget(parameters);
      const period = parameters.duration('period') ?? 5_000_000;
      return (cluster) => {
        const flapping = cluster.actors.flap(target, period);
        return () => flapping.cancel();
      };
    },
  },
};
