import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import anyTest from 'ava';
import { programsOn, type LinkHook } from '../../bpf/hooks.real.ts';
import { uninstallNode } from '../../bpf/uninstall.real.ts';
import { kernelTests } from '../kernel/machine.ts';
import { at, type Place } from './lab.ts';
import { listed } from './objects.ts';
import { endpoints, nodes, numbered, Shop } from './shop.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

let shop: Shop;
if (!skip) {
  // Node B is one of an older kernel: filters of clsact, and packets instead of socket calls.
  anyTest.before(async () => {
    shop = await Shop.open(
      addon, (lab) => numbered(10, { name: 'web', endpoints: endpoints(lab, 'a1', 'b1') }),
      {
        b: { socketLb: 'hostNamespaceOnly', without: ['tcx'] },
        // V80: kube-proxy's rules are still on node A.
        prepare: (lab) => kubeProxyRules.forEach((rule) => lab.run('a', `nft ${rule}`)),
      },
    );
  });
  anyTest.after.always(() => shop?.close());
}

const kubeProxyRules = [
  'add table ip kube-proxy',
  'add chain ip kube-proxy services { type nat hook prerouting priority dstnat ; }',
  'add rule ip kube-proxy services ip daddr 198.51.100.10 tcp dport 80 dnat to 10.64.1.9:8080',
];

const vip = { do: 'connect', protocol: 'tcp', ip: '198.51.100.10', port: 80 } as const;

test('filters of clsact serve a node whose kernel has no TCX', async (t) => {
  t.regex(shop.lab.run('b', 'tc filter show dev eth0 ingress'), /pref 1 bpf .* handle 0xf1 /u);
  const seen = (place: Place, ip: string, port = 80): Promise<string[]> => (
    shop.seen(place, { ...vip, ip, port })
  );
  t.deepEqual(await seen('x', at.b, 30_010), [`a1 sees ${at.b}`, `b1 sees ${at.x}`]);
  t.deepEqual(await seen('b1', '10.200.0.10'), [`a1 sees ${at.b1}`, 'b1 sees 169.254.77.1']);
});

test('what kube-proxy left is told, and translates nothing a second time', async (t) => {
  t.regex(shop.agents.a.said, /kube-proxy has left the nftables table ip kube-proxy: .*--cleanup/u);
  t.deepEqual(await shop.seen('x', vip), [`a1 sees ${at.x}`, `b1 sees ${at.a}`]);
  t.is(shop.agents.b.said.replaceAll(/^kernel.featureMissing: TCX links missing.*\n/gmu, ''), '');
});

test('a program on a hook is known by its name and by those of its maps', (t) => {
  const path = shop.lab.cgroupOf('a');
  const found = programsOn(addon, { kind: 'cgroup', path, attach: 10 });
  t.true(found.ok);
  const [name, ...maps] = String(addon.programNames(found.ok ? found.value[0]! : 0)).split('\n');
  t.is(name, 'fl_connect4');
  t.true(maps.includes('fl_front') && maps.includes('fl_svc'));
  t.true(Number(addon.programNames(0)) < 0);
});

// V79: attached to a cgroup beside that of the node's sockets.
test('a node whose sockets are not covered is not ready, and says where', async (t) => {
  const { lab } = shop;
  const nodeName = `${lab.nodeName('b')}-x`;
  const elsewhere = lab.agent('b', { nodeName, cgroup: lab.cgroupOf('out') });
  elsewhere.send(...nodes(lab), listed);
  t.true(await until(() => elsewhere.said.includes('socket hooks do not cover')));
  t.true(elsewhere.said.includes(basename(lab.cgroupOf('b'))));
  await elsewhere.kill();
  const uninstalled = shop.inside('b', () => uninstallNode(addon, nodeName));
  t.like(uninstalled, { ok: true });
});

test('a second agent of a node is refused', async (t) => {
  const second = shop.lab.agent('a');
  await t.throwsAsync(second.started, { message: /another agent of node .* is running/u });
});

