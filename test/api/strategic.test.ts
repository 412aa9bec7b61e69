import test from 'ava';
import { resources } from '../../kube/resource.ts';
import { messageOfKind } from '../../sim/api/message/catalog.ts';
import { strategicPatch } from '../../sim/api/strategic.ts';
import { create, objectIn, ref, rig, service, services, verdict } from './fixture.ts';

type Fields = Record<string, unknown>;

/** A pod template's spec by short words: containers `a`, `b` with their image. */
const containers = (...names: string[]) => ({
  spec: { template: { spec: { containers: names.map((name) => ({ name, image: `${name}:1` })) } } },
});

function patched(kind: string, before: Fields, patch: unknown) {
  const message = messageOfKind(kind === 'Deployment' ? 'apps/v1' : 'v1', kind)!;
  return strategicPatch(before, patch, message);
}

const merges = test.macro({
  exec: (t, _: string, kind: string, before: Fields, patch: Fields, after: Fields) => {
    t.deepEqual(patched(kind, before, patch), { ok: true, value: after });
  },
  title: (_, claim: string) => `A8: ${claim}`,
});

const ports = (...list: Fields[]) => ({ spec: { ports: list } });
const two = ports({ port: 80, name: 'http' }, { port: 443, name: 'https' });

test(merges, 'an element is merged into the one with its key', 'Service', two, ports({ port: 443, nodePort: 30443 }), ports({ port: 80, name: 'http' }, { port: 443, name: 'https', nodePort: 30443 }));
test(merges, 'an element with a new key is appended', 'Service', two, ports({ port: 53 }), ports({ port: 80, name: 'http' }, { port: 443, name: 'https' }, { port: 53 }));
test(merges, 'null removes a field', 'Service', two, { spec: { ports: null, type: 'NodePort' } }, { spec: { type: 'NodePort' } });
test(merges, 'null inside an element removes its field', 'Service', two, ports({ port: 80, name: null }), ports({ port: 80 }, { port: 443, name: 'https' }));
test(merges, 'nulls of a new part are not stored', 'Service', {}, { spec: { selector: { a: 'b', c: null } } }, { spec: { selector: { a: 'b' } } });
test(merges, '$patch: delete removes the element with its key', 'Service', two, ports({ port: 80, $patch: 'delete' }), ports({ port: 443, name: 'https' }));
test(merges, '$patch: replace in a list takes the other elements alone', 'Service', two, ports({ $patch: 'replace' }, { port: 53 }), ports({ port: 53 }));
test(merges, '$patch: replace of a map takes the rest of it alone', 'Service', { spec: { selector: { a: '1', b: '2' } } }, { spec: { selector: { $patch: 'replace', c: '3' } } }, { spec: { selector: { c: '3' } } });
test(merges, '$patch: delete of a map leaves it empty', 'Service', { spec: { selector: { a: '1' } } }, { spec: { selector: { $patch: 'delete' } } }, { spec: { selector: {} } });
test(merges, 'a list without merge key is replaced', 'Service', { spec: { externalIPs: ['192.0.2.1', '192.0.2.2'] } }, { spec: { externalIPs: ['192.0.2.3'] } }, { spec: { externalIPs: ['192.0.2.3'] } });
test(merges, 'finalizers are united', 'Service', { metadata: { finalizers: ['a/b', 'c/d'] } }, { metadata: { finalizers: ['e/f', 'a/b'] } }, { metadata: { finalizers: ['a/b', 'c/d', 'e/f'] } });
test(merges, '$deleteFromPrimitiveList takes values out', 'Service', { metadata: { finalizers: ['a/b', 'c/d'] } }, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a/b'] } }, { metadata: { finalizers: ['c/d'] } });
test(merges, '$deleteFromPrimitiveList of a list that is not there does nothing', 'Service', { metadata: { name: 'x' } }, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a/b'] } }, { metadata: { name: 'x' } });
test(merges, '$setElementOrder puts elements in the order of the writer', 'Service', two, { spec: { '$setElementOrder/ports': [{ port: 443 }, { port: 80 }] } }, ports({ port: 443, name: 'https' }, { port: 80, name: 'http' }));
test(merges, '$setElementOrder keeps what only the server has before its follower', 'Deployment', containers('a', 'injected', 'b'), { spec: { template: { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'new' }], containers: [{ name: 'new', image: 'new:1' }] } } } }, containers('a', 'injected', 'b', 'new'));
test(merges, '$setElementOrder of finalizers', 'Service', { metadata: { finalizers: ['a/b', 'c/d'] } }, { metadata: { '$setElementOrder/finalizers': ['c/d', 'a/b'] } }, { metadata: { finalizers: ['c/d', 'a/b'] } });
test(merges, '$retainKeys clears what it does not name', 'Deployment', { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } }, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }, { spec: { strategy: { type: 'Recreate' } } });
test(merges, 'merge keys hold deep inside a template', 'Deployment', containers('a', 'b'), containers('b'), containers('a', 'b'));
test(merges, 'environment variables are merged by name, mounts by path', 'Deployment', { spec: { template: { spec: { containers: [{ name: 'a', env: [{ name: 'X', value: '1' }], volumeMounts: [{ mountPath: '/a', name: 'v' }] }] } } } }, { spec: { template: { spec: { containers: [{ name: 'a', env: [{ name: 'Y', value: '2' }], volumeMounts: [{ mountPath: '/a', readOnly: true }] }] } } } }, { spec: { template: { spec: { containers: [{ name: 'a', env: [{ name: 'X', value: '1' }, { name: 'Y', value: '2' }], volumeMounts: [{ mountPath: '/a', name: 'v', readOnly: true }] }] } } } });
test(merges, 'a volume changes its source as a whole by $retainKeys', 'Deployment', { spec: { template: { spec: { volumes: [{ name: 'v', emptyDir: {} }] } } } }, { spec: { template: { spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'configMap'], configMap: { name: 'c' } }] } } } }, { spec: { template: { spec: { volumes: [{ name: 'v', configMap: { name: 'c' } }] } } } });
test(merges, 'taints of a Node are merged by key as a patch of kubectl has them', 'Node', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }, { spec: { taints: [{ key: 'b', effect: 'NoExecute' }] } }, { spec: { taints: [{ key: 'b', effect: 'NoExecute' }] } });
test(merges, 'conditions of a Node are merged by type', 'Node', { status: { conditions: [{ type: 'Ready', status: 'True' }, { type: 'DiskPressure', status: 'False' }] } }, { status: { conditions: [{ type: 'Ready', status: 'False' }] } }, { status: { conditions: [{ type: 'Ready', status: 'False' }, { type: 'DiskPressure', status: 'False' }] } });

