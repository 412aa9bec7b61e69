import test from 'ava';
import { place, type Place } from './place.ts';

// What a real API server of Kubernetes 1.32 answers, word by word (simulator.md A19).

const services = '/api/v1/namespaces/default/services';
const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const ports = [{ port: 80 }];
const meta = { name: 'web' };
const labelled = (app: string) => ({ metadata: { labels: { app } }, spec: { containers: [] } });

function filled(): Place {
  const at = place();
  at.ask(`POST ${services}`, { metadata: meta, spec: { ports, clusterIP: '10.96.0.7' } });
  at.ask(`POST ${leases}`, { metadata: meta });
  at.ask(
    `POST ${deployments}`,
    { metadata: meta, spec: { selector: { matchLabels: { app: 'a' } }, template: labelled('a') } },
  );
  at.ask('POST /api/v1/namespaces', { metadata: { name: 'going' } });
  at.ask('DELETE /api/v1/namespaces/going');
  return at;
}

const words = test.macro({
  exec: (t, line: string, body: unknown, code: number, reason: string, message: string) => {
    const heard = filled().ask(line, body, { 'content-type': 'application/json' });
    t.is(heard.body.message, message);
    t.deepEqual([heard.code, heard.body.code, heard.body.reason], [code, code, reason]);
  },
  title: (_, line, body) => `${line} ${JSON.stringify(body) ?? ''}`,
});

test(words, `GET ${services}/none`, undefined, 404, 'NotFound', 'services "none" not found');
test(words, `GET ${leases}/none`, undefined, 404, 'NotFound', 'leases.coordination.k8s.io "none" not found');
test(words, 'GET /api/v1/none', undefined, 404, 'NotFound', 'the server could not find the requested resource');
test(words, `POST ${services}`, { metadata: meta, spec: { ports } }, 409, 'AlreadyExists', 'services "web" already exists');
test(words, `POST ${leases}`, { metadata: meta }, 409, 'AlreadyExists', 'leases.coordination.k8s.io "web" already exists');
test(words, `PUT ${services}/web`, { metadata: { ...meta, resourceVersion: '1' }, spec: { ports } }, 409, 'Conflict', 'Operation cannot be fulfilled on services "web": the object has been modified; please apply your changes to the latest version and try again');
test(words, `PUT ${leases}/web`, { metadata: meta }, 422, 'Invalid', 'Lease.coordination.k8s.io "web" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update');
test(words, `POST ${maps}`, { metadata: {} }, 422, 'Invalid', 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required');
test(words, `POST ${maps}`, { metadata: { name: 'A b' } }, 422, 'Invalid', 'ConfigMap "A b" is invalid: metadata.name: Invalid value: "A b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \'-\' or \'.\', and must start and end with an alphanumeric character (e.g. \'example.com\', regex used for validation is \'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\')');
test(words, `POST ${services}`, { metadata: { name: '1a' }, spec: { ports } }, 422, 'Invalid', 'Service "1a" is invalid: metadata.name: Invalid value: "1a": a DNS-1035 label must consist of lower case alphanumeric characters or \'-\', start with an alphabetic character, and end with an alphanumeric character (e.g. \'my-name\',  or \'abc-123\', regex used for validation is \'[a-z]([-a-z0-9]*[a-z0-9])?\')');
test(words, 'POST /api/v1/namespaces', { metadata: { name: 'a.b' } }, 422, 'Invalid', 'Namespace "a.b" is invalid: metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or \'-\', and must start and end with an alphanumeric character (e.g. \'my-name\',  or \'123-abc\', regex used for validation is \'[a-z0-9]([-a-z0-9]*[a-z0-9])?\')');
test(words, `POST ${maps}`, { metadata: { name: 'a', labels: { a: 'b c' } } }, 422, 'Invalid', 'ConfigMap "a" is invalid: metadata.labels: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, \'-\', \'_\' or \'.\', and must start and end with an alphanumeric character (e.g. \'MyValue\',  or \'my_value\',  or \'12345\', regex used for validation is \'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\')');
test(words, 'POST /api/v1/namespaces/none/configmaps', { metadata: { name: 'a' } }, 404, 'NotFound', 'namespaces "none" not found');
test(words, 'POST /api/v1/namespaces/going/configmaps', { metadata: { name: 'a' } }, 403, 'Forbidden', 'configmaps "a" is forbidden: unable to create new content in namespace going because it is being terminated');
test(words, `POST ${services}`, { metadata: { name: 'a' }, spec: { ports: [{ port: 0 }] } }, 422, 'Invalid', 'Service "a" is invalid: [spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive, spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive]');
test(words, `POST ${services}`, { metadata: { name: 'a' }, spec: {} }, 422, 'Invalid', 'Service "a" is invalid: spec.ports: Required value');
test(words, `POST ${services}`, { metadata: { name: 'a' }, spec: { type: 'Foo', ports } }, 422, 'Invalid', 'Service "a" is invalid: spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"');
test(words, `PUT ${services}/web`, { metadata: meta, spec: { ports, clusterIP: '10.96.0.9' } }, 422, 'Invalid', 'Service "web" is invalid: spec.clusterIPs[0]: Invalid value: []string{"10.96.0.9"}: may not change once set');
test(words, `POST ${deployments}`, { metadata: { name: 'a' }, spec: { template: labelled('a') } }, 422, 'Invalid', 'Deployment.apps "a" is invalid: spec.selector: Required value');
test(words, `POST ${deployments}`, { metadata: { name: 'a' }, spec: { selector: { matchLabels: { app: 'b' } }, template: labelled('a') } }, 422, 'Invalid', 'Deployment.apps "a" is invalid: spec.template.metadata.labels: Invalid value: map[string]string{"app":"a"}: `selector` does not match template `labels`');
test(words, `PUT ${deployments}/web`, { metadata: meta, spec: { selector: { matchLabels: { app: 'b' } }, template: labelled('b') } }, 422, 'Invalid', 'Deployment.apps "web" is invalid: spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":"b"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable');
test(words, `POST ${deployments}`, { metadata: { name: 'a' }, spec: { replicas: -1, selector: { matchLabels: { app: 'b' } }, template: labelled('a') } }, 422, 'Invalid', 'Deployment.apps "a" is invalid: [spec.template.metadata.labels: Invalid value: map[string]string{"app":"a"}: `selector` does not match template `labels`, spec.replicas: Invalid value: -1: must be greater than or equal to 0]');
test(words, 'DELETE /api/v1/namespaces/default', undefined, 403, 'Forbidden', 'namespaces "default" is forbidden: this namespace may not be deleted');
test(words, `POST ${services}`, { metadata: { name: 'a' }, spec: { ports: [{ port: 'http' }] } }, 400, 'BadRequest', 'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32');
test(words, `POST ${services}`, { metadata: { name: 'a' }, spec: { ports: {} } }, 400, 'BadRequest', 'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort');
test(words, `POST ${maps}`, { metadata: { name: 'a', labels: { a: 1 } } }, 400, 'BadRequest', 'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string');
test(words, `POST ${maps}`, { metadata: { name: 'a' }, immutable: 'yes' }, 400, 'BadRequest', 'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool');
test(words, `POST ${deployments}`, { metadata: { name: 'a' }, spec: { replicas: 1.5 } }, 400, 'BadRequest', 'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32');
