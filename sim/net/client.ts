import { familyOf, type Ip } from '../../lb/ip.ts';
import type { Micros, Timer } from '../../lb/ports.ts';
import { assert } from '../../lb/result.ts';
import { KnownName } from '../event.ts';
import { AnswerReader } from './echo.ts';
import { KeptFlow } from './flow.ts';
import { OutageMeter } from './outage.ts';
import {
  TcpRequest, UdpRequest, type Request, type RequestRecord, type RequestOutcome,
} from './request.ts';
import type { IpStack } from './stack.ts';
import type { PacketTap } from './tap.ts';
import type { Transport } from './transport.ts';

/** The machine that a traffic line runs on. */
export interface TrafficHost {
  readonly name: string;
  readonly stack: Pick<IpStack, 'addressOf'>;
  readonly transport: Transport;
}

/** Who may answer, and which source a backend may see. Absent parts accept everybody. */
export interface TrafficJudge {
  readonly backend?: (name: string) => boolean;
  readonly source?: (address: Ip) => boolean;
}

export interface TrafficOptions {
  readonly name: string;
  readonly from: TrafficHost;
  readonly target: Ip;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  /** One request on a new connection each `every`. */
  readonly every: Micros;
  /** Connections that are kept open and asked in turn, TCP only; default 0. */
  readonly flows?: number;
  /** Each kept flow is asked once in this time; default 1 s. */
  readonly flowEvery?: Micros;
  /** A kept flow without an answer is broken after this; default 60 s. */
  readonly flowTimeout?: Micros;
  /** A request without an answer has failed after this; default 1 s. */
  readonly timeout?: Micros;
  readonly judge?: TrafficJudge;
}

const second: Micros = 1_000_000;
const failuresMax = 20_000;

/**
 * A stream of requests from one host to one address (simulator.md 5.6), with an account of what
 * became of each. Everything it tells is world time.
 */
export class TrafficLine {
  readonly name: string;
  readonly host: TrafficHost;
  readonly protocol: 'TCP' | 'UDP';
  readonly tap: PacketTap;
  readonly outages = new OutageMeter();
  readonly answers = new AnswerReader();
  readonly flows: readonly KeptFlow[];
  readonly flowTimeout: Micros;
  /** Failed requests and broken flows in the order of their ends; the first 20,000. */
  readonly failures: RequestRecord[] = [];
  readonly counts: Record<RequestOutcome, number> = {
    'ok': 0, 'refused': 0, 'timeout': 0, 'reset': 0, 'wrong-backend': 0, 'wrong-source': 0,
    'broken-after-established': 0,
  };
  judge: TrafficJudge;
  latencyMax: Micros = 0;
  #latencyTotal: Micros = 0;
  #target: Ip;
  #port: number;
  #every: Micros;
  #flowEvery: Micros;
  #timeout: Micros;
  #sequence = 0;
  /** Ended requests that wait for an earlier one, because outages are told in order of starts. */
  #early = new Map<number, { startedAt: Micros; worked: boolean }>();
  #nextToJudge = 1;
  #tick: Timer | undefined;
  #tickName: KnownName;
  #flowTick: Timer | undefined;
  #nextFlow = 0;
  #listeners: ((record: RequestRecord) => void)[] = [];

  constructor(tap: PacketTap, options: TrafficOptions) {
    assert(options.every > 0, `${options.name} has a period`);
    this.tap = tap;
    this.name = options.name;
    this.host = options.from;
    this.protocol = options.protocol;
    this.judge = options.judge ?? {};
    this.flowTimeout = options.flowTimeout ?? 60 * second;
    this.#target = options.target;
    this.#port = options.port;
    this.#every = options.every;
    this.#flowEvery = options.flowEvery ?? second;
    this.#timeout = options.timeout ?? second;
    const flowCount = options.protocol === 'TCP' ? options.flows ?? 0 : 0;
    this.flows = Array.from({ length: flowCount }, (_, index) => new KeptFlow(this, index));
    this.#tickName = new KnownName('request', options.name);
  }

