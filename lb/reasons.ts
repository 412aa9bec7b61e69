/**
 * Why a packet was refused or dropped: the place in this list is the number that programs, metrics
 * and commands share (datapath.md 13). `stale` and `noBackend` stay at zero in every test.
 */
export const dropReasons = [
  'none', 'noEndpoint', 'policyEmpty', 'srcRange', 'unknownPort', 'vipPort', 'unallocated',
  'externalClusterIp', 'noRow', 'natExhausted', 'frag', 'extHdr', 'malformed', 'stale', 'noBackend',
  'fib', 'ttl', 'tooBig', 'mapFull', 'rate', 'sctpPort', 'icmpNoRow', 'echo', 'l2Fence',
] as const;

export type DropReason = (typeof dropReasons)[number];

/** The number of a reason in maps and event records. */
export function dropReasonNumber(reason: DropReason): number {
  return dropReasons.indexOf(reason);
}
