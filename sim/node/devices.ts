import type { DatapathDeviceFacts, DatapathDevices } from '../../bpf/datapath/devices.ts';
import { isLinkLocal } from '../net/address.ts';
import type { StackInterface } from '../net/stack.ts';
import type { Process } from '../process.ts';
import type { SimPod } from './pod.ts';

/** The node as the device list of its kernel shows it. */
export interface DeviceSite {
  interfaces(): readonly StackInterface[];
  pods(): Iterable<SimPod>;
}

/** SO_NETNS_COOKIE of a node's own namespace; those of pods are above. */
export const nodeCookie = 1;

/** What netlink and the namespaces of a node tell the agent's datapath. */
export class NodeDevices {
  #site: DeviceSite;
  #hearers: { readonly process: Process; readonly listener: () => void; told: boolean }[] = [];

  constructor(site: DeviceSite) {
    this.#site = site;
  }

  portOf(process: Process): DatapathDevices {
    return {
      facts: () => {
        process.operation();
        return this.facts();
      },
      onChange: (listener) => {
        const hearer = { process, listener, told: false };
        this.#hearers.push(hearer);
        process.onEnd(() => {
          this.#hearers = this.#hearers.filter((other) => other !== hearer);
        });
      },
    };
  }

  facts(): DatapathDeviceFacts {
    const uplinks = this.#site.interfaces().map(({ nic, addresses }) => ({
      ifindex: nic.ifindex, mac: nic.mac, mtu: nic.mtuBytes,
      addresses: addresses.filter((address) => !isLinkLocal(address)),
    }));
    const pods = [...this.#site.pods()];
    return {
      devices: [
        ...uplinks,
        ...pods.map(({ link }) => ({
          ifindex: link.ifindex, mac: link.hostMac, mtu: link.mtuBytes, addresses: [],
        })),
      ],
      pods: pods.map(({ link, spec }) => ({
        cookie: BigInt(link.cookie), addresses: spec.ips, ifindex: link.ifindex, hooked: true,
      })),
      nodeCookie: BigInt(nodeCookie),
    };
  }

  /** A device or pod came or went: each process is told once, a moment later. */
  changed(): void {
    for (const hearer of this.#hearers) {
      if (hearer.told) continue;
      hearer.told = true;
      hearer.process.later(0, 'devices', () => {
        hearer.told = false;
        hearer.listener();
      });
    }
  }
}
