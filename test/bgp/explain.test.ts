import test from 'ava';
import { explainRoute, parseTarget } from '../../bgp/explain.ts';
import type { KubeObject } from '../../kube/port.ts';
import { inputsOf, type Surroundings } from './derive.ts';
import {
  advertisement, common, ep, nodeConfig, peerConfig, service, serviceEntry, slice, torPeer, vip,
} from './objects.ts';
import { Rig } from './advertising.ts';

const local = service({ spec: { externalTrafficPolicy: 'Local' } });

function explain(
  objects: readonly KubeObject[], text = vip, around: Surroundings = {},
): string[] {
  const target = parseTarget(text);
  if (!target.ok) return [target.error];
  const inputs = inputsOf([...common, ...objects], around);
  const prefix = `${vip}/32` as never;
  const told = [{ prefix, origin: 'igp', communities: [], large: [] } as const];
  return explainRoute(inputs, target.value, () => told).map(
    (of) => `${of.instance}/${of.peer} ${of.verdict} ${of.reason} ${of.prefix} ${of.source}`
      .trimEnd(),
  );
}

const says = test.macro({
  exec: (t, objects: readonly KubeObject[], expected: string, around: Surroundings = {}) => {
    t.deepEqual(explain(objects, vip, around), [`main/tor ${expected}`]);
  },
  title: (_, __, expected: string) => `explained: ${expected}`,
});
const by = `${vip}/32 service test/svc by services[0]`;
test(says, [service()], `announced Announced ${by}`);
test(says, [local, slice({ endpoints: [ep('n2')] })], `withheld NoLocalEndpoint ${by}`);
test(says, [service()], `withheld NotProgrammed ${by}`, { programmed: () => false });
test(says, [service({ spec: { loadBalancerClass: 'example.com/x' } })],
  `withheld OtherClass ${by}`);
test(says, [], 'withheld NotSelected');
test(says, [service(), peerConfig({ authSecretRef: 'key' })], 'withheld MissingAuthSecret');
test(says, [service(), nodeConfig([torPeer], { localASN: undefined })], 'withheld NotStarted');
test(says, [service(), peerConfig({ families: [{ afi: 'ipv6', safi: 'unicast' }] })],
  'withheld FamilyNotCarried');

test('an address is explained by the aggregate that covers it', (t) => {
  const aggregate = advertisement([serviceEntry({
    service: { addresses: ['LoadBalancerIP'], aggregationLengthIPv4: 24 },
  })]);
  t.deepEqual(explain([aggregate, service()]), [
    'main/tor withheld Damped 198.51.100.0/24 service test/svc by services[0]',
  ]);
  t.deepEqual(explain([aggregate, service()], '198.51.100.0/25').length, 1);
  t.deepEqual(explain([aggregate, service()], '198.51.0.0/16'), ['main/tor withheld NotSelected']);
});

test('what is no address is refused', (t) => {
  t.deepEqual(explain([], 'x'), ["'x' is neither an address nor a prefix"]);
  t.deepEqual(explain([], '010.0.0.1'), ["'010.0.0.1' is neither an address nor a prefix"]);
});

test('an advertiser explains once it runs', (t) => {
  const target = parseTarget(vip);
  if (!target.ok) throw new Error(target.error);
  const early = new Rig([...common, service()]);
  t.is(early.advertiser.explain(target.value), undefined);
  const rig = Rig.announcing([...common, service()]);
  t.like(rig.advertiser.explain(target.value)?.[0], { verdict: 'announced', peer: 'tor' });
});
