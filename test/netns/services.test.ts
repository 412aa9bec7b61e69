import anyTest from 'ava';
import type { reason } from '../../bpf/layout.gen.ts';
import { kernelTests } from '../kernel/machine.ts';
import type { Prefix } from '../../lb/ip.ts';
import { at, at6, type Lab, type Place } from './lab.ts';
import { endpoints, numbered, Shop, type Connect } from './shop.ts';
import type { Change } from './nodeagent.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

// Last numbers of addresses: 10.200.0.N, 198.51.100.N, NodePort 30000 + N.
function catalogue(lab: Lab): Change[] {
  const both = endpoints(lab, 'a1', 'b1');
  const local = { externalTrafficPolicy: 'Local' };
  return [
    ...numbered(10, {
      name: 'web', endpoints: both, spec: { externalIPs: [at.externalIp, at6.externalIp] },
    }),
    ...numbered(11, { name: 'dns', protocol: 'UDP', endpoints: both }),
    ...numbered(12, { name: 'local', endpoints: both, spec: local }),
    ...numbered(13, { name: 'inner', endpoints: both, spec: { internalTrafficPolicy: 'Local' } }),
    ...numbered(14, { name: 'far', endpoints: endpoints(lab, 'b1'), spec: local }),
    ...numbered(15, { name: 'none', endpoints: [] }),
    ...numbered(16, { name: 'none-udp', protocol: 'UDP', endpoints: [] }),
    ...numbered(17, {
      name: 'ranged', endpoints: both, spec: { loadBalancerSourceRanges: ['203.0.113.0/25'] },
    }),
    ...numbered(18, {
      name: 'sticky', endpoints: both, spec: { sessionAffinity: 'ClientIP' },
    }),
    ...numbered(19, {
      name: 'draining', endpoints: endpoints(lab, 'a1 draining', 'b1 unready'), spec: local,
    }),
  ];
}

let shop: Shop;
if (!skip) {
  anyTest.before(async () => {
    shop = await Shop.open(addon, catalogue, {
      a: { options: { serviceRanges: ['10.200.0.0/16' as Prefix] } },
      b: { socketLb: 'hostNamespaceOnly' },
    });
  });
  anyTest.after.always(() => shop?.close());
}

/** `tcp 10.200.0.10:80`, `udp [fd00:200::11]:80`, with ` connected` for a connected socket. */
function order(text: string): Connect {
  const words = /^(tcp|udp) \[?([^\]]+?)\]?:(\d+)( .*)?$/u;
  const [, protocol, ip = '', port, rest] = words.exec(text) ?? [];
  return {
    do: 'connect', protocol: protocol as Connect['protocol'], ip, port: Number(port),
    ...(rest === ' connected' ? { connected: true } : {}),
    ...(rest === ' in fragments' ? { size: 4_000 } : {}),
    ...(rest?.startsWith(' from ') === true ? { from: rest.slice(6) } : {}),
  };
}

const reaches = anyTest.macro({
  exec: async (t, place: Place, target: string, expected: string) => {
    t.is((await shop.seen(place, order(target))).join(', '), expected);
  },
  title: (_, place, target, expected) => `${place} → ${target}: ${expected}`,
});

const both = (a1: string, b1: string): string => `a1 sees ${a1}, b1 sees ${b1}`;

