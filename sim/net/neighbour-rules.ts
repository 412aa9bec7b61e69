import type { ArpFrame, NdpFrame } from '../../l2/frames.ts';
import type { Ip } from '../../lb/ip.ts';
import type { Micros } from '../../lb/ports.ts';
import { isMulticast } from './address.ts';

/**
 * How a cache treats what it hears (simulator.md 5.4): as Linux does; deaf to gratuitous frames and
 * living `timeout`; following gratuitous frames and living long; or believing only answers to its
 * own requests.
 */
export type NeighbourProfile = 'linux' | 'sticky' | 'long' | 'strict';

export interface NeighbourSettings {
  readonly profile: NeighbourProfile;
  /** Life of an entry of `sticky` (60 s) and `long` (4 h); the others age by reachability. */
  readonly timeout: Micros;
  /** Linux `arp_accept`: 1 creates entries from gratuitous frames, 2 only in the own subnet. */
  readonly arpAccept: 0 | 1 | 2;
  /** Linux `drop_gratuitous_arp` and `drop_unsolicited_na`. */
  readonly dropGratuitous: boolean;
}

/** Settings with the defaults of simulator.md 5.4. */
export function neighbourSettings(given: Partial<NeighbourSettings> = {}): NeighbourSettings {
  const profile = given.profile ?? 'linux';
  return {
    profile,
    timeout: given.timeout ?? (profile === 'long' ? 14_400_000_000 : 60_000_000),
    arpAccept: given.arpAccept ?? 0,
    dropGratuitous: given.dropGratuitous ?? false,
  };
}

/** What a frame says about one neighbour, before anybody looks at the entry. */
export interface NeighbourHint {
  readonly ip: Ip;
  /** Undefined confirms the MAC that is known. */
  readonly mac: string | undefined;
  readonly state: 'stale' | 'reachable';
  /**
   * Whether it may replace another MAC: always; only when the entry did not change within the lock
   * time; or never, and then it makes a REACHABLE entry STALE (RFC 4861 section 7.2.5).
   */
  readonly replaces: 'always' | 'unlocked' | 'never';
  readonly creates: boolean;
  /** True for an answer: it may end a resolution or a probe of the own. */
  readonly answer: boolean;
  readonly gratuitous: boolean;
  /** R flag of an advertisement; undefined leaves what is known. */
  readonly router: boolean | undefined;
}

/** What the cache knows about the interface that heard the frame. */
export interface Listener {
  readonly mac: string;
  isLocal(address: Ip): boolean;
  inSubnet(address: Ip): boolean;
}

/** Reads an ARP frame as Linux's `arp_process` does (RFC 826, RFC 5227 section 2.4). */
export function arpHint(
  frame: ArpFrame, at: Listener, settings: NeighbourSettings,
): NeighbourHint | undefined {
  const { senderIp: ip, senderMac: mac } = frame;
  if (ip === '0.0.0.0' || at.isLocal(ip)) return undefined;
  const base = { ip, mac, answer: false, router: undefined };
  if (ip === frame.targetIp) {
    // A reply is gratuitous to Linux only when its target hardware address is the sender's.
    const clear = frame.opcode === 1 || frame.targetMac === mac;
    const accepted = settings.arpAccept === 1 || (settings.arpAccept === 2 && at.inSubnet(ip));
    const replaces = clear ? 'always' : 'unlocked';
    const creates = accepted && clear;
    const state = frame.opcode === 2 && frame.ethTarget === at.mac ? 'reachable' : 'stale';
    return { ...base, state, replaces, creates, gratuitous: true };
  }
  if (frame.opcode === 1) {
    const here = at.isLocal(frame.targetIp);
    const replaces = here ? 'always' : 'unlocked';
    return { ...base, state: 'stale', replaces, creates: here, gratuitous: false };
  }
  const unicast = frame.ethTarget === at.mac;
  return {
    ...base, state: unicast ? 'reachable' : 'stale', replaces: 'unlocked', creates: false,
    answer: unicast, gratuitous: false,
  };
}

/** Reads a solicitation or an advertisement (RFC 4861 sections 7.1, 7.2.3 and 7.2.5). */
export function ndpHint(frame: NdpFrame, at: Listener): NeighbourHint | undefined {
  if (frame.hopLimit !== 255 || isMulticast(frame.target)) return undefined;
  if (frame.kind === 'solicitation') return solicitationHint(frame, at);
  if (at.isLocal(frame.target)) return undefined;
  if (frame.solicited && isMulticast(frame.destination)) return undefined;
  // Without the Target option only the answer to a unicast probe says something: still here.
  if (frame.linkLayer === undefined && !frame.solicited) return undefined;
  return {
    ip: frame.target,
    mac: frame.linkLayer,
    state: frame.solicited ? 'reachable' : 'stale',
    replaces: frame.override ? 'always' : 'never',
    creates: false,
    answer: frame.solicited,
    gratuitous: !frame.solicited,
    router: frame.router,
  };
}

function solicitationHint(frame: NdpFrame, at: Listener): NeighbourHint | undefined {
  if (frame.source === '::' || frame.linkLayer === undefined) return undefined;
  if (!at.isLocal(frame.target) || at.isLocal(frame.source)) return undefined;
  return {
    ip: frame.source, mac: frame.linkLayer, state: 'stale', replaces: 'always', creates: true,
    answer: false, gratuitous: false, router: undefined,
  };
}

/**
 * What a cache of these settings does not even look at. `asking` tells that it waits for an
 * answer.
 */
export function ignores(
  settings: NeighbourSettings, hint: NeighbourHint, asking: boolean,
): boolean {
  if (hint.gratuitous && (settings.dropGratuitous || settings.profile === 'sticky')) return true;
  return settings.profile === 'strict' && !(hint.answer && asking);
}
