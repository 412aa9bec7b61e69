import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import anyTest from 'ava';
import { attach, detach, programsOn, type Hook, type LinkHook } from '../../bpf/hooks.real.ts';
import { cgroupRoot } from '../../bpf/pins.real.ts';
import type { ProgramHandle, SocketHandle } from '../../bpf/native.real.ts';
import { kernelTests } from './machine.ts';
import { Place, type Side } from './place.ts';
import { Rig } from './rig.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const probe = 'test/kernel/fixtures/probe.bpf.o';

interface Site {
  readonly rig: Rig;
  readonly place: Place;
  readonly left: Side;
  readonly right: Side;
  /** Packets that t_count and t_count_other have seen. */
  counts(): readonly [number, number];
  program(name: string): ProgramHandle;
  /** Sends `count` frames from the left to the right. */
  send(count: number): void;
}

async function withSite(body: (site: Site) => void): Promise<void> {
  await Place.with((place) => {
    const [left, right] = place.pair();
    const rig = new Rig(addon, probe);
    place.later(() => rig.close());
    const socket = rig.inside(left.namespace, () => (
      addon.packetOpen(left.ifindex, 0, new Uint8Array(0))
    )) as SocketHandle;
    place.later(() => addon.close(socket));
    const frame = Buffer.from('02000000000c02000000000a88b5'.padEnd(120, '0'), 'hex');
    body({
      rig, place, left, right,
      program: (name) => rig.object.programs.get(name)!,
      counts: () => {
        const [own, other] = [0, 1].map((cell) => (
          rig.map('t_stats').lookup(Uint8Array.of(cell, 0, 0, 0))!
        ));
        return [own![0]! + own![1]! * 256, other![0]! + other![1]! * 256];
      },
      send: (count) => {
        for (let sent = 0; sent < count; sent += 1) addon.socketSend(socket, frame);
      },
    });
  });
}

/** Attaches inside the right namespace. */
function onRight(site: Site, program: string, of: { hook: Hook; pin: string }): string {
  const attached = site.rig.inside(site.right.namespace, () => (
    attach(addon, { ...of, program: site.program(program) })
  ));
  return attached.ok ? attached.value : attached.error.kind;
}

const kinds = ['tcx', 'clsact'] as const;
for (const kind of kinds) {
  test(`${kind}: a program sees the packets, and its successor takes over in place`, async (t) => {
    await withSite((site) => {
      const hook: Hook = { kind, ifindex: site.right.ifindex, direction: 'ingress' };
      const pin = join(site.place.bpffs(), 'uplink');
      t.is(onRight(site, 't_count', { hook, pin }), 'created');
      site.send(3);
      t.is(onRight(site, 't_count_other', { hook, pin }), 'exchanged');
      site.send(2);
      t.deepEqual(site.counts(), [3, 2]);
      const detached = site.rig.inside(site.right.namespace, () => detach(addon, { hook, pin }));
      t.true(detached.ok);
      site.send(2);
      t.deepEqual(site.counts(), [3, 2]);
    });
  });

  test(`${kind}: a hundred exchanges under traffic let no packet pass unseen`, async (t) => {
    await withSite((site) => {
      const hook: Hook = { kind, ifindex: site.right.ifindex, direction: 'ingress' };
      const pin = join(site.place.bpffs(), 'uplink');
      onRight(site, 't_count', { hook, pin });
      for (let turn = 0; turn < 100; turn += 1) {
        site.send(5);
        onRight(site, turn % 2 === 0 ? 't_count_other' : 't_count', { hook, pin });
      }
      const [own, other] = site.counts();
      t.is(own + other, 500);
      t.is(own, other);
    });
  });
}

test('a filter of another owner is never replaced and never removed', async (t) => {
  await withSite((site) => {
    const hook: Hook = { kind: 'clsact', ifindex: site.right.ifindex, direction: 'ingress' };
    const folder = site.place.bpffs();
    t.is(onRight(site, 't_count', { hook, pin: join(folder, 'theirs') }), 'created');
    t.is(onRight(site, 't_count_other', { hook, pin: join(folder, 'ours') }), 'EEXIST');
    site.rig.inside(site.right.namespace, () => detach(addon, { hook, pin: join(folder, 'ours') }));
    site.send(1);
    t.deepEqual(site.counts(), [1, 0]);
  });
});

test('TCX: ours runs before those that were there, and the others still run', async (t) => {
  await withSite((site) => {
    const hook: LinkHook = { kind: 'tcx', ifindex: site.right.ifindex, direction: 'ingress' };
    const folder = site.place.bpffs();
    onRight(site, 't_count', { hook, pin: join(folder, 'theirs') });
    onRight(site, 't_count_other', { hook, pin: join(folder, 'ours') });
    const order = site.rig.inside(site.right.namespace, () => programsOn(addon, hook));
    const id = (name: string): number => (
      addon.programFacts(site.program(name)) as readonly number[]
    )[0]!;
    t.deepEqual(order, { ok: true, value: [id('t_count_other'), id('t_count')] });
    site.send(4);
    t.deepEqual(site.counts(), [4, 4]);
  });
});

