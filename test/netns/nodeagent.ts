// The datapath of one node of the lab, in the node's network namespace. Reads real Kubernetes
// objects, one JSON line each: {"type":"MODIFIED"|"DELETED","object":…}, and {"type":"LISTED"} when
// every listing is complete. Says `{"effective":N}` when the first N lines are in the kernel, and
// with 0 that it waits for listings.
import { createInterface } from 'node:readline';
import { realClock } from '../../bpf/clock.real.ts';
import { createHookedDatapath } from '../../bpf/datapath/hooks.ts';
import { DatapathMemo } from '../../bpf/datapath/memo.ts';
import { probeFeatures } from '../../bpf/features.real.ts';
import type { FeatureName } from '../../bpf/features.ts';
import { loadAddon } from '../../bpf/native.real.ts';
import { openNode, type NodeSettings } from '../../bpf/node.real.ts';
import { createDecoder } from '../../kube/decode.ts';
import type { KubeObject } from '../../kube/port.ts';
import { datapathDefaults, type DatapathOptions } from '../../lb/datapathoptions.ts';
import {
  objectKey, type EndpointSlice, type Meta, type Node, type Service,
} from '../../lb/model.ts';
import type { Journal } from '../../lb/ports.ts';
import type { Result } from '../../lb/result.ts';
import { Table } from '../../lb/table.ts';

/** What the lab tells an agent on its command line, as JSON. */
export interface AgentSettings extends Pick<NodeSettings, 'nodeName' | 'cgroup'> {
  readonly socketLb?: NodeSettings['socketLb'];
  readonly options?: Partial<DatapathOptions>;
  /** Features to pass over, as an older kernel has not got them. */
  readonly without?: readonly FeatureName[];
}

/** A line of input. */
export type Change =
  | { readonly type: 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  | { readonly type: 'LISTED' };

const tables = {
  services: new Table<Service>('services'),
  slices: new Table<EndpointSlice>('endpointslices'),
  nodes: new Table<Node>('nodes'),
};
const decoder = createDecoder();

function take<T extends { readonly meta: Meta }>(
  table: Table<T>, decoded: Result<T, unknown>, gone: boolean,
): void {
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.error));
  const key = objectKey(decoded.value.meta);
  if (gone) table.delete(key);
  else table.upsert(key, decoded.value);
}

function apply(change: Change): void {
  if (change.type === 'LISTED') {
    for (const table of Object.values(tables)) table.markComplete();
    return;
  }
  const { object } = change;
  const gone = change.type === 'DELETED';
  switch (object.kind) {
    case 'Service': return take(tables.services, decoder.service(object), gone);
    case 'EndpointSlice': return take(tables.slices, decoder.slice(object), gone);
    case 'Node': return take(tables.nodes, decoder.node(object), gone);
    default: throw new Error(`no table for ${object.kind}`);
  }
}

function start(): void {
  const given = JSON.parse(process.argv[2] ?? '{}') as AgentSettings;
  const { options, without = [], ...settings } = given;
  const addon = loadAddon();
  if (!addon.ok) throw new Error(addon.error.text);
  const clock = realClock(addon.value);
  const features = new Set(probeFeatures(addon.value));
  for (const name of without) features.delete(name);
  const journal: Journal = {
    note: ({ level, code, text }) => {
      if (level !== 'debug' && level !== 'info') process.stderr.write(`${code}: ${text}\n`);
    },
  };
  const { nodeName } = settings;
  const node = openNode({ addon: addon.value, clock, features, journal }, {
    socketLb: 'full', ...settings, datapath: { ...datapathDefaults, ...options },
    bindProtection: true, uplinks: [], announces: () => false, mapDivisor: 16,
    allowOtherProxy: false,
  });
  if (!node.ok) throw new Error(node.error.text);
  const { kernel, devices, hooks, limits } = node.value;
  const datapath = createHookedDatapath({ clock, kernel, devices, hooks, journal }, tables, {
    nodeName, options: { ...datapathDefaults, ...options }, memo: new DatapathMemo('one'), limits,
  });
  datapath.start();
  process.stdout.write(`${JSON.stringify({ effective: 0 })}\n`);
  let [taken, told] = [0, 0];
  const tell = (): void => {
    if (datapath.ready() && taken > told && datapath.pending().length === 0) {
      told = taken;
      process.stdout.write(`${JSON.stringify({ effective: told })}\n`);
    }
    clock.after(1_000, tell);
  };
  tell();
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    apply(JSON.parse(line) as Change);
    taken += 1;
  });
  lines.on('close', () => process.exit(0));
}

if (import.meta.main) start();
