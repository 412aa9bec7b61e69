import test from 'ava';
import fc from 'fast-check';
import { resources } from '../../kube/resource.ts';
import { objectIn, ref, rig, service, services, verdict, type Rig } from './fixture.ts';

const dual = { serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'] };

const settles = test.macro({
  exec: (t, _: string, spec: Record<string, unknown>, expected: Record<string, unknown>) => {
    const made = objectIn(service(rig(dual), 'web', spec));
    for (const [field, value] of Object.entries(expected)) t.deepEqual(
      made['spec'][field], value, field,
    );
  },
  title: (_, claim: string) => `A16: ${claim}`,
});

test(settles, 'a Service is ClusterIP, single stack, of the primary family', {}, {
  type: 'ClusterIP', ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'], sessionAffinity: 'None',
  internalTrafficPolicy: 'Cluster', externalTrafficPolicy: undefined,
});
test(settles, 'ports default to TCP and their own number', { ports: [{ port: 53 }] }, {
  ports: [{ port: 53, protocol: 'TCP', targetPort: 53 }],
});
test(settles, 'a load balancer allocates node ports unless told otherwise', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }, {
  ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }], externalTrafficPolicy: 'Cluster',
});
test(settles, 'PreferDualStack takes both families, primary first', { ipFamilyPolicy: 'PreferDualStack' }, { ipFamilies: ['IPv4', 'IPv6'] });
test(settles, 'a listed family comes first', { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6'] }, { ipFamilies: ['IPv6', 'IPv4'] });
test(settles, 'two listed families require both', { ipFamilies: ['IPv6', 'IPv4'] }, { ipFamilyPolicy: 'RequireDualStack' });
test(settles, 'ClientIP affinity lasts three hours', { sessionAffinity: 'ClientIP' }, {
  sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
});
test(settles, 'a headless Service without selector requires both families', { clusterIP: 'None' }, {
  clusterIPs: ['None'], ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'],
});
test(settles, 'a named cluster IP is taken', { clusterIP: '10.96.0.10' }, { clusterIPs: ['10.96.0.10'] });
// The registry reads older address fields with leading zeros; our decoders must live with them.
test(settles, 'an external IP with leading zeros is stored as it is', { externalIPs: ['192.000.002.010'] }, { externalIPs: ['192.000.002.010'] });
test(settles, 'an ExternalName has no address', { type: 'ExternalName', externalName: 'example.org', ports: [] }, {
  clusterIP: undefined, ipFamilies: undefined, internalTrafficPolicy: undefined,
});

const refuses = test.macro({
  exec: (t, _: string, spec: Record<string, unknown>, path: string) => {
    const at = rig({ serviceCidrs: ['10.96.0.0/16'] });
    objectIn(
      service(
        at,
        'first',
        { type: 'NodePort', clusterIP: '10.96.0.10', ports: [{ port: 80, nodePort: 30_080 }] },
      ),
    );
    const { version } = at.server;
    t.regex(
      verdict(service(at, 'second', spec)),
      new RegExp(`^invalid: .*${path.replaceAll(/[[\]]/g, '\\$&')}:`),
    );
    t.is(at.server.version, version);
  },
  title: (_, claim: string) => `A16: ${claim} is refused and leaves nothing behind`,
});

test(refuses, 'a cluster IP that another holds', { clusterIP: '10.96.0.10' }, 'spec.clusterIPs[0]');
test(refuses, 'a cluster IP outside the range', { clusterIP: '10.97.0.1' }, 'spec.clusterIPs[0]');
test(refuses, 'the network address', { clusterIP: '10.96.0.0' }, 'spec.clusterIPs[0]');
test(refuses, 'the broadcast address', { clusterIP: '10.96.255.255' }, 'spec.clusterIPs[0]');
test(refuses, 'a node port that another holds', { type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] }, 'spec.ports[0].nodePort');
test(refuses, 'a node port outside the range', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] }, 'spec.ports[0].nodePort');
test(refuses, 'a node port on a ClusterIP', { ports: [{ port: 80, nodePort: 30_081 }] }, 'spec.ports[0].nodePort');
test(refuses, 'RequireDualStack on a cluster of one family', { ipFamilyPolicy: 'RequireDualStack' }, 'spec.ipFamilyPolicy');
test(refuses, 'a family that the cluster lacks', { ipFamilies: ['IPv6'] }, 'spec.ipFamilies[0]');
test(refuses, 'two families in a single stack', { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4', 'IPv6'] }, 'spec.ipFamilies');
test(refuses, 'a cluster IP of another family than listed', { ipFamilies: ['IPv4'], clusterIP: 'fd00::1' }, 'spec.clusterIPs[0]');
test(refuses, 'a repeated port', { ports: [{ name: 'a', port: 80 }, { name: 'b', port: 80 }] }, 'spec.ports[1]');
test(refuses, 'a second port without name', { ports: [{ name: 'a', port: 80 }, { port: 81 }] }, 'spec.ports[1].name');
test(refuses, 'no port at all', { ports: [] }, 'spec.ports');
test(refuses, 'port 0', { ports: [{ port: 0 }] }, 'spec.ports[0].port');
test(refuses, 'port 65536', { ports: [{ port: 65_536 }] }, 'spec.ports[0].port');
test(refuses, 'an unknown protocol', { ports: [{ port: 1, protocol: 'ICMP' }] }, 'spec.ports[0].protocol');
test(refuses, 'an unknown type', { type: 'Ingress' }, 'spec.type');
test(refuses, 'an external IP that is none', { externalIPs: ['192.0.2.256'] }, 'spec.externalIPs[0]');
test(refuses, 'a link-local external IP', { externalIPs: ['192.0.2.1', 'fe80::1'] }, 'spec.externalIPs[1]');
test(refuses, 'a source range that is no prefix', { type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.1'] }, 'spec.loadBalancerSourceRanges[0]');
test(refuses, 'a class on another type', { loadBalancerClass: 'example.org/lb' }, 'spec.loadBalancerClass');
test(refuses, 'a traffic policy for an internal Service', { externalTrafficPolicy: 'Local' }, 'spec.externalTrafficPolicy');
test(refuses, 'an affinity of more than a day', { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 86_401 } } }, 'spec.sessionAffinityConfig.clientIP.timeoutSeconds');

function change(at: Rig, body: Record<string, unknown>) {
  return at.ask({ verb: 'patch', ref: ref(services, 'web'), body: body as never });
}

test('A16: the choice is seeded and lies above the static bands', (t) => {
  const chosen = (seed: bigint): string => {
    const spec = objectIn(service(rig({}, seed), 'web', { type: 'NodePort' }))['spec'];
    return `${spec.clusterIP} ${spec.ports[0].nodePort}`;
  };
  t.is(chosen(3n), chosen(3n));
  t.not(chosen(3n), chosen(4n));
  for (let seed = 0n; seed < 50n; seed += 1n) {
    const [ip = '', port = ''] = chosen(seed).split(' ');
    t.true(Number(port) >= 30_086, port);
    const [, , third, fourth] = ip.split('.').map(Number);
    t.true((third ?? 0) * 256 + (fourth ?? 0) > 256, ip);
  }
});

test('A16: a small range is given out to its last address and port, then refused', (t) => {
  const at = rig({ serviceCidrs: ['10.0.0.0/29'], nodePortRange: [30_000, 30_005] });
  const ips = new Set<string>();
  for (let index = 0; index < 6; index += 1) {
    const spec = objectIn(service(at, `s${index}`, { type: 'NodePort' }))['spec'];
    ips.add(`${spec.clusterIP}:${spec.ports[0].nodePort}`);
  }
  t.is(new Set([...ips].map((pair) => pair.split(':')[0])).size, 6);
  t.is(new Set([...ips].map((pair) => pair.split(':')[1])).size, 6);
  t.regex(verdict(service(at, 'late')), /range is full/);
  at.ask({ verb: 'delete', ref: ref(services, 's3') });
  t.is(verdict(service(at, 'late', { type: 'NodePort' })), 'ok');
});

test('A16: TCP and UDP of one Service port share their node port', (t) => {
  const ports = [{ name: 'tcp', port: 53 }, { name: 'udp', port: 53, protocol: 'UDP' }];
  const spec = objectIn(service(rig(), 'dns', { type: 'NodePort', ports }))['spec'];
  t.is(spec.ports[0].nodePort, spec.ports[1].nodePort);
});

test('A16: Local load balancers get a health-check port and give it back', (t) => {
  const at = rig();
  const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
  const made = objectIn(service(at, 'web', local));
  const port = made['spec'].healthCheckNodePort;
  t.true(port >= 30_000);
  const after = objectIn(change(at, { spec: { externalTrafficPolicy: 'Cluster' } }));
  t.is(after['spec'].healthCheckNodePort, undefined);
  t.is(
    verdict(service(at, 'other', { type: 'NodePort', ports: [{ port: 1, nodePort: port }] })), 'ok',
  );
});

test('A16: a PUT without addresses and node ports keeps them', (t) => {
  const at = rig();
  const made = objectIn(service(at, 'web', { type: 'LoadBalancer' }));
  const body = { ...made, spec: { type: 'LoadBalancer', ports: [{ port: 8080 }] } };
  const after = objectIn(at.ask({ verb: 'update', ref: ref(services, 'web'), body }))['spec'];
  t.is(after.clusterIP, made['spec'].clusterIP);
  t.is(after.ports[0].nodePort, made['spec'].ports[0].nodePort);
  t.is(after.ports[0].port, 8080);
});

test('A16: a change to ClusterIP drops what only a load balancer has', (t) => {
  const at = rig();
  service(at, 'web', { type: 'LoadBalancer', loadBalancerClass: 'example.org/lb' });
  at.ask({
    verb: 'patch',
    ref: ref(services, 'web'),
    subresource: 'status',
    body: { status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } },
  });
  const after = objectIn(change(at, { spec: { type: 'ClusterIP' } }));
  t.is(after['spec'].loadBalancerClass, undefined);
  t.is(after['spec'].allocateLoadBalancerNodePorts, undefined);
  t.is(after['spec'].ports[0].nodePort, undefined);
  t.deepEqual(after['status'], { loadBalancer: {} });
});

test('A16: the class of a load balancer may not change, nor the first cluster IP', (t) => {
  const at = rig();
  service(at, 'web', { type: 'LoadBalancer', loadBalancerClass: 'example.org/lb' });
  t.regex(
    verdict(change(at, { spec: { loadBalancerClass: 'example.org/other' } })),
    /loadBalancerClass: .*may not change once set/,
  );
  t.regex(verdict(change(at, { spec: { loadBalancerClass: null } })), /may not change once set/);
  t.regex(
    verdict(change(at, { spec: { clusterIP: '10.96.9.9', clusterIPs: ['10.96.9.9'] } })),
    /clusterIPs\[0\]: .*may not change once set/,
  );
});

test('A16: a Service that becomes dual stack keeps its first address', (t) => {
  const at = rig(dual);
  const first = objectIn(service(at, 'web'))['spec'].clusterIP;
  const after = objectIn(change(at, { spec: { ipFamilyPolicy: 'RequireDualStack' } }))['spec'];
  t.is(after.clusterIPs[0], first);
  t.is(after.clusterIPs.length, 2);
  const back = objectIn(
    change(
      at, { spec: { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'], clusterIPs: [first] } },
    ),
  )['spec'];
  t.deepEqual(back.clusterIPs, [first]);
});

test('A16: a dry run shows the allocation and keeps nothing', (t) => {
  const at = rig();
  const body = { metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } };
  const shown = at.server.handle(
    { verb: 'create', resource: services, namespace: 'default', body }, 'tester', { dryRun: true },
  );
  t.regex(objectIn(shown)['spec'].clusterIP, /^10\.96\./);
  t.is(at.server.get(services, 'default', 'web'), undefined);
});

test('the ingress of a Service defaults ipMode, leaves out empty lists and is for load balancers only', (t) => {
  const at = rig();
  service(at, 'web', { type: 'LoadBalancer' });
  service(at, 'inner');
  const write = (name: string, status: unknown) => at.ask({
    verb: 'patch', ref: ref(services, name), subresource: 'status', body: { status } as never,
  });
  const shown = objectIn(
    write('web', { loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'a.example' }] } }),
  );
  t.deepEqual(
    shown['status'].loadBalancer.ingress,
    [{ ip: '192.0.2.1', ipMode: 'VIP' }, { hostname: 'a.example' }],
  );
  t.deepEqual(
    objectIn(write('web', { loadBalancer: { ingress: [] } }))['status'], { loadBalancer: {} },
  );
  t.regex(
    verdict(write('inner', { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } })),
    /may only be used when `spec.type` is "LoadBalancer"/,
  );
  t.regex(
    verdict(write('web', { loadBalancer: { ingress: [{ ip: '192.0.2.1.1' }] } })),
    /must be a valid IP address/,
  );
  t.regex(
    verdict(write('web', { conditions: [{ type: 'A', status: 'Maybe' }] })),
    /conditions\[0\]\.status/,
  );
  t.is(objectIn(write('web', { loadBalancer: null })).metadata?.['generation'], undefined);
  t.deepEqual(
    at.server.list(resources.services).map((found) => found.metadata?.name), ['inner', 'web'],
  );
});

