import { at, bytes } from '../vectors/fixture.ts';

/** Devices of the namespace in which vectors run; their numbers differ from run to run. */
export interface Devices {
  readonly uplink: number;
  readonly pod: number;
}

interface Route {
  readonly prefix: Uint8Array;
  readonly bits: number;
  readonly device: keyof Devices | 'blackhole';
  readonly gateway?: Uint8Array;
}

type Way = readonly [device: Route['device'], gateway?: string];

const route = (prefix: string, bits: number, ...[device, gateway]: Way): Route => {
  const mapped = prefix.includes(':') ? bits : 96 + bits;
  const found = { prefix: bytes(prefix), bits: mapped, device };
  return gateway === undefined ? found : { ...found, gateway: bytes(gateway) };
};

// The longest prefix first, as `KernelRun` of test/bpf sets the namespace up. Addresses of the node
// itself are no routes that a packet is forwarded by.
const routes: readonly Route[] = [
  route(at.node, 32, 'blackhole'), route('192.0.2.255', 32, 'blackhole'),
  route('192.0.2.0', 24, 'uplink'),
  route('10.64.1.0', 24, 'pod'), route('10.64.2.0', 24, 'uplink', '192.0.2.12'),
  route('10.64.3.0', 24, 'uplink', '192.0.2.13'), route('10.64.9.0', 24, 'blackhole'),
  route('0.0.0.0', 0, 'uplink', '192.0.2.1'),
  route('2001:db8:c::', 64, 'uplink'), route('2001:db8:2::', 64, 'uplink', '2001:db8:c::12'),
  route('2000::', 3, 'uplink', '2001:db8:c::1'),
];

const result = { noNeighbour: 7, blackhole: 1, notForwarded: 4, fragmentation: 8 } as const;
const field = { family: 0, length: 6, ifindex: 8, source: 16, target: 32 } as const;
const mtu = 1500;

/**
 * bpf_fib_lookup over those routes: every neighbour is missing (net/core/filter.c,
 * bpf_ipv4_fib_lookup and bpf_ipv6_fib_lookup).
 */
export function lookup(request: Uint8Array, devices: Devices): number {
  const view = new DataView(request.buffer, request.byteOffset, request.byteLength);
  const isIpv4 = request[field.family] === 2;
  const target = new Uint8Array(16);
  if (isIpv4) target.set([0xff, 0xff, ...request.subarray(field.target, field.target + 4)], 10);
  else target.set(request.subarray(field.target, field.target + 16));
  const found = routes.find(({ prefix, bits }) => sameBits(prefix, target, bits));
  if (found === undefined) return result.notForwarded;
  if (found.device === 'blackhole') return result.blackhole;
  const length = view.getUint16(field.length, true);
  if (length > mtu) {
    view.setUint16(field.length, mtu, true);
    return result.fragmentation;
  }
  view.setUint32(field.ifindex, devices[found.device], true);
  const hop = found.gateway;
  if (hop !== undefined) request.set(isIpv4 ? hop.subarray(12) : hop, field.target);
  return result.noNeighbour;
}

function sameBits(left: Uint8Array, right: Uint8Array, bits: number): boolean {
  for (let bit = 0; bit < bits; bit += 8) {
    const mask = (0xff00 >> Math.min(8, bits - bit)) & 0xff;
    if (((left[bit >> 3]! ^ right[bit >> 3]!) & mask) !== 0) return false;
  }
  return true;
}
