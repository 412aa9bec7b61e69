import type { Ip } from '../../lb/ip.ts';
import { Frame } from '../../sim/net/frame.ts';
import type { Packet } from '../../sim/net/packet.ts';
import type { HookName } from '../../sim/node/hooks.ts';
import type { SimNode } from '../../sim/node/node.ts';

/** What became of a packet at one hook. */
export type Step =
  /** On to the stack, translated or as it came. */
  | { readonly kind: 'pass'; readonly packet: Packet }
  /** Out by its route, past the stack. */
  | { readonly kind: 'redirect'; readonly packet: Packet }
  /** Out of the device that it came in by. */
  | { readonly kind: 'back'; readonly packet: Packet }
  | { readonly kind: 'drop'; readonly reason: string };

const outside = '02:00:00:00:00:77';

/** Shows packets to the programs of one node as its devices would, one hook at a time. */
export class Probe {
  readonly node: SimNode;

  constructor(node: SimNode) {
    this.node = node;
  }

  /** Rows of flows: `fl_ct` in the forward direction. */
  get flowCount(): number {
    return this.node.kernel.dump('fl_ct').filter(({ key }) => key[37] === 0).length;
  }

  uplinkIn(packet: Packet): Step {
    const [nic] = this.node.nics;
    return this.#run('fl_uplink_in', packet, { ...device(nic!), source: outside });
  }

  uplinkOut(packet: Packet): Step {
    const [nic] = this.node.nics;
    return this.#run('fl_uplink_out', packet, { ...device(nic!), source: nic!.mac });
  }

  fromPod(packet: Packet): Step {
    const { link } = this.#pod(packet.source);
    const { ifindex, hostMac, mac } = link;
    return this.#run('fl_from_pod', packet, { ifindex, mac: hostMac, source: mac });
  }

  toPod(packet: Packet): Step {
    const { link } = this.#pod(packet.target);
    const { ifindex, hostMac, mac } = link;
    return this.#run('fl_to_pod', packet, { ifindex, mac, source: hostMac });
  }

  #pod(address: Ip) {
    const pod = [...this.node.pods.values()].find(({ spec }) => spec.ips.includes(address));
    if (pod === undefined) throw new Error(`no pod at ${address}`);
    return pod;
  }

  #run(
    hook: HookName, packet: Packet, at: { ifindex: number; mac: string; source: string },
  ): Step {
    const frame = Frame.ofPacket(packet, { ethSource: at.source, ethTarget: at.mac });
    const verdict = this.node.hooks.run(hook, frame, at);
    if (verdict.kind === 'drop') return verdict;
    const shown = verdict.frame.packet;
    if (shown === undefined) throw new Error(`${hook} left no packet`);
    if (verdict.kind === 'pass') return { kind: 'pass', packet: shown };
    return { kind: verdict.kind === 'route' ? 'redirect' : 'back', packet: shown };
  }
}

function device({ ifindex, mac }: { readonly ifindex: number; readonly mac: string }) {
  return { ifindex, mac };
}
