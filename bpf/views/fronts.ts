import { decodeFront, decodeFrontKey, encodeFrontKey } from '../layout.gen.ts';
import { faultText } from './mapfault.ts';
import type { MapReader } from './mapreader.ts';
import {
  faultsOf, runsHere, setFlags, walkService, type ServiceWalk, type SlotScope,
} from './servicewalk.ts';
import {
  comparePlaces, frontText, frontTypeOf, frontTypes, placeText, type FrontPlace,
} from './spelling.ts';

/** A front of the maps and the service port behind it. */
export interface WalkedFront extends FrontPlace {
  readonly walk: ServiceWalk;
}

/** One front as `lb list` shows it (datapath.md 13). Faults are sentences. */
export interface FrontView {
  readonly front: string;
  readonly kind: string;
  readonly svc: number;
  readonly gen: number | undefined;
  readonly set: number | undefined;
  readonly flags: readonly string[];
  readonly slots: readonly SlotView[];
  readonly fault: string | undefined;
}

export interface SlotView {
  readonly slot: number;
  /** Backend id. */
  readonly id: number;
  readonly endpoint: string | undefined;
  readonly scope: SlotScope;
  /** It runs on this node. */
  readonly local: boolean;
  readonly fault: string | undefined;
}

/** Every front with its service port, ordered by type, address and port. */
export function walkFronts(maps: MapReader): WalkedFront[] {
  const walks = new Map<number, ServiceWalk>();
  const fronts = maps.dump('fl_front').map(({ key, value }): WalkedFront => {
    const { addr, port, proto } = decodeFrontKey(key);
    const { svcId, kind } = decodeFront(value);
    const walk = walks.get(svcId) ?? walkService(maps, svcId);
    walks.set(svcId, walk);
    return { addr, port, proto, kind, walk };
  });
  return fronts.filter((front) => stands(maps, front)).sort(compareFronts);
}

/** The fronts as rows. */
export function frontViews(maps: MapReader): FrontView[] {
  return walkFronts(maps).map((front) => {
    const { walk } = front;
    return {
      front: frontText(front),
      kind: frontTypeOf(front.kind) ?? `kind ${front.kind}`,
      svc: walk.svcId,
      gen: walk.gen,
      set: walk.setId,
      flags: walk.set === undefined ? [] : setFlags(walk.set),
      slots: walk.slots.map((slot) => ({
        slot: slot.slot,
        id: slot.backendId,
        endpoint: slot.backend === undefined ? undefined : placeText(slot.backend),
        scope: slot.scope,
        local: runsHere(slot),
        fault: slot.fault === undefined ? undefined : faultText(slot.fault),
      })),
      fault: walk.fault === undefined ? undefined : faultText(walk.fault),
    };
  });
}

/** What is wrong behind a front, as sentences that name it. */
export function frontFaults({ front, fault, slots }: FrontView): string[] {
  const found = [fault, ...slots.map((slot) => slot.fault)].filter((one) => one !== undefined);
  return found.map((text) => `front ${front}: ${text}`);
}

// A front that was removed while its service port was walked is no dangling one.
function stands(maps: MapReader, front: WalkedFront): boolean {
  if (faultsOf(front.walk).length === 0) return true;
  const value = maps.lookup('fl_front', encodeFrontKey(front));
  return value !== undefined && decodeFront(value).svcId === front.walk.svcId;
}

function compareFronts(left: WalkedFront, right: WalkedFront): number {
  return rankOf(left) - rankOf(right) || comparePlaces(left, right) || left.proto - right.proto;
}

function rankOf({ kind }: WalkedFront): number {
  const type = frontTypeOf(kind);
  return type === undefined ? frontTypes.length : frontTypes.indexOf(type);
}
