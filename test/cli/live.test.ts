import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { resources } from '../../kube/resource.ts';
import { RawServer, say } from '../kube/rawserver.ts';
import { Drawer, kubeconfig, serveFolder, type ServedCluster } from './livecluster.ts';
import { fairlead } from './session.ts';

const demo = join(import.meta.dirname, '../../kind/examples/demo');

interface Context {
  served: ServedCluster;
  drawer: Drawer;
  config: string;
}

const test = anyTest as TestFn<Context>;
test.before(async (t) => {
  const served = await serveFolder(demo);
  const drawer = new Drawer();
  t.context = { served, drawer, config: drawer.put('config', kubeconfig(served.url)) };
});
test.after.always(async (t) => {
  t.context.drawer.remove();
  await t.context.served.close();
});

test('pools of a cluster are those of its folder once the controller has given', async (t) => {
  const live = await fairlead(['ippool', 'list', '--kubeconfig', t.context.config]);
  const folder = await fairlead(['ippool', 'list', '-f', demo]);
  t.deepEqual([live.exitCode, live.err], [0, '']);
  // Only the cluster knows how old they are.
  const withoutAge = (out: string): string => out.replaceAll(/ {3}\S+$/gmu, '');
  t.is(withoutAge(live.out), withoutAge(folder.out));
  const lan = await fairlead(['ippool', 'list', 'lan', '-o', 'json'], {
    env: { KUBECONFIG: t.context.config },
  });
  const { source, items } = JSON.parse(lan.out) as { source: string; items: object[] };
  t.is(source, 'cluster');
  t.deepEqual(items, [
    { ip: '192.0.2.10', pool: 'lan', services: ['web/nginx'] },
    { ip: '192.0.2.11', pool: 'lan', services: ['web/api'] },
  ]);
});

test('Services of a cluster have the addresses and holders of its folder', async (t) => {
  const words = ['service', 'list', '-A', '-o', 'json'];
  const live = await fairlead([...words, '--kubeconfig', t.context.config]);
  const folder = await fairlead([...words, '-f', demo]);
  t.deepEqual([live.exitCode, live.err], [0, '']);
  const rows = (out: string): unknown[] => (JSON.parse(out) as { items: any[] }).items
    .map(({ ready: _ready, ...row }) => row as unknown);
  t.deepEqual(rows(live.out), rows(folder.out));
  const states = (JSON.parse(live.out) as { items: { ready: string }[] }).items
    .map(({ ready }) => ready);
  t.deepEqual([...new Set(states)].toSorted(), ['<unknown>', 'no_pool']);
  const one = await fairlead(['service', 'list', 'web/nginx', '--kubeconfig', t.context.config]);
  t.is(one.out.trimEnd().split('\n').length, 4);
});

test('the namespace of the context is the default', async (t) => {
  const { drawer, served } = t.context;
  const config = drawer.put('web', kubeconfig(served.url, { context: { namespace: 'web' } }));
  const { out } = await fairlead(['service', 'list', '-o', 'name', '--kubeconfig', config]);
  t.is(out, 'service/web/api\nservice/web/nginx\n');
  const { out: explained } = await fairlead(['service', 'explain', 'api', '--kubeconfig', config]);
  t.regex(explained, /^Service web\/api .* source: cluster \(\d+ objects\)\n/u);
});

test('explain walks a cluster as it walks its folder, but for the datapath', async (t) => {
  const explain = (name: string, ...words: readonly string[]) => (
    fairlead(['service', 'explain', name, '--all', '-o', 'json', ...words])
  );
  for (const name of ['web/nginx', 'web/api', 'lab/db']) {
    const live = await explain(name, '--kubeconfig', t.context.config);
    const folder = await explain(name, '-f', demo);
    t.is(live.exitCode, folder.exitCode, name);
    const steps = (out: string): unknown[] => JSON.parse(out).items[0].steps.slice(0, 4);
    t.deepEqual(steps(live.out), steps(folder.out), name);
    t.is(JSON.parse(live.out).items[0].steps[4].state, 'unreached');
  }
  const none = await explain('web/nginks', '--kubeconfig', t.context.config);
  t.is(none.exitCode, 1);
  t.regex(none.err, /Service web\/nginks is not there; nearest: web\/nginx/u);
});

test('a released lock and an unwritten status are broken links', async (t) => {
  const served = await serveFolder(demo);
  t.teardown(() => served.close());
  const config = t.context.drawer.put('broken', kubeconfig(served.url));
  const { api } = served.cluster;
  for (const { metadata } of api.list(resources.leases)) {
    if (metadata?.name?.startsWith('fairlead-l2-') !== true) continue;
    const namespace = metadata.namespace ?? '';
    const ref = { resource: resources.leases, namespace, name: metadata.name };
    api.handle({ verb: 'delete', ref }, 'tester');
  }
  const words = ['service', 'explain', 'web/nginx', '--kubeconfig', config];
  const silent = await fairlead(words);
  t.is(silent.exitCode, 1);
  t.regex(silent.out, /2 announcement +FAIL +NoHolder: no node holds 192\.0\.2\.10/u);
  const ref = { resource: resources.services, namespace: 'web', name: 'nginx' };
  const body = { status: { loadBalancer: { ingress: null }, conditions: null } };
  api.handle({ verb: 'patch', ref, subresource: 'status', body }, 'tester');
  const unwritten = await fairlead(words);
  t.is(unwritten.exitCode, 1);
  t.regex(unwritten.out, /1 allocation +FAIL +ControllerDown: due is 192\.0\.2\.10 from pool lan/u);
});

