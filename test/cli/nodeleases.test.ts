import test from 'ava';
import { giveUpLeases } from '../../cli/nodeleases.ts';
import { loadConfiguration, type Configuration } from '../../cli/daemon/configuration.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { closedAnnotation, l2Label } from '../../l2/lease.ts';
import { serveControlPlane } from '../../sim/live/controlplane.real.ts';

const namespace = 'fairlead-system';
const lease = (name: string, kind: 'session' | 'lock', holderIdentity: string): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1', kind: 'Lease',
  metadata: { name, namespace, labels: { [l2Label]: kind } }, spec: { holderIdentity },
});
const objects: readonly KubeObject[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  lease('session-a-1', 'session', 'a_11111111'),
  lease('session-a-2', 'session', 'a_22222222'),
  lease('session-b', 'session', 'b_33333333'),
  lease('session-ab', 'session', 'a.b_44444444'),
  lease('lock-10-0-0-1', 'lock', 'a_11111111'),
  lease('lock-10-0-0-2', 'lock', 'b_33333333'),
];

function configured(url: string): Configuration {
  const loaded = loadConfiguration({
    file: undefined, env: {}, flags: { 'kubernetes.endpoints': url },
  });
  if (!loaded.ok) throw new Error(loaded.error[0]?.message);
  return loaded.value;
}

test('a node gives up its sessions and no others; one that holds an address is closed', async (t) => {
  const served = await serveControlPlane({ controllers: [], objects });
  try {
    const given = await giveUpLeases('a', configured(served.url), {});
    t.deepEqual(given, { count: 2, left: undefined });
    const leases = served.plane.api.list(resources.leases) as (KubeObject & { spec: any })[];
    const shown = leases.map(({ metadata, spec }) => (
      `${metadata?.name} ${spec.holderIdentity}`.trim()
    ));
    t.deepEqual(shown.toSorted(), [
      'lock-10-0-0-1 a_11111111', 'lock-10-0-0-2 b_33333333', 'session-a-1',
      'session-ab a.b_44444444', 'session-b b_33333333',
    ]);
    // By this others may take its addresses at once (l2.md T2).
    const closed = leases.find(({ metadata }) => metadata?.name === 'session-a-1');
    t.true(JSON.stringify(closed?.metadata).includes(closedAnnotation));
    t.deepEqual(await giveUpLeases('c', configured(served.url), {}), { count: 0, left: undefined });
  } finally {
    await served.close();
  }
});

test('without an API server nothing is given up, and one that is silent is told', async (t) => {
  const none = loadConfiguration({ file: undefined, env: {}, flags: {} });
  if (!none.ok) return t.fail();
  t.deepEqual(await giveUpLeases('a', none.value, {}), { count: 0, left: undefined });
  const { count, left } = await giveUpLeases('a', configured('http://127.0.0.1:1'), {});
  t.is(count, 0);
  return t.regex(left ?? '', /^Leases \(.+; the controller removes them\)$/u);
});
