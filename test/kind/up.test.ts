import anyTest from 'ava';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..', '..');
const cluster = parse(readFileSync(join(root, 'kind', 'cluster.yaml'), 'utf8'));
const dockerfile = readFileSync(join(root, 'kind', 'Dockerfile'), 'utf8');

anyTest('the cluster has no kube-proxy, and its API server the name that agents are told', (t) => {
  t.is(cluster.networking.kubeProxyMode, 'none');
  const overlay = readFileSync(join(root, 'kind/overlays/kind/kustomization.yaml'), 'utf8');
  t.true(overlay.includes(`- ${cluster.name}-control-plane:6443\n`));
});

anyTest('the image is built from what is there, and starts without a shell', (t) => {
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gmu)]
    .flatMap(([, words = '']) => words.split(' '));
  t.deepEqual(copied.filter((path) => !existsSync(join(root, path)) || ignored.includes(path)), []);
  t.regex(dockerfile, /^ENTRYPOINT \["\/usr\/local\/bin\/fairlead"\]$/mu);
});

/** Why no cluster can be made here; undefined where one can. */
function missing(): string | undefined {
  if (process.env['FAIRLEAD_E2E'] !== 'kind') return 'FAIRLEAD_E2E=kind is not set';
  for (const tool of ['docker', 'kind', 'kubectl']) {
    if (spawnSync(tool, ['--help']).error !== undefined) return `${tool} absent`;
  }
  return spawnSync('docker', ['info']).status === 0 ? undefined : 'no Docker daemon answers';
}

const why = missing();
if (why !== undefined) process.stderr.write(`the test of a kind cluster is skipped: ${why}\n`);
const test = why === undefined ? anyTest.serial : anyTest.skip;

const manifests = `
apiVersion: cilium.io/v2
kind: CiliumLoadBalancerIPPool
metadata: {name: lan}
spec: {blocks: [{start: POOL.240, stop: POOL.250}]}
---
apiVersion: cilium.io/v2alpha1
kind: CiliumL2AnnouncementPolicy
metadata: {name: lan}
spec: {loadBalancerIPs: true}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx:stable}]}
`;

test('a Service of type LoadBalancer answers from outside a kind cluster', (t) => {
  t.timeout(15 * 60_000);
  const run = (tool: string, words: readonly string[], input = ''): string => {
    const ran = spawnSync(tool, words, { cwd: root, encoding: 'utf8', input, maxBuffer: 1 << 26 });
    if (ran.status !== 0) throw new Error(`${tool} ${words.join(' ')}: ${ran.stderr}`);
    return ran.stdout;
  };
  const kubectl = (...words: readonly string[]): string => (
    run('kubectl', ['--context', 'kind-fairlead', ...words])
  );
  try {
    run('kind/up.sh', []);
    const [subnet = ''] = run('docker', [
      'network', 'inspect', 'kind', '--format', '{{range .IPAM.Config}}{{.Subnet}} {{end}}',
    ]).match(/\d+\.\d+\.\d+(?=\.\d+\/)/u) ?? [];
    const apply = ['--context', 'kind-fairlead', 'apply', '-f', '-'];
    run('kubectl', apply, manifests.replaceAll('POOL', subnet));
    kubectl('rollout', 'status', 'deployment/web', '--timeout=5m');
    const path = '{.status.loadBalancer.ingress[0].ip}';
    kubectl('wait', 'service/web', `--for=jsonpath=${path}`, '--timeout=2m');
    const ip = kubectl('get', 'service', 'web', '-o', `jsonpath=${path}`);
    t.true(ip.startsWith(`${subnet}.`));
    const retry = ['--retry', '10', '--retry-all-errors', '--retry-delay', '1', '--max-time', '5'];
    t.regex(run('curl', ['-sS', ...retry, `http://${ip}/`]), /nginx/u);
  } finally {
    spawnSync('kind', ['delete', 'cluster', '--name', 'fairlead']);
  }
});
