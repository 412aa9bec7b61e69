import test from 'ava';
import { parseAllDocuments } from 'yaml';
import { profiles, type Profile } from '../../cli/install.ts';
import { profileObjects } from '../../cli/manifests/profile.ts';
import type { KubeObject } from '../../kube/port.ts';
import { fairlead } from '../cli/session.ts';
import { byName, namesOf } from './objects.ts';

async function step(...words: readonly string[]): Promise<KubeObject[]> {
  const { out, err } = await fairlead(['uninstall', '--print', '--step', ...words]);
  if (err !== '') throw new Error(err);
  return parseAllDocuments(out).map((document) => document.toJS() as KubeObject);
}

const installed = (profile: Profile): string[] => {
  const objects = profileObjects(profile, []);
  return objects.ok ? namesOf(byName(objects.value)) : [];
};

test('the steps of an uninstallation name every object that any profile installs', async (t) => {
  const workloads = await step('workloads');
  t.deepEqual(namesOf(byName(workloads)), [
    'DaemonSet fairlead-system/fairlead-agent',
    'Deployment fairlead-system/fairlead-controller',
  ]);
  const rest = await step('rest', '--crds');
  const named = new Set(namesOf(byName([...workloads, ...rest])));
  for (const profile of profiles) {
    t.deepEqual(installed(profile).filter((name) => !named.has(name)), [], profile);
  }
  // Nothing else, but for what cleaned the nodes.
  const known = new Set(profiles.flatMap(installed));
  t.deepEqual([...named].filter((name) => !known.has(name)), [
    'DaemonSet fairlead-system/fairlead-cleaner',
  ]);
  t.is(rest.at(-1)?.kind, 'Namespace');
});

test('definitions, and with them all objects of them, stay without --crds', async (t) => {
  const kinds = (await step('rest')).map(({ kind }) => kind);
  t.false(kinds.includes('CustomResourceDefinition'));
  t.true(kinds.length > 10);
});

test('nodes are cleaned by what agents are made of, as the walk-through says', async (t) => {
  const [cleaner, ...more] = await step('nodes', '--image', 'lan:5000/fairlead:1');
  t.deepEqual(more, []);
  const { spec } = (cleaner as any).spec.template;
  t.is(spec.serviceAccountName, 'fairlead-agent');
  t.deepEqual(spec.initContainers[0].args.slice(0, 2), ['uninstall', '--node']);
  t.is(spec.containers[0].image, 'lan:5000/fairlead:1');
  const { out } = await fairlead(['uninstall', '--print']);
  t.deepEqual(out.match(/--step \w+/gu), ['--step workloads', '--step nodes', '--step rest']);
});

test('uninstall says what it needs', async (t) => {
  t.is((await fairlead(['uninstall'])).exitCode, 64);
  t.is((await fairlead(['uninstall', '--print', '--node'])).exitCode, 64);
  const bad = await fairlead(['uninstall', '--node', '--l2-session-renew', 'often']);
  t.is(bad.exitCode, 64);
});
