import type { Ip } from '../../lb/ip.ts';
import type { Protocol } from '../../lb/model.ts';
import { tcpFlag, type Packet } from '../net/packet.ts';
import { serveEcho } from '../net/echo.ts';
import type { PacketTap } from '../net/tap.ts';
import { Transport } from '../net/transport.ts';

/** A pod as its node is told to run it. */
export interface PodSpec {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  /** Of the node itself for a pod on the host network. */
  readonly ips: readonly Ip[];
  readonly hostNetwork: boolean;
  readonly ports: readonly { readonly protocol: Protocol; readonly port: number }[];
}

/** Below this no pod calls from, so a packet to such a port is a request. */
const ephemeralFirst = 32_768;

/**
 * A running pod with an interface of its own. What it listens on is not known from its manifest,
 * which need not declare ports, so it answers on every port that is not an ephemeral one.
 */
export class SimPod {
  readonly spec: PodSpec;
  readonly transport: Transport;
  #open = new Set<number>();
  #alive = true;

  constructor(tap: PacketTap, spec: PodSpec, send: (pod: SimPod, packet: Packet) => void) {
    this.spec = spec;
    const name = podName(spec);
    this.transport = new Transport(tap, {
      name: `pod/${name}`, place: `pod ${name}`,
      send: (packet) => {
        if (this.#alive) send(this, packet);
      },
      confirm: () => undefined,
    });
  }

  /** A packet for this pod, as its interface delivers it. */
  receive(packet: Packet): void {
    if (!this.#alive) return;
    const request = packet.protocol === 'UDP' || (packet.tcp !== undefined && (packet.tcp.flags & tcpFlag.syn) !== 0);
    if (request && packet.targetPort < ephemeralFirst && !this.#open.has(packet.targetPort)) {
      this.#open.add(packet.targetPort);
      serveEcho(this.transport, { port: packet.targetPort, backend: podName(this.spec) });
    }
    this.transport.receive(packet);
  }

  /** Exits: nothing is sent any more, and nothing is heard. */
  kill(): void {
    this.#alive = false;
    this.transport.vanish();
  }
}

export function podName(spec: PodSpec): string {
  return `${spec.namespace}/${spec.name}`;
}
