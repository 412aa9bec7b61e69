import { ipFromBytes, type Ip } from '../../lb/ip.ts';
import { decodeL2, decodeL2Key, setFlag } from '../layout.gen.ts';
import { walkFronts, type WalkedFront } from './fronts.ts';
import { faultCode, faultText } from './mapfault.ts';
import type { MapReader } from './mapreader.ts';
import { rangeViews } from './sourceranges.ts';
import { faultsOf, runsHere } from './servicewalk.ts';
import { frontText, frontTypeOf, placeText } from './spelling.ts';

/** One frontend as far as the maps tell; names of Services are not in them. */
export interface ServiceView {
  readonly type: string;
  readonly frontend: string;
  /** Absent where the set of the service port cannot be read. */
  readonly policy: 'Cluster' | 'Local' | undefined;
  readonly localBackends: number;
  readonly backends: number;
  /** Of a LoadBalancer frontend. */
  readonly externalIp: string | undefined;
  /** This node answers for the address: the fence of its responder has not expired. */
  readonly announced: boolean;
  /** `True`, or the code of what is missing (interface.md 6, step 5). */
  readonly ready: string;
  /** Service port id. */
  readonly id: number;
  readonly algorithm: 'random' | 'maglev' | undefined;
  /** Seconds. */
  readonly affinity: number | undefined;
  readonly sourceRanges: readonly string[];
  readonly endpoints: readonly string[];
  readonly faults: readonly string[];
}

/** Frontends by type, address and port. `bootNs` is CLOCK_BOOTTIME, the clock of the fences. */
export function serviceViews(maps: MapReader, bootNs: bigint): ServiceView[] {
  const announced = announcedAddresses(maps, bootNs);
  const ranges = new Map<number, string[]>();
  for (const { svc, prefix, flags } of rangeViews(maps)) {
    if (svc === undefined || prefix === undefined || !flags.includes('admit')) continue;
    const list = ranges.get(svc);
    if (list === undefined) ranges.set(svc, [prefix]);
    else list.push(prefix);
  }
  return walkFronts(maps).map((front) => {
    const { walk: { set, svcId, slots } } = front;
    const balanced = frontTypeOf(front.kind) === 'LoadBalancer';
    const address = ipFromBytes(front.addr);
    const faults = faultsOf(front.walk);
    const affinity = set !== undefined && (set.flags & setFlag.affinity) !== 0;
    return {
      type: frontTypeOf(front.kind) ?? `kind ${front.kind}`,
      frontend: frontText(front),
      policy: policyOf(front),
      localBackends: slots.filter(runsHere).length,
      backends: slots.length,
      externalIp: balanced ? address : undefined,
      announced: balanced && announced.has(address),
      ready: faults[0] === undefined ? 'True' : faultCode(faults[0]),
      id: svcId,
      algorithm: algorithmOf(front),
      affinity: affinity ? set.affinityS : undefined,
      sourceRanges: balanced ? (ranges.get(svcId) ?? []) : [],
      endpoints: slots.map(({ backend }) => backend).filter((backend) => backend !== undefined)
        .map(placeText),
      faults: faults.map((fault) => `front ${frontText(front)}: ${faultText(fault)}`),
    };
  });
}

function policyOf({ kind, walk: { set } }: WalkedFront): ServiceView['policy'] {
  if (set === undefined) return undefined;
  const internal = frontTypeOf(kind) === 'ClusterIP';
  const bit = internal ? setFlag.internalLocal : setFlag.externalLocal;
  return (set.flags & bit) === 0 ? 'Cluster' : 'Local';
}

function algorithmOf({ walk: { set } }: WalkedFront): ServiceView['algorithm'] {
  if (set === undefined) return undefined;
  return (set.flags & setFlag.maglev) === 0 ? 'random' : 'maglev';
}

function announcedAddresses(maps: MapReader, bootNs: bigint): ReadonlySet<Ip> {
  const live = maps.dump('fl_l2').filter(({ value }) => decodeL2(value).expiryNs > bootNs);
  return new Set(live.map(({ key }) => ipFromBytes(decodeL2Key(key).addr)));
}
