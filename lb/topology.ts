/** Where a node stands. */
export interface Place {
  readonly nodeName: string;
  /** From label `topology.kubernetes.io/zone`. */
  readonly zone: string | undefined;
}

/** The hints that the slice controller wrote for one endpoint. */
export interface Hints {
  readonly hintZones: readonly string[];
  readonly hintNodes: readonly string[];
}

/**
 * The ready endpoints that `place` should use (datapath.md 5): node hints, else zone hints, else
 * all. One endpoint without a hint, or no hint that names this place, switches the filter off;
 * it never yields an empty set from a full one.
 */
export function topologyFilter<T extends Hints>(ready: readonly T[], place: Place): readonly T[] {
  if (ready.every((endpoint) => endpoint.hintNodes.length > 0)) {
    const named = ready.filter((endpoint) => endpoint.hintNodes.includes(place.nodeName));
    if (named.length > 0) return named;
  }
  const zone = place.zone;
  if (zone !== undefined && ready.every((endpoint) => endpoint.hintZones.length > 0)) {
    const named = ready.filter((endpoint) => endpoint.hintZones.includes(zone));
    if (named.length > 0) return named;
  }
  return ready;
}
