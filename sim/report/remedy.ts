import type { KubeObject } from '../../kube/port.ts';
import { formatDuration } from '../scenario/quantity.ts';
import { field } from './timeline.ts';
import { runPlacement, type WhatIfInput } from './whatif.ts';
import type { WhatIfRow } from './whatif-table.ts';

/** A change of a workload that may shorten an outage. */
interface Remedy {
  /** `a second replica for web/blog`. */
  readonly text: string;
  readonly change: (workload: KubeObject) => KubeObject;
}

const rowsMax = 3;
const worthMs = 60_000;

/**
 * Hints for addresses that waited for a pod: each is a re-run of the worst placement with the
 * change applied, so the figure is measured and not promised (simulator.md 7.3).
 */
export function hintsFor(input: Omit<WhatIfInput, 'seed'>, rows: readonly WhatIfRow[]): string[] {
  const waiting = rows.filter(
    (row) =>
      (row.worstMs === undefined || row.worstMs >= worthMs) &&
      (row.reason === 'only-endpoints-lost' || row.reason === 'stateful-set'),
  );
  const seen = new Set<KubeObject>();
  const hints: string[] = [];
  for (const row of waiting) {
    const workload = workloadBehind(input.objects, row.service);
    if (workload === undefined || seen.has(workload) || seen.size >= rowsMax) continue;
    seen.add(workload);
    for (const remedy of remediesFor(workload, row)) {
      const after = measured(input, { row, workload, remedy });
      if (after !== undefined) hints.push(`${remedy.text} (outage → ${after})`);
    }
  }
  return hints;
}

function remediesFor(workload: KubeObject, row: WhatIfRow): Remedy[] {
  const second = { text: `another replica for ${row.service}`, change: withReplica };
  // A StatefulSet's pod on a dead node is never replaced, so no toleration helps.
  if (workload.kind === 'StatefulSet') return [second];
  return [second, { text: `tolerationSeconds: 30 for ${row.service}`, change: withToleration }];
}

interface Trial {
  readonly row: WhatIfRow;
  readonly workload: KubeObject;
  readonly remedy: Remedy;
}

function measured(
  input: Omit<WhatIfInput, 'seed'>,
  { row, workload, remedy }: Trial,
): string | undefined {
  const objects = input.objects.map((object) =>
    object === workload ? remedy.change(workload) : object,
  );
  const placement = runPlacement({ ...input, objects, seed: row.worstSeed });
  const found = placement.observations.find(
    (one) => one.service === row.service && one.ip === row.ip,
  );
  if (found?.outage === undefined) return undefined;
  if (row.worstMs !== undefined && found.outage / 1000 >= row.worstMs) return undefined;
  return found.outage === 0 ? 'none' : formatDuration(found.outage);
}

/** The workload of the manifests whose pods a Service selects. */
function workloadBehind(objects: readonly KubeObject[], service: string): KubeObject | undefined {
  const named = (object: KubeObject): string =>
    `${object.metadata?.namespace ?? 'default'}/${object.metadata?.name ?? ''}`;
  const found = objects.find((object) => object.kind === 'Service' && named(object) === service);
  const selector = field(field(found, 'spec'), 'selector');
  if (typeof selector !== 'object' || selector === null) return undefined;
  return objects.find((object) => {
    if (object.kind !== 'Deployment' && object.kind !== 'StatefulSet') return false;
    if ((object.metadata?.namespace ?? 'default') !== (found?.metadata?.namespace ?? 'default'))
      return false;
    const labels = field(field(field(field(object, 'spec'), 'template'), 'metadata'), 'labels');
    return Object.entries(selector).every(([key, value]) => field(labels, key) === value);
  });
}

function specOf(workload: KubeObject): Readonly<Record<string, unknown>> {
  const spec = workload['spec'];
  return typeof spec === 'object' && spec !== null ? { ...spec } : {};
}

function withReplica(workload: KubeObject): KubeObject {
  const spec = specOf(workload);
  const replicas = typeof spec['replicas'] === 'number' ? spec['replicas'] : 1;
  return { ...workload, spec: { ...spec, replicas: replicas + 1 } };
}

function withToleration(workload: KubeObject): KubeObject {
  const spec = specOf(workload);
  const template = field(workload['spec'], 'template');
  const podSpec = field(template, 'spec');
  const tolerations = ['not-ready', 'unreachable'].map((key) => ({
    key: `node.kubernetes.io/${key}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 30,
  }));
  const changed = {
    ...(template as object),
    spec: { ...(podSpec as object), tolerations },
  };
  return { ...workload, spec: { ...spec, template: changed } };
}
