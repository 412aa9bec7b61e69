import test from 'ava';
import fc from 'fast-check';
import type { KubeObject } from '../../kube/port.ts';
import { resources, type Resource } from '../../kube/resource.ts';
import { damaged } from './damage.ts';
import { objectOf, second, site, type Odd, type Site } from './site.ts';

/** Every field that we read, with values that are good alone: what a corruption starts from. */
const templates: readonly (readonly [Resource, Odd])[] = [
  [resources.services, {
    metadata: {
      labels: { tier: 'odd' }, generation: 3,
      annotations: {
        'lbipam.cilium.io/ips': '192.168.10.45,192.168.10.46',
        'lbipam.cilium.io/sharing-key': 'k', 'lbipam.cilium.io/sharing-cross-namespace': '*',
        'lbipam.cilium.io/sharing-permit-different-pods': 'true',
      },
    },
    spec: {
      type: 'LoadBalancer', clusterIP: '10.96.7.7', clusterIPs: ['10.96.7.7'],
      ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 31_000, targetPort: 8080 }],
      selector: { app: 'odd' }, externalIPs: ['192.168.10.77'], loadBalancerIP: '192.168.10.47',
      loadBalancerClass: 'io.cilium/l2-announcer', ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack', externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Cluster', sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
      loadBalancerSourceRanges: ['192.168.0.0/16'], healthCheckNodePort: 31_001,
    },
    status: {
      loadBalancer: { ingress: [{ ip: '192.168.10.47', ipMode: 'VIP', ports: [{ port: 80 }] }] },
      // No record of ours: a forged one is no malformed field.
      conditions: [{
        type: 'cilium.io/IPAMRequestSatisfied', status: 'True', reason: 'satisfied', message: 'm',
        lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: 3,
      }],
    },
  }],
  [resources.endpointSlices, {
    metadata: { labels: { 'kubernetes.io/service-name': 'odd-0' } },
    addressType: 'IPv4', ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: [{
      addresses: ['10.42.4.200'], conditions: { ready: true, serving: true, terminating: false },
      nodeName: 'node-4', zone: 'a',
      hints: { forZones: [{ name: 'a' }], forNodes: [{ name: 'b' }] },
    }],
  }],
  [resources.nodes, {
    metadata: { labels: { announce: 'yes' } },
    spec: {
      podCIDRs: ['10.42.90.0/24'], unschedulable: false,
      taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }],
    },
    status: {
      addresses: [{ type: 'InternalIP', address: '192.168.10.90' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  }],
  [resources.pools, {
    spec: {
      blocks: [{ cidr: '10.77.0.0/24' }, { start: '10.78.0.1', stop: '10.78.0.9' }],
      cidrs: [{ cidr: '10.79.0.0/30' }], allowFirstLastIPs: 'No', disabled: false,
      serviceSelector: {
        matchLabels: { tier: 'odd' },
        matchExpressions: [{ key: 'tier', operator: 'In', values: ['odd'] }],
      },
    },
    status: { conditions: [{ type: 'cilium.io/IPsTotal', status: 'Unknown', message: '9' }] },
  }],
  [resources.l2Policies, {
    spec: {
      loadBalancerIPs: true, externalIPs: true, interfaces: ['^eth[0-9]+$'],
      nodeSelector: { matchLabels: { announce: 'yes' } },
      serviceSelector: { matchExpressions: [{ key: 'tier', operator: 'Exists' }] },
    },
    status: { conditions: [{ type: 'fairlead.dev/inert', status: 'True', reason: 'error' }] },
  }],
  [resources.leases, {
    metadata: {
      namespace: 'fairlead-system', labels: { 'fairlead.dev/l2': 'lock' },
      annotations: {
        'fairlead.dev/ip': '192.168.10.47', 'fairlead.dev/stamp': '{"v":1}',
        'fairlead.dev/session': '{"seq":1,"durationMs":5000}', 'fairlead.dev/closed': 'x 1',
      },
    },
    spec: {
      holderIdentity: 'node-9_abcdef01', leaseDurationSeconds: 5, leaseTransitions: 3,
      acquireTime: '2026-01-01T00:00:00.000000Z', renewTime: '2026-01-01T00:00:00.000000Z',
    },
  }],
];

// Names that look like ours, like the prototype's, or like one another.
const names = [
  'odd-0', 'odd-1', 'odd-2', 'constructor', '__proto__', 'tostring', 'lan-lan', 'web-web', 'a.b.c',
  'fairlead-l2-192-168-10-47', 'fairlead-l2-', 'fairlead-session-', 'fairlead-session-node-9-x',
  'fairlead-l2-junk', 'x'.repeat(253), 'ünïcode', ' ', '*',
];

/** One malformed object: one to five fields of a good one replaced. */
const malformed = fc.nat(templates.length - 1).chain((kind) => {
  const [resource, content] = templates[kind]!;
  return fc.tuple(fc.constantFrom(...names), damaged(content)).map(([name, odd]): KubeObject => {
    // The store keeps name and namespace: no API server ever held others.
    const metadata = typeof odd['metadata'] === 'object' && odd['metadata'] !== null
      ? odd['metadata'] as Odd : {};
    const namespace = resource.kind === 'Lease' ? 'fairlead-system' : 'default';
    return objectOf(resource, name, {
      ...odd, metadata: { ...metadata, name, ...(resource.namespaced && { namespace }) },
    });
  });
});

// A ClusterIP goes before an address of a Service (datapath.md 3), so whoever claims the good
// address as one takes its traffic, and an address of a Node is not announced (P6 of l2.md): both
// are facts of the cluster, and no malformed field.
function harmless(object: KubeObject): boolean {
  const { clusterIP, clusterIPs } = (object['spec'] ?? {}) as Odd;
  const { addresses } = (object['status'] ?? {}) as Odd;
  const node = object.kind === 'Node' ? addresses : undefined;
  return !JSON.stringify([clusterIP, clusterIPs, node]).includes('192.168.10.4');
}

function removeOdd(at: Site): void {
  for (const [resource] of templates) {
    for (const object of at.cluster.api.list(resource)) {
      const { namespace = '', name = '' } = object.metadata ?? {};
      if (!names.includes(name)) continue;
      at.cluster.api.handle({ verb: 'delete', ref: { resource, namespace, name } }, 'admin');
    }
  }
}

const floods = test.macro({
  exec(t, seed: number, count: number) {
    const at = site(seed);
    const flood = fc.sample(malformed.filter(harmless), { seed, numRuns: count });
    for (const object of flood) {
      const before = at.harm();
      at.inject(object);
      at.run(0.15 * second);
      const harm = [...before, ...at.harm()];
      if (harm.length > 0) t.fail(`${JSON.stringify(object).slice(0, 1500)}\n${harm.join('\n')}`);
    }
    at.run(30 * second);
    t.deepEqual(at.harm(), []);
    removeOdd(at);
    t.deepEqual(at.settle(180 * second), []);
    t.deepEqual(at.harm(), []);
    const { findings } = at.oracles.close(at.cluster.unconverged());
    t.deepEqual(findings.map(({ oracle, object, text }) => `${oracle} ${object}: ${text}`), []);
    t.is(({} as Odd)['polluted'], undefined);
  },
  title: (_, seed, count) =>
    `${count} malformed objects of seed ${seed} end no process and break no good Service`,
});

test(floods, 1, 200);
test(floods, 2, 200);
// Its pools were edited from good to malformed: the last good block goes on giving addresses.
test(floods, 29, 300);
