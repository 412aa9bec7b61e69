import {
  backendFlag, decodeMember, decodeMemberKey, memberBit, type Backend,
} from '../layout.gen.ts';
import { faultText } from './mapfault.ts';
import { backendAt, memberBits, type MapReader } from './mapreader.ts';
import { comparePlaces, placeText, protocolText } from './spelling.ts';

/** One row of `fl_member`: a backend that a service port may have. */
export interface MemberView {
  readonly svc: number;
  /** Backend id. */
  readonly id: number;
  readonly endpoint: string | undefined;
  readonly scope: 'local' | 'local-only' | 'cluster' | 'none';
  readonly serving: boolean;
  readonly fault: string | undefined;
}

/** One backend that service ports use. */
export interface BackendView {
  readonly id: number;
  readonly endpoint: string | undefined;
  readonly protocol: string | undefined;
  readonly gen: number | undefined;
  /** Of the pod's interface on this node; 0: not on this node, or not known. */
  readonly ifindex: number | undefined;
  readonly flags: readonly string[];
  /** Ids of the service ports that have it as a member, ascending. */
  readonly services: readonly number[];
  readonly fault: string | undefined;
}

interface Member {
  readonly svcId: number;
  readonly backendId: number;
  readonly bits: number;
  readonly backend: Backend | undefined;
}

/** Members by service port, then by endpoint. */
export function memberViews(maps: MapReader): MemberView[] {
  return membersOf(maps)
    .sort((left, right) => left.svcId - right.svcId || compareMembers(left, right))
    .map(({ svcId, backendId, bits, backend }) => ({
      svc: svcId,
      id: backendId,
      endpoint: backend === undefined ? undefined : placeText(backend),
      scope: scopeOf(bits),
      serving: (bits & memberBit.serving) !== 0,
      fault: faultOf(backendId, backend),
    }));
}

/** Backends that some service port has, by address and port; released ids are not looked at. */
export function backendViews(maps: MapReader): BackendView[] {
  const users = new Map<number, Member[]>();
  for (const member of membersOf(maps)) {
    const others = users.get(member.backendId);
    if (others === undefined) users.set(member.backendId, [member]);
    else others.push(member);
  }
  const firsts = [...users.values()].flatMap((members) => members.slice(0, 1));
  return firsts.sort(compareMembers).map(({ backendId, backend }) => ({
    id: backendId,
    endpoint: backend === undefined ? undefined : placeText(backend),
    protocol: backend === undefined ? undefined : protocolText(backend.proto),
    gen: backend?.gen,
    ifindex: backend?.ifindex,
    flags: backend !== undefined && (backend.flags & backendFlag.local) !== 0 ? ['local'] : [],
    services: (users.get(backendId) ?? []).map(({ svcId }) => svcId)
      .sort((left, right) => left - right),
    fault: faultOf(backendId, backend),
  }));
}

// A row that went while it was looked at is no dangling one.
function membersOf(maps: MapReader): Member[] {
  return maps.dump('fl_member').flatMap(({ key, value }) => {
    const { svcId, backendId } = decodeMemberKey(key);
    const backend = backendAt(maps, backendId);
    if (backend === undefined && memberBits(maps, svcId, backendId) === 0) return [];
    return [{ svcId, backendId, bits: decodeMember(value).bits, backend }];
  });
}

function faultOf(backendId: number, backend: Backend | undefined): string | undefined {
  return backend === undefined ? faultText({ kind: 'endpoint-missing', backendId }) : undefined;
}

function scopeOf(bits: number): MemberView['scope'] {
  const local = (bits & memberBit.local) !== 0;
  if ((bits & memberBit.cluster) === 0) return local ? 'local-only' : 'none';
  return local ? 'local' : 'cluster';
}

// Missing ones first: that is what the reader came for.
function compareMembers(left: Member, right: Member): number {
  if (left.backend === undefined || right.backend === undefined) {
    const missing = Number(left.backend !== undefined) - Number(right.backend !== undefined);
    return missing || left.backendId - right.backendId;
  }
  return comparePlaces(left.backend, right.backend) || left.backend.proto - right.backend.proto
    || left.backendId - right.backendId;
}