// A pod of node A, whose sockets are translated: endpoints see the pod itself.
test(reaches, 'p', 'tcp 10.200.0.10:80', both(at.p, at.p));
test(reaches, 'p', 'tcp [fd00:200::10]:80', both(at6.p, at6.p));
test(reaches, 'p', 'udp 10.200.0.11:80', both(at.p, at.p));
test(reaches, 'p', 'udp [fd00:200::11]:80', both(at6.p, at6.p));
test(reaches, 'p', 'udp 10.200.0.11:80 connected', both(at.p, at.p));
test(reaches, 'p', 'tcp 198.51.100.10:80', both(at.p, at.p));
test(reaches, 'p', `tcp ${at.externalIp}:80`, both(at.p, at.p));
test(reaches, 'p', `tcp ${at.a}:30010`, both(at.p, at.p));
test(reaches, 'p', `tcp ${at.b}:30010`, both(at.b, at.p));
test(reaches, 'p', 'tcp 198.51.100.12:80', both(at.p, at.p));
test(reaches, 'p', 'tcp 10.200.0.13:80', `a1 sees ${at.p}`);
// A Service of its own: sockets go straight to themselves.
test(reaches, 'a1', 'tcp 10.200.0.10:80', both(at.a1, at.a1));
// A pod of node B, whose sockets are left alone: packets are translated at its interface.
test(reaches, 'b1', 'tcp 10.200.0.10:80', both(at.b1, '169.254.77.1'));
test(reaches, 'b1', 'tcp [fd00:200::10]:80', both(at6.b1, 'fd66:6c65:6164::1'));
test(reaches, 'b1', 'udp 10.200.0.11:80', both(at.b1, '169.254.77.1'));
test(reaches, 'b1', 'udp [fd00:200::11]:80 connected', both(at6.b1, 'fd66:6c65:6164::1'));
test(reaches, 'b1', 'udp 10.200.0.11:80 in fragments', both(at.b1, '169.254.77.1'));
test(reaches, 'b1', 'tcp 198.51.100.10:80', both(at.b1, '169.254.77.1'));
test(reaches, 'b1', `tcp ${at.b}:30010`, both(at.b1, '169.254.77.1'));
// The host of node A: the address that the kernel picks for the direct way.
test(reaches, 'a', 'tcp 10.200.0.10:80', both('10.64.1.1', at.a));
test(reaches, 'a', 'tcp [fd00:200::10]:80', both('fd00:64:1::1', at6.a));
test(reaches, 'a', 'tcp ::ffff:10.200.0.10:80', both('10.64.1.1', at.a));
test(reaches, 'a', 'udp 10.200.0.11:80', both('10.64.1.1', at.a));
test(reaches, 'a', 'tcp 198.51.100.12:80', both('10.64.1.1', at.a));
test(reaches, 'a', 'tcp 127.0.0.1:30010', both('10.64.1.1', at.a));
test(reaches, 'a', `tcp ${at.a}:30010`, both('10.64.1.1', at.a));
test(reaches, 'a', `tcp ${at.b}:30010`, both(at.b, at.a));
test(reaches, 'a', 'tcp 10.200.0.13:80', 'a1 sees 10.64.1.1');
// From outside: a local endpoint sees the client, a remote one the node.
test(reaches, 'x', 'tcp 198.51.100.10:80', both(at.x, at.a));
test(reaches, 'x', 'tcp [2001:db8:198::10]:80', both(at6.x, at6.a));
test(reaches, 'x', 'udp 198.51.100.11:80', both(at.x, at.a));
test(reaches, 'x', 'udp [2001:db8:198::11]:80', both(at6.x, at6.a));
test(reaches, 'x', 'udp 198.51.100.11:80 in fragments', both(at.x, at.a));
test(reaches, 'x', 'udp [2001:db8:198::11]:80 in fragments', both(at6.x, at6.a));
test(reaches, 'x', `tcp ${at.externalIp}:80`, both(at.x, at.a));
test(reaches, 'x', `tcp ${at.a}:30010`, both(at.x, at.a));
test(reaches, 'x', `tcp [${at6.a}]:30010`, both(at6.x, at6.a));
test(reaches, 'x', `tcp ${at.b}:30010`, both(at.b, at.x));
test(reaches, 'x', 'tcp 10.200.0.10:80', both(at.x, at.a));
test(reaches, 'x', 'tcp 10.200.0.13:80', `a1 sees ${at.x}`);
// externalTrafficPolicy Local: each node serves its own endpoints and keeps the client's address.
test(reaches, 'x', 'tcp 198.51.100.12:80', `a1 sees ${at.x}`);
test(reaches, 'x', `tcp ${at.a}:30012`, `a1 sees ${at.x}`);
test(reaches, 'x', `tcp ${at.b}:30012`, `b1 sees ${at.x}`);
// Only draining endpoints: they serve as long as there is no other.
test(reaches, 'x', 'tcp 198.51.100.19:80', `a1 sees ${at.x}`);
test(reaches, 'p', 'tcp 10.200.0.19:80', `a1 sees ${at.p}`);
// Source ranges hold for the VIP alone.
test(reaches, 'x', 'tcp 198.51.100.17:80', both(at.x, at.a));
test(reaches, 'x', `tcp ${at.a}:30017 from ${at.y}`, both(at.y, at.a));
test(reaches, 'p', 'tcp 10.200.0.17:80', both(at.p, at.p));

