import test from 'ava';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitClass, gravest, type RunVerdict } from '../../sim/scenario/verdict.ts';
import { fairlead, type Ran } from './session.ts';

const folder = mkdtempSync(join(tmpdir(), 'fairlead-simrun-'));
test.after.always(() => rmSync(folder, { recursive: true }));

/** Writes a scenario with this spec and runs `sim run` on it. */
async function simRun(spec: string, ...flags: readonly string[]): Promise<Ran> {
  const file = join(folder, `${Math.abs(hash(spec))}.yaml`);
  const head = 'apiVersion: sim.fairlead.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\n';
  writeFileSync(file, `${head}spec: ${spec}`);
  return fairlead(['sim', 'run', file, ...flags]);
}

function hash(text: string): number {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + letter.charCodeAt(0)) | 0;
  return sum;
}

const exits = test.macro({
  exec: async (t, spec: string, code: number, words: RegExp) => {
    const result = await simRun(spec);
    t.is(result.exitCode, code, result.out + result.err);
    t.regex(result.out + result.err, words);
  },
  title: (_, spec, code) => `${spec} exits ${code}`,
});

const settled = '{at: 0s, waitFor: quiescent}';
test(exits, `{steps: [${settled}]}`, 0, /^ok {5}s {3}seed 0/u);
test(
  exits,
  `{steps: [${settled}, {check: [{object: nodes/node-1, absent: true}]}]}`,
  1,
  /expected nothing/u,
);
test(
  exits,
  `{steps: [${settled}], expect: {sometimes: [l2.failover]}}`,
  5,
  /sometimes l2.failover: never happened/u,
);
test(
  exits,
  `{steps: [${settled}], expect: {measure: [{apiWrites: {perMinute: {max: 0}}}]}}`,
  1,
  /instead of at most 0/u,
);
test(exits, `{steps: [{patch: nodes/nobody, with: {spec: {}}}]}`, 1, /not found/u);
test(exits, '{cluster: {settings: {l2.bogus: 1}}}', 1, /l2\.bogus: unknown setting/u);
test(
  exits,
  '{steps: [{fault: node.explode}]}',
  64,
  /spec\.steps\[0\]\.fault: unknown fault node\.explode/u,
);
test(
  exits,
  '{steps: [{fault: node.powerOff, with: {node: nod-1}}]}',
  64,
  /node nod-1 .* there are node-1, node-2, node-3/u,
);
test(
  exits,
  '{traffic: [{name: a, from: moon, to: "10.0.0.1:80"}]}',
  64,
  /traffic a comes from a host or a node, not from 'moon'/u,
);
test(exits, '{steps: [{fault: switch.forget, with: {segment: wan}}]}', 64, /there are lan, wifi/u);
test(exits, '{manifests: [nowhere.yaml]}', 3, /nowhere\.yaml does not exist/u);

test(
  exits,
  '{steps: [{fault: process.upgrade, with: {target: agent/node-1, build: next}}]}',
  64,
  /build next was given to the run; there are current/u,
);

test('a version in a folder of its own takes over, and what is no version is said', async (t) => {
  const step = '{fault: process.upgrade, with: {node: all, build: next, drain: false}}';
  const spec = `{steps: [${settled}, ${step}, {at: +5s, waitFor: converged, timeout: 60s}]}`;
  const root = join(import.meta.dirname, '../..');
  t.is((await simRun(spec, '--build', `next=${root}`)).exitCode, 0);
  const wrong = await simRun(spec, '--build', `next=${folder}`);
  t.is(wrong.exitCode, 64);
  t.regex(wrong.err, /is no root of fairlead/u);
  t.is((await simRun(spec, '--build', 'current=.')).exitCode, 64);
});

test('JSON holds the verdict of each check and expectation, and two runs of a seed are one run', async (t) => {
  const check = '{object: nodes/node-1, path: metadata.name, equals: node-1}';
  const expect = 'expect: {never: [l2.failover]}';
  const spec = `{steps: [${settled}, {check: [${check}]}], ${expect}}`;
  const { exitCode, out } = await simRun(spec, '-o', 'json', '--seeds', '2', '--twice');
  t.is(exitCode, 0);
  const document: {
    items: {
      seed: number;
      passed: boolean;
      checks: unknown[];
      expectations: unknown[];
      hash: string;
    }[];
  } = JSON.parse(out);
  t.deepEqual(
    document.items.map((item) => [
      item.seed,
      item.passed,
      item.checks.length,
      item.expectations.length,
    ]),
    [
      [0, true, 1, 1],
      [1, true, 1, 1],
    ],
  );
  t.not(document.items[0]?.hash, document.items[1]?.hash);
});

test('JUnit has one case for each check and a replay line', async (t) => {
  const file = join(folder, 'junit.xml');
  const spec = `{steps: [${settled}, {check: [{object: nodes/node-1, absent: true}]}]}`;
  const { exitCode } = await simRun(spec, '--junit', file);
  t.is(exitCode, 1);
  const xml = readFileSync(file, 'utf8');
  t.regex(xml, /<testsuite name="s seed 0" tests="1" failures="1">/u);
  t.regex(xml, /<failure message="expected nothing, found /u);
  t.regex(xml, /fairlead sim run .*--seed 0/u);
});

test('of several failures the gravest decides: non-determinism, safety, liveness, assertion, vacuous', (t) => {
  t.is(gravest(['vacuous', 'liveness', 'assertion']), 'liveness');
  t.is(gravest(['safety', 'non-determinism']), 'non-determinism');
  t.is(gravest(['ok', 'vacuous']), 'vacuous');
  const passed: RunVerdict = {
    scenario: 's',
    seed: 0n,
    checks: [],
    expectations: [],
    findings: [],
    warnings: [],
    duration: 0,
    events: 0,
    hash: '',
    unseed: '',
    blocks: [],
  };
  const finding = { oracle: 'one-owner', object: 'x', time: 0, text: '', related: [] };
  t.is(exitClass(passed), 'ok');
  t.is(exitClass({ ...passed, findings: [{ ...finding, type: 'liveness' }] }), 'liveness');
  t.is(
    exitClass({
      ...passed,
      findings: [
        { ...finding, type: 'liveness' },
        { ...finding, type: 'safety' },
      ],
    }),
    'safety',
  );
});
