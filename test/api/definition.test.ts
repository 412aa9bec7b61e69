import test from 'ava';
import type { KubeObject } from '../../kube/port.ts';
import { definitionOf } from '../../kube/schema/crd.ts';
import { poolSchema } from '../../kube/schema/pool.ts';
import { resources } from '../../kube/resource.ts';
import {
  pruned, structuralFaults, withStructuralDefaults,
} from '../../sim/api/definition/structural.ts';
import { place } from '../http/place.ts';
import { create, manifest, rig, verdict } from './fixture.ts';

type Fields = Record<string, any>;

const spec = {
  type: 'object',
  required: ['size'],
  properties: {
    size: { type: 'integer', minimum: 1, maximum: 9 },
    colour: { type: 'string', enum: ['red', 'blue'], default: 'red' },
    name: { type: 'string', pattern: '^[a-z]+$', minLength: 2, maxLength: 5 },
    port: { 'x-kubernetes-int-or-string': true },
    parts: {
      type: 'array',
      maxItems: 2,
      minItems: 1,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object', properties: { name: { type: 'string' }, weight: { type: 'integer' } },
      },
    },
    tags: { type: 'object', additionalProperties: { type: 'string' } },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    either: {
      type: 'object',
      oneOf: [{ required: ['a'] }, { required: ['b'] }],
      properties: { a: { type: 'string' }, b: { type: 'string' } },
    },
    none: { type: 'string', nullable: true, not: { enum: ['bad'] } },
    some: { type: 'string', anyOf: [{ pattern: '^a' }, { pattern: '^b' }] },
  },
};
const openAPIV3Schema = {
  type: 'object',
  properties: { spec, status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
};

const widgets = (version: Fields = {}, more: Fields = {}): KubeObject => ({
  apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.org' },
  spec: {
    group: 'example.org', scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget', shortNames: ['wg'], categories: ['all'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema },
        subresources: { status: {} },
        selectableFields: [{ jsonPath: '.spec.colour' }],
        additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
        ...version,
      },
    ],
    ...more,
  },
});

const judges = test.macro({
  exec: (t, value: Fields, ...expected: string[]) => {
    const faults = structuralFaults({ size: 1, ...value }, spec, 'spec');
    t.deepEqual(faults.map(({ path, message }) => `${path}: ${message}`), expected);
  },
  title: (_, value) => `A10: ${JSON.stringify(value)} under a structural schema`,
});

test(judges, { colour: 'blue', name: 'abc', port: 80, parts: [{ name: 'a' }], tags: { x: 'y' } });
test(judges, { port: 'http', none: null, either: { a: 'x' }, some: 'abc' });
test(judges, { size: undefined }, 'spec.size: Required value');
test(judges, { size: '1' }, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"');
test(judges, { size: 1.5 }, 'spec.size: Invalid value: "number": spec.size in body must be of type integer: "number"');
test(judges, { size: 0 }, 'spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1');
test(judges, { size: 10 }, 'spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9');
test(judges, { colour: 'green' }, 'spec.colour: Unsupported value: "green": supported values: "red", "blue"');
test(judges, { name: 'Q1' }, 'spec.name: Invalid value: "Q1": spec.name in body should match \'^[a-z]+$\'');
test(judges, { name: 'a' }, 'spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long');
test(judges, { name: 'abcdef' }, 'spec.name: Too long: may not be more than 5 bytes');
test(judges, { port: true }, 'spec.port: Invalid value: "boolean": spec.port in body must be of type integer or string: "boolean"');
test(judges, { parts: [] }, 'spec.parts: Invalid value: 0: spec.parts in body should have at least 1 items');
test(judges, { parts: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] }, 'spec.parts: Too many: 3: must have at most 2 items');
test(judges, { parts: [{ name: 'a' }, { name: 'a' }] }, 'spec.parts[1]: Duplicate value: {"name":"a"}');
test(judges, { parts: [{ weight: 'x' }] }, 'spec.parts[0].weight: Invalid value: "string": spec.parts[0].weight in body must be of type integer: "string"');
test(judges, { parts: {} }, 'spec.parts: Invalid value: "object": spec.parts in body must be of type array: "object"');
test(judges, { tags: { x: 1 } }, 'spec.tags.x: Invalid value: "integer": spec.tags.x in body must be of type string: "integer"');
test(judges, { either: {} }, 'spec.either: Invalid value: {}: spec.either in body must validate one and only one schema (oneOf)');
test(judges, { none: 'bad' }, 'spec.none: Invalid value: "bad": spec.none in body must not validate the schema (not)');
test(judges, { some: 'c' }, 'spec.some: Invalid value: "c": spec.some in body must validate at least one schema (anyOf)');

test('A10: fields that a structural schema does not know go, unless it keeps them', (t) => {
  const gone: string[] = [];
  const object = {
    apiVersion: 'x',
    kind: 'y',
    metadata: { a: 1 },
    extra: 1,
    spec: {
      size: 1, odd: 2, free: { a: { b: 1 } }, parts: [{ name: 'a', odd: 1 }], tags: { k: 'v' },
    },
  };
  const kept = pruned(
    object, openAPIV3Schema, { path: '', unknown: (path) => { gone.push(path); } },
  );
  t.deepEqual(
    kept,
    { apiVersion: 'x', kind: 'y', metadata: { a: 1 }, spec: {
      size: 1, free: { a: { b: 1 } }, parts: [{ name: 'a' }], tags: { k: 'v' },
    } },
  );
  t.deepEqual(gone, ['extra', 'spec.odd', 'spec.parts[0].odd']);
  t.deepEqual(withStructuralDefaults({ size: 1 }, spec), { size: 1, colour: 'red' });
});

