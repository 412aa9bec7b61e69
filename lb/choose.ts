import type { Forward } from './decide.ts';
import type { BackendRow } from './endpoints.ts';
import { affinityKey, flowKey, murmur32, type FlowTuple } from './murmur.ts';
import type { Micros } from './ports.ts';
import { assert } from './result.ts';
import { selectable, type AffinityRow, type FlowRow } from './flow.ts';

/** What is known of a flow when its endpoint is chosen. */
export interface FlowChoice {
  readonly tuple: FlowTuple;
  /** A row that 8.4 keeps, judged by `judgeRow` before. */
  readonly row?: FlowRow;
  readonly affinity?: AffinityRow;
  readonly now: Micros;
  /** Uniform, unsigned 32-bit. */
  readonly draw: number;
}

const microsPerSecond = 1_000_000;

/**
 * The endpoint of a flow: its live row, a young affinity row whose endpoint may be selected now, or
 * Maglev slot or random draw over the candidates (datapath.md 3). An affinity row as old as its
 * timeout is expired. Pure.
 */
export function choose(forward: Forward, flow: FlowChoice): BackendRow {
  if (flow.row !== undefined) return flow.row.backend;
  const { affinity } = flow;
  if (affinity !== undefined && forward.affinitySeconds > 0) {
    const age = flow.now - affinity.last;
    const known = selectable(forward.candidates, affinity);
    if (known !== undefined && age < forward.affinitySeconds * microsPerSecond) return known;
  }
  const { candidates } = forward;
  const maglev = forward.view.record.algorithm === 'maglev';
  const index = maglev ? maglevIndex(forward, flow.tuple) : flow.draw % candidates.length;
  const endpoint = candidates[index];
  assert(
    endpoint !== undefined,
    `candidate ${index} of ${candidates.length} of ${forward.servicePort} exists`,
  );
  return endpoint;
}

function maglevIndex(forward: Forward, tuple: FlowTuple): number {
  const { slots, seed } = forward.view.maglev(forward.scope);
  const key = forward.affinitySeconds > 0 ? affinityKey(tuple.source) : flowKey(tuple);
  return slots[murmur32(key, seed) % slots.length] ?? 0;
}
