import test from 'ava';
import { checks } from '../../cli/doctor/checks.ts';
import type { Finding } from '../../cli/doctor/check.ts';
import {
  clockFinding, definitionFinding, interfaceFinding, labelFinding,
} from '../../cli/doctor/cluster.ts';
import { capabilityFinding, kernelFinding, memlockFinding } from '../../cli/doctor/machine.ts';
import { forwardFinding, portFinding, ruleFinding } from '../../cli/doctor/network.ts';
import { definitionOf } from '../../kube/schema/crd.ts';
import { kindSchemas } from '../../kube/schema/kinds.ts';
import type { KubeObject } from '../../kube/port.ts';
import { fairlead } from './session.ts';

const finds = test.macro({
  exec: (t, { result, detail }: Finding, expected: string) => {
    t.is(`${result} ${detail}`, expected);
  },
  title: (_, __, expected) => `doctor: ${expected}`,
});

test(finds, kernelFinding('6.18.44-amd64'), 'OK 6.18 (full 6.6, reduced 5.10)');
test(finds, kernelFinding('6.6.0'), 'OK 6.6 (full 6.6, reduced 5.10)');
test(finds, kernelFinding('5.10.0-28-arm64'), 'WARN 5.10 (full 6.6, reduced 5.10)');
test(finds, kernelFinding('5.4.0-1'), 'FAIL 5.4 (full 6.6, reduced 5.10)');

test(finds, capabilityFinding('CapEff:\t000001ffffffffff\n'), 'OK BPF, NET_ADMIN, NET_RAW, PERFMON, SYS_ADMIN');
test(finds, capabilityFinding('CapEff:\t000000c000003000\n'), 'WARN missing: SYS_ADMIN: namespaces of pods are not entered: their hooks are found by the host ends alone');
test(finds, capabilityFinding('CapEff:\t0000004000203000\n'), 'FAIL missing: BPF');
test(finds, capabilityFinding('CapEff:\t0000000000000000\n'), 'FAIL missing: BPF, NET_ADMIN, NET_RAW, PERFMON, SYS_ADMIN');

test(finds, memlockFinding('5.11.0', ''), 'OK maps are counted by memory cgroups');
test(finds, memlockFinding('5.10.0', 'Max locked memory         65536                65536                bytes\n'), 'FAIL 65536 bytes for maps of a hundred megabytes');
test(finds, memlockFinding('5.10.0', 'Max locked memory         unlimited            unlimited            bytes\n'), 'OK unlimited');

const none = { iptables: 0, ip6tables: 0, nft: 0, ipvs: 0 };
test(finds, ruleFinding(none), 'OK 0 iptables, 0 ip6tables, 0 nft, 0 ipvs');
test(finds, ruleFinding({ ...none, iptables: 83 }), 'FAIL 83 rules of kube-proxy (iptables)');
test(finds, ruleFinding({ ...none, nft: 1 }), 'FAIL 1 rule of kube-proxy (nft)');

test(finds, forwardFinding('*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n'), 'OK FORWARD accepts');
test(finds, forwardFinding('*filter\n:FORWARD DROP [0:0]\n-A FORWARD -i cni0 -j ACCEPT\nCOMMIT\n'), 'WARN FORWARD drops, with 1 accepting rules before');

const ranges = {
  snat: { first: 50_000, last: 65_535 }, nodePorts: { first: 30_000, last: 32_767 },
};
test(finds, portFinding({ reserved: '50000-65535\n', local: '32768\t60999\n' }, ranges), 'OK SNAT 50000-65535 reserved, NodePorts apart from local ports');
test(finds, portFinding({ reserved: '\n', local: '32768\t60999\n' }, ranges), 'WARN ports of SNAT 50000-65535 are not reserved');
test(finds, portFinding({ reserved: '50000-65535\n', local: '1024\t60999\n' }, ranges), 'WARN local ports 1024-60999 meet NodePorts 30000-32767');
test('doctor: NodePorts that are reserved may lie within the local ports', (t) => {
  const reserved = '30000-32767,50000-65535\n';
  t.is(portFinding({ reserved, local: '1024\t60999\n' }, ranges).result, 'OK');
});

