import test from 'ava';
import fc from 'fast-check';
import { createDecoder } from '../../kube/decode.ts';
import type { KubeObject } from '../../kube/port.ts';
import { compileSelector } from '../../lb/selector.ts';
import { bgpWholes } from './bgpwholes.ts';
import {
  clusterScoped, decode, metadata, texts, whole, type Fields, type Kind,
} from './decoding.ts';

// Metadata

const refuses = test.macro({
  exec: (t, kind: Kind, object: unknown, fault: string) => {
    const { row, faults } = decode(kind, object);
    t.is(row, undefined);
    t.deepEqual(texts(faults), [fault]);
  },
  title: (_, kind, object, fault) => `${kind} ${JSON.stringify(object)} is refused: ${fault}`,
});
const without = (key: string): Fields => ({ metadata: { ...metadata, [key]: undefined } });
test(refuses, 'service', null, ': expected an object, got null');
test(refuses, 'service', 'text', ': expected an object, got "text"');
test(refuses, 'service', [], ': expected an object, got a list');
test(refuses, 'service', {}, 'metadata: required');
test(refuses, 'service', { metadata: 7 }, 'metadata: expected an object, got 7');
test(refuses, 'service', without('name'), "metadata.name: expected ASCII text without '/', got nothing");
test(refuses, 'service', without('uid'), "metadata.uid: expected ASCII text without '/', got nothing");
test(refuses, 'lease', without('namespace'),
  "metadata.namespace: expected ASCII text without '/', got nothing");
test(refuses, 'slice', without('resourceVersion'),
  "metadata.resourceVersion: expected ASCII text without '/', got nothing");
test(refuses, 'service', { metadata: { ...metadata, name: '' } },
  'metadata.name: expected ASCII text without \'/\', got ""');
// Two objects would share a key.
test(refuses, 'node', { metadata: { ...metadata, name: 'a/b' } },
  'metadata.name: expected ASCII text without \'/\', got "a/b"');
// It ended every agent as the key of a map row.
test(refuses, 'service', { metadata: { ...metadata, name: 'ünï' } },
  'metadata.name: expected ASCII text without \'/\', got "ünï"');
test(refuses, 'node', { metadata: { ...metadata, name: 5 } },
  'metadata.name: expected text, got 5');

test('metadata is read whole, and its optional fields may be bad', (t) => {
  const good = decode('node', { metadata: {
    ...clusterScoped, generation: 3, creationTimestamp: '1970-01-01T00:00:01Z',
    deletionTimestamp: '2026-01-01T00:00:00Z', labels: { a: 'b' }, annotations: { c: 'd' },
  } });
  t.deepEqual(good.row?.['meta'], {
    namespace: '', name: 'n', uid: 'u', resourceVersion: '7', generation: 3, createdAtMs: 1000,
    deleting: true, labels: { a: 'b' }, annotations: { c: 'd' },
  });
  const bad = decode('node', { metadata: {
    ...clusterScoped, generation: 'x', creationTimestamp: 'yesterday', labels: [],
    annotations: { c: 1 },
  } });
  t.like(bad.row?.['meta'], { generation: 0, createdAtMs: undefined, deleting: false, labels: {} });
  t.deepEqual(texts(bad.faults), [
    `metadata.generation: expected integer 0..${Number.MAX_SAFE_INTEGER}, got "x"`,
    'metadata.creationTimestamp: expected an RFC 3339 time, got "yesterday"',
    'metadata.labels: expected an object, got a list',
    'metadata.annotations.c: expected text, got 1',
  ]);
});

test('a decoder remembers by identity, each kind for itself', (t) => {
  const decoder = createDecoder();
  const object = { metadata } as KubeObject;
  t.is(decoder.service(object), decoder.service(object));
  t.false(Object.is(decoder.service(object), decoder.lease(object)));
  t.not(decoder.service(object), createDecoder().service(object));
});

