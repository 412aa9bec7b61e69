import { decodeRow, nodeMap, viewMap } from '../../bpf/codec.ts';
import { datapathDefaults, type NodeFacts } from '../../lb/datapathoptions.ts';
import { assert } from '../../lb/result.ts';
import type { DatapathRecord, ServicePortId } from '../../lb/serviceport.ts';
import { ViewIndex } from '../../lb/view.ts';
import type { SimKernel } from './kernel.ts';
import type { SimMap } from './maps.ts';

/**
 * Rows of `fl_view`, decoded once per distinct value of a world: the pool of its kernels gives
 * equal
 * bytes one identity.
 */
export class RowDecoder {
  #records = new WeakMap<Uint8Array, DatapathRecord>();

  /** Undefined for bytes of another layout, which the programs cannot use. */
  record(bytes: Uint8Array): DatapathRecord | undefined {
    const known = this.#records.get(bytes);
    if (known !== undefined) return known;
    const decoded = decodeRow(bytes);
    if (decoded?.['kind'] !== 'service-port' && decoded?.['kind'] !== 'foreign') return undefined;
    const record = decoded as unknown as DatapathRecord;
    this.#records.set(bytes, record);
    return record;
  }
}

/**
 * What the maps of one kernel say, as an index for its programs. Changes are noted when they happen
 * and applied when the next packet looks, so an idle node pays nothing for its tables.
 */
export class ViewCache {
  #decoder: RowDecoder;
  #index: ViewIndex;
  #rows: SimMap;
  #changed = new Set<string>();
  #facts: { readonly bytes: Uint8Array | undefined } | undefined;
  #generations = new Map<ServicePortId, number>();
  #count = 0;

  constructor(kernel: SimKernel, decoder: RowDecoder = new RowDecoder()) {
    this.#decoder = decoder;
    this.#index = new ViewIndex(noFacts(kernel.node));
    const rows = kernel.map(viewMap);
    const facts = kernel.map(nodeMap);
    assert(rows !== undefined && facts !== undefined, 'a kernel has the maps of its programs');
    this.#rows = rows;
    // Texts of keys are the identities, because both are ASCII.
    rows.onChange(({ text }) => this.#changed.add(text));
    facts.onChange(({ value }, present) => {
      this.#facts = { bytes: present ? value : undefined };
    });
  }

  /** The maps' present state. */
  get view(): ViewIndex {
    if (this.#facts !== undefined) this.#applyFacts(this.#facts.bytes);
    if (this.#changed.size > 0) this.#applyRows();
    return this.#index;
  }

  /** Rises when the row of the service port changes; 0 for one that is not there. */
  generation(id: ServicePortId): number {
    return this.#generations.get(id) ?? 0;
  }

  #applyFacts(bytes: Uint8Array | undefined): void {
    this.#facts = undefined;
    const decoded = bytes === undefined ? undefined : decodeRow(bytes);
    const stored = decoded !== undefined && Array.isArray(decoded['addresses']);
    this.#index.setFacts(
      stored ? (decoded as unknown as NodeFacts) : noFacts(this.#index.facts.nodeName),
    );
  }

  #applyRows(): void {
    for (const key of this.#changed) {
      const bytes = this.#rows.slot(key)?.value;
      const id = key as ServicePortId; // keys of `fl_view` are identities
      const record = bytes === undefined ? undefined : this.#decoder.record(bytes);
      this.#count += 1;
      if (record === undefined) {
        this.#index.remove(id);
        this.#generations.delete(id);
      } else {
        this.#index.set(record);
        this.#generations.set(id, this.#count);
      }
    }
    this.#changed.clear();
  }
}

function noFacts(nodeName: string): NodeFacts {
  return {
    nodeName, addresses: [], nodePortAddresses: [], nodeOwned: [], options: datapathDefaults,
  };
}
