import type { PortRange } from '../../lb/datapathoptions.ts';
import type { BackendRow } from '../../lb/endpoints.ts';
import { rowLives, type AffinityRow, type FlowRow, type FlowState } from '../../lb/flow.ts';
import type { Ip } from '../../lb/ip.ts';
import { flowKey, mix32, murmur32 } from '../../lb/murmur.ts';
import type { Micros } from '../../lb/ports.ts';
import type { Scope } from '../../lb/policy.ts';
import type { ServicePortId } from '../../lb/serviceport.ts';
import { tcpFlag, type Packet } from '../net/packet.ts';
import { TupleMap, type Tuple } from './tuples.ts';

/** One side of a flow. */
export interface FlowEnd {
  readonly ip: Ip;
  readonly port: number;
}

/** Both rows of one translated flow: what `fl_ct` and `fl_snat` hold of it. */
export interface Flow extends FlowRow {
  readonly protocol: 'TCP' | 'UDP';
  readonly client: FlowEnd;
  readonly front: FlowEnd;
  /** What the endpoint sees as the source; the client itself where nothing is masqueraded. */
  readonly seen: FlowEnd;
  readonly servicePort: ServicePortId;
  readonly scope: Scope;
  readonly backend: BackendRow;
  readonly midstream: boolean;
  generation: number;
  state: FlowState;
  answered: boolean;
  last: Micros;
  closedAt: Micros | undefined;
  clientClosed: boolean;
  endpointClosed: boolean;
}

const sweepEvery = 1_024;
const probesMax = 128;

/**
 * The flow rows of one node, keyed both ways. Rows expire when they are looked at, or in a sweep.
 */
export class FlowTable {
  #forward = new TupleMap<Flow>();
  #reply = new TupleMap<Flow>();
  #affinity = new Map<string, AffinityRow>();
  #added = 0;

  get size(): number {
    return this.#forward.size;
  }

  /** Live rows, for oracles and commands. */
  flows(now: Micros): Flow[] {
    return [...this.#forward.values()].filter((flow) => rowLives(flow, flow.protocol, now));
  }

  /** The flow that a packet from a client belongs to. */
  forward(packet: FlowEnds, now: Micros): Flow | undefined {
    return this.#live(this.#forward.get(packet), now);
  }

  /** The flow that a packet from an endpoint answers. */
  reply(packet: FlowEnds, now: Micros): Flow | undefined {
    if (this.#reply.size === 0) return undefined;
    return this.#live(this.#reply.get(packet), now);
  }

  add(flow: Flow): void {
    const key = forwardTuple(flow);
    const replaced = this.#forward.get(key);
    if (replaced !== undefined) this.remove(replaced);
    this.#forward.set(key, flow);
    this.#reply.set(replyTuple(flow), flow);
    this.#added += 1;
    if (this.#added % sweepEvery === 0) this.#sweep(flow.last);
  }

  remove(flow: Flow): void {
    this.#forward.delete(forwardTuple(flow));
    const key = replyTuple(flow);
    if (this.#reply.get(key) === flow) this.#reply.delete(key);
  }

  clear(): void {
    this.#forward.clear();
    this.#reply.clear();
    this.#affinity.clear();
  }

  affinity(client: Ip, servicePort: ServicePortId): AffinityRow | undefined {
    return this.#affinity.get(`${client} ${servicePort}`);
  }

  setAffinity(client: Ip, servicePort: ServicePortId, row: AffinityRow): void {
    this.#affinity.set(`${client} ${servicePort}`, row);
  }

  /**
   * A source port for a flow that leaves under `address` (datapath.md 8.3): the client's own if it
   * may be had, else up to 128 probes that depend on the flow only; undefined: exhausted.
   */
  snatPort(
    flow: FlowEnds, to: { backend: FlowEnd; address: Ip; now: Micros }, rules: SnatRules,
  ): number | undefined {
    const { first, last } = rules.ports;
    const size = last - first + 1;
    const free = (port: number): boolean => {
      if (port >= rules.skipped.first && port <= rules.skipped.last) return false;
      const { backend, address } = to;
      const reply = {
        protocol: flow.protocol, source: backend.ip, sourcePort: backend.port, target: address,
        targetPort: port,
      };
      return this.reply(reply, to.now) === undefined;
    };
    if (flow.sourcePort >= first && flow.sourcePort <= last && free(flow.sourcePort)) {
      return flow.sourcePort;
    }
    const hash = murmur32(
      flowKey({ ...flow, protocol: flow.protocol === 'UDP' ? 'UDP' : 'TCP' }), rules.seed,
    );
    const probes = size <= probesMax ? size : probesMax;
    for (let probe = 0; probe < probes; probe += 1) {
      const spread = (hash + Math.imul(probe, 0x9e3779b9)) >>> 0;
      const offset = size <= probesMax ? ((hash % size) + probe) % size : mix32(spread) % size;
      if (free(first + offset)) return first + offset;
    }
    return undefined;
  }

  #live(flow: Flow | undefined, now: Micros): Flow | undefined {
    if (flow === undefined || rowLives(flow, flow.protocol, now)) return flow;
    this.remove(flow);
    return undefined;
  }

  #sweep(now: Micros): void {
    for (const flow of [...this.#forward.values()]) {
      if (!rowLives(flow, flow.protocol, now)) this.remove(flow);
    }
  }
}

export interface SnatRules {
  readonly ports: PortRange;
  /** NodePorts are never used as source ports. */
  readonly skipped: PortRange;
  readonly seed: number;
}

/** The tuple of a packet as rows know it. */
export type FlowEnds = Tuple;

/** One packet of a flow. */
export interface Sighting {
  readonly from: 'client' | 'endpoint';
  readonly now: Micros;
}

/** Notes what a packet says about the state of its TCP connection, and that it was seen. */
export function advance(flow: Flow, packet: Packet, { from, now }: Sighting): void {
  flow.last = now;
  if (from === 'endpoint') flow.answered = true;
  const flags = packet.tcp?.flags;
  if (flags === undefined) return;
  if ((flags & tcpFlag.fin) !== 0) {
    if (from === 'client') flow.clientClosed = true;
    else flow.endpointClosed = true;
  }
  const reset = (flags & tcpFlag.rst) !== 0;
  if (reset || (flow.clientClosed && flow.endpointClosed)) flow.state = 'closing';
  else if (flow.clientClosed || flow.endpointClosed) flow.state = 'half-closed';
  else if (from === 'endpoint') flow.state = 'open';
  if (flow.state === 'closing' || flow.state === 'half-closed') flow.closedAt ??= now;
}

/** A SYN that keeps its endpoint on a row that had begun to close starts the connection anew. */
export function reopen(flow: Flow): void {
  flow.state = 'handshake';
  flow.closedAt = undefined;
  flow.clientClosed = false;
  flow.endpointClosed = false;
}

function forwardTuple({ protocol, client, front }: Flow): Tuple {
  return {
    protocol, source: client.ip, sourcePort: client.port, target: front.ip, targetPort: front.port,
  };
}

function replyTuple({ protocol, backend, seen }: Flow): Tuple {
  return {
    protocol, source: backend.ip, sourcePort: backend.port, target: seen.ip, targetPort: seen.port,
  };
}
