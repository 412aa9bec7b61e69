import { familyOf, type Ip } from '../../lb/ip.ts';
import { writeIp, writeMac } from '../net/address.ts';
import type { AddressTexts } from '../net/addresstexts.ts';
import type { StackInterface } from '../net/stack.ts';
import type { Route } from '../net/route.ts';

/** What a lookup asks of the machine that it happens on. */
export interface RouteSite {
  readonly texts: AddressTexts;
  isLocal(address: Ip): boolean;
  /** A pod of this node, as the device that leads to it. */
  pod(address: Ip): { readonly ifindex: number; readonly mac: string } | undefined;
  route(address: Ip): Route<StackInterface> | undefined;
}

/** Offsets of `struct bpf_fib_lookup`, 64 bytes (include/uapi/linux/bpf.h). */
const field = { family: 0, mtu: 6, ifindex: 8, target: 32, sourceMac: 52, targetMac: 58 } as const;
const familyIpv4 = 2;
/** BPF_FIB_LKUP_RET_* */
const answers = { success: 0, unreachable: 2, notForwarded: 4, noNeighbour: 7, tooBig: 8 } as const;

/**
 * bpf_fib_lookup on the routes of a simulated stack: fills the request that lies at `at`, answers
 * as Linux. A view of it would cost more than the whole lookup.
 */
export function lookUpRoute(memory: Uint8Array, at: number, site: RouteSite): number {
  const length = memory[at + field.family] === familyIpv4 ? 4 : 16;
  const target = site.texts.read(memory, at + field.target, length);
  if (site.isLocal(target)) return answers.notForwarded;
  const pod = site.pod(target);
  if (pod !== undefined) {
    putNumber(memory, at + field.ifindex, pod.ifindex);
    writeMac(memory, at + field.targetMac, pod.mac);
    return answers.success;
  }
  const route = site.route(target);
  if (route === undefined) return answers.unreachable;
  const { iface, via } = route;
  const { mtuBytes } = iface.nic;
  putNumber(memory, at + field.ifindex, iface.nic.ifindex);
  // One field: the length of the packet going in, the MTU coming out.
  const asked = (memory[at + field.mtu] ?? 0) | ((memory[at + field.mtu + 1] ?? 0) << 8);
  memory[at + field.mtu] = mtuBytes;
  memory[at + field.mtu + 1] = mtuBytes >>> 8;
  if (asked > mtuBytes) return answers.tooBig;
  const next = via ?? target;
  if (via !== undefined && familyOf(via) === familyOf(target)) {
    writeIp(memory, at + field.target, via);
  }
  const mac = iface.neighbours.macOf(next);
  if (mac === undefined) return answers.noNeighbour;
  writeMac(memory, at + field.sourceMac, iface.nic.mac);
  writeMac(memory, at + field.targetMac, mac);
  return answers.success;
}

// Little-endian, as the machine of the engine is.
function putNumber(memory: Uint8Array, at: number, value: number): void {
  memory[at] = value;
  memory[at + 1] = value >>> 8;
  memory[at + 2] = value >>> 16;
  memory[at + 3] = value >>> 24;
}
