import { join } from 'node:path';
import anyTest from 'ava';
import { KernelMap } from '../../bpf/kernelmap.real.ts';
import { pinKind, type LinkHandle, type MapHandle } from '../../bpf/native.real.ts';
import { kernelTests } from '../kernel/machine.ts';
import type { Change } from './nodeagent.ts';
import { at, type Lab } from './lab.ts';
import { listed } from './objects.ts';
import { endpoints, nodes, numbered, Shop } from './shop.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

const flows = 1_000;
/** Beside the start of a process: V73 says ten seconds, which are a soak's. */
const awayMs = process.env['SOAK_SEEDS'] === undefined ? 0 : 10_000;

function before(lab: Lab): Change[] {
  return [
    ...numbered(10, { name: 'web', endpoints: endpoints(lab, 'a1', 'b1') }),
    ...[20, 21, 22, 23].flatMap((number) => (
      numbered(number, { name: `s${number}`, endpoints: endpoints(lab, 'a1') })
    )),
  ];
}

/** The same with five Services changed: endpoints moved, one without any, one gone, one new. */
function after(lab: Lab): Change[] {
  return [
    ...numbered(10, { name: 'web', endpoints: endpoints(lab, 'a1', 'b1') }),
    ...numbered(20, { name: 's20', endpoints: endpoints(lab, 'b1') }),
    ...numbered(21, { name: 's21', endpoints: endpoints(lab, 'b1') }),
    ...numbered(22, { name: 's22', endpoints: [] }),
    ...numbered(24, { name: 's24', endpoints: endpoints(lab, 'a1') }),
  ];
}

// V73. The storm goes on through death, absence and return of the agent.
test('an agent killed and started again breaks no flow and refuses no connection', async (t) => {
  const shop = await Shop.open(addon, before);
  try {
    const { lab } = shop;
    const x = lab.actor('x');
    const web = { ip: '198.51.100.10', port: 80 } as const;
    const all = { done: flows, failed: [] };
    t.deepEqual(await x.ask({ do: 'hold-many', ...web, count: flows }), all);
    const p = lab.actor('p');
    await x.ask({ do: 'storm', ...web, everyMs: 2 });
    await p.ask({ do: 'storm', ip: '10.200.0.10', port: 80, everyMs: 4 });
    await shop.agents.a.kill();
    await new Promise((resolve) => { setTimeout(resolve, awayMs); });
    // From another address: a port that a flow to the same endpoint has may be chosen again.
    const sees = async (number: number): Promise<string> => {
      const to = { protocol: 'tcp', ip: `198.51.100.${number}`, port: 80 } as const;
      return (await shop.seen('x', { do: 'connect', ...to, from: at.y, timeoutMs: 300 }, 8)).join();
    };
    t.is(await sees(20), `a1 sees ${at.y}`);
    const links = linksOf(lab);
    const next = lab.agent('a');
    await next.started;
    const listedAt = performance.now();
    await next.apply(...nodes(lab), ...after(lab), listed);
    // The bound of datapath.md 21.
    t.true(performance.now() - listedAt <= 2_000);
    t.is(next.said, '');
    const exchanged = linksOf(lab);
    t.deepEqual(exchanged.map(({ link }) => link), links.map(({ link }) => link));
    t.true(exchanged.every(({ program }, index) => program !== links[index]?.program));
    t.is(await sees(20), `b1 sees ${at.a}`);
    t.is(await sees(22), 'ECONNREFUSED');
    t.is(await sees(23), 'timeout');
    t.is(await sees(24), `a1 sees ${at.y}`);
    for (const client of [x, p]) {
      const storm = await client.ask({ do: 'storm-end' });
      t.deepEqual(storm.failed, []);
      t.true((storm.done ?? 0) > 0);
    }
    t.deepEqual(await x.ask({ do: 'talk-many' }), all);
  } finally {
    await shop.close();
  }
});

/**
 * Tables of which the agent is the only writer. Not fl_netns: it names every namespace of the
 * machine that a sandbox might be, and other tests make and remove theirs.
 */
const agentTables = [
  'fl_front', 'fl_svc', 'fl_set', 'fl_lut', 'fl_backend', 'fl_member', 'fl_range', 'fl_addr',
  'fl_net', 'fl_dev', 'fl_cfg',
] as const;

test('a restart with nothing changed leaves every table as it was', async (t) => {
  const shop = await Shop.open(addon, before);
  try {
    const { lab } = shop;
    let agent = shop.agents.a;
    const restarted = async (): Promise<string[][]> => {
      await agent.kill();
      agent = lab.agent('a');
      await agent.apply(...nodes(lab), ...before(lab), listed);
      return agentTables.map((name) => dump(lab, name));
    };
    // Where pods are is noted as they are found: only a first start may write that later.
    const tables = await restarted();
    t.deepEqual(await restarted(), tables);
    t.is(agent.said, '');
  } finally {
    await shop.close();
  }
});

/** Rows of a pinned map as text, sorted; cells that were never written are left out. */
function dump(lab: Lab, name: string): string[] {
  const handle = addon.openPinned(pinKind.map, join(lab.pinsOf('a'), name)) as MapHandle;
  const map = new KernelMap(addon, handle);
  const rows = map.dump().filter(({ value }) => value.some((byte) => byte !== 0));
  map.close();
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return rows.map(({ key, value }) => `${text(key)} ${text(value)}`).toSorted();
}

/** Ids of pinned links and of the programs behind them. */
function linksOf(lab: Lab): { readonly link: number; readonly program: number }[] {
  return ['fl_uplink_in-2-ingress', 'fl_uplink_out-2-egress', 'fl_connect4'].map((pin) => {
    const path = join(lab.pinsOf('a'), 'links', pin);
    const handle = addon.openPinned(pinKind.link, path) as LinkHandle;
    const [, link = 0, program = 0] = addon.linkFacts(handle) as readonly number[];
    addon.close(handle);
    return { link, program };
  });
}