/** One change of a Service in a random history. */
const changes = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  act: fc.constantFrom('create', 'patch', 'patch', 'delete'),
  type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
  policy: fc.constantFrom('SingleStack', 'PreferDualStack'),
  local: fc.boolean(),
  ports: fc.subarray([80, 81, 443], { minLength: 1 }),
});

test('property: no address and no node port ever has two Services, and all come back', (t) => {
  const histories = fc.array(changes, { maxLength: 40 });
  fc.assert(fc.property(histories, (history) => {
    const at = rig({
      serviceCidrs: ['10.0.0.0/28', 'fd00::/120'], nodePortRange: [30_000, 30_015],
    });
    for (const { name, act, type, policy, local, ports } of history) {
      const external = type === 'NodePort' || type === 'LoadBalancer';
      const spec = {
        type, ports: ports.map((port) => ({ name: `p${port}`, port })),
        ...(type === 'ExternalName' ? { externalName: 'x.example' } : { ipFamilyPolicy: policy }),
        ...(external && { externalTrafficPolicy: local ? 'Local' : 'Cluster' }),
      };
      const place = ref(services, name);
      if (act === 'create') service(at, name, spec);
      else if (act === 'delete') at.ask({ verb: 'delete', ref: place });
      else at.ask({ verb: 'patch', ref: place, body: { spec } as never });
      expectDistinct(at);
    }
    for (const name of ['a', 'b', 'c', 'd']) at.ask({ verb: 'delete', ref: ref(services, name) });
    for (let index = 0; index < 14; index += 1) {
      const made = objectIn(service(at, `s${index}`, { type: 'NodePort' }));
      if (made['spec'].ports[0].nodePort === undefined) throw new Error('no node port is left');
    }
  }), { seed: 2, numRuns: 200 });
  t.pass();
});

function expectDistinct(at: Rig): void {
  const taken = at.server.list(services).flatMap((found) => {
    const spec = found['spec'] as any;
    const nodePorts = [...spec.ports.map((port: any) => port.nodePort), spec.healthCheckNodePort];
    return [...spec.clusterIPs ?? [], ...nodePorts.filter((port: unknown) => port !== undefined)];
  });
  const twice = taken.filter((one, index) => taken.indexOf(one) !== index);
  if (twice.length > 0) throw new Error(`given twice: ${twice.join()}`);
}
