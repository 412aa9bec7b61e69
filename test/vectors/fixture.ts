import { maglevTable } from '../../lb/maglev.ts';
import { ip, ipBytes16 } from '../../lb/ip.ts';
import { defaultHashSeed } from '../../lb/murmur.ts';
import * as layout from '../../bpf/layout.gen.ts';

/** Rows of maps in typed form; a device is a name until an executor numbers it. */
export interface Rows {
  readonly fronts: readonly (layout.FrontKey & layout.Front)[];
  readonly services: readonly (layout.SvcKey & layout.Svc)[];
  readonly sets: readonly (layout.Set & { readonly id: number })[];
  readonly cells: readonly (layout.Lut & { readonly cell: number })[];
  readonly backends: readonly (layout.Backend & { readonly id: number })[];
  readonly members: readonly (layout.MemberKey & layout.Member)[];
  readonly ranges: readonly (layout.RangeKey & layout.Range)[];
  readonly addresses: readonly (layout.AddrKey & layout.Addr)[];
  readonly nets: readonly (layout.NetKey & layout.Net)[];
}

export const { clusterIp, vip, externalIp, nodePort } = layout.frontKind;

/** Addresses of datapath.md 21; `x` outside, `p` the pod, `h` the host. */
export const at = {
  x: '203.0.113.7', y: '203.0.113.200', p: '10.64.1.9', h: '192.0.2.11', h2: '192.0.2.111',
  cluster: '10.200.0.10', vip: '198.51.100.10', vip2: '198.51.100.11', external: '192.0.2.250', node: '192.0.2.11',
  a1: '10.64.1.21', b1: '10.64.2.21', c1: '10.64.3.21', hairpin: '169.254.77.1',
  vip6: '2001:db8:f::10', x6: '2001:db8:e::7', node6: '2001:db8:c::11', a6: '2001:db8:1::21',
  b6: '2001:db8:2::21', hairpin6: 'fd66:6c65:6164::1', router: '10.0.0.1',
} as const;

type Endpoint = 'a1' | 'b1' | 'c1';

/** Service S of the fixture and what a vector changes of it. */
export interface ServiceFacts {
  readonly endpoints?: readonly Endpoint[];
  readonly internalLocal?: boolean;
  readonly externalLocal?: boolean;
  readonly affinitySeconds?: number;
  readonly maglev?: boolean;
  /** TCP by default; a second protocol is a service port of its own. */
  readonly proto?: number;
  readonly targetPort?: number;
  /** Of prefixes as [address, bits]. */
  readonly ranges?: readonly (readonly [string, number])[];
  readonly gen?: number;
  /** Endpoints that are selectable no more, but serve. */
  readonly draining?: readonly Endpoint[];
  readonly usable?: boolean;
  /** Endpoints that were members before and are none now. */
  readonly gone?: readonly Endpoint[];
}

const ids: Readonly<Record<Endpoint, number>> = { a1: 1, b1: 2, c1: 3 };
const maglevSize = 16381;

/** The rows that the agent of n-a writes for S. */
export function service(facts: ServiceFacts = {}): Rows {
  const { draining = [], gone = [], proto = 6, gen = 1 } = facts;
  const endpoints = (facts.endpoints ?? ['a1', 'b1', 'c1']).filter((one) => !gone.includes(one));
  const chosen = endpoints.filter((one) => !draining.includes(one));
  const port = facts.targetPort ?? 8080;
  const list = chosen.map((one) => ids[one]);
  const localN = chosen.includes('a1') ? 1 : 0;
  const slots = facts.maglev === true ? maglevSize : 0;
  const one = layout.setFlag;
  return {
    fronts: frontsOf(proto),
    services: [{ svcId: 1, gen, setId: gen }],
    sets: [{
      id: gen, gen, svcId: 1, listBase: gen, localN, clusterOff: 0, clusterN: list.length,
      flags: (list.length > 0 || facts.usable === true ? one.usable : 0) |
        (facts.internalLocal === true ? one.internalLocal : 0) |
        (facts.externalLocal === true ? one.externalLocal : 0) |
        (facts.affinitySeconds === undefined ? 0 : one.affinity) |
        (facts.maglev === true ? one.maglev : 0),
      maglevM: slots, maglevLocal: slots === 0 ? 0 : 2048, maglevCluster: slots === 0 ? 0 : 16,
      affinityS: facts.affinitySeconds ?? 0, rangeId: facts.ranges === undefined ? 0 : 1,
    }],
    cells: [
      { cell: gen, backend: filled(list) },
      ...(slots === 0 ? [] : maglevCells({ chosen, proto, port })),
    ],
    backends: endpoints.map((name) => ({
      id: ids[name], addr: bytes(at[name]), port, proto, gen: 1, ifindex: 0,
      flags: name === 'a1' ? layout.backendFlag.local : 0,
    })),
    members: [...endpoints, ...gone].map((name) => ({
      svcId: 1, backendId: ids[name],
      bits: gone.includes(name) ? 0 : layout.memberBit.serving | (draining.includes(name) ? 0
        : layout.memberBit.cluster | (name === 'a1' ? layout.memberBit.local : 0)),
    })),
    ranges: (facts.ranges ?? []).map(([address, bits]) => ({
      prefixlen: 32 + 96 + bits, rangeId: 1, addr: bytes(address), bits: layout.rangeBit.admit,
    })),
    addresses: addresses(),
    nets: [{ prefixlen: 96 + 16, addr: bytes('10.200.0.0'), bits: layout.netBit.service }],
  };
}