const refuses = test.macro({
  exec: (t, patch: unknown, code: number, message: RegExp) => {
    const answer = patched('Service', two, patch);
    t.false(answer.ok);
    if (answer.ok) return;
    t.is(answer.error.code, code);
    t.regex(answer.error.message, message);
  },
  title: (_, patch) => `A8: a strategic merge patch ${JSON.stringify(patch)} is refused`,
});

test(refuses, ports({ name: 'http' }), 422, /does not contain declared merge key: port/);
test(refuses, ports({ $patch: 'delete' }), 422, /does not contain declared merge key: port/);
test(refuses, ports({ port: 80, $patch: 'merge' }), 400, /unknown patch type: "merge"/);
test(refuses, { spec: { $patch: 'explode' } }, 400, /unknown patch type: "explode"/);
test(refuses, ports('http' as never), 400, /ports has an element that is no object/);
test(refuses, { spec: { '$setElementOrder/ports': 'http' } }, 400, /\$setElementOrder\/ports: not a list/);
test(refuses, { spec: { '$setElementOrder/ports': [{ port: 80 }], ports: [{ port: 53 }] } }, 400, /does not match \$setElementOrder\/ports/);
test(refuses, { spec: { $retainKeys: ['type'], ports: [] } }, 400, /\$retainKeys: it does not name ports/);
test(refuses, [], 400, /is an object/);

test('A8: a Service is patched by its ports; a custom resource answers 415', (t) => {
  const at = rig();
  service(at, 'web', { type: 'LoadBalancer' });
  const before = objectIn(at.ask({ verb: 'get', ref: ref(services, 'web') }));
  const [port] = before['spec'].ports;
  const body = { spec: { ports: [{ port: 80, name: 'http' }, { port: 443, name: 'tls' }] } };
  const after = objectIn(at.ask({ verb: 'strategic-patch', ref: ref(services, 'web'), body }));
  t.deepEqual(after['spec'].ports[0], { ...port, name: 'http' });
  t.is(after['spec'].ports.length, 2);
  create(at, resources.pools, 'lan', { spec: {} });
  const answer = at.server.handle(
    { verb: 'strategic-patch', ref: ref(resources.pools, 'lan'), body: {} }, 'tester',
  );
  t.regex(verdict(answer), /^invalid: .*application\/merge-patch\+json/);
  t.is(answer.ok ? 0 : (answer.error as { code?: number }).code, 415);
});
