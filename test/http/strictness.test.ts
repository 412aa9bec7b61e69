import test from 'ava';
import { duplicateFields } from '../../sim/api/http/duplicates.ts';
import { place } from './place.ts';

const services = '/api/v1/namespaces/default/services';
const pools = '/apis/cilium.io/v2/ciliumloadbalancerippools';
const spec = { ports: [{ port: 80, prot: 'TCP' }] };
const blocks = [{ cidr: '192.0.2.0/24' }];

test('Strict refuses a new object with unknown and repeated fields, and names all', (t) => {
  const at = place();
  const ports = '[{"port":80,"port":81,"prot":1}]';
  const body = `{"metadata":{"name":"a"},"spec":{"tipe":"x","ports":${ports}}}`;
  const heard = at.ask(`POST ${services}?fieldValidation=Strict`, body);
  t.deepEqual([heard.code, heard.body.reason], [400, 'BadRequest']);
  t.is(heard.body.message, [
    'Service in version "v1" cannot be handled as a Service: strict decoding error: duplicate field',
    '"spec.ports[0].port", unknown field "spec.tipe", unknown field "spec.ports[0].prot"',
  ].join(' '));
  t.is(at.ask(`GET ${services}/a`).code, 404);
});

test('Warn takes the object without them and says so, Ignore says nothing', (t) => {
  for (const validation of ['', '?fieldValidation=Warn', '?fieldValidation=Ignore']) {
    const heard = place().ask(`POST ${services}${validation}`, { metadata: { name: 'a' }, spec });
    t.is(heard.code, 201);
    t.is(heard.body.spec.ports[0].prot, undefined);
    const warning = validation.endsWith('Ignore')
      ? undefined
      : '299 - "unknown field \\"spec.ports[0].prot\\""';
    t.is(heard.headers['warning'], warning);
  }
});

test('a strict patch is refused with what it would have set', (t) => {
  const at = place();
  at.ask(`POST ${services}`, { metadata: { name: 'a' }, spec: { ports: [{ port: 80 }] } });
  const patch = { spec: { tipe: 'x', type: null, $retainKeys: ['type'] } };
  const heard = at.ask(`PATCH ${services}/a?fieldValidation=Strict`, patch, {
    'content-type': 'application/strategic-merge-patch+json',
  });
  t.is(heard.code, 422);
  t.is(heard.body.message, ' "" is invalid: patch: Invalid value: '
    + '"map[spec:map[$retainKeys:[type] tipe:x type:<nil>]]": strict decoding error: '
    + 'unknown field "spec.tipe"');
  const [{ reason, field }] = heard.body.details.causes;
  t.deepEqual([reason, field, heard.body.details.name], ['FieldValueInvalid', 'patch', undefined]);
});

test('apply refuses what its schema does not have, whatever the validation', (t) => {
  const metadata = { name: 'a', namespace: 'default' };
  const body = { apiVersion: 'v1', kind: 'Service', metadata, spec };
  const heard = place().ask(`PATCH ${services}/a?fieldManager=me&fieldValidation=Ignore`, body, {
    'content-type': 'application/apply-patch+yaml',
  });
  t.deepEqual([heard.code, heard.body.reason], [500, undefined]);
  t.is(heard.body.message, 'failed to create typed patch object (default/a; /v1, Kind=Service): '
    + '.spec.ports[0].prot: field not declared in schema');
});

test('custom resources are judged by their schema', (t) => {
  const at = place();
  const pool = (more: object) => ({ metadata: { name: 'p' }, spec: { blocks, ...more } });
  const heard = at.ask(`POST ${pools}?fieldValidation=Strict`, pool({ blokcs: [] }));
  t.regex(heard.body.message, /strict decoding error: unknown field "spec\.blokcs"$/);
  t.is(at.ask(`POST ${pools}?fieldValidation=Strict`, pool({})).code, 201);
});

test('free keys and every kind of the homelab pass', (t) => {
  const at = place();
  const labels = { 'a.b/c': 'd' };
  const container = {
    name: 'c', image: 'i', env: [{ name: 'A', value: 'b' }], resources: { limits: { cpu: '1' } },
  };
  const template = { metadata: { labels }, spec: { containers: [container] } };
  const heard = at.ask('POST /apis/apps/v1/namespaces/default/deployments?fieldValidation=Strict', {
    metadata: { name: 'a', labels, annotations: labels },
    spec: { selector: { matchLabels: labels }, template },
  });
  t.is(heard.code, 201, heard.body.message);
});

const repeats = test.macro({
  exec: (t, text: string, paths: string[]) => { t.deepEqual(duplicateFields(text), paths); },
  title: (_, text: string, paths: string[]) =>
    `${text} repeats ${paths.join(' and ') || 'nothing'}`,
});
test(repeats, '{"a":1,"b":{"a":1}}', []);
test(repeats, '{"a":1,"a":2}', ['a']);
test(repeats, '{"a":[{"b":1},{"b":1,"b":2}]}', ['a[1].b']);
test(repeats, '{"a":"{\\"b\\":1,\\"b\\":2}"}', []);
test(repeats, '{"a":1,"\\u0061":2}', ['a']);
test(repeats, '{"a":[[1,2],[{"c":1,"c":1}]]}', ['a[1][0].c']);
test(repeats, '', []);
