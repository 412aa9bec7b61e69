import { delimiter, join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { clusterAccess, type ClusterAccess, type KubeFlags } from '../../cli/kubeconfig.ts';
import { accountFiles, podEndpoint } from '../../kube/incluster.real.ts';
import { Drawer, kubeconfig } from './livecluster.ts';

const test = anyTest as TestFn<Drawer>;
test.beforeEach((t) => { t.context = new Drawer(); });
test.afterEach.always((t) => { t.context.remove(); });

const server = 'https://192.0.2.1:6443';
const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function access(flags: KubeFlags, env: Record<string, string> = {}): Promise<ClusterAccess> {
  const found = await clusterAccess(flags, env);
  if (found === undefined) throw new Error('no cluster');
  return found;
}

test('certificates and keys stand in the file or beside it', async (t) => {
  const drawer = t.context;
  for (const name of ['ca.pem', 'me.pem']) drawer.put(name, pem);
  const kubeconfigPath = drawer.put('config', kubeconfig(server, {
    cluster: {
      'certificate-authority': 'ca.pem', 'tls-server-name': 'kubernetes',
      'proxy-url': 'socks5://192.0.2.9:1080',
    },
    user: { 'client-certificate': 'me.pem', 'client-key-data': base64(pem) },
  }));
  t.deepEqual(await access({ kubeconfig: kubeconfigPath }), {
    name: 'lab', namespace: 'default',
    endpoint: { origin: server, base: '', name: '192.0.2.1:6443' },
    credentials: {
      ca: pem, serverName: 'kubernetes', proxy: 'socks5://192.0.2.9:1080',
      client: { certificate: pem, key: pem },
    },
  });
});

const authorized = test.macro({
  exec: async (t, user: object, expected: object) => {
    const drawer = t.context as Drawer;
    drawer.put('token', 'from-file\n');
    drawer.put('plugin', [
      '#!/bin/sh',
      'case "$KUBERNETES_EXEC_INFO" in *\'"kind":"ExecCredential"\'*) ;; *) exit 7;; esac',
      'echo "{\\"status\\":{\\"token\\":\\"$1-$WHO\\"}}"',
    ].join('\n'), 0o700);
    const kubeconfigPath = drawer.put('config', kubeconfig(server, { user }));
    const { credentials } = await access({ kubeconfig: kubeconfigPath });
    const folder = drawer.path;
    const text = JSON.stringify(credentials).replaceAll(`${folder}/`, '');
    t.deepEqual(JSON.parse(text), expected);
  },
  title: (_, user) => `a user is ${JSON.stringify(user)}`,
});
const fixed = (header: string): object => ({ authorization: { kind: 'fixed', header } });

test(authorized, {}, {});
test(authorized, { token: 'abc' }, fixed('Bearer abc'));
test(authorized, { username: 'jane', password: 'x:y' }, fixed(`Basic ${base64('jane:x:y')}`));
test(
  authorized, { token: 'abc', tokenFile: 'token' },
  { authorization: { kind: 'token-file', path: 'token' } },
);
test(authorized, { token: 'abc', as: 'jane' }, { ...fixed('Bearer abc'), impersonate: 'jane' });
test(
  authorized, {
    exec: {
      apiVersion: 'client.authentication.k8s.io/v1', command: './plugin', args: ['hello'],
      env: [{ name: 'WHO', value: 'jane' }],
    },
  },
  fixed('Bearer hello-jane'),
);

test('of several files the first that has a name wins, and missing ones are skipped', async (t) => {
  const drawer = t.context;
  const other = 'https://192.0.2.2:6443';
  const first = drawer.put('first', JSON.stringify({
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
    clusters: [{ name: 'lab', cluster: { server } }],
  }));
  const second = drawer.put('second', kubeconfig(other));
  const KUBECONFIG = [join(drawer.path, 'none'), first, second].join(delimiter);
  const found = await access({}, { KUBECONFIG });
  t.is(found.endpoint.origin, server);
  const third = drawer.put('third', kubeconfig(other, { name: 'third' }));
  const all = { KUBECONFIG: [first, second, third].join(delimiter) };
  t.is((await access({ context: 'third' }, all)).endpoint.origin, other);
  t.is((await access({ kubeconfig: third }, all)).name, 'third', 'the flag beats the variable');
  t.is((await access({ as: 'jane' }, all)).credentials.impersonate, 'jane');
});

test('a pod is its own configuration', async (t) => {
  const drawer = t.context;
  for (const [name, text] of [['token', 'abc'], ['ca.crt', pem]] as const) drawer.put(name, text);
  const env = { KUBERNETES_SERVICE_HOST: '2001:db8::1', KUBERNETES_SERVICE_PORT: '443' };
  t.is(podEndpoint(env), '[2001:db8::1]:443');
  t.is(podEndpoint({}), undefined);
  t.deepEqual(accountFiles(drawer.path), {
    token: join(drawer.path, 'token'), ca: join(drawer.path, 'ca.crt'),
  });
  t.is((await access({}, env)).name, 'in-cluster');
  t.is(await clusterAccess({}, {}), undefined);
});

const refuses = test.macro({
  exec: async (t, text: string, flags: KubeFlags, expected: RegExp) => {
    const path = (t.context as Drawer).put('config', text);
    const thrown = await t.throwsAsync(clusterAccess({ kubeconfig: path, ...flags }, {}));
    t.is((thrown as { exitCode?: number }).exitCode, 3);
    t.regex(thrown?.message.replaceAll(path, 'FILE') ?? '', expected);
  },
  title: (_, text, flags) => `${text} ${JSON.stringify(flags)} is told with file and field`,
});
const user = (fields: object): string => kubeconfig(server, { user: fields });

test(refuses, 'clusters: [', {}, /^FILE: /u);
test(refuses, '7', {}, /^FILE: expected an object, got 7$/u);
test(refuses, '{}', {}, /^FILE: current-context: expected text/u);
test(refuses, 'clusters: 7', {}, /^FILE: (?:clusters: expected a list|current-context)/u);
test(
  refuses, kubeconfig(server), { context: 'home' },
  /^FILE: contexts: no context home; there are lab$/u,
);
test(
  refuses, kubeconfig(server, { context: { user: 'bob' } }), {},
  /^FILE: users: no user bob; there are lab$/u,
);
test(refuses, kubeconfig(''), {}, /^FILE: clusters\[0\]\.cluster\.server: expected text/u);
test(
  refuses, kubeconfig('ftp://x'), {},
  /^FILE: clusters\[0\]\.cluster\.server: expected host:port or a URL of http or https/u,
);
test(
  refuses, kubeconfig(server, { cluster: { 'certificate-authority': 'none.pem' } }), {},
  /^FILE: clusters\[0\]\.cluster\.certificate-authority: \S+none\.pem does not exist$/u,
);
test(
  refuses, kubeconfig(server, { cluster: { 'certificate-authority-data': base64('x') } }), {},
  /^FILE: clusters\[0\]\.cluster\.certificate-authority-data: expected PEM in base64$/u,
);
test(
  refuses, kubeconfig(server, { cluster: { 'proxy-url': 'ftp://p' } }), {},
  /^FILE: clusters\[0\]\.cluster\.proxy-url: expected a URL of http, https or socks5/u,
);
test(
  refuses, user({ 'client-certificate-data': base64(pem) }), {},
  /^FILE: users\[0\]\.user\.client-key: expected text/u,
);
test(refuses, user({ token: 7 }), {}, /^FILE: users\[0\]\.user\.token: expected text, got 7$/u);
test(
  refuses, user({ tokenFile: 'none' }), {},
  /^FILE: users\[0\]\.user\.tokenFile: \S+none does not exist$/u,
);
test(refuses, user({ exec: {} }), {}, /^FILE: users\[0\]\.user\.exec\.command: expected text/u);
test(
  refuses, user({ exec: { command: '/bin/false' } }), {},
  /^FILE: user lab: no credentials from its plug-in/u,
);
test(refuses, user({ 'as-groups': ['x'] }), {}, /users\[0\]\.user\.as-groups: is not supported/u);

test('a file that the flag names has to be there, and one of KUBECONFIG', async (t) => {
  const kubeconfigPath = join(t.context.path, 'none');
  await t.throwsAsync(clusterAccess({ kubeconfig: kubeconfigPath }, {}), {
    message: `--kubeconfig: ${kubeconfigPath} does not exist`,
  });
  await t.throwsAsync(clusterAccess({}, { KUBECONFIG: kubeconfigPath }), {
    message: `KUBECONFIG: ${kubeconfigPath} does not exist`,
  });
});
