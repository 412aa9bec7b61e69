import { encodeResponderKey, responderMap, responderStats } from '../../l2/responder-map.ts';
import { respond } from '../../l2/responder.ts';
import { assert } from '../../lb/result.ts';
import type { Ip } from '../../lb/ip.ts';
import { isGroupMac } from '../net/address.ts';
import { Frame } from '../net/frame.ts';
import type { Nic } from '../net/nic.ts';
import type { MachineClock } from '../process.ts';
import type { SimKernel } from './kernel.ts';
import type { SimMap } from './maps.ts';
import { ResponderIndex, type Held } from './responderindex.ts';

const nanosPerMicro = 1_000;

/**
 * The two L2 programs of a node over `fl_l2`: the responder at ingress, and at egress the fence
 * that drops announcements of what this node may no longer answer for (l2.md 5.4, 10).
 */
export class L2Programs {
  /** What `fl_l2` holds. */
  readonly keys: ResponderIndex;
  /** Announcements that the fence dropped. */
  fenced = 0;
  #clock: MachineClock;
  #map: SimMap;
  #stats: SimMap;

  constructor(kernel: SimKernel, clock: MachineClock) {
    this.#clock = clock;
    const keys = kernel.map(responderMap);
    const stats = kernel.map(responderStats);
    assert(keys !== undefined && stats !== undefined, 'a kernel has the maps of its programs');
    this.#map = keys;
    this.keys = new ResponderIndex(keys);
    this.#stats = stats;
  }

  /** The answer to a request or solicitation, or undefined: the frame goes on to the stack. */
  answer(frame: Frame, nic: Nic): Frame | undefined {
    if (this.#map.size === 0) return undefined;
    const otherHost = frame.ethTarget !== nic.mac && !isGroupMac(frame.ethTarget);
    const ingress = { ifindex: nic.ifindex, mac: nic.mac, otherHost, vlan: false };
    const bootNs = this.#clock.now() * nanosPerMicro;
    const key = (ifindex: number, ip: Ip): Held | undefined => this.keys.get(ip, ifindex);
    const verdict = respond(frame.bytes, ingress, { key, bootNs });
    if (verdict.kind === 'pass') return undefined;
    this.#count(nic.ifindex, verdict.ip);
    return Frame.ofBytes(verdict.frame);
  }

  /** Whether an unexpired key stands for the address on an interface. */
  mayAnnounce(ifindex: number, address: Ip): boolean {
    return this.keys.holds(address, ifindex, this.#clock.now());
  }

  #count(ifindex: number, ip: Ip): void {
    const key = encodeResponderKey({ ifindex, ip });
    const value = new Uint8Array(8);
    const view = new DataView(value.buffer);
    const before = this.#stats.peek(key);
    const count = before === undefined
      ? 0n
      : new DataView(before.buffer, before.byteOffset, 8).getBigUint64(0, true);
    view.setBigUint64(0, count + 1n, true);
    this.#stats.update({ key, value }, 'any', () => false);
  }
}
