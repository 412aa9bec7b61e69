import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import anyTest from 'ava';
import { programsOn, type LinkHook } from '../../bpf/hooks.real.ts';
import { ownCookie, readNamespace, readNamespaces } from '../../bpf/namespaces.real.ts';
import type { SocketHandle } from '../../bpf/native.real.ts';
import { openDevices } from '../../lb/devices.real.ts';
import { kernelTests, run } from './machine.ts';
import { Place } from './place.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

interface Shown {
  readonly nodeCookie: string;
  readonly devices: readonly { ifindex: number; mac: string; addresses: string[] }[];
  readonly pods: readonly {
    cookie: string; addresses: string[]; ifindex: number; hooked: boolean;
  }[];
}

/** A node with an uplink `eth0` and its default route, and pods as they are asked for. */
class Node {
  readonly namespace: string;
  readonly pins: string;
  #place: Place;

  constructor(place: Place) {
    this.#place = place;
    const [left] = place.pair();
    this.namespace = left.namespace;
    this.pins = place.bpffs();
    run(`ip -n ${left.namespace} address add 192.0.2.11/24 dev eth0`);
    run(`ip -n ${left.namespace} route add default via 192.0.2.1`);
  }

  /** A pod with an address; its host end is called `lxc` and a number. */
  pod(number: number): string {
    const pod = this.#place.namespace();
    run(`ip -n ${this.namespace} link add lxc${number} type veth peer name eth0 netns ${pod}`);
    run(`ip -n ${this.namespace} link set lxc${number} up`);
    run(`ip -n ${pod} address add 10.64.1.${number}/32 dev eth0`);
    run(`ip -n ${pod} link set eth0 up`);
    return pod;
  }

  cookie(namespace: string): string {
    const facts = readNamespace(addon, `/var/run/netns/${namespace}`);
    return facts.ok ? String(facts.value.cookie) : facts.error.kind;
  }

  ifindex(name: string): number {
    return addon.netnsCall(`/var/run/netns/${this.namespace}`, () => {
      const devices = openDevices<SocketHandle>(addon as never);
      const found = devices.read().find((device) => device.name === name);
      devices.close();
      return found?.ifindex ?? 0;
    });
  }

  programs(name: string, direction: 'ingress' | 'egress'): number {
    const hook: LinkHook = { kind: 'tcx', ifindex: this.ifindex(name), direction };
    const on = addon.netnsCall(`/var/run/netns/${this.namespace}`, () => programsOn(addon, hook));
    return typeof on === 'number' || !on.ok ? -1 : on.value.length;
  }

  /** Starts the devices of this node in a process of their own. */
  start(hook: 'tcx' | 'clsact'): Running {
    const script = join(import.meta.dirname, 'nodedevices.ts');
    const child = spawn('nsenter', [
      `--net=/var/run/netns/${this.namespace}`, process.execPath, script, this.pins, hook,
    ], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#place.later(() => child.kill('SIGKILL'));
    return new Running(child);
  }
}

class Running {
  #child: ChildProcess;
  #lines: Interface;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! });
  }

  /** The first facts that are as wanted. */
  async facts(wanted: (facts: Shown) => boolean): Promise<Shown> {
    return new Promise((resolve) => {
      const look = (line: string): void => {
        const facts = JSON.parse(line) as Shown;
        if (!wanted(facts)) return;
        this.#lines.off('line', look);
        resolve(facts);
      };
      this.#lines.on('line', look);
    });
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin!.end();
    await ended;
  }
}

for (const hook of ['tcx', 'clsact'] as const) {
  test(`${hook}: pods are found with cookie, address and host end, and are hooked`, async (t) => {
    await Place.with(async (place) => {
      const node = new Node(place);
      const first = node.pod(21);
      const running = node.start(hook);
      const found = (facts: Shown, count: number): boolean => (
        facts.pods.filter(({ hooked }) => hooked).length === count
      );
      const before = await running.facts((facts) => found(facts, 1));
      const pod = before.pods.find(({ cookie }) => cookie === node.cookie(first));
      t.deepEqual(pod, {
        cookie: node.cookie(first), addresses: ['10.64.1.21'], ifindex: node.ifindex('lxc21'),
        hooked: true,
      });
      t.is(before.nodeCookie, node.cookie(node.namespace));
      const uplink = before.devices.find(({ ifindex }) => ifindex === node.ifindex('eth0'));
      t.like(uplink, { mac: '02:00:00:00:00:0a', addresses: ['192.0.2.11'] });
      node.pod(22);
      await running.facts((facts) => found(facts, 2));
      t.is(readdirSync(node.pins).filter((name) => name.startsWith('fl_')).length, 6);
      run(`ip -n ${node.namespace} link del lxc21`);
      await running.facts((facts) => found(facts, 1));
      t.is(readdirSync(node.pins).filter((name) => name.startsWith('fl_')).length, 4);
      await running.stop();
    });
  });
}

test('hooks stay when the process stops, and the next one adopts them', async (t) => {
  await Place.with(async (place) => {
    const node = new Node(place);
    node.pod(21);
    for (let round = 0; round < 2; round += 1) {
      const running = node.start('tcx');
      await running.facts(({ pods }) => pods.some(({ hooked }) => hooked));
      await running.stop();
      t.is(node.programs('eth0', 'ingress'), 1);
      t.is(node.programs('lxc21', 'ingress'), 1);
      t.is(node.programs('lxc21', 'egress'), 1);
    }
  });
});

test('namespaces are known by their cookie, the own one is not among them', async (t) => {
  await Place.with((place) => {
    const names = [place.namespace(), place.namespace()];
    const own = ownCookie(addon);
    const node = openDevices<SocketHandle>(addon as never);
    place.later(() => node.close());
    const all = readNamespaces(addon, node);
    t.false(all.some(({ cookie }) => own.ok && cookie === own.value));
    for (const name of names) {
      const facts = readNamespace(addon, `/var/run/netns/${name}`);
      t.true(facts.ok);
      const cookie = facts.ok ? facts.value.cookie : 0n;
      t.true(all.some((one) => one.cookie === cookie));
      t.deepEqual(facts.ok && facts.value.devices.map((device) => device.name), ['lo']);
    }
    t.like(readNamespace(addon, '/run/netns/none'), {
      error: { kind: 'ENOENT', operation: 'enter /run/netns/none' },
    });
  });
});
