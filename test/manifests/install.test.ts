import test from 'ava';
import { spawnSync } from 'node:child_process';
import { parse, parseAllDocuments } from 'yaml';
import { profiles, type Profile } from '../../cli/install.ts';
import { profileFolder, profileObjects } from '../../cli/manifests/profile.ts';
import type { KubeObject } from '../../kube/port.ts';
import { fairlead } from '../cli/session.ts';
import { byName, namesOf, type Named } from './objects.ts';

function objectsOf(profile: Profile): Named[] {
  const objects = profileObjects(profile, []);
  return objects.ok ? byName(objects.value) : [];
}

const kustomize = test.macro({
  exec: (t, profile: Profile) => {
    const folder = profileFolder(profile);
    const { error, status, stdout, stderr } = spawnSync(
      'kubectl', ['kustomize', folder], { encoding: 'utf8', maxBuffer: 1 << 24 },
    );
    if (error !== undefined) {
      t.log('skipped: kubectl absent');
      return t.pass();
    }
    t.is(status, 0, stderr);
    // It writes YAML 1.1.
    const built = parseAllDocuments(stdout, { version: '1.1' });
    const theirs = byName(built.map((document) => document.toJS() as KubeObject));
    return t.deepEqual(objectsOf(profile), theirs);
  },
  title: (_, profile) => `profile ${profile} is what kubectl kustomize builds`,
});

for (const profile of profiles) test(kustomize, profile);

test('a profile is printed as documents, the namespace and the definitions first', async (t) => {
  const { exitCode, out, err } = await fairlead(['install', '--print']);
  t.is(exitCode, 0, err);
  const printed = parseAllDocuments(out, { version: '1.1' })
    .map((document) => document.toJS() as KubeObject);
  t.deepEqual(byName(printed), objectsOf('base'));
  const kinds = printed.map(({ kind }) => kind);
  t.deepEqual(kinds.slice(0, 2), ['Namespace', 'CustomResourceDefinition']);
  t.is(kinds.lastIndexOf('CustomResourceDefinition'), 8);
});

test('no permission is given by a wildcard, and none to write Secrets', (t) => {
  for (const profile of profiles) {
    const roles = objectsOf(profile).filter(({ kind }) => kind?.endsWith('Role'));
    t.true(roles.length >= 5, profile);
    for (const role of roles) {
      for (const rule of role['rules'] as readonly Record<string, readonly string[]>[]) {
        for (const words of Object.values(rule)) t.false(words.includes('*'), role.name);
        const { resources = [], verbs = [] } = rule;
        const writes = verbs.filter((verb) => !['get', 'list', 'watch'].includes(verb));
        if (resources.includes('secrets')) t.deepEqual(writes, [], role.name);
      }
    }
  }
});

test('every role is bound to an account that is there', (t) => {
  for (const profile of profiles) {
    const objects = objectsOf(profile);
    const names = new Set(namesOf(objects));
    for (const binding of objects.filter(({ kind }) => kind?.endsWith('RoleBinding'))) {
      const { roleRef, subjects } = binding as any;
      const place = roleRef.kind === 'Role' ? binding.metadata?.namespace : '';
      t.true(names.has(`${roleRef.kind} ${place}/${roleRef.name}`), binding.name);
      for (const { kind, namespace, name } of subjects) {
        t.true(names.has(`${kind} ${namespace}/${name}`), binding.name);
      }
    }
  }
});

test('the agent is not privileged and has the five capabilities that are said', (t) => {
  const find = (profile: Profile): any => (
    objectsOf(profile).find(({ kind }) => kind === 'DaemonSet') as any).spec.template.spec;
  const { containers: [agent], hostPID } = find('base');
  t.false(agent.securityContext.privileged);
  t.true(agent.securityContext.readOnlyRootFilesystem);
  t.true(hostPID);
  t.deepEqual(agent.securityContext.capabilities, {
    drop: ['ALL'], add: ['BPF', 'NET_ADMIN', 'NET_RAW', 'PERFMON', 'SYS_ADMIN'],
  });
  const hardened = find('hardened');
  t.false(hardened.hostPID);
  t.false(hardened.containers[0].securityContext.capabilities.add.includes('SYS_ADMIN'));
});

const sets = test.macro({
  exec: async (t, choices: string, config: Record<string, unknown>) => {
    const words = choices.split(' ').flatMap((choice) => ['--set', choice]);
    const { out, err } = await fairlead(['install', '--print', '--profile', 'l2', ...words]);
    t.is(err, '');
    const objects = parseAllDocuments(out).map((document) => document.toJS());
    const map = objects.find(({ kind }) => kind === 'ConfigMap');
    t.deepEqual(parse(map.data['config.yaml']), { bgp: { enabled: false }, ...config });
  },
  title: (_, choices: string) => `install --set ${choices} writes the setting`,
});

test(sets, 'l2.session.duration=4s', { l2: { session: { duration: '4s' } } });
test(sets, 'bgp.enabled=true', { bgp: { enabled: true } });
test(sets, 'enable-ipv6=false lb-ipam-write-qps=50', {
  'enable-ipv6': false, 'lb-ipam-write-qps': 50,
});
test(sets, 'kubernetes.endpoints=10.0.0.1:6443,10.0.0.2:6443', {
  kubernetes: { endpoints: ['10.0.0.1:6443', '10.0.0.2:6443'] },
});

const refuses = test.macro({
  exec: async (t, words: string, sentence: RegExp) => {
    const { exitCode, out, err } = await fairlead(['install', ...words.split(' ')]);
    t.is(exitCode, 64);
    t.is(out, '');
    t.regex(err, sentence);
  },
  title: (_, words: string) => `install ${words} is refused`,
});

test(refuses, '--profile l2', /needs --print/u);
test(refuses, '--print --profile l3', /Allowed choices are base, kind/u);
test(refuses, '--print --set l2.enabled', /it is KEY=VALUE/u);
test(refuses, '--print --set l2.enable=true', /did you mean l2\.enabled/u);
test(refuses, '--print --set l2.enabled=perhaps', /l2\.enabled=perhaps: "perhaps" must be boolean/u);
test(refuses, '--print --set l2.session.renew=1h', /l2\.session\.renew=1h: .*out of bounds/u);
test(refuses, '--print --set datapath.snatPorts=9', /snatPorts=9: "9" must match pattern/u);
test(refuses, '--print --set bgp.secrets=tor', /--profile bgp does/u);
test(refuses, '--print --profile bgp --set bgp.secrets=To_r', /'To_r' is no name of a Secret/u);
test(refuses, '--print --set image=', /no image reference/u);

test('bgp.secrets narrows the reading of Secrets to names, and image stands everywhere', (t) => {
  const choices = [
    { key: 'bgp.secrets', value: 'tor, spine' }, { key: 'image', value: 'lan:5000/fairlead@sha256:0' },
  ];
  const objects = profileObjects('bgp', choices);
  if (!objects.ok) return t.fail(objects.error);
  const role = objects.value.find(({ metadata }) => metadata?.name === 'fairlead-bgp-secrets');
  t.deepEqual((role as any).rules, [
    { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'watch'], resourceNames: ['tor', 'spine'] },
  ]);
  const images = JSON.stringify(objects.value).match(/"image":"[^"]*"/gu) ?? [];
  t.is(images.length, 3);
  return t.deepEqual([...new Set(images)], ['"image":"lan:5000/fairlead@sha256:0"']);
});
