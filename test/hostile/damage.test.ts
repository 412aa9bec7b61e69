import test from 'ava';
import fc from 'fast-check';
import type { KubeObject } from '../../kube/port.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import { damaged } from './damage.ts';
import { second, site, toldAbout, type Odd, type Site } from './site.ts';

function stored(at: Site, resource: Resource, name: string, namespace = ''): KubeObject {
  const object = at.cluster.api.get(resource, namespace, name);
  if (object === undefined) throw new Error(`${name} exists`);
  return object;
}

interface Edit {
  readonly resource: Resource;
  readonly change: Odd;
  readonly field: string;
}

const pool = (field: string, change: Odd): Edit => ({ resource: resources.pools, change, field });
const policy = (field: string, change: Odd): Edit =>
  ({ resource: resources.l2Policies, change, field });

// Each makes `lan`, which the good Services live on, malformed.
const edits: readonly Edit[] = [
  pool('spec.blocks', { blocks: 'all' }),
  pool('spec.blocks[0].start', { blocks: [{ start: '192.168.10.400' }] }),
  pool('spec.blocks[0]', { blocks: [{}] }),
  pool('spec.disabled', { disabled: 'true' }),
  pool('spec.allowFirstLastIPs', { allowFirstLastIPs: 'Maybe' }),
  pool('spec.serviceSelector', { serviceSelector: 'web' }),
  pool('spec.serviceSelector.matchLabels', { serviceSelector: { matchLabels: { app: 5 } } }),
  policy('spec.loadBalancerIPs', { loadBalancerIPs: 'true' }),
  policy('spec.loadBalancerIPs', { loadBalancerIPs: 0 }),
  policy('spec.externalIPs', { externalIPs: 'no' }),
  policy('spec.nodeSelector', { nodeSelector: ['node-1'] }),
  policy('spec.nodeSelector.matchLabels.announce', {
    nodeSelector: { matchLabels: { announce: true } },
  }),
  policy('spec.serviceSelector', { serviceSelector: null, matchLabels: {}, nodeSelector: 3 }),
  policy('spec.interfaces', { interfaces: 'eth0' }),
  policy('spec.interfaces[0]', { interfaces: ['*'] }),
];

const keeps = test.macro<[Edit]>({
  exec(t, { resource, change, field }) {
    const at = site(3);
    const before = stored(at, resource, 'lan');
    at.inject({ ...before, spec: { ...(before['spec'] as Odd), ...change } });
    at.run(20 * second);
    t.deepEqual(at.harm(), []);
    const heard = toldAbout(at, resource, 'lan');
    const path = field === 'spec.serviceSelector' ? 'spec.' : field;
    t.true(heard.some((text) => text.includes(path)), heard.join('\n') || 'nothing was told');
    at.inject(before);
    t.deepEqual(at.settle(30 * second), []);
    t.deepEqual(at.harm(), []);
    t.deepEqual(at.oracles.close([]).findings, []);
  },
  title: (_, { resource, change }: Edit) =>
    `${resource.kind} lan edited to ${JSON.stringify(change)} goes on as it last was good`,
});

for (const edit of edits) test(keeps, edit);

test('a whole policy that is no object goes on as it last was good', (t) => {
  const at = site(4);
  const before = stored(at, resources.l2Policies, 'lan');
  for (const spec of ['none', 5, [], null]) {
    at.inject({ ...before, spec });
    at.run(10 * second);
    if (spec !== null) t.deepEqual(at.harm(), [], JSON.stringify(spec));
  }
});

/** Machines, processes and Leases that the cluster itself lives on. */
const vital: readonly (readonly [Resource, string, (at: Site) => readonly KubeObject[]])[] = [
  [resources.leases, 'Leases of leader, sessions and locks', (at) => (
    at.cluster.api.list(resources.leases)
      .filter((lease) => lease.metadata?.namespace === 'fairlead-system')
  )],
  [resources.nodes, 'Nodes', (at) => at.cluster.api.list(resources.nodes)],
  [resources.services, 'Services in use', (at) => at.cluster.api.list(resources.services)],
  [resources.endpointSlices, 'slices in use', (at) => (
    at.cluster.api.list(resources.endpointSlices)
  )],
];

const survives = test.macro<[number, number]>({
  exec(t, kind, seed) {
    const [resource, , objects] = vital[kind]!;
    const at = site(seed);
    const originals = resource === resources.leases ? [] : objects(at);
    for (let round = 0; round < 40; round += 1) {
      const present = objects(at);
      const target = present[round % present.length]!;
      const [odd] = fc.sample(damaged({ ...target } as Odd), {
        seed: seed * 1000 + round, numRuns: 1,
      });
      const { name = '', namespace } = target.metadata ?? {};
      const place = { name, ...(namespace !== undefined && { namespace }) };
      const given = typeof odd?.['metadata'] === 'object' ? odd['metadata'] : {};
      at.inject({
        ...odd, apiVersion: target.apiVersion ?? '', kind: target.kind ?? '',
        metadata: { ...given, ...place },
      });
      at.run((round % 5) * 0.3 * second);
    }
    at.run(20 * second);
    const ended = at.harm().filter((line) => !/ at .* s: /u.test(line));
    t.deepEqual(ended, []);
    // Leases repair themselves; what people wrote, they repair.
    for (const original of originals) at.inject(original);
    t.deepEqual(at.settle(240 * second), []);
    at.run(15 * second);
    at.harm();
    at.run(20 * second);
    t.deepEqual(at.harm(), []);
    const { findings } = at.oracles.close([]);
    t.deepEqual(findings.map(({ oracle, object, text }) => `${oracle} ${object}: ${text}`), []);
  },
  title: (_, kind: number, seed) =>
    `malformed ${vital[kind]![1]} (seed ${seed}) end no process, and all is well once repaired`,
});

for (const kind of vital.keys()) {
  for (const seed of [1, 2]) test(survives, kind, seed);
}
