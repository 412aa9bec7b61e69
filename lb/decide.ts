import type { BackendRow } from './endpoints.ts';
import { parsePrefix, prefixContains, type Ip } from './ip.ts';
import type { FlowTuple } from './murmur.ts';
import { policyVerdict, type Scope, type SourceClass } from './policy.ts';
import type { DropReason } from './reasons.ts';
import type { ServicePortId } from './serviceport.ts';
import type { FrontClaim, NodeView, ServicePortView } from './view.ts';

/** How a packet came to the node's datapath: a pod's interface, its own sockets, or an uplink. */
export type Ingress = 'pod' | 'host' | 'external';

/** The first packet of a flow, before anything was translated. */
export interface FlowPacket extends FlowTuple {
  readonly ingress: Ingress;
}

/** A flow that goes to one of `candidates`, which are never empty and in canonical order. */
export interface Forward {
  readonly kind: 'forward';
  readonly servicePort: ServicePortId;
  readonly view: ServicePortView;
  readonly scope: Scope;
  readonly candidates: readonly BackendRow[];
  readonly masquerade: boolean;
  /** Seconds, 0: none. */
  readonly affinitySeconds: number;
}

export type Verdict =
  | { readonly kind: 'notMine' }
  | { readonly kind: 'drop' | 'reject'; readonly reason: DropReason }
  | Forward;

const notMine: Verdict = { kind: 'notMine' };

/**
 * What must happen to a packet that starts a flow: the one statement of the datapath's behaviour
 * (datapath.md 3), which every executor is compared with. Pure; chance and rows belong to `choose`.
 */
export function decide(view: NodeView, packet: FlowPacket): Verdict {
  const { source, target, targetPort, protocol } = packet;
  const claim = view.front(target, protocol, targetPort);
  if (claim?.kind === 'vip' && !claim.servicePort.ranges.admits(source, target)) {
    return { kind: 'drop', reason: 'srcRange' };
  }
  if (claim !== undefined) return decideFront(view, packet, claim);
  if (view.isNodePortAddress(target) || isLoopbackCall(packet)) {
    const nodePort = view.nodePort(target, protocol, targetPort);
    if (nodePort !== undefined) return decideFront(view, packet, nodePort);
  }
  return decideMiss(view, packet);
}

function decideFront(view: NodeView, packet: FlowPacket, claim: FrontClaim): Verdict {
  const { record } = claim.servicePort;
  const { options } = view.facts;
  const source = sourceClass(view, packet);
  if (claim.kind === 'clusterIp' && source === 'external' && !options.externalClusterIp) {
    return { kind: 'drop', reason: 'externalClusterIp' };
  }
  const { internalLocal, externalLocal } = record;
  const policy = policyVerdict(
    { source, front: claim.kind, internalLocal, externalLocal }, options,
  );
  const { clusterCandidates, localCandidates } = claim.servicePort;
  const candidates = policy.scope === 'local' ? localCandidates : clusterCandidates;
  if (candidates.length === 0) {
    if (record.usable) return { kind: 'drop', reason: 'policyEmpty' };
    return { kind: options.noEndpoints, reason: 'noEndpoint' };
  }
  return {
    kind: 'forward', servicePort: record.id, view: claim.servicePort, scope: policy.scope,
    candidates, masquerade: policy.masquerade, affinitySeconds: record.affinitySeconds,
  };
}

function decideMiss(view: NodeView, packet: FlowPacket): Verdict {
  const facts = view.address(packet.target);
  if (facts?.clusterIp === true) return { kind: 'reject', reason: 'unknownPort' };
  if (facts?.foreign === true) return notMine;
  if (view.inServiceRange(packet.target)) return { kind: 'drop', reason: 'unallocated' };
  if (facts === undefined || packet.ingress !== 'external' || !view.facts.options.vipGuard) {
    return notMine;
  }
  // An address that a node owns has services of its own, which no guard may cut off.
  return view.isNodeAddress(packet.target) ? notMine : { kind: 'drop', reason: 'vipPort' };
}

function sourceClass(view: NodeView, packet: FlowPacket): SourceClass {
  if (packet.ingress === 'host' || view.isNodeAddress(packet.source)) return 'node';
  const detector = view.facts.options.localDetector;
  if (detector.kind === 'veth') return packet.ingress === 'pod' ? 'pod' : 'external';
  if (detector.kind === 'none') return 'external';
  return detector.prefixes.some((text) => contains(text, packet.source)) ? 'pod' : 'external';
}

function contains(text: string, address: Ip): boolean {
  const prefix = parsePrefix(text);
  return prefix.ok && prefixContains(prefix.value, address);
}

// Loopback serves NodePorts for the host's own sockets only (KEP-6032).
function isLoopbackCall(packet: FlowPacket): boolean {
  return packet.ingress === 'host' && (packet.target.startsWith('127.') || packet.target === '::1');
}

/**
 * Whether the endpoint sees another source: by policy, or because it would otherwise see itself.
 */
export function masquerades(forward: Forward, endpoint: BackendRow, packet: FlowPacket): boolean {
  return forward.masquerade || endpoint.ip === packet.source;
}