test('ports of SNAT are reserved on the node, and nowhere else', (t) => {
  t.is(shop.lab.run('a', 'sysctl -n net.ipv4.ip_local_reserved_ports').trim(), '50000-65535');
  t.notRegex(readFileSync('/proc/sys/net/ipv4/ip_local_reserved_ports', 'utf8'), /50000-65535/u);
});

test('a bridge with pods sends no redirects', (t) => {
  t.is(shop.lab.run('a', 'sysctl -n net.ipv4.conf.cni0.send_redirects').trim(), '0');
  t.is(shop.lab.run('a', 'sysctl -n net.ipv4.conf.all.send_redirects').trim(), '0');
});

// A pod that starts later is hooked when its interface comes, and forgotten when it goes.
test('a pod that comes later is served, and its hooks go with it', async (t) => {
  const { lab } = shop;
  const hooks = (): number => readdirSync(join(lab.pinsOf('b'), 'links'))
    .filter((pin) => pin.startsWith('fl_from_pod-')).length;
  t.is(hooks(), 1);
  lab.addPod();
  t.true(await until(() => hooks() === 2));
  const seen = await shop.seen('late', { ...vip, ip: '10.200.0.10' });
  t.deepEqual(seen, ['a1 sees 10.64.2.30', 'b1 sees 10.64.2.30']);
  lab.run('b', 'ip link del pod-late');
  t.true(await until(() => hooks() === 1));
});

/** Looks until it is so; false when it was not in five seconds. */
async function until(so: () => boolean): Promise<boolean> {
  for (let looks = 0; looks < 250 && !so(); looks += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return so();
}

/** Programs on the hooks of a node's uplink and cgroup. */
function hooked(node: 'a' | 'b'): number {
  const hooks: readonly LinkHook[] = [
    { kind: 'tcx', ifindex: 2, direction: 'ingress' },
    { kind: 'tcx', ifindex: 2, direction: 'egress' },
    { kind: 'cgroup', path: shop.lab.cgroupOf(node), attach: 10 },
  ];
  const found = shop.inside(node, () => hooks.map((hook) => programsOn(addon, hook)));
  return found.reduce((sum, one) => sum + (one.ok ? one.value.length : 0), 0);
}

test('a node is uninstalled only without its agent, and then nothing of ours is left', async (t) => {
  const { lab, agents } = shop;
  const uninstall = (node: 'a' | 'b') => (
    shop.inside(node, () => uninstallNode(addon, lab.nodeName(node)))
  );
  t.like(uninstall('a'), { ok: false });
  for (const node of ['a', 'b'] as const) {
    await agents[node].kill();
    const uninstalled = uninstall(node);
    if (!uninstalled.ok) return t.fail(uninstalled.error);
    const { links, pins, restored, kept } = uninstalled.value;
    t.true(links > 4 && pins > 10, `${links} links, ${pins} pins`);
    const bridged = node === 'a' ? ['conf/cni0/send_redirects', 'conf/all/send_redirects'] : [];
    t.deepEqual(
      restored.map((path) => path.slice('/proc/sys/net/ipv4/'.length)),
      ['ip_local_reserved_ports', 'ip_local_port_range', ...bridged],
    );
    t.deepEqual(kept, []);
    t.is(hooked(node), 0);
    t.false(existsSync(lab.pinsOf(node)));
    t.is(lab.run(node, 'sysctl -n net.ipv4.ip_local_reserved_ports').trim(), '');
    t.is(lab.run(node, 'sysctl -n net.ipv4.conf.all.send_redirects').trim(), '1');
    t.deepEqual(uninstall(node), {
      ok: true, value: { links: 0, pins: 0, restored: [], kept: [] },
    });
  }
  t.is(lab.run('b', 'tc filter show dev eth0 ingress').trim(), '');
  // kube-proxy's rule has its packets back: nothing listens where it leads.
  return t.deepEqual(await shop.seen('x', vip, 2), ['ECONNREFUSED']);
});
