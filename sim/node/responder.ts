import {
  encodeResponderKey, decodeResponderValue, responderMap, responderStats,
} from '../../l2/responder-map.ts';
import { respond, type KeyFound } from '../../l2/responder.ts';
import { assert } from '../../lb/result.ts';
import type { Ip } from '../../lb/ip.ts';
import { isGroupMac } from '../net/address.ts';
import { Frame } from '../net/frame.ts';
import type { Nic } from '../net/nic.ts';
import type { MachineClock } from '../process.ts';
import type { SimKernel } from './kernel.ts';
import type { SimMap } from './maps.ts';

const nanosPerMicro = 1_000n;

/**
 * The two L2 programs of a node over `fl_l2`: the responder at ingress, and at egress the fence
 * that
 * drops announcements of addresses which this node may no longer answer for (l2.md 5.4, 10).
 */
export class L2Programs {
  /** Announcements that the fence dropped. */
  fenced = 0;
  #clock: MachineClock;
  #keys: SimMap;
  #stats: SimMap;

  constructor(kernel: SimKernel, clock: MachineClock) {
    this.#clock = clock;
    const keys = kernel.map(responderMap);
    const stats = kernel.map(responderStats);
    assert(keys !== undefined && stats !== undefined, 'a kernel has the maps of its programs');
    this.#keys = keys;
    this.#stats = stats;
  }

  /** The answer to a request or solicitation, or undefined: the frame goes on to the stack. */
  answer(frame: Frame, nic: Nic): Frame | undefined {
    if (this.#keys.size === 0) return undefined;
    const otherHost = frame.ethTarget !== nic.mac && !isGroupMac(frame.ethTarget);
    const ingress = { ifindex: nic.ifindex, mac: nic.mac, otherHost, vlan: false };
    const verdict = respond(
      frame.bytes, ingress,
      { key: (ifindex, ip) => this.#key(ifindex, ip), bootNs: this.#bootNs() },
    );
    if (verdict.kind === 'pass') return undefined;
    this.#count(nic.ifindex, verdict.ip);
    return Frame.ofBytes(verdict.frame);
  }

  /** Whether an unexpired key stands for the address on an interface. */
  mayAnnounce(ifindex: number, address: Ip): boolean {
    if (this.#keys.size === 0) return false;
    const key = this.#key(ifindex, address);
    return key !== undefined && key.expiryNs > this.#bootNs();
  }

  #key(ifindex: number, ip: Ip): (KeyFound & { readonly expiryNs: bigint }) | undefined {
    const bytes = this.#keys.peek(encodeResponderKey({ ifindex, ip }));
    return bytes === undefined ? undefined : decodeResponderValue(bytes);
  }

  #bootNs(): bigint {
    return BigInt(this.#clock.now()) * nanosPerMicro;
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
