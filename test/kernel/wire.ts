import { setImmediate as turn } from 'node:timers/promises';
import { readBytes, readSocket, type SocketAddon } from '../../lb/devices.real.ts';
import type { Addon, LinkHandle, ProgramHandle, SocketHandle } from '../../bpf/native.real.ts';
import { isRefused, refusal } from '../../bpf/refusal.real.ts';
import { run } from './machine.ts';
import type { Place, Side } from './place.ts';

/** A frame that left the node, by the name of the device that it left by. */
export interface Left {
  readonly device: string;
  readonly frame: Uint8Array;
}

/**
 * A node in a namespace with devices whose other ends are watched. A test run only says that a
 * packet is redirected; here the program is attached, the packet comes in for real, and where it
 * comes out is seen. Nothing else speaks: no device has an address unless a test gives it one.
 */
export class Wire {
  readonly node: Side;
  readonly ifindex = new Map<string, number>();
  #addon: Addon;
  #ends = new Map<string, SocketHandle>();
  #links: LinkHandle[] = [];
  #out = new Uint8Array(readBytes);

  /** `eth0` and the further `devices`, all up. */
  constructor(addon: Addon, place: Place, devices: readonly string[] = ['pod0']) {
    this.#addon = addon;
    const [node, lan] = place.pair();
    this.node = node;
    this.#watch('eth0', { place, end: lan });
    this.ifindex.set('eth0', node.ifindex);
    for (const device of devices) this.#add(device, place);
    place.later(() => this.#links.forEach((link) => addon.close(link)));
  }

  /** Attaches a tc program to the ingress or egress of a device until the place is cleared. */
  attach(
    program: ProgramHandle, device: string, direction: 'ingress' | 'egress' = 'ingress',
  ): void {
    const attachType = direction === 'ingress' ? 46 : 47;
    const link = this.#addon.netnsCall(this.node.path, () => (
      this.#addon.linkCreate(program, this.ifindex.get(device) ?? 0, attachType, 0, 0)
    ));
    if (isRefused(link)) throw new Error(`attach to ${device}: ${refusal('', link).kind}`);
    this.#links.push(link as LinkHandle);
  }

  /** Lets a frame come in by a device, and gives what leaves the node. */
  async send(device: string, frame: Uint8Array): Promise<readonly Left[]> {
    const end = this.#ends.get(device);
    if (end === undefined) throw new Error(`the node has no device ${device}`);
    this.#take();
    const sent = this.#addon.socketSend(end, frame);
    if (isRefused(sent)) throw new Error(`send by ${device}: ${refusal('', sent).kind}`);
    const left: Left[] = [];
    // A veth hands over in soft interrupts of this CPU: they are over within a few turns.
    for (let turns = 0; turns < 20; turns += 1) {
      await turn();
      left.push(...this.#take());
    }
    return left;
  }

  #add(device: string, place: Place): void {
    const end = place.namespace();
    const { namespace } = this.node;
    run(`ip -n ${namespace} link add ${device} type veth peer name eth0 netns ${end}`);
    for (const [where, name] of [[namespace, device], [end, 'eth0']] as const) {
      run(`ip netns exec ${where} sysctl -qw net.ipv6.conf.${name}.disable_ipv6=1`);
      run(`ip -n ${where} link set ${name} up`);
    }
    const shown = (where: string, name: string): number => (
      JSON.parse(run(`ip -n ${where} -j link show ${name}`)) as { ifindex: number }[]
    )[0]!.ifindex;
    this.ifindex.set(device, shown(namespace, device));
    const side = { namespace: end, path: `/var/run/netns/${end}`, ifindex: shown(end, 'eth0') };
    this.#watch(device, { place, end: side });
  }

  #watch(device: string, { place, end }: { readonly place: Place; readonly end: Side }): void {
    const socket = this.#addon.netnsCall(end.path, () => (
      this.#addon.packetOpen(end.ifindex, 0, new Uint8Array(0))
    ));
    if (isRefused(socket)) throw new Error(`listen to ${device}: ${refusal('', socket).kind}`);
    this.#ends.set(device, socket as SocketHandle);
    place.later(() => this.#addon.close(socket as SocketHandle));
  }

  #take(): Left[] {
    const sockets = this.#addon as SocketAddon<SocketHandle>;
    return [...this.#ends].flatMap(([device, socket]) => (
      readSocket(sockets, socket, this.#out).arrived
        .map(({ bytes }) => ({ device, frame: bytes.slice() }))
    ));
  }
}