const admits = test.macro({
  exec: (t, _: string, object: KubeObject, expected: RegExp) => {
    const body = object;
    t.regex(
      verdict(rig().ask({ verb: 'create', resource: resources.definitions, namespace: '', body })),
      expected,
    );
  },
  title: (_, claim) => `A10: a definition ${claim}`,
});

test(admits, 'that is sound is taken', widgets(), /^ok$/);
test(admits, 'of a kind of ours is taken', definitionOf(poolSchema), /^ok$/);
test(admits, 'under another name is refused', { ...widgets(), metadata: { name: 'things.example.org' } }, /metadata\.name: Invalid value: "things\.example\.org": must be spec\.names\.plural\+"\."\+spec\.group/);
test(admits, 'without stored version is refused', widgets({ storage: false }), /spec\.versions: Invalid value: must have exactly one version marked as storage version/);
test(admits, 'without schema is refused', widgets({ schema: undefined }), /spec\.versions\[0\]\.schema\.openAPIV3Schema: Required value/);
test(admits, 'of no scope is refused', widgets({}, { scope: 'Galaxy' }), /spec\.scope: Unsupported value: "Galaxy"/);
test(admits, 'without names is refused', widgets({}, { names: {} }), /spec\.names\.plural: Required value.*spec\.names\.kind: Required value/);

test('A10: a kind that a definition adds is discovered, validated, defaulted, listed and watched', (t) => {
  const at = place();
  const base = '/apis/example.org/v1/namespaces/default/widgets';
  t.is(at.ask(`GET ${base}`).code, 404);
  t.is(at.ask('POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions', widgets()).code, 201);
  const found = at.ask('GET /apis/example.org/v1').body.resources;
  t.deepEqual(found.map((one: Fields) => one['name']), ['widgets', 'widgets/status']);
  const watch = at.ask(`GET ${base}?watch=1`);
  const made = at.ask(
    `POST ${base}`, { metadata: { name: 'a' }, spec: { size: 2, odd: 1 }, status: { x: 1 } },
  );
  t.is(made.code, 201);
  t.deepEqual(
    [made.body.kind, made.body.spec, made.body.status, made.body.metadata.generation],
    ['Widget', { size: 2, colour: 'red' }, undefined, 1],
  );
  const bad = at.ask(`POST ${base}`, { metadata: { name: 'b' }, spec: { size: 0 } });
  t.is(bad.code, 422);
  const why = 'Invalid value: 0: spec.size in body should be greater than or equal to 1';
  t.is(bad.body.message, `Widget.example.org "b" is invalid: spec.size: ${why}`);
  t.is(
    at.ask(`PUT ${base}/a/status`, { ...made.body, status: { ready: true } }).body.status.ready,
    true,
  );
  t.is(at.ask(`GET ${base}?fieldSelector=spec.colour%3Dred`).body.items.length, 1);
  t.is(at.ask(`GET ${base}?fieldSelector=spec.size%3D2`).code, 400);
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
  const table = at.ask(`GET ${base}`, undefined, { accept }).body;
  t.deepEqual(table.rows[0].cells, ['a', 2]);
  const document = at.ask('GET /openapi/v3/apis/example.org/v1').body;
  t.true('size' in document.components.schemas['org.example.v1.Widget'].properties.spec.properties);
  at.pass(1);
  t.deepEqual(watch.lines.map((line) => line.type), ['ADDED', 'MODIFIED']);
});

test('A10: the objects of a kind go with its definition', (t) => {
  const at = place();
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const base = '/apis/example.org/v1/namespaces/default/widgets';
  at.ask(`POST ${definitions}`, widgets());
  at.ask(`POST ${base}`, { metadata: { name: 'a' }, spec: { size: 2 } });
  t.is(at.ask(`DELETE ${definitions}/widgets.example.org`).code, 200);
  t.is(at.ask(`GET ${base}`).code, 404);
  at.ask(`POST ${definitions}`, widgets());
  t.is(at.ask(`GET ${base}`).body.items.length, 0);
});

test('A10: a definition is established at once, and apply merges its lists by their keys', (t) => {
  const at = rig();
  at.ask({ verb: 'create', resource: resources.definitions, namespace: '', body: widgets() });
  const stored = at.server.get(resources.definitions, '', 'widgets.example.org') as Fields;
  t.deepEqual(
    stored['status'].conditions.map((one: Fields) => `${one['type']}=${one['status']}`),
    ['NamesAccepted=True', 'Established=True'],
  );
  t.deepEqual(stored['status'].storedVersions, ['v1']);
  const [definition] = at.server.definitions.all();
  const ref = { resource: definition!.resource, namespace: 'default', name: 'a' };
  const apply = (manager: string, parts: unknown) => at.ask({
    verb: 'apply', ref, manager, body: { apiVersion: 'example.org/v1', kind: 'Widget', metadata: { name: 'a' }, spec: { size: 1, parts } } as KubeObject,
  });
  apply('one', [{ name: 'a', weight: 1 }]);
  apply('two', [{ name: 'b', weight: 2 }]);
  const widget = at.server.get(ref.resource, 'default', 'a') as Fields;
  t.deepEqual(widget['spec'].parts, [{ name: 'a', weight: 1 }, { name: 'b', weight: 2 }]);
});

test('manifests may bring a definition and its objects in any order', (t) => {
  const at = rig();
  const widget = {
    apiVersion: 'example.org/v1',
    kind: 'Widget',
    metadata: { name: 'a', namespace: 'default' },
    spec: { size: 1 },
  };
  t.deepEqual(at.server.load([widget, widgets()]), []);
  t.is(verdict(create(at, resources.configMaps, 'c')), 'ok');
  t.is(at.server.load([manifest(resources.definitions, 'broken')]).length, 1);
});
