import test from 'ava';
import { withBgp } from '../../l2/servicestatus.ts';
import { resources } from '../../kube/resource.ts';
import { compareText } from '../../lb/table.ts';
import { convergedCluster, manifestsOf } from '../sim/fixture.ts';

test('a Service that routers hear of is announced by BGP, with the nodes that tell them', (t) => {
  const folder = 'kind/examples/bgp-rack';
  const cluster = convergedCluster(manifestsOf(
    ...['nodes', 'services', 'fairlead', 'legacy-peering-policy'].map((f) => `${folder}/${f}.yaml`),
  ));
  const announced = [...cluster.api.list(resources.services)].flatMap((service: any) =>
    service.status.conditions.filter(({ type }: any) => type === 'fairlead.dev/Announced')
      .map(({ status, reason, message }: any) =>
        `${service.metadata.name} ${status} ${reason} ${message}`));
  t.deepEqual(announced.filter((text) => text.includes('BGP')).map((text) => text.split(' ')[0]),
    ['api', 'api-local']);
  t.true(announced.some((text) => text.startsWith('internal False NoPolicy')));
  // Local policy: only nodes with an endpoint.
  const nodes = (name: string): string[] => announced
    .find((text) => text.startsWith(`${name} `))!.split(' by ')[1]!.split(', ');
  const slices = [...cluster.api.list(resources.endpointSlices)] as any[];
  const homes = new Set(slices.flatMap(({ metadata, endpoints }) => (
    metadata.labels['kubernetes.io/service-name'] === 'api-local'
      ? endpoints.map(({ nodeName }: any) => nodeName) : []
  )));
  t.deepEqual(nodes('api-local'), [...homes].sort(compareText));
  t.is(nodes('api').length, 4);
});

test('what L2 and BGP announce together is by both', (t) => {
  const silent = { kind: 'silent', code: 'NoPolicy', text: '' } as const;
  const l2 = { kind: 'announced', by: 'L2', nodes: ['b'] } as const;
  t.is(withBgp(silent, []), silent);
  t.deepEqual(withBgp(silent, ['a']), { kind: 'announced', by: 'BGP', nodes: ['a'] });
  t.deepEqual(withBgp(l2, ['a', 'b']), { kind: 'announced', by: 'Both', nodes: ['a', 'b'] });
});
