import {
  familyOf,
  ipFromNumber,
  ipNumber,
  parseIp,
  parsePrefix,
  prefixContains,
  type Family,
  type Ip,
  type PrefixParts,
} from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import type { KubeObject } from '../../kube/port.ts';
import type { Prng } from '../prng.ts';
import { listOf, objectOf, type JsonObject } from './json.ts';
import { keyOfObject, type Commit } from './store.ts';

/** What the cluster has to give. */
export interface AllocationOptions {
  /** Ranges of cluster IPs, the first one's family being the cluster's primary. */
  readonly serviceCidrs: readonly string[];
  /** First and last node port, inclusive. */
  readonly nodePortRange: readonly [number, number];
}

/** The lower part of the node ports is left to explicit choice (A16). */
const staticPorts = 86;
/** No range counts for more addresses than this, whatever its prefix. */
const addressesMax = 65_536;

interface Range {
  readonly prefix: PrefixParts;
  /** Offsets that may be given: 1 to `size`, without network and IPv4 broadcast address. */
  readonly size: number;
  /** Offsets up to here are left to explicit choice. */
  readonly staticSize: number;
}

/**
 * Which cluster IPs and node ports Services hold: an index over commits, so that a plan that is
 * dropped needs no roll-back (A16).
 */
export class ServiceAllocation {
  readonly families: readonly Family[];
  #ranges: readonly Range[];
  #portFirst: number;
  #portLast: number;
  #ips = new Map<string, string>();
  #ports = new Map<number, string>();

  constructor(options: AllocationOptions) {
    this.#ranges = options.serviceCidrs.map(rangeOf);
    this.families = this.#ranges.map((range) => range.prefix.family);
    [this.#portFirst, this.#portLast] = options.nodePortRange;
  }

  /** Takes a committed Service into the index. */
  observe(commit: Commit): void {
    if (commit.previous !== undefined) this.#release(commit.previous);
    if (commit.type !== 'DELETED') this.#claim(commit.object);
  }

  /** Why `text` cannot be the cluster IP of Service `key`, or undefined when it can. */
  refuseIp(text: string, key: string): string | undefined {
    const parsed = parseIp(text);
    if (!parsed.ok) return 'must be a valid IP address';
    const range = this.#ranges.find((candidate) => prefixContains(candidate.prefix, parsed.value));
    if (range === undefined) {
      const valid = this.#ranges.map((known) => known.prefix.prefix).join(', ');
      return `failed to allocate IP ${text}: not in the range of this cluster (${valid})`;
    }
    const offset = Number(ipNumber(parsed.value) - range.prefix.first);
    if (offset < 1 || offset > range.size) {
      return `failed to allocate IP ${text}: the provided IP is not usable`;
    }
    const holder = this.#ips.get(parsed.value);
    if (holder === undefined || holder === key) return undefined;
    return `failed to allocate IP ${text}: provided IP is already allocated`;
  }

  /** A free cluster IP of the family: upper band first, from a seeded start. */
  chooseIp(family: Family, stream: Prng): Ip | undefined {
    const range = this.#ranges.find((candidate) => candidate.prefix.family === family);
    if (range === undefined) return undefined;
    const { size, staticSize } = range;
    const upper = this.#probe(range, { from: staticSize + 1, to: size }, stream);
    return upper ?? this.#probe(range, { from: 1, to: staticSize }, stream);
  }

  /** Why `port` cannot be a node port of Service `key`. */
  refusePort(port: number, key: string): string | undefined {
    if (port < this.#portFirst || port > this.#portLast) {
      const range = `${this.#portFirst}-${this.#portLast}`;
      return `provided port is not in the valid range. The range of valid ports is ${range}`;
    }
    const holder = this.#ports.get(port);
    return holder === undefined
      || holder === key ? undefined : 'provided port is already allocated';
  }

  /** A free node port that is not in `taken`: above the static band first. */
  choosePort(stream: Prng, taken: readonly number[]): number | undefined {
    const firstDynamic = Math.min(this.#portFirst + staticPorts, this.#portLast + 1);
    const bands = [[firstDynamic, this.#portLast], [this.#portFirst, firstDynamic - 1]] as const;
    for (const [from, to] of bands) {
      const count = to - from + 1;
      if (count <= 0) continue;
      const start = stream.below(count);
      for (let step = 0; step < count; step += 1) {
        const port = from + ((start + step) % count);
        if (!this.#ports.has(port) && !taken.includes(port)) return port;
      }
    }
    return undefined;
  }

  #probe(range: Range, band: { from: number; to: number }, stream: Prng): Ip | undefined {
    const count = band.to - band.from + 1;
    if (count <= 0) return undefined;
    const start = stream.below(count);
    for (let step = 0; step < count; step += 1) {
      const offset = band.from + ((start + step) % count);
      const address = ipFromNumber(range.prefix.first + BigInt(offset), range.prefix.family);
      if (!this.#ips.has(address)) return address;
    }
    return undefined;
  }

  #claim(service: KubeObject): void {
    const key = keyOfObject(service);
    for (const address of clusterIpsOf(service)) this.#ips.set(address, key);
    for (const port of nodePortsOf(service)) this.#ports.set(port, key);
  }

  #release(service: KubeObject): void {
    for (const address of clusterIpsOf(service)) this.#ips.delete(address);
    for (const port of nodePortsOf(service)) this.#ports.delete(port);
  }
}

function rangeOf(text: string): Range {
  const parsed = parsePrefix(text);
  assert(parsed.ok, `${text} is a prefix`);
  const total = parsed.value.last - parsed.value.first + 1n;
  const capped = total > BigInt(addressesMax) ? addressesMax : Number(total);
  const size = Math.max(0, familyOf(parsed.value.prefix) === 'IPv4' ? capped - 2 : capped - 1);
  const staticSize = size < 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 16)), 256);
  return { prefix: parsed.value, size, staticSize };
}

function specOf(service: KubeObject): JsonObject {
  return objectOf(service['spec']) ?? {};
}

function clusterIpsOf(service: KubeObject): string[] {
  const ips: string[] = [];
  for (const text of listOf(specOf(service)['clusterIPs'])) {
    const parsed = typeof text === 'string' ? parseIp(text) : undefined;
    if (parsed?.ok === true) ips.push(parsed.value);
  }
  return ips;
}

/** Node ports of a Service, its health-check port included. */
function nodePortsOf(service: KubeObject): number[] {
  const spec = specOf(service);
  const ports = listOf(spec['ports']).map((port) => objectOf(port)?.['nodePort']);
  return [...ports, spec['healthCheckNodePort']].filter(
    (port): port is number => typeof port === 'number' && port > 0,
  );
}
