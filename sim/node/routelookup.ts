import { familyOf, ipBytes, ipFromBytes, ipv4At, type Ip } from '../../lb/ip.ts';
import { writeMac } from '../net/address.ts';
import type { StackInterface } from '../net/stack.ts';
import type { Route } from '../net/route.ts';

/** What a lookup asks of the machine that it happens on. */
export interface RouteSite {
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

/** bpf_fib_lookup on the routes of a simulated stack: fills the request, answers as Linux. */
export function lookUpRoute(request: Uint8Array, site: RouteSite): number {
  const view = new DataView(request.buffer, request.byteOffset, request.byteLength);
  const target = view.getUint8(field.family) === familyIpv4
    ? ipv4At(request, field.target)
    : ipFromBytes(request.slice(field.target, field.target + 16));
  if (site.isLocal(target)) return answers.notForwarded;
  const pod = site.pod(target);
  if (pod !== undefined) {
    view.setUint32(field.ifindex, pod.ifindex, true);
    writeMac(request, field.targetMac, pod.mac);
    return answers.success;
  }
  const route = site.route(target);
  if (route === undefined) return answers.unreachable;
  const { iface, via } = route;
  view.setUint32(field.ifindex, iface.nic.ifindex, true);
  // One field: the length of the packet going in, the MTU coming out.
  const tooBig = view.getUint16(field.mtu, true) > iface.nic.mtuBytes;
  view.setUint16(field.mtu, iface.nic.mtuBytes, true);
  if (tooBig) return answers.tooBig;
  const next = via ?? target;
  if (via !== undefined && familyOf(via) === familyOf(target)) {
    request.set(ipBytes(via), field.target);
  }
  const mac = iface.neighbours.lookup(next)?.mac;
  if (mac === undefined) return answers.noNeighbour;
  writeMac(request, field.sourceMac, iface.nic.mac);
  writeMac(request, field.targetMac, mac);
  return answers.success;
}
