/**
 * Two rows of the maps that disagree: something names what is not there. Programs drop at each of
 * them (`stale`, `noBackend`), so none may ever be seen (datapath.md 10, 13).
 */
export type MapFault =
  | { readonly kind: 'service-missing'; readonly svcId: number }
  | { readonly kind: 'set-missing'; readonly setId: number }
  | {
    readonly kind: 'set-stale';
    readonly setId: number;
    /** What the service record asks for. */
    readonly wanted: SetOwner;
    /** What the set says of itself. */
    readonly found: SetOwner;
  }
  | { readonly kind: 'list-short'; readonly setId: number; readonly base: number }
  | { readonly kind: 'endpoint-missing'; readonly backendId: number }
  | { readonly kind: 'not-member'; readonly backendId: number; readonly scope: 'local' | 'cluster' }
  | { readonly kind: 'range-missing'; readonly rangeId: number };

export interface SetOwner {
  readonly svcId: number;
  readonly gen: number;
}

/** One short sentence, the same in every view. */
export function faultText(fault: MapFault): string {
  switch (fault.kind) {
    case 'service-missing':
      return `service id ${fault.svcId} missing`;
    case 'set-missing':
      return `set id ${fault.setId} missing`;
    case 'set-stale':
      return `set id ${fault.setId} is ${ownerText(fault.found)}, not ${ownerText(fault.wanted)}`;
    case 'list-short':
      return `set id ${fault.setId} lists cells from ${fault.base} beyond the map`;
    case 'endpoint-missing':
      return `endpoint id ${fault.backendId} missing`;
    case 'not-member':
      return `endpoint id ${fault.backendId} is no ${fault.scope} member`;
    case 'range-missing':
      return `range id ${fault.rangeId} missing`;
  }
}

/** The code of a fault in `service list` and `service explain` (interface.md 6, step 5). */
export function faultCode({ kind }: MapFault): 'EntryMissing' | 'EntryStale' | 'DanglingBackend' {
  switch (kind) {
    case 'service-missing':
    case 'set-missing':
    case 'list-short':
    case 'range-missing':
      return 'EntryMissing';
    case 'set-stale':
      return 'EntryStale';
    case 'endpoint-missing':
    case 'not-member':
      return 'DanglingBackend';
  }
}

function ownerText({ svcId, gen }: SetOwner): string {
  return `generation ${gen} of service ${svcId}`;
}