// No endpoint, or no such port of a ClusterIP: refused at once, wherever the client is.
for (const place of ['x', 'p', 'b1', 'a'] as const) {
  test(reaches, place, 'tcp 198.51.100.15:80', 'ECONNREFUSED');
  test(reaches, place, 'tcp [fd00:200::15]:80', 'ECONNREFUSED');
  test(reaches, place, 'tcp 10.200.0.10:81', 'ECONNREFUSED');
  test(reaches, place, 'udp 10.200.0.16:80 connected', 'ECONNREFUSED');
  test(reaches, place, 'udp [fd00:200::16]:80 connected', 'ECONNREFUSED');
}
test(reaches, 'a', `tcp 127.0.0.1:30015`, 'ECONNREFUSED');
test(reaches, 'x', `tcp ${at.a}:30015`, 'ECONNREFUSED');

const dropped = anyTest.macro({
  exec: async (t, place: Place, target: string, why: keyof typeof reason) => {
    const before = shop.count('a', why);
    t.deepEqual(await shop.seen(place, { ...order(target), timeoutMs: 300 }, 2), ['timeout']);
    t.true(shop.count('a', why) >= before + 2n);
  },
  title: (_, place, target, why) => `${place} → ${target}: dropped for ${why}`,
});

test(dropped, 'x', 'tcp 198.51.100.10:81', 'vipPort');
test(dropped, 'x', 'udp [2001:db8:198::10]:81', 'vipPort');
test(dropped, 'x', 'tcp 198.51.100.14:80', 'policyEmpty');
test(dropped, 'x', `tcp 198.51.100.17:80 from ${at.y}`, 'srcRange');
test(dropped, 'p', 'tcp 198.51.100.17:80', 'srcRange');
test(dropped, 'a', 'tcp 198.51.100.17:80', 'srcRange');
// V13: where packets leave the node, so that another proxy could have had them before.
test(dropped, 'p', 'tcp 10.200.9.9:80', 'unallocated');
test(dropped, 'a', 'udp 10.200.9.9:80', 'unallocated');

// Segments are larger than a packet here (GSO), and some are cut by the egress device.
const bulk = [['x', '198.51.100.10'], ['x', '2001:db8:198::10'], ['b1', '10.200.0.10']] as const;
for (const [place, ip] of bulk) {
  test(`a megabyte goes from ${place} through ${ip} and comes back whole`, async (t) => {
    const actor = shop.lab.actor(place);
    const servers = new Set<string | undefined>();
    for (let flow = 0; flow < 40 && servers.size < 2; flow += 1) {
      const hold = `bulk-${ip}-${flow}`;
      const { server } = await actor.ask({ do: 'connect', protocol: 'tcp', ip, port: 80, hold });
      if (servers.has(server)) continue;
      servers.add(server);
      t.deepEqual(await actor.ask({ do: 'echo', hold, size: 1 << 20 }), { done: 1 << 20 });
    }
    t.true(servers.has('a1') && servers.has('b1'));
  });
}


test('nothing but our programs is on the nodes', (t) => {
  for (const place of ['a', 'b'] as const) {
    t.is(shop.lab.run(place, 'nft list ruleset'), '');
    t.is(shop.lab.run(place, 'iptables-save').replaceAll(/^#.*\n/gmu, ''), '');
  }
});

test('no table was ever found torn, and no agent complained', (t) => {
  for (const home of ['a', 'b'] as const) {
    t.is(shop.count(home, 'stale') + shop.count(home, 'noBackend'), 0n);
    t.is(shop.agents[home].said, '');
  }
});