test('8: what cannot be reached or is refused ends with 3, verb and resource named', async (t) => {
  const { drawer } = t.context;
  const server = await new RawServer((request) => {
    const message = 'services is forbidden: User "jane" cannot list resource "services"';
    say(request, '403 Forbidden', JSON.stringify({ kind: 'Status', reason: 'Forbidden', message }));
  }).listen();
  t.teardown(() => { server.close(); });
  const denied = drawer.put('denied', kubeconfig(`http://${server.address}`));
  const refused = await fairlead(['ippool', 'list', '--as', 'jane', '--kubeconfig', denied]);
  t.is(refused.exitCode, 3);
  t.is(refused.out, '');
  t.regex(refused.err, /^fairlead: cannot list \S+ of lab: services is forbidden/u);
  t.regex(refused.err, /kubectl auth can-i list/u);
  t.is(server.requests[0]?.headers.get('impersonate-user'), 'jane');
  const { address } = server;
  server.close();
  const gone = await fairlead(['service', 'list', '--kubeconfig', denied]);
  t.is(gone.exitCode, 3);
  t.regex(gone.err, new RegExp(`cannot list \\S+ of lab: ${address}: connection refused`, 'u'));
  const silent = await new RawServer(() => undefined).listen();
  t.teardown(() => { silent.close(); });
  const mute = drawer.put('mute', kubeconfig(`http://${silent.address}`));
  const late = await fairlead(['ippool', 'list', '--timeout', '50ms', '--kubeconfig', mute]);
  t.is(late.exitCode, 3);
  t.regex(late.err, /no answer in time/u);
  t.is((await fairlead(['ippool', 'list', '--timeout', 'soon'])).exitCode, 64);
});

test('who may read no Nodes, and Leases of one namespace alone, sees the holders there', async (t) => {
  const { served, drawer } = t.context;
  const server = await new RawServer((request) => {
    const [, path = ''] = request.line.split(' ');
    if (path.startsWith('/apis/coordination.k8s.io/v1/leases') || path === '/api/v1/nodes') {
      return say(request, '403 Forbidden', '{"kind":"Status","reason":"Forbidden"}');
    }
    return void fetch(`${served.url}${path}`).then(async (answer) => {
      say(request, `${answer.status} X`, await answer.text());
    });
  }).listen();
  t.teardown(() => { server.close(); });
  const config = drawer.put('viewer', kubeconfig(`http://${server.address}`));
  const { exitCode, out, err } = await fairlead(['service', 'list', '-A', '--kubeconfig', config]);
  t.is(exitCode, 0);
  t.regex(err, /^warning: nodes may not be listed/u);
  t.regex(out, /192\.0\.2\.10 +l2:n\d/u);
});

const classless = `
apiVersion: v1
kind: ConfigMap
metadata: {name: fairlead-config, namespace: fairlead-system}
data: {config.yaml: "default-lb-service-ipam: none"}
---
apiVersion: cilium.io/v2
kind: CiliumLoadBalancerIPPool
metadata: {name: lan}
spec: {blocks: [{start: 192.0.2.10, stop: 192.0.2.19}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer, ports: [{port: 80}]}
`;

test('what a controller owes is judged by the settings of the cluster', async (t) => {
  const drawer = new Drawer();
  t.teardown(() => drawer.remove());
  drawer.put('manifests.yaml', classless);
  const served = await serveFolder(drawer.path);
  t.teardown(() => served.close());
  const config = drawer.put('config', kubeconfig(served.url));
  const words = ['service', 'explain', 'web', '-n', 'default', '--kubeconfig', config];
  const { out } = await fairlead(words);
  t.notRegex(out, /ControllerDown|192[.]0[.]2[.]1/u, out);
});

test('a cluster without our kinds has no pools, and that is said', async (t) => {
  const server = await new RawServer((request) => {
    if (request.line.includes('cilium.io')) {
      say(request, '404 Not Found', '404 page not found\n');
    } else say(request, '200 OK', '{"metadata":{"resourceVersion":"1"},"items":[]}');
  }).listen();
  t.teardown(() => { server.close(); });
  const config = t.context.drawer.put('bare', kubeconfig(`http://${server.address}`));
  const { exitCode, out, err } = await fairlead(['ippool', 'list', '--kubeconfig', config]);
  t.is(exitCode, 0);
  t.is(out.trimEnd().split('\n').length, 1);
  t.is(err, 'warning: lab knows no CiliumLoadBalancerIPPool\n');
});
