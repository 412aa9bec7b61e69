import type { EndpointSlice, ServiceKey } from './model.ts';
import { compareText, type Change } from './table.ts';

const none: readonly EndpointSlice[] = [];

/**
 * The slices of each Service, by name. Lists are replaced, never changed, and a Service has the
 * identical list until one of its slices changes (datapath.md C15).
 */
export class SliceIndex {
  #services = new Map<string, ServiceKey>();
  #slices = new Map<ServiceKey, readonly EndpointSlice[]>();

  /** The Service's slices in order of their names. */
  of(service: ServiceKey): readonly EndpointSlice[] {
    return this.#slices.get(service) ?? none;
  }

  /** Takes a change in; a slice that moved concerns the Service it left and the one it joined. */
  take({ key, value }: Change<EndpointSlice>, concerns: (service: ServiceKey) => void): void {
    const before = this.#services.get(key);
    const after = value?.service;
    if (before !== undefined && before !== after) {
      this.#leave(key, before);
      concerns(before);
    }
    if (value === undefined || after === undefined) return;
    if (before !== after) this.#services.set(key, after);
    this.#join(value, after);
    concerns(after);
  }

  // A slice belongs to a Service of its own namespace, so its name identifies it in the list.
  #leave(key: string, service: ServiceKey): void {
    this.#services.delete(key);
    const name = key.slice(key.indexOf('/') + 1);
    const rest = this.of(service).filter((slice) => slice.meta.name !== name);
    if (rest.length > 0) this.#slices.set(service, rest);
    else this.#slices.delete(service);
  }

  #join(slice: EndpointSlice, service: ServiceKey): void {
    const known = this.of(service);
    if (known.length === 0) {
      this.#slices.set(service, [slice]);
      return;
    }
    const others = known.filter((other) => other.meta.name !== slice.meta.name);
    this.#slices.set(service, [...others, slice].sort(compareNames));
  }
}

function compareNames(left: EndpointSlice, right: EndpointSlice): number {
  return compareText(left.meta.name, right.meta.name);
}
