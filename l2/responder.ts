import { ipFromBytes, ipv4At, type Ip } from '../lb/ip.ts';
import {
  allNodes, arpOffsets, arpOpcode, broadcastMac, decodeNdp, encodeNdp, etherTypeArp,
  etherTypeIpv6, groupMac, icmpv6Sum, macBytes, macIs, macText, ndpOptions, solicitedNodeGroup,
  word, zeroMac,
} from './frames.ts';
import type { ResponderValue } from './responder-map.ts';

/** The interface a frame came in by, and what its metadata said of it. */
export interface Ingress {
  readonly ifindex: number;
  readonly mac: string;
  /** The frame was addressed to another host's MAC (PACKET_OTHERHOST). */
  readonly otherHost: boolean;
  /** A VLAN tag was stripped into the metadata. */
  readonly vlan: boolean;
}

/** Looks a key of the responder map up. */
export type KeyLookup = (ifindex: number, ip: Ip) => KeyFound | undefined;

export interface KeyFound {
  readonly expiryNs: bigint | number;
  readonly mac: ResponderValue['mac'];
}

/** The responder map as it stands at `bootNs`, CLOCK_BOOTTIME in nanoseconds. */
export interface Keys {
  readonly key: KeyLookup;
  readonly bootNs: bigint | number;
}

/** `pass`: the frame goes on unchanged, the responder drops nothing; the reason is for counters. */
export type Verdict =
  | { readonly kind: 'answer'; readonly frame: Uint8Array; readonly ip: Ip }
  | { readonly kind: 'pass'; readonly reason: string };

/**
 * What the ingress hook does with one frame (l2.md 10.2 and 10.3): checks in the order of the
 * specification, the first failure passes.
 */
export function respond(frame: Uint8Array, ingress: Ingress, keys: Keys): Verdict {
  if (ingress.otherHost) return pass('other-host');
  if (ingress.vlan) return pass('vlan');
  const etherType = frame.length < 14 ? 0 : word(frame, 12);
  if (etherType === etherTypeArp) return respondArp(frame, { ingress, ...keys });
  if (etherType === etherTypeIpv6) return respondNdp(frame, { ingress, ...keys });
  return pass('ether-type');
}

interface Context extends Keys {
  readonly ingress: Ingress;
}

function respondArp(frame: Uint8Array, context: Context): Verdict {
  if (frame.length < 42) return pass('short');
  const opcode = arpOpcode(frame);
  if (opcode === undefined) return pass('arp-format');
  if (opcode !== 1) return pass('not-a-request');
  const { ingress } = context;
  if (!macIs(frame, 0, broadcastMac) && !macIs(frame, 0, ingress.mac)) return pass('not-for-us');
  const { senderMac, senderIp, targetIp } = arpOffsets;
  const group = ((frame[senderMac] ?? 0) & 1) === 1;
  if (group || macIs(frame, senderMac, zeroMac) || macIs(frame, senderMac, ingress.mac)) {
    return pass('sender-mac');
  }
  if (word(frame, senderIp) === word(frame, targetIp)
    && word(frame, senderIp + 2) === word(frame, targetIp + 2)) return pass('announcement');
  const target = ipv4At(frame, targetIp);
  const found = context.key(ingress.ifindex, target);
  if (found === undefined) return pass('no-key');
  if (found.expiryNs <= context.bootNs) return pass('expired');
  // The reply has the request's length, so that the kernel hook need not resize the packet.
  const reply = new Uint8Array(Math.min(frame.length, 60));
  reply.set(frame.subarray(0, 42));
  const own = macBytes(found.mac);
  const asker = frame.subarray(senderMac, senderMac + 6);
  reply.set(asker, 0);
  reply.set(own, 6);
  reply[21] = 2;
  reply.set(own, senderMac);
  reply.set(frame.subarray(targetIp, targetIp + 4), senderIp);
  reply.set(asker, arpOffsets.targetMac);
  reply.set(frame.subarray(senderIp, senderIp + 4), targetIp);
  return { kind: 'answer', frame: reply, ip: target };
}

function respondNdp(frame: Uint8Array, context: Context): Verdict {
  const refusal = solicitationFault(frame, context.ingress);
  if (refusal !== undefined) return pass(refusal);
  const request = decodeNdp(frame);
  if (request === undefined) return pass('ndp-format');
  const found = context.key(context.ingress.ifindex, request.target);
  if (found === undefined) return pass('no-key');
  if (found.expiryNs <= context.bootNs) return pass('expired');
  const probe = request.source === '::';
  const asker = request.linkLayer ?? request.ethSource;
  const answer = encodeNdp({
    kind: 'advertisement',
    ethSource: found.mac,
    ethTarget: probe ? groupMac(allNodes) : asker,
    source: request.target,
    destination: probe ? allNodes : request.source,
    target: request.target,
    linkLayer: found.mac,
    router: false,
    solicited: !probe,
    override: true,
    hopLimit: 255,
  });
  return { kind: 'answer', frame: answer, ip: request.target };
}

function solicitationFault(frame: Uint8Array, ingress: Ingress): string | undefined {
  if (frame.length < 54 || (frame[14] ?? 0) >> 4 !== 6) return 'short';
  if (frame[20] !== 58) return 'next-header';
  if (frame[21] !== 255) return 'hop-limit';
  if (frame[54] !== 135 || frame[55] !== 0) return 'not-a-solicitation';
  const payload = word(frame, 18);
  if (payload < 24 || 54 + payload > frame.length) return 'payload';
  if (icmpv6Sum(frame) !== 0xffff) return 'checksum';
  if (frame[62] === 0xff) return 'multicast-target';
  const target = ipFromBytes(frame.subarray(62, 78));
  const destination = ipFromBytes(frame.subarray(38, 54));
  if (target.includes('.')) return 'no-key';
  const group = solicitedNodeGroup(target);
  if (destination !== target && destination !== group) return 'not-for-target';
  const options = ndpOptions(frame);
  if (options === undefined || options.count > 4) return 'options';
  const unspecified = frame.subarray(22, 38).every((octet) => octet === 0);
  if (unspecified && (destination !== group || options.source !== undefined)) return 'dad-format';
  if (macText(frame, 6) === ingress.mac) return 'own';
  return undefined;
}

function pass(reason: string): Verdict {
  return { kind: 'pass', reason };
}
