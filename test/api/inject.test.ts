import test from 'ava';
import { resources } from '../../kube/resource.ts';
import { create, eventText, manifest, objectIn, ref, rig, verdict } from './fixture.ts';

const junk = { spec: { blocks: 'all of them', disabled: 7, serviceSelector: { matchLabels: [] } } };

test('an injected object is stored as it is, with an identity and a version', (t) => {
  const at = rig();
  t.regex(verdict(create(at, resources.pools, 'old', junk)), /^invalid/u);
  const stored = at.server.inject(manifest(resources.pools, 'old', junk));
  t.true(stored.ok);
  const object = at.server.get(resources.pools, '', 'old');
  t.deepEqual(object?.['spec'], junk.spec);
  t.is(object?.metadata?.resourceVersion, String(at.server.version));
  t.regex(object?.metadata?.uid ?? '', /^[0-9a-f-]{36}$/u);
});

test('an injected object replaces one of its name, keeps the uid, and watchers see it', (t) => {
  const at = rig();
  const before = objectIn(create(at, resources.pools, 'lan', { spec: { blocks: [] } }));
  const heard: string[] = [];
  at.server.subscribe(resources.pools, (event) => heard.push(eventText(event)));
  at.server.inject(manifest(resources.pools, 'lan', junk));
  const after = at.server.get(resources.pools, '', 'lan');
  t.is(after?.metadata?.uid, before.metadata?.uid);
  t.is(after?.metadata?.['creationTimestamp'], before.metadata?.['creationTimestamp']);
  t.deepEqual(heard, [`MODIFIED lan@${at.server.version}`]);
});

test('an injected Service claims what it holds, and its repair by a patch is judged again', (t) => {
  const at = rig();
  const content = { spec: { clusterIPs: ['10.96.0.77', 5], ports: [{ port: 'eighty' }, null] } };
  at.server.inject(manifest(resources.services, 'odd', content));
  const asked = { spec: { clusterIP: '10.96.0.77', ports: [{ port: 80 }] } };
  t.regex(verdict(create(at, resources.services, 'late', asked)), /already allocated/u);
  const patch = (spec: object) => at.ask({
    verb: 'patch', ref: ref(resources.services, 'odd'), body: { spec } as never,
  });
  t.regex(verdict(patch({ externalName: 'x' })), /^invalid/u);
  const good = { clusterIP: '10.96.0.77', clusterIPs: ['10.96.0.77'], ports: [{ port: 80 }] };
  t.is(verdict(patch(good)), 'ok');
});

test('nothing is injected without a name or of an unknown kind', (t) => {
  const at = rig();
  t.false(at.server.inject({ apiVersion: 'v1', kind: 'Service', metadata: {} }).ok);
  t.false(at.server.inject({ apiVersion: 'v1', kind: 'Nonsense', metadata: { name: 'x' } }).ok);
});
