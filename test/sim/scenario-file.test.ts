import test from 'ava';
import { parse } from 'yaml';
import { unmet } from '../../sim/check/expectation.ts';
import { compilePath } from '../../sim/check/jsonpath.ts';
import { parseScenario } from '../../sim/scenario/parse.ts';
import { formatDuration, parseDuration, parseRatio } from '../../sim/scenario/quantity.ts';
import type { Expectation } from '../../sim/scenario/spec.ts';

const head = 'apiVersion: sim.fairlead.dev/v1alpha1\nkind: Scenario\nmetadata: {name: x}\n';

const refuses = test.macro({
  exec: (t, spec: string, path: string, words: RegExp) => {
    const parsed = parseScenario(parse(`${head}spec: ${spec}`));
    if (parsed.ok) return t.fail('was accepted');
    const fault = parsed.error.find((one) => one.path === path);
    t.truthy(fault, JSON.stringify(parsed.error));
    return t.regex(fault?.message ?? '', words);
  },
  title: (_, spec, path) => `${spec} is refused at ${path}`,
});

test(refuses, '{nonsense: 1}', 'spec.nonsense', /unknown field/u);
test(refuses, '{cluster: {nodes: {count: -1}}}', 'spec.cluster.nodes.count', /whole number/u);
test(refuses, '{cluster: {kubernetes: latest}}', 'spec.cluster.kubernetes', /minor version/u);
test(refuses, '{traffic: [{name: a, from: b}]}', 'spec.traffic[0].to', /required/u);
test(
  refuses,
  '{traffic: [{name: a, from: b, to: nowhere}]}',
  'spec.traffic[0].to',
  /svc\/NAMESPACE/u,
);
test(
  refuses,
  '{traffic: [{name: a, from: b, to: "10.0.0.1:80", every: 200}]}',
  'spec.traffic[0].every',
  /duration with a unit/u,
);
test(refuses, '{steps: [{at: soon, mark: a}]}', 'spec.steps[0].at', /time such as/u);
test(refuses, '{steps: [{at: 1s}]}', 'spec.steps[0]', /exactly one of/u);
test(refuses, '{steps: [{at: 1s, mark: a, heal: b}]}', 'spec.steps[0]', /exactly one of/u);
test(
  refuses,
  '{steps: [{fault: node.explode}]}',
  'spec.steps[0].fault',
  /unknown fault node.explode; known are api\.compact/u,
);
test(refuses, '{steps: [{fault: node.powerOff}]}', 'spec.steps[0].with.node', /is required/u);
test(
  refuses,
  '{steps: [{fault: kernel.mapFull, with: {map: fl_none}}]}',
  'spec.steps[0].with.map',
  /fl_front/u,
);
test(
  refuses,
  '{steps: [{fault: node.powerOff, with: {nodes: a}}]}',
  'spec.steps[0].with.nodes',
  /unknown field/u,
);
test(
  refuses,
  '{steps: [{fault: api.error, with: {ratio: 0.5}}]}',
  'spec.steps[0].with.ratio',
  /ratio/u,
);
test(
  refuses,
  '{steps: [{fault: link.loss, with: {link: a, ratio: 101%}}]}',
  'spec.steps[0].with.ratio',
  /ratio/u,
);
test(refuses, '{steps: [{waitFor: bliss}]}', 'spec.steps[0].waitFor', /quiescent, converged/u);
test(
  refuses,
  '{steps: [{check: [{object: nodes/a, path: "$[", equals: 1}]}]}',
  'spec.steps[0].check[0].path',
  /JSONPath/u,
);
test(
  refuses,
  '{steps: [{check: [{object: nodes/a}]}]}',
  'spec.steps[0].check[0]',
  /equals, contains/u,
);
test(refuses, '{steps: [{when: {}, mark: a}]}', 'spec.steps[0].when', /object, mark/u);
test(refuses, '{expect: {always: [happiness]}}', 'spec.expect.always[0]', /unknown oracle/u);
test(
  refuses,
  '{expect: {oracles: {one-owner: maybe}}}',
  'spec.expect.oracles.one-owner',
  /off, warn, fail/u,
);
test(
  refuses,
  '{expect: {measure: [{outage: {max: 1s}}]}}',
  'spec.expect.measure[0].probe',
  /required/u,
);

test('a file of another kind or version is refused as such', (t) => {
  const parsed = parseScenario({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'x' },
    spec: {},
  });
  t.deepEqual(parsed.ok ? [] : parsed.error.map((fault) => fault.path), ['apiVersion', 'kind']);
});

