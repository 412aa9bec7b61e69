import test from 'ava';
import { resources } from '../../kube/resource.ts';
import { openApiDocument } from '../../sim/api/openapi/document.ts';
import { groupVersionPath } from '../../sim/api/openapi/kind.ts';
import { OpenApiPages } from '../../sim/api/openapi/pages.ts';
import { wireFields } from '../../sim/api/protobuf/wire.ts';
import { traitsOf } from '../../sim/api/traits.ts';
import { place } from '../http/place.ts';

type Fields = Record<string, any>;

function documentOf(group: string, schema?: Fields): Fields {
  const kinds = Object.values(resources).filter((of) => of.group === group && of.version !== 'v2');
  return openApiDocument(kinds.map((resource) => ({
    resource, version: resource.version, status: traitsOf(resource).status,
    ...(schema !== undefined && { schema }),
  })));
}

const core = documentOf('') as Fields;
const schemas = core['components'].schemas as Fields;
const named = (name: string): Fields => schemas[`io.k8s.api.core.v1.${name}`];

test('6.4: documents are found by group and version', (t) => {
  t.is(groupVersionPath({ resource: resources.services, version: 'v1' }), 'api/v1');
  t.is(groupVersionPath({ resource: resources.deployments, version: 'v1' }), 'apis/apps/v1');
});

test('6.4: every reference of a document is in the document', (t) => {
  for (const group of ['', 'apps', 'discovery.k8s.io', 'coordination.k8s.io', 'cilium.io']) {
    const document = documentOf(group);
    const known = Object.keys(document['components'].schemas);
    const refs = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g);
    const meant = [...refs].map(([, ref = '']) => ref);
    t.true(meant.length > 20, group);
    t.deepEqual(meant.filter((ref) => !known.includes(ref)), []);
  }
});

const carries = test.macro({
  exec: (t, path: string, kind: string, operations: string) => {
    const item = core['paths'][path] as Fields;
    const found = Object.keys(item).filter((key) => key !== 'parameters');
    t.deepEqual(found.sort(), operations.split(' '));
    for (const operation of operations.split(' ')) {
      const { parameters, 'x-kubernetes-group-version-kind': gvk } = item[operation];
      t.deepEqual(gvk, { group: '', version: 'v1', kind });
      const names = parameters.map((parameter: Fields) => parameter['name']);
      t.is(names.includes('fieldValidation'), ['post', 'put', 'patch'].includes(operation));
    }
  },
  title: (_, path) => `6.4: operations of ${path} carry their kind, and writes fieldValidation`,
});

test(carries, '/api/v1/services', 'Service', 'get');
test(carries, '/api/v1/namespaces/{namespace}/services', 'Service', 'delete get post');
test(carries, '/api/v1/namespaces/{namespace}/services/{name}', 'Service', 'delete get patch put');
test(carries, '/api/v1/namespaces/{namespace}/services/{name}/status', 'Service', 'get patch put');
test(carries, '/api/v1/nodes', 'Node', 'delete get post');

const tells = test.macro({
  exec: (t, message: string, field: string, extensions: Fields) => {
    const property = named(message)['properties'][field] as Fields;
    const marks = Object.entries(property).filter(([key]) => key.startsWith('x-kubernetes'));
    t.deepEqual(Object.fromEntries(marks), extensions);
  },
  title: (_, message, field) => `6.4: how ${message}.${field} is merged`,
});

test(tells, 'ServiceSpec', 'ports', { 'x-kubernetes-patch-merge-key': 'port', 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['port', 'protocol'] });
test(tells, 'ServiceSpec', 'externalIPs', { 'x-kubernetes-list-type': 'atomic' });
test(tells, 'ServiceSpec', 'selector', { 'x-kubernetes-map-type': 'atomic' });
test(tells, 'PodSpec', 'volumes', { 'x-kubernetes-patch-merge-key': 'name', 'x-kubernetes-patch-strategy': 'merge,retainKeys', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] });
test(tells, 'PodSpec', 'nodeName', {});

test('6.4: a kind names itself, its fields and what must be there', (t) => {
  const service = named('Service');
  const gvk = { group: '', version: 'v1', kind: 'Service' };
  t.deepEqual(service['x-kubernetes-group-version-kind'], [gvk]);
  const fields = Object.keys(service['properties']);
  t.deepEqual(fields, ['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  const { properties, required } = named('ServicePort') as Fields;
  t.deepEqual(required, ['port']);
  const description = 'The port on the addresses of the Service.';
  t.deepEqual(properties.port, { description, type: 'integer', format: 'int32' });
  t.regex(properties.targetPort.allOf[0].$ref, /pkg\.util\.intstr\.IntOrString$/);
});

test('6.4: fields of inline messages stand in the message around them', (t) => {
  t.true('httpGet' in named('Probe')['properties']);
  t.false('handler' in named('Probe')['properties']);
});

test('6.4: a custom kind shows its own schema beside the standard metadata', (t) => {
  const spec = { type: 'object', properties: { interfaces: { type: 'array' } } };
  const schema = { type: 'object', properties: { spec }, required: ['spec'] };
  const { schemas } = documentOf('cilium.io', schema)['components'];
  const shown = schemas['io.cilium.v2alpha1.CiliumL2AnnouncementPolicy'];
  t.deepEqual(Object.keys(shown.properties), ['spec', 'apiVersion', 'kind', 'metadata']);
  t.deepEqual(shown.properties.spec, spec);
  t.deepEqual(shown.required, ['spec']);
});

test('6.4: the index names every document under an address that changes with it', (t) => {
  const both = [resources.services, resources.deployments];
  const kinds = (status: boolean) => both.map(
    (resource) => ({ resource, version: resource.version, status }),
  );
  const [pages, others] = [new OpenApiPages(kinds(true)), new OpenApiPages(kinds(false))];
  const { paths } = pages.index() as Fields;
  t.deepEqual(Object.keys(paths), ['api/v1', 'apis/apps/v1']);
  const { serverRelativeURL: at } = paths['apis/apps/v1'];
  t.regex(at, /^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9a-f]{16}$/);
  t.notDeepEqual(paths, (others.index() as Fields)['paths']);
  const apps = JSON.parse(pages.page('apis/apps/v1')!) as Fields;
  t.true('/apis/apps/v1/namespaces/{namespace}/deployments' in apps['paths']);
  t.is(pages.page('apis/batch/v1'), undefined);
});

test('version 2 of the document says the same, as JSON and in protobuf', (t) => {
  const at = place();
  const { definitions, paths } = at.ask('GET /openapi/v2').body;
  const port = definitions['io.k8s.api.core.v1.ServicePort'];
  t.is(port.properties.nodePort.type, 'integer');
  const { $ref } = definitions['io.k8s.api.core.v1.Service'].properties.spec;
  t.is($ref, '#/definitions/io.k8s.api.core.v1.ServiceSpec');
  const { patch } = paths['/api/v1/namespaces/{namespace}/services/{name}'];
  t.true(patch.parameters.some(({ name }: { name: string }) => name === 'fieldValidation'));
  const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
  const { body, headers } = at.ask('GET /openapi/v2', undefined, { accept });
  // A media type may not have the sign that kubectl asks with.
  t.false(headers['content-type']!.includes('@'));
  const document = wireFields(body as Uint8Array) ?? [];
  t.deepEqual(document.map(({ number }) => number), [1, 2, 8, 9]);
  const names = wireFields(document[3]!.value as Uint8Array) ?? [];
  t.is(names.length, Object.keys(definitions).length);
});
