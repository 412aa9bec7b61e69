import type { HostCalls } from '../../bpf/vm/runtime.ts';
import { AddressTexts } from '../net/addresstexts.ts';
import type { IpStack } from '../net/stack.ts';
import { nodeCookie } from './devices.ts';
import type { PodTable } from './pod.ts';
import { lookUpRoute, type RouteSite } from './routelookup.ts';
import type { SocketCaller } from './sockets.ts';

/** The parts of a node that helpers ask; they are made after the kernel. */
export interface HostSite {
  readonly caller: SocketCaller;
  readonly stack: () => IpStack;
  readonly pods: () => PodTable;
}

/** What the helpers of a node's programs learn about the machine around them. */
export function hostCalls({ caller, stack, pods }: HostSite): Omit<HostCalls, 'random'> {
  const routes: RouteSite = {
    texts: new AddressTexts(),
    isLocal: (address) => stack().isLocal(address),
    pod: (address) => pods().at(address)?.link,
    route: (address) => stack().routes.lookup(address),
  };
  return {
    socketCookie: () => caller.socketCookie,
    namespaceCookie: (initial) => initial ? nodeCookie : caller.namespaceCookie,
    routeLookup: (memory, at) => lookUpRoute(memory, at, routes),
    mtu: (ifindex) => (
      stack().interfaces.find(({ nic }) => nic.ifindex === ifindex)?.nic.mtuBytes
      ?? pods().behind(ifindex)?.link.mtuBytes
    ),
  };
}