test('keys that every object inherits are unset unless stored', (t) => {
  const labels = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
  const { row, faults } = decode('node', { metadata: { ...clusterScoped, labels } });
  t.deepEqual(faults, []);
  const selects = (key: string, of: Record<string, string>): boolean => {
    const matchExpressions = [{ key, operator: 'Exists', values: [] }];
    const matcher = compileSelector({ matchLabels: {}, matchExpressions });
    return matcher.ok && matcher.value(of);
  };
  const meta = row?.['meta'] as { labels: Record<string, string> } | undefined;
  t.true(selects('constructor', meta?.labels ?? {}));
  t.false(selects('constructor', {}));
  t.false(selects('toString', labels));
});

// Fuzz

const wholes: Record<Kind, Fields> = {
  service: whole('service', {
    spec: {
      type: 'LoadBalancer', clusterIPs: ['10.0.0.1'], ports: [{ port: 80 }], selector: { a: 'b' },
      externalIPs: ['192.0.2.1'], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack',
      sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 } },
      loadBalancerSourceRanges: ['10.0.0.0/8'], healthCheckNodePort: 1,
    },
    status: {
      loadBalancer: { ingress: [{ ip: '1.2.3.4', ports: [] }] },
      conditions: [{ type: 'T', status: 'True', observedGeneration: 1 }],
    },
  }),
  slice: whole('slice', {
    addressType: 'IPv4', ports: [{ name: 'a', port: 1, protocol: 'TCP' }],
    endpoints: [{
      addresses: ['10.0.0.1'], conditions: { ready: true }, nodeName: 'n', zone: 'z',
      hints: { forZones: [{ name: 'z' }], forNodes: [{ name: 'n' }] },
    }],
  }),
  node: whole('node', {
    spec: { podCIDRs: ['10.0.0.0/24'], taints: [{ key: 'k' }], unschedulable: true },
    status: { addresses: [{ type: 'InternalIP', address: '1.2.3.4' }], conditions: [] },
  }),
  pool: whole('pool', {
    spec: {
      blocks: [{ cidr: '10.0.0.0/24' }], cidrs: [{ cidr: 'x' }], disabled: true,
      allowFirstLastIPs: 'No',
      serviceSelector: {
        matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'In' }],
      },
    },
  }),
  l2Policy: whole('l2Policy', {
    spec: { nodeSelector: { matchLabels: { a: 'b' } }, interfaces: ['eth0'], externalIPs: true },
  }),
  serviceCidr: whole('serviceCidr', { spec: { cidrs: ['10.0.0.0/16', 'fd00::/108'] } }),
  lease: whole('lease', { spec: { holderIdentity: 'x', leaseDurationSeconds: 1 } }),
  ...bgpWholes,
};

/** `value` with the field that `path` picks, by numbers, replaced by `junk`. */
function plant(value: unknown, path: readonly number[], junk: unknown): unknown {
  if (typeof value !== 'object' || value === null || path.length === 0) return junk;
  const keys = Object.keys(value);
  if (keys.length === 0) return junk;
  const [first = 0, ...rest] = path;
  const key = keys[first % keys.length] as string;
  const planted = plant((value as Fields)[key], rest, junk);
  if (Array.isArray(value)) return value.with(Number(key), planted) as unknown;
  return { ...value, [key]: planted };
}

for (const kind of Object.keys(wholes) as Kind[]) {
  test(`no JSON at any field of a ${kind} throws, and faults name their field`, (t) => {
    const path = fc.array(fc.nat(20), { maxLength: 6 });
    const decoder = createDecoder();
    fc.assert(fc.property(path, fc.jsonValue(), (steps, junk) => {
      const object = plant(wholes[kind], steps, junk);
      const decoded = decoder[kind](object as KubeObject);
      const faults = decoded.ok ? decoded.value.faults : decoded.error;
      t.true(decoded.ok || faults.length > 0);
      for (const fault of faults) t.false(fault.message === '' || fault.path.startsWith('.'));
    }), { seed: 4, numRuns: 3000 });
  });
}