test('the example of the specification is accepted', (t) => {
  const spec = `
  cluster: {kubernetes: "1.32", nodes: {count: 3, prefix: node-, controlPlane: [node-1]}}
  network:
    segments:
    - {name: lan, subnets: [192.168.10.0/24], switch: {macAgeing: 300s}, attach: [node-1, router]}
    hosts:
    - {name: router, kind: router, neighbour: {profile: linux}}
    - {name: phone, kind: client, gateway: router}
  manifests: [./manifests/]
  traffic: [{name: jellyfin, from: phone, to: "svc/media/jellyfin:80", every: 200ms, flows: 20}]
  steps:
  - {at: 0s, waitFor: quiescent, timeout: 120s}
  - {at: +10s, fault: node.powerOff, with: {node: node-2}}
  - when: {object: leases/*/fairlead-l2-*, change: spec.holderIdentity, count: 1}
    fault: api.outage
    for: 3s
  - {at: +10m, heal: node.powerOff}
  expect:
    always: [one-owner, no-double-assignment, in-pool]
    eventually: [{converged: {within: 30s}}]
    measure:
    - probe: jellyfin
      outage: {max: 11s, total: 12s}
      brokenFlows: {max: flowsOn(node-2)}
    - {apiWrites: {perMinute: {max: 240}}}
    sometimes: [l2.failover]
  fuzz: {duration: 10m}`;
  const parsed = parseScenario(parse(`${head}spec: ${spec}`));
  t.deepEqual(parsed.ok ? [] : parsed.error, []);
});

const lasts = test.macro({
  exec: (t, text: string, micros: number | undefined) => t.is(parseDuration(text), micros),
  title: (_, text, micros) => `the duration '${text}' is ${micros ?? 'refused'}`,
});
test(lasts, '200ms', 200_000);
test(lasts, '1h30m', 5_400_000_000);
test(lasts, '1.5s', 1_500_000);
test(lasts, '50us', 50);
test(lasts, '5', undefined);
test(lasts, '-1s', undefined);
test(lasts, '1 s', undefined);
test(lasts, '1.2345s', undefined); // finer than a microsecond's worth of digits
test(lasts, '', undefined);

test('durations print as people say them', (t) => {
  t.deepEqual([350_000, 6_200_000, 50_000_000, 352_000_000, 3_720_000_000].map(formatDuration), [
    '350 ms',
    '6.2 s',
    '50 s',
    '5 min 52 s',
    '1 h 2 min',
  ]);
});

test('ratios are parts per million', (t) => {
  t.deepEqual(['3%', '0.5%', '30000ppm', '101%', '3', '1.5ppm'].map(parseRatio), [
    30_000,
    5000,
    30_000,
    undefined,
    undefined,
    undefined,
  ]);
});

const meets = test.macro({
  exec: (t, expectation: Expectation, values: unknown[], met: boolean) =>
    t.is(unmet(expectation, values) === undefined, met),
  title: (_, expectation, values, met) =>
    `${JSON.stringify(expectation)} ${met ? 'holds' : 'fails'} for ${JSON.stringify(values)}`,
});
test(meets, { kind: 'equals', value: 'a' }, ['b', 'a'], true);
test(meets, { kind: 'equals', value: { x: 1, y: 2 } }, [{ y: 2, x: 1 }], true); // order of fields
test(meets, { kind: 'equals', value: 'a' }, [], false);
test(meets, { kind: 'equals', value: 1 }, ['1'], false);
test(meets, { kind: 'contains', value: 'ell' }, ['hello'], true);
test(meets, { kind: 'contains', value: { a: 1 } }, [[{ a: 1, b: 2 }]], true);
test(meets, { kind: 'contains', value: 'x' }, ['hello'], false);
test(meets, { kind: 'matches', pattern: '^h' }, ['hello'], true);
test(meets, { kind: 'matches', pattern: '^h' }, [], false);
test(meets, { kind: 'absent' }, [], true);
test(meets, { kind: 'absent' }, ['a'], false);

test('a path may be RFC 9535, in braces, or bare', (t) => {
  const value = {
    status: {
      list: [
        { type: 'A', v: 1 },
        { type: 'B', v: 2 },
      ],
    },
  };
  for (const path of ['$.status.list[*].v', '{.status.list[*].v}', 'status.list[*].v']) {
    t.deepEqual(compilePath(path)?.(value), [1, 2], path);
  }
  t.deepEqual(compilePath("$.status.list[?@.type=='B'].v")?.(value), [2]);
  t.is(compilePath('$['), undefined);
});