test('a pin whose link is on another device, or on none, is replaced', async (t) => {
  await withSite((site) => {
    const pin = join(site.place.bpffs(), 'uplink');
    const hook: Hook = { kind: 'tcx', ifindex: site.right.ifindex, direction: 'ingress' };
    onRight(site, 't_count', { hook, pin });
    const again = { ...hook, ifindex: 1 };
    t.is(onRight(site, 't_count', { hook: again, pin }), 'created');
    site.send(2);
    t.deepEqual(site.counts(), [0, 0]);
  });
});

test('XDP: a program is attached and exchanged in place', async (t) => {
  await withSite((site) => {
    const pin = join(site.place.bpffs(), 'xdp');
    const hook: Hook = { kind: 'xdp', ifindex: site.right.ifindex };
    t.is(onRight(site, 't_xdp', { hook, pin }), 'created');
    t.is(onRight(site, 't_xdp', { hook, pin }), 'exchanged');
    t.is(onRight(site, 't_count', { hook, pin }), 'EINVAL');
  });
});

test('a cgroup hook refuses the calls that its program refuses', async (t) => {
  await Place.with((place) => {
    const root = cgroupRoot();
    t.true(root.ok);
    const group = mkdtempSync(join(root.ok ? root.value : '', 'fairlead-test-'));
    place.later(() => rmdirSync(group));
    const rig = new Rig(addon, probe);
    place.later(() => rig.close());
    const attached = attach(addon, {
      hook: { kind: 'cgroup', path: group, attach: 10 },
      program: rig.object.programs.get('t_connect4')!, pin: join(place.bpffs(), 'connect4'),
    });
    t.deepEqual(attached, { ok: true, value: 'created' });
    const dial = (port: number): string => spawnSync('sh', [
      '-c', `echo $$ > ${group}/cgroup.procs; exec ${process.execPath} -e "${dialer(port)}"`,
    ], { encoding: 'utf8' }).stdout.trim();
    t.is(dial(9), 'EPERM');
    t.is(dial(1), 'ECONNREFUSED');
  });
});

test('the pin of another cgroup is replaced, and that cgroup is free at once', async (t) => {
  await Place.with((place) => {
    const top = cgroupRoot();
    const [first, second] = [1, 2].map(() => {
      const group = mkdtempSync(join(top.ok ? top.value : '', 'fairlead-test-'));
      place.later(() => rmdirSync(group));
      return group;
    });
    const rig = new Rig(addon, probe);
    place.later(() => rig.close());
    const pin = join(place.bpffs(), 'connect4');
    const program = rig.object.programs.get('t_connect4')!;
    const put = (path: string): unknown => {
      const attached = attach(addon, { hook: { kind: 'cgroup', path, attach: 10 }, program, pin });
      return attached.ok ? attached.value : attached.error.kind;
    };
    const on = (path: string): number => {
      const ids = programsOn(addon, { kind: 'cgroup', path, attach: 10 });
      return ids.ok ? ids.value.length : -1;
    };
    t.deepEqual([put(first!), put(first!), put(second!)], ['created', 'exchanged', 'created']);
    t.deepEqual([on(first!), on(second!)], [0, 1]);
  });
});

function dialer(port: number): string {
  return `require('net').connect(${port}, '127.0.0.1').on('error', (e) => console.log(e.code))`;
}

test('links outlive a process that is killed, and the next one adopts them', async (t) => {
  await withSite((site) => {
    const pin = join(site.place.bpffs(), 'uplink');
    const child = spawnSync('nsenter', [
      `--net=${site.right.path}`, process.execPath, join(import.meta.dirname, 'doomed.ts'),
      pin, String(site.right.ifindex),
    ], { encoding: 'utf8' });
    t.is(child.signal, 'SIGKILL', child.stderr);
    const hook: LinkHook = { kind: 'tcx', ifindex: site.right.ifindex, direction: 'ingress' };
    const before = site.rig.inside(site.right.namespace, () => programsOn(addon, hook));
    t.is(before.ok && before.value.length, 1);
    t.is(onRight(site, 't_count', { hook, pin }), 'exchanged');
    site.send(2);
    t.deepEqual(site.counts(), [2, 0]);
  });
});

test('a hook that does not exist is refused by name', async (t) => {
  await withSite((site) => {
    const pin = join(site.place.bpffs(), 'none');
    const gone: Hook = { kind: 'tcx', ifindex: 99_999, direction: 'egress' };
    const refused = attach(addon, { hook: gone, program: site.program('t_count'), pin });
    t.like(refused, {
      error: { kind: 'ENODEV', operation: 'attach to tcx egress of interface 99999' },
    });
    const nowhere: Hook = { kind: 'cgroup', path: '/proc/none', attach: 10 };
    t.like(
      attach(addon, { hook: nowhere, program: site.program('t_connect4'), pin }),
      { error: { kind: 'ENOENT' } },
    );
  });
});