/** The IPv6 half of S: a service port of its own, with one endpoint here and one on B. */
export function service6(): Rows {
  const { addresses: addressRows, nets } = service();
  const member = layout.memberBit;
  const endpoint = (id: number, address: string): Rows['backends'][0] => ({
    id, addr: bytes(address), port: 8080, proto: 6, gen: 1, ifindex: 0,
    flags: id === 11 ? layout.backendFlag.local : 0,
  });
  return {
    fronts: [{ addr: bytes(at.vip6), port: 80, proto: 6, svcId: 2, kind: vip, flags: 0 }],
    services: [{ svcId: 2, gen: 1, setId: 9 }],
    sets: [{
      id: 9, gen: 1, svcId: 2, flags: layout.setFlag.usable, listBase: 9, localN: 1,
      clusterOff: 0, clusterN: 2, maglevM: 0, maglevLocal: 0, maglevCluster: 0, affinityS: 0,
      rangeId: 0,
    }],
    cells: [{ cell: 9, backend: filled([11, 12]) }],
    backends: [endpoint(11, at.a6), endpoint(12, at.b6)],
    members: [11, 12].map((backendId) => ({
      svcId: 2, backendId,
      bits: member.serving | member.cluster | (backendId === 11 ? member.local : 0),
    })),
    ranges: [], addresses: addressRows, nets,
  };
}

export function bytes(address: string): Uint8Array {
  return ipBytes16(ip(address));
}

function frontsOf(proto: number): Rows['fronts'] {
  const front = (address: string, [port, kind]: readonly [number, number]): Rows['fronts'][0] =>
    ({ addr: bytes(address), port, proto, svcId: 1, kind, flags: 0 });
  return [
    front(at.cluster, [80, clusterIp]), front(at.vip, [80, vip]),
    front(at.external, [80, externalIp]), front('0.0.0.0', [30080, nodePort]),
  ];
}

function addresses(): Rows['addresses'] {
  const bit = layout.addrBit;
  const rows: readonly (readonly [string, number])[] = [
    [at.node, bit.node | bit.nodePort], [at.h2, bit.node], [at.cluster, bit.clusterIp],
    [at.vip, bit.vip], [at.external, bit.vip], [at.vip6, bit.vip],
    ['10.200.0.77', bit.foreign], [at.node6, bit.node | bit.nodePort],
  ];
  return rows.map(([address, bits]) => ({ addr: bytes(address), bits }));
}

function maglevCells(
  facts: { readonly chosen: readonly Endpoint[]; readonly proto: number; readonly port: number },
): Rows['cells'] {
  const protocol = facts.proto === 6 ? 'TCP' : 'UDP';
  const settings = { size: maglevSize, seed: defaultHashSeed, protocol } as const;
  const tableAt = (names: readonly Endpoint[], base: number): Rows['cells'] => {
    const endpoints = names.map((name) => ({ ip: ip(at[name]), port: facts.port }));
    const slots = maglevTable(endpoints, settings);
    return Array.from({ length: Math.ceil(slots.length / 16) }, (_, cell) => ({
      cell: base + cell,
      backend: filled([...slots.subarray(cell * 16, cell * 16 + 16)].map((index) =>
        ids[names[index]!])),
    }));
  };
  return [
    ...tableAt(facts.chosen, 16), ...tableAt(facts.chosen.filter((one) => one === 'a1'), 2048),
  ];
}

function filled(list: readonly number[]): number[] {
  return Array.from({ length: 16 }, (_, index) => list[index] ?? 0);
}