const installed = kindSchemas.map((schema) => (
  JSON.parse(JSON.stringify(definitionOf(schema))) as KubeObject
));
const [advertisements, ...rest] = installed;
const foreign = { ...advertisements, metadata: { name: advertisements?.metadata?.name ?? '' } };
const stale = {
  ...advertisements, spec: { versions: [{ name: 'v2', served: true, storage: true }] },
};
test(finds, definitionFinding(installed), 'OK 8 kinds');
test(finds, definitionFinding(rest), 'FAIL missing: CiliumBGPAdvertisement');
test(finds, definitionFinding([foreign, ...rest]), 'OK 8 kinds, 1 of others');
test(finds, definitionFinding([{ ...foreign, spec: { versions: [{ name: 'v1', served: true }] } }, ...rest]), 'WARN of somebody else, without our versions: CiliumBGPAdvertisement');
test(finds, definitionFinding([stale, ...rest]), 'WARN of another release: CiliumBGPAdvertisement');

const exclude = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
const node = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  metadata: { name, labels },
});
test(finds, labelFinding([node('n1'), node('n2')], false), 'OK no node is excluded');
test(finds, labelFinding([node('n1', exclude), node('n2')], false), 'WARN n1 is excluded from external load balancers');
test(finds, labelFinding([node('n1', exclude)], false), 'FAIL n1 is excluded from external load balancers: nobody announces');
test(finds, labelFinding([node('n1', exclude)], true), 'OK n1 is excluded from external load balancers; l2.ignoreExcludeLabel is set');

const at = Date.UTC(2026, 2, 4, 12, 0, 0);
const renewed = (text: string): KubeObject[] => [{ spec: { renewTime: text } }];
test(finds, clockFinding(renewed('2026-03-04T11:59:52.000000Z'), at), 'OK newest renewal of a kubelet 8s ago');
test(finds, clockFinding(renewed('2026-03-04T12:00:30.000000Z'), at), 'WARN 30s behind the kubelets');
test(finds, clockFinding(renewed('2026-03-04T11:50:00.000000Z'), at), 'WARN 600s ahead of the kubelets, or none renews');
test(finds, clockFinding([], at), 'SKIP no kubelet has renewed a Lease');

const service: KubeObject = {
  metadata: { name: 'nginx', namespace: 'web' },
  status: { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } },
};
test(finds, interfaceFinding([service], new Map([['192.0.2.11', 'eth0']])), 'OK no address of a Service is on an interface of this node');
test(finds, interfaceFinding([service], new Map([['192.0.2.10', 'eth0']])), 'FAIL 192.0.2.10 of web/nginx is on eth0');

test('every check has a name of its own, a question and a page that help prints', async (t) => {
  t.is(new Set(checks.map(({ name }) => name)).size, checks.length);
  for (const { name, asks, page } of checks) {
    t.regex(asks, /^[A-Z].*\?$/u, name);
    const { out, exitCode } = await fairlead(['help', name]);
    t.is(exitCode, 0);
    t.true(out.replaceAll('\n', ' ').includes(page), name);
  }
});

test('doctor without a cluster says which checks it skips, and why', async (t) => {
  const { exitCode, out } = await fairlead(['doctor', '--check', 'crds|config', '-o', 'json']);
  t.is(exitCode, 0);
  const { kind, items } = JSON.parse(out) as { kind: string; items: Record<string, string>[] };
  t.is(kind, 'CheckList');
  t.deepEqual(items.map(({ check, result }) => `${check} ${result}`), ['crds SKIP', 'config OK']);
  t.regex(items[0]?.['detail'] ?? '', /^no cluster is named/u);
});

test('a name that no check has, and a bad expression, are usage errors', async (t) => {
  const unknown = await fairlead(['doctor', '--check', 'kernle']);
  t.is(unknown.exitCode, 64);
  t.regex(unknown.err, /no check matches; there are kernel, btf/u);
  t.is((await fairlead(['doctor', '--check', '('])).exitCode, 64);
  t.regex((await fairlead(['help', 'kernle'])).err, /nearest: kernel/u);
});
