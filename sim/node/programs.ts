import { choose } from '../../lb/choose.ts';
import { primaryAddress } from '../../lb/datapathoptions.ts';
import { decide, type Forward, type Ingress } from '../../lb/decide.ts';
import type { BackendRow } from '../../lb/endpoints.ts';
import { judgeRow } from '../../lb/flow.ts';
import { familyOf, ip, type Ip } from '../../lb/ip.ts';
import type { DropReason } from '../../lb/reasons.ts';
import type { ServicePortRecord } from '../../lb/serviceport.ts';
import type { ViewIndex } from '../../lb/view.ts';
import type { MachineClock } from '../process.ts';
import { tcpFlag, type Packet } from '../net/packet.ts';
import { advance, FlowTable, reopen, type Flow, type FlowEnd } from './flows.ts';
import { translateError } from './icmperrors.ts';
import type { SimKernel } from './kernel.ts';
import { RefusalBucket, refusalOf } from './refusal.ts';
import { RowDecoder, ViewCache } from './viewcache.ts';

/** What a program says about a packet. */
export type Step =
  /** On to the stack, translated or as it came. */
  | { readonly kind: 'pass'; readonly packet: Packet }
  /** Straight out towards its target: the stack never sees it (`bpf_redirect_neigh`). */
  | { readonly kind: 'redirect'; readonly packet: Packet }
  /** Out of the interface that it came in by: a refusal, or a pod that calls itself. */
  | { readonly kind: 'back'; readonly packet: Packet }
  | { readonly kind: 'drop'; readonly reason: DropReason };

/** What a pod sees as the source when it reaches itself through a front (datapath.md 4.2). */
export const hairpinAddresses = {
  IPv4: ip('169.254.77.1'), IPv6: ip('fd66:6c65:6164::1'),
} as const;

/**
 * The programs of one node in readable form, over the maps that the agent writes: `decide` and
 * `choose` for what happens, and flow rows for what goes on happening (datapath.md 8).
 */
export class NodePrograms {
  readonly flows = new FlowTable();
  /** Packets dropped or refused, by reason. */
  readonly counts = new Map<DropReason, number>();
  #kernel: SimKernel;
  #clock: MachineClock;
  #cache: ViewCache;
  #bucket = new RefusalBucket();
  #onChoice: ((flow: Flow) => void)[] = [];

