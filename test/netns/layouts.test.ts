import anyTest from 'ava';
import { kernelTests } from '../kernel/machine.ts';
import { at, type Lab } from './lab.ts';
import type { AgentSettings, Change } from './nodeagent.ts';
import { listed } from './objects.ts';
import { buildOtherLayout, compiles } from './otherlayout.ts';
import { endpoints, nodes, numbered, Shop } from './shop.ts';

const { addon, skip } = kernelTests();
const test = skip || !compiles ? anyTest.skip : anyTest.serial;
if (!compiles) process.stderr.write('no other layout is built: no clang-14\n');

const flows = 300;
const ports = Array.from({ length: 12 }, (_, index) => 42_000 + index);
const web = { ip: '198.51.100.10', port: 80 } as const;
const clusterWeb = { ip: at.clusterIp, port: 80 } as const;

// A pod's packets are translated at its interface then, and not at its sockets.
const settings: Partial<AgentSettings> = { socketLb: 'hostNamespaceOnly' };

function catalogue(lab: Lab): Change[] {
  const both = endpoints(lab, 'a1', 'b1');
  return [
    ...numbered(10, { name: 'web', endpoints: both }),
    ...numbered(11, { name: 'datagrams', protocol: 'UDP', endpoints: both }),
    ...numbered(12, {
      name: 'sticky', endpoints: both, spec: { sessionAffinity: 'ClientIP' },
    }),
  ];
}

/** Which endpoint datagrams from each port reach, and which one the client sticks to. */
async function reached({ lab }: Shop): Promise<(string | undefined)[]> {
  const x = lab.actor('x');
  const udp = ports.map((fromPort) => ({
    do: 'connect', protocol: 'udp', ip: '198.51.100.11', port: 80, from: at.x, fromPort,
  } as const));
  const sticky = { do: 'connect', protocol: 'tcp', ip: '198.51.100.12', port: 80 } as const;
  const outcomes = [];
  for (const order of [...udp, sticky]) outcomes.push(await x.ask(order));
  return outcomes.map(({ server, error }) => server ?? error);
}

// V78, in both directions: whoever comes is the other version to whoever was there.
test('maps of another layout are taken over and back, and no flow ends by it', async (t) => {
  const other = buildOtherLayout();
  const shop = await Shop.open(addon, catalogue, { a: settings });
  try {
    const { lab } = shop;
    const [x, p] = [lab.actor('x'), lab.actor('p')];
    const all = { done: flows, failed: [] };
    t.deepEqual(await x.ask({ do: 'hold-many', ...web, count: flows }), all);
    t.deepEqual(await p.ask({ do: 'hold-many', ...clusterWeb, count: flows }), all);
    const before = await reached(shop);
    t.true(before.includes('a1') && before.includes('b1') && new Set(before).size === 2);
    await x.ask({ do: 'storm', ...web, everyMs: 2 });
    await p.ask({ do: 'storm', ...clusterWeb, everyMs: 2 });
    let agent = shop.agents.a;
    let layouts = lab.layoutsOf('a');
    for (const sources of [other.sources, undefined]) {
      await agent.kill();
      agent = lab.agent('a', settings, sources);
      await agent.apply(...nodes(lab), ...catalogue(lab), listed);
      t.is(agent.said, '');
      const now = lab.layoutsOf('a');
      t.is(now.length, 1, 'the old folder is gone');
      t.notDeepEqual(now, layouts);
      layouts = now;
      t.deepEqual(await x.ask({ do: 'talk-many' }), all);
      t.deepEqual(await p.ask({ do: 'talk-many' }), all);
      t.deepEqual(await reached(shop), before, 'datagrams and affinity stay where they were');
    }
    t.is(shop.count('a', 'noRow'), 0n, 'what the new programs did not know was left to the old');
    for (const client of [x, p]) {
      const storm = await client.ask({ do: 'storm-end' });
      t.deepEqual(storm.failed, []);
      t.true((storm.done ?? 0) > 0);
    }
  } finally {
    await shop.close();
    other.remove();
  }
});
