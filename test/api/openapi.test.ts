import test from 'ava';
import { resources } from '../../kube/resource.ts';
import { openApiDocument } from '../../sim/api/openapi/document.ts';
import { groupVersionPath } from '../../sim/api/openapi/kind.ts';
import { OpenApiPages } from '../../sim/api/openapi/pages.ts';
import { traitsOf } from '../../sim/api/traits.ts';

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
    const known = Object.keys(document['components'].schemas).map((name) => `#/components/schemas/${name}`);
    const named = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref!);
    t.true(named.length > 20, group);
    t.deepEqual(named.filter((ref) => !known.includes(ref)), []);
  }
});

const carries = test.macro({
  exec: (t, path: string, kind: string, operations: string) => {
    const item = core['paths'][path] as Fields;
    t.deepEqual(Object.keys(item).filter((key) => key !== 'parameters').sort(), operations.split(' '));
    for (const operation of operations.split(' ')) {
      t.deepEqual(item[operation]['x-kubernetes-group-version-kind'], { group: '', version: 'v1', kind });
      const names = item[operation].parameters.map((parameter: Fields) => parameter['name']);
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
  t.deepEqual(named('Service')['x-kubernetes-group-version-kind'], [{ group: '', version: 'v1', kind: 'Service' }]);
  t.deepEqual(Object.keys(named('Service')['properties']), ['apiVersion', 'kind', 'metadata', 'spec', 'status']);
  t.deepEqual(named('ServicePort')['required'], ['port']);
  t.deepEqual(named('ServicePort')['properties'].port, { description: 'The port on the addresses of the Service.', type: 'integer', format: 'int32' });
  t.deepEqual(named('ServicePort')['properties'].targetPort.allOf, [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.util.intstr.IntOrString' }]);
});

test('6.4: fields of inline messages stand in the message around them', (t) => {
  t.true('httpGet' in named('Probe')['properties']);
  t.false('handler' in named('Probe')['properties']);
});

test('6.4: a custom kind shows its own schema beside the standard metadata', (t) => {
  const schema = { type: 'object', properties: { spec: { type: 'object', properties: { interfaces: { type: 'array', items: { type: 'string' } } } } }, required: ['spec'] };
  const document = documentOf('cilium.io', schema);
  const shown = document['components'].schemas['io.cilium.v2alpha1.CiliumL2AnnouncementPolicy'];
  t.deepEqual(Object.keys(shown.properties), ['spec', 'apiVersion', 'kind', 'metadata']);
  t.deepEqual(shown.properties.spec, schema.properties.spec);
  t.deepEqual(shown.required, ['spec']);
});

test('6.4: the index names every document under an address that changes with it', (t) => {
  const kinds = (status: boolean) => [resources.services, resources.deployments].map((resource) => ({
    resource, version: resource.version, status,
  }));
  const [pages, others] = [new OpenApiPages(kinds(true)), new OpenApiPages(kinds(false))];
  const { paths } = pages.index() as Fields;
  t.deepEqual(Object.keys(paths), ['api/v1', 'apis/apps/v1']);
  t.regex(paths['apis/apps/v1'].serverRelativeURL, /^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9a-f]{16}$/);
  t.notDeepEqual(paths, (others.index() as Fields)['paths']);
  t.true('/apis/apps/v1/namespaces/{namespace}/deployments' in JSON.parse(pages.page('apis/apps/v1')!).paths);
  t.is(pages.page('apis/batch/v1'), undefined);
});
