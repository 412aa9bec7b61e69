import { familyOf, ip, type Ip } from '../lb/ip.ts';
import {
  broadcastMac, decodeArp, decodeNdp, encodeArp, encodeNdp, groupMac, solicitedNodeGroup, zeroMac,
} from './frames.ts';

/**
 * Asks a segment who has an address, without a sender's address, so that nobody's cache learns
 * anything: an ARP probe (RFC 5227 section 2.1.1), or a solicitation as of duplicate address
 * detection (RFC 4862 section 5.4.2). Whoever has the address answers either.
 */
export function probeFrame(target: Ip, mac: string): Uint8Array {
  if (familyOf(target) === 'IPv4') {
    return encodeArp({
      kind: 'arp', ethSource: mac, ethTarget: broadcastMac, opcode: 1,
      senderMac: mac, senderIp: ip('0.0.0.0'), targetMac: zeroMac, targetIp: target,
    });
  }
  const group = solicitedNodeGroup(target);
  return encodeNdp({
    kind: 'solicitation', ethSource: mac, ethTarget: groupMac(group), source: ip('::'),
    destination: group, target, linkLayer: undefined, router: false, solicited: false,
    override: false, hopLimit: 255,
  });
}

/** The hardware address that a frame gives `target`; undefined for any other frame. */
export function claimantOf(frame: Uint8Array, target: Ip): string | undefined {
  const arp = decodeArp(frame);
  if (arp !== undefined) return arp.senderIp === target ? arp.senderMac : undefined;
  const ndp = decodeNdp(frame);
  if (ndp?.kind !== 'advertisement' || ndp.target !== target) return undefined;
  return ndp.linkLayer ?? ndp.ethSource;
}
