import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import anyTest from 'ava';
import { Attachments } from '../../bpf/attachments.real.ts';
import { programsOn, type Direction } from '../../bpf/hooks.real.ts';
import { realKernel } from '../../bpf/kernel.real.ts';
import { loadObject, type LoadedObject } from '../../bpf/object.real.ts';
import { cgroupRoot } from '../../bpf/pins.real.ts';
import { placeDevices, type Placement } from '../../bpf/placement.ts';
import { refusalText } from '../../bpf/refusal.real.ts';
import type { SocketHandle } from '../../bpf/native.real.ts';
import { openDevices } from '../../lb/devices.real.ts';
import { endpoint, service, slice } from '../datapath/fixture.ts';
import { MapRig } from '../datapath/maprig.ts';
import { root } from '../tidy/sources.ts';
import { kernelTests, run } from './machine.ts';
import { Place, type Side } from './place.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const file = readFileSync(join(root, 'bpf/fairlead.bpf.o'));

/** A node in a namespace, with an uplink and one pod, and a cgroup of its own. */
class Site {
  readonly node: Side;
  readonly pins: string;
  readonly cgroup: string;
  readonly refused: string[] = [];
  #place: Place;

  constructor(place: Place) {
    this.#place = place;
    [this.node] = place.pair();
    this.pins = place.bpffs();
    run(`ip -n ${this.node.namespace} address add 192.0.2.11/24 dev eth0`);
    run(`ip -n ${this.node.namespace} route add default via 192.0.2.1`);
    const pod = place.namespace();
    const add = `link add lxc1 type veth peer name eth0 netns ${pod}`;
    run(`ip -n ${this.node.namespace} ${add}`);
    const top = cgroupRoot();
    if (!top.ok) throw new Error(top.error.text);
    const cgroup = mkdtempSync(join(top.value, 'fairlead-test-'));
    this.cgroup = cgroup;
    place.later(() => rmdirSync(cgroup));
  }

  load(): LoadedObject {
    const loaded = loadObject(addon, { file, pins: this.pins });
    if (!loaded.ok) throw new Error(loaded.error.log ?? refusalText(loaded.error));
    this.#place.later(() => loaded.value.close());
    return loaded.value;
  }

  inside<T>(body: () => T): T {
    return addon.netnsCall(this.node.path, body) as T;
  }

  placement(): Placement {
    return this.inside(() => {
      const devices = openDevices<SocketHandle>(addon as never);
      const options = { nodeAddresses: [], devices: [], announces: () => false };
      const placement = placeDevices(devices.read(), options);
      devices.close();
      return placement;
    });
  }

  attachments(object: LoadedObject): Attachments {
    return new Attachments({
      addon, object, pins: this.pins, hook: 'tcx',
      refused: (refusal) => this.refused.push(refusalText(refusal)),
    });
  }

  programs(ifindex: number, direction: Direction): readonly number[] {
    const on = this.inside(() => programsOn(addon, { kind: 'tcx', ifindex, direction }));
    return on.ok ? on.value : [];
  }

  links(): string[] {
    return readdirSync(this.pins)
      .filter((name) => /^fl_(?:connect|sendmsg|recvmsg|getpeername|post_bind|sock_rel)/u.test(name)
        || name.endsWith('gress'));
  }
}

test('every program of the object goes to its hook, a second process exchanges them in place', async (t) => {
  await Place.with((place) => {
    const site = new Site(place);
    const placement = site.placement();
    const [uplink, pod] = [placement.uplinks[0]!, placement.pods[0]!];
    const ids: number[][] = [];
    for (let process = 0; process < 2; process += 1) {
      const object = site.load();
      const attachments = site.attachments(object);
      const hooked = site.inside(() => attachments.place(placement));
      t.deepEqual(hooked, new Set([uplink.ifindex, pod.ifindex]));
      t.true(attachments.placeSockets(site.cgroup));
      const directions = ['ingress', 'egress'] as const;
      ids.push([uplink, pod].flatMap(({ ifindex }) => (
        directions.flatMap((direction) => site.programs(ifindex, direction))
      )));
    }
    t.deepEqual(site.refused, []);
    t.deepEqual(ids.map((list) => list.length), [4, 4], 'one program on each hook');
    t.is(new Set(ids.flat()).size, 8, 'and another one after the exchange');
    t.is(site.links().length, 4 + 11);
    const last = site.attachments(site.load());
    site.inside(() => last.remove(site.cgroup));
    t.deepEqual(site.links(), []);
    t.deepEqual(site.programs(uplink.ifindex, 'ingress'), []);
  });
});

test('a socket of the cgroup that dials a ClusterIP reaches the endpoint', async (t) => {
  await Place.with((place) => {
    const site = new Site(place);
    const object = site.load();
    t.true(site.attachments(object).placeSockets(site.cgroup));
    const kernel = realKernel(addon, object.maps);
    place.later(() => kernel.close());
    run(`ip -n ${site.node.namespace} address add 10.64.1.21/32 dev lo`);
    const slices = [slice([endpoint('10.64.1.21', { nodeName: 'n-a' })])];
    const rig = new MapRig({ more: { kernel } }).load([service()], slices).start().run();
    t.true(rig.datapath.ready());
    const script = join(import.meta.dirname, 'dialer.mjs');
    const { stdout, stderr } = spawnSync('nsenter', [
      `--net=${site.node.path}`, 'sh', '-c',
      `echo $$ > ${site.cgroup}/cgroup.procs; exec ${process.execPath} ${script}`,
    ], { encoding: 'utf8' });
    t.is(stdout, 'served, peer 10.200.0.10:80\nrefused: ECONNREFUSED\n', stderr);
  });
});