  get target(): Ip {
    return this.#target;
  }

  get port(): number {
    return this.#port;
  }

  get every(): Micros {
    return this.#every;
  }

  get requestCount(): number {
    return this.#sequence;
  }

  /** Mean latency of good requests, 0 without any. */
  get latencyMean(): Micros {
    return this.counts.ok === 0 ? 0 : Math.floor(this.#latencyTotal / this.counts.ok);
  }

  /** Flows that are up now. */
  get flowsUp(): number {
    return this.flows.filter((flow) => flow.up).length;
  }

  /** Starts at a drawn phase of the period, so that lines do not beat together. */
  start(): void {
    if (this.#tick !== undefined) return;
    this.#arm(this.tap.world.stream(`client/${this.name}`).below(this.#every));
    if (this.flows.length > 0) this.#armFlows();
  }

  /** No new requests; those under way end by themselves. */
  stop(): void {
    this.#tick?.cancel();
    this.#flowTick?.cancel();
    this.#tick = undefined;
    this.#flowTick = undefined;
  }

  /** The Service has another address now. Requests and flows under way stay where they are. */
  setTarget(target: Ip, port?: number): void {
    this.#target = target;
    this.#port = port ?? this.#port;
  }

  /** Changes the period from the next request on. */
  setEvery(every: Micros): void {
    assert(every > 0, `${this.name} has a period`);
    this.#every = every;
    if (this.#tick === undefined) return;
    this.#tick.cancel();
    this.#arm(every);
  }

  onRecord(listener: (record: RequestRecord) => void): void {
    this.#listeners.push(listener);
  }

  /** The own address to ask from, of the target's family. */
  sourceAddress(): Ip | undefined {
    return this.host.stack.addressOf(familyOf(this.#target));
  }

  /** Called by requests and flows when their outcome is known. */
  ended(record: RequestRecord): void {
    this.counts[record.outcome] += 1;
    if (record.outcome === 'ok') {
      this.#latencyTotal += record.latency;
      if (record.latency > this.latencyMax) this.latencyMax = record.latency;
    } else if (this.failures.length < failuresMax) {
      this.failures.push(record);
    }
    if (record.flow === undefined) this.#judge(record);
    for (const listener of this.#listeners) listener(record);
  }

  /** Called by a request: no deadline any more. */
  settled(request: Request): void {
    this.host.transport.deadlines.clear(request);
  }

  #judge(record: RequestRecord): void {
    const worked = record.outcome === 'ok';
    if (record.sequence !== this.#nextToJudge) {
      this.#early.set(record.sequence, { startedAt: record.startedAt, worked });
      return;
    }
    this.outages.add(record.startedAt, worked);
    this.#nextToJudge += 1;
    for (;;) {
      const next = this.#early.get(this.#nextToJudge);
      if (next === undefined) return;
      this.#early.delete(this.#nextToJudge);
      this.outages.add(next.startedAt, next.worked);
      this.#nextToJudge += 1;
    }
  }

  #arm(wait: Micros): void {
    this.#tick = this.tap.world.schedule(wait, this.#tickName, () => {
      this.#arm(this.#every);
      this.#request();
    });
  }

  #armFlows(): void {
    const wait = Math.max(1, Math.floor(this.#flowEvery / this.flows.length));
    const what = { kind: 'flow', entity: this.name };
    this.#flowTick = this.tap.world.schedule(wait, what, () => {
      this.#armFlows();
      this.flows[this.#nextFlow]?.beat();
      this.#nextFlow = (this.#nextFlow + 1) % this.flows.length;
    });
  }

  #request(): void {
    this.#sequence += 1;
    const Kind = this.protocol === 'TCP' ? TcpRequest : UdpRequest;
    const request = new Kind(this, this.#sequence);
    this.host.transport.deadlines.set(request, this.tap.world.now + this.#timeout);
    request.begin();
  }
}