  constructor(kernel: SimKernel, clock: MachineClock, decoder: RowDecoder) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#cache = new ViewCache(kernel, decoder);
  }

  get view(): ViewIndex {
    return this.#cache.view;
  }

  /** Called for each new choice of an endpoint, before its packet travels on. */
  onChoice(listener: (flow: Flow) => void): void {
    this.#onChoice.push(listener);
  }

  /** Loss of power: the rows go, the counters with them. */
  reset(): void {
    this.flows.clear();
    this.counts.clear();
    this.#bucket = new RefusalBucket();
  }

  /** `fl_uplink_in`: replies to translated flows first, then fronts. */
  uplinkIn(packet: Packet): Step {
    const { view } = this.#cache;
    if (packet.icmp !== undefined) return this.#icmpIn(packet, view);
    const { first, last } = view.facts.options.snatPorts;
    if (
      packet.targetPort >= first && packet.targetPort <= last && view.isNodeAddress(packet.target)
    ) {
      const flow = this.flows.reply(packet, this.#clock.now());
      if (flow !== undefined && !flow.backend.local) {
        return this.#redirect(this.#restored(flow, packet));
      }
    }
    return this.#request(packet, 'external');
  }

  /** `fl_from_pod`: what a pod sends, before anything else looks at it. */
  fromPod(packet: Packet): Step {
    if (packet.target === hairpinAddresses[familyOf(packet.target)]) {
      const flow = this.flows.reply(packet, this.#clock.now());
      if (flow === undefined) return this.#drop('noRow');
      return { kind: 'back', packet: this.#restored(flow, packet) };
    }
    if (packet.icmp !== undefined) return { kind: 'pass', packet };
    return this.#request(packet, 'pod');
  }

  /** The socket hooks as far as packets show them: a call of a host process to a front. */
  fromHost(packet: Packet): Step {
    if (packet.icmp !== undefined) return { kind: 'pass', packet };
    return this.#request(packet, 'host');
  }

  /** `fl_to_pod` and the host's `recvmsg`: a client here sees the front that it asked. */
  toClient(packet: Packet): Packet {
    return this.#reversed(packet) ?? packet;
  }

  /** `fl_uplink_out`: replies of local endpoints leave as the front; nothing unallocated leaves. */
  uplinkOut(packet: Packet): Step {
    const reversed = this.#reversed(packet);
    if (reversed !== undefined) return { kind: 'pass', packet: reversed };
    const { view } = this.#cache;
    if (view.inServiceRange(packet.target) && view.address(packet.target)?.foreign !== true) {
      return this.#drop('unallocated');
    }
    return { kind: 'pass', packet };
  }

  #request(packet: Packet, ingress: Ingress): Step {
    const { view } = this.#cache;
    const { target, targetPort, protocol } = packet;
    if (protocol === 'ICMP') return { kind: 'pass', packet };
    const claim = view.front(target, protocol, targetPort) ?? view.nodePort(
      target, protocol, targetPort,
    );
    const record = claim?.servicePort.record;
    const flow = record === undefined ? undefined : this.#keptFlow(packet, record);
    if (flow !== undefined) {
      advance(flow, packet, { from: 'client', now: this.#clock.now() });
      return this.#translate(flow, packet, ingress);
    }
    return this.#newFlow({ ...packet, protocol, ingress });
  }

  /** The row that stands for this packet, by the table of datapath.md 8.4. */
  #keptFlow(packet: Packet, record: ServicePortRecord): Flow | undefined {
    const now = this.#clock.now();
    const flow = this.flows.forward(packet, now);
    if (flow === undefined || flow.servicePort !== record.id) return undefined;
    const syn = isSyn(packet);
    const generation = this.#cache.generation(record.id);
    const verdict = judgeRow(flow, { protocol: record.protocol, syn, now, generation }, record);
    if (verdict === 'choose') {
      this.flows.remove(flow);
      return undefined;
    }
    if (verdict === 'refresh') flow.generation = generation;
    if (syn && flow.closedAt !== undefined) reopen(flow);
    return flow;
  }

  #newFlow(packet: Packet & { readonly protocol: 'TCP' | 'UDP'; readonly ingress: Ingress }): Step {
    const { view } = this.#cache;
    const verdict = decide(view, packet);
    if (verdict.kind === 'notMine') return { kind: 'pass', packet };
    if (verdict.kind !== 'forward') {
      // Enforced where packets leave, because another proxy's rules come after this hook (8.5).
      if (verdict.reason === 'unallocated') return { kind: 'pass', packet };
      return verdict.kind === 'reject'
        ? this.#refuse(packet, verdict.reason)
        : this.#drop(verdict.reason);
    }
    const stray = packet.protocol === 'TCP' && !isSyn(packet);
    if (stray && verdict.view.record.algorithm === 'random') return this.#midstream(packet, view);
    return this.#open(packet, verdict, stray);
  }

  #midstream(packet: Packet, view: ViewIndex): Step {
    const { midstream } = view.facts.options;
    if (midstream === 'pass') return { kind: 'pass', packet };
    return midstream === 'reset' ? this.#refuse(packet, 'noRow') : this.#drop('noRow');
  }

  #open(
    packet: Packet & { readonly protocol: 'TCP' | 'UDP'; readonly ingress: Ingress },
    forward: Forward, midstream: boolean,
  ): Step {
    const now = this.#clock.now();
    const affine = forward.affinitySeconds > 0;
    const affinity = affine ? this.flows.affinity(packet.source, forward.servicePort) : undefined;
    const draw = forward.view.record.algorithm === 'random' ? this.#kernel.chance.next() : 0;
    const backend = choose(
      forward, { tuple: packet, now, draw, ...(affinity === undefined ? {} : { affinity }) },
    );
    const seen = this.#seenSource(packet, backend);
    if (seen === undefined) return this.#drop('natExhausted');
    const flow: Flow = {
      protocol: packet.protocol, midstream, backend, seen,
      client: { ip: packet.source, port: packet.sourcePort },
      front: { ip: packet.target, port: packet.targetPort },
      servicePort: forward.servicePort, scope: forward.scope,
      generation: this.#cache.generation(forward.servicePort),
      state: packet.protocol === 'TCP' && !midstream ? 'handshake' : 'open',
      answered: false, last: now, closedAt: undefined, clientClosed: false, endpointClosed: false,
    };
    this.flows.add(flow);
    if (affine) {
      this.flows.setAffinity(
        packet.source, forward.servicePort, { ip: backend.ip, port: backend.port, last: now },
      );
    }
    for (const listener of this.#onChoice) listener(flow);
    return this.#translate(flow, packet, packet.ingress);
  }

  /** The source that the endpoint will see (datapath.md 4.2); undefined: no port is left. */
  #seenSource(
    packet: Packet & { readonly ingress: Ingress }, backend: BackendRow,
  ): FlowEnd | undefined {
    const { facts } = this.#cache.view;
    const own = { ip: packet.source, port: packet.sourcePort };
    const family = familyOf(packet.target);
    if (packet.ingress === 'pod') {
      return backend.ip === own.ip ? { ...own, ip: hairpinAddresses[family] } : own;
    }
    const address = primaryAddress(facts, family);
    if (packet.ingress === 'host') {
      return isLoopback(packet.source) ? { ...own, ip: address ?? own.ip } : own;
    }
    if (backend.local) return own;
    if (address === undefined) return undefined;
    const { snatPorts: ports, nodePortRange: skipped, hashSeed: seed } = facts.options;
    const to = { backend, address, now: this.#clock.now() };
    const port = this.flows.snatPort(packet, to, { ports, skipped, seed });
    return port === undefined ? undefined : { ip: address, port };
  }

  #translate(flow: Flow, packet: Packet, ingress: Ingress): Step {
    const { backend, seen } = flow;
    const translated = {
      ...packet, source: seen.ip, sourcePort: seen.port,
      target: backend.ip, targetPort: backend.port,
    };
    if (ingress === 'pod' && backend.ip === flow.client.ip) {
      return { kind: 'back', packet: translated };
    }
    if (ingress === 'external' && !backend.local) return this.#redirect(translated);
    return { kind: 'pass', packet: translated };
  }

  #restored(flow: Flow, packet: Packet): Packet {
    advance(flow, packet, { from: 'endpoint', now: this.#clock.now() });
    const { front, client } = flow;
    return {
      ...packet, source: front.ip, sourcePort: front.port, target: client.ip,
      targetPort: client.port,
    };
  }

  #reversed(packet: Packet): Packet | undefined {
    const now = this.#clock.now();
    if (packet.icmp !== undefined) return translateError(packet, this.flows, now);
    const flow = this.flows.reply(packet, now);
    return flow === undefined ? undefined : this.#restored(flow, packet);
  }

  #icmpIn(packet: Packet, view: ViewIndex): Step {
    const translated = translateError(packet, this.flows, this.#clock.now());
    if (translated !== undefined) {
      return view.isNodeAddress(packet.target)
        ? this.#redirect(translated)
        : { kind: 'pass', packet: translated };
    }
    const facts = view.address(packet.target);
    const guarded = facts !== undefined && (
      facts.vip || facts.externalIp
    ) && !view.isNodeAddress(packet.target);
    if (!guarded) return { kind: 'pass', packet };
    if (packet.icmp?.kind !== 'echo-request') return this.#drop('icmpNoRow');
    if (!view.facts.options.vipEcho) return this.#drop('echo');
    const icmp = { ...packet.icmp, kind: 'echo-reply' as const };
    return {
      kind: 'back',
      packet: { ...packet, source: packet.target, target: packet.source, ttl: 64, icmp },
    };
  }

  #redirect(packet: Packet): Step {
    if (packet.ttl <= 1) return this.#drop('ttl');
    return { kind: 'redirect', packet: { ...packet, ttl: packet.ttl - 1 } };
  }

  #refuse(packet: Packet, reason: DropReason): Step {
    this.#count(reason);
    const refusal = refusalOf(packet);
    if (refusal === undefined) return { kind: 'drop', reason };
    if (!this.#bucket.take(this.#clock.now())) return this.#drop('rate');
    return { kind: 'back', packet: refusal };
  }

  #drop(reason: DropReason): Step {
    this.#count(reason);
    return { kind: 'drop', reason };
  }

  #count(reason: DropReason): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
  }
}

function isSyn(packet: Packet): boolean {
  const flags = packet.tcp?.flags ?? 0;
  return (flags & (tcpFlag.syn | tcpFlag.ack)) === tcpFlag.syn;
}

function isLoopback(address: Ip): boolean {
  return address.startsWith('127.') || address === '::1';
}
