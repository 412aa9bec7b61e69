import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { faultText, loadConfiguration, type Configuration }
  from '../../cli/daemon/configuration.ts';
import { ConfigWatch, type ConfigChange } from '../../cli/daemon/configwatch.ts';
import { run } from '../../cli/program.ts';
import { configSchema } from '../../cli/daemon/settingschema.ts';
import type { JournalEntry } from '../../lb/ports.ts';
import { settingTable } from '../../settingtable.ts';

function fileOf(t: ExecutionContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-config-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'config.yaml');
  writeFileSync(file, text);
  return file;
}

function loaded(t: ExecutionContext, text: string): Configuration {
  const result = loadConfiguration({ file: fileOf(t, text), env: {}, flags: {} });
  if (!result.ok) throw new Error(result.error.map(faultText).join());
  return result.value;
}

const refuses = test.macro({
  exec(t, text: string, place: string, ...words: readonly string[]) {
    const file = fileOf(t, text);
    const result = loadConfiguration({ file, env: {}, flags: {} });
    if (result.ok) return t.fail('it was taken');
    const texts = result.error.map(faultText);
    t.is(texts.length, 1, texts.join());
    t.true(texts[0]!.startsWith(`${file}:${place}: `), texts[0]);
    for (const word of words) t.true(texts[0]!.includes(word), texts[0]);
  },
  title: (_, text, place) => `at ${place} of ${JSON.stringify(text)} is a fault`,
});

test(refuses, 'l2: {session: {durations: 5s}}', '1:16', 'l2.session.durations', 'l2.session.duration?');
test(refuses, 'datapath:\n  algorithm: best\n', '2:3', 'datapath.algorithm', 'random, maglev');
test(refuses, 'log:\n  level: loud\n', '2:3', 'debug, info, warn, error');
test(refuses, 'metrics.seriesMax: many\n', '1:1', 'must be integer');
test(refuses, 'metrics:\n  seriesMax: 0\n', '2:3', '>= 1');
test(refuses, 'lb-ipam-reuse-hold-down: 30h\n', '1:1', '0s to 24h');
test(refuses, 'datapath: {nodePortRange: 99-1}', '1:12', 'FIRST-LAST');
test(refuses, 'datapath: {serviceRanges: [10.0.0.0/33]}', '1:12', '10.0.0.0/33');
test(refuses, 'kubernetes: {endpoints: [1, {}]}', '1:14', 'kubernetes.endpoints[1]', 'must be string');
test(refuses, 'kubernetes: {endpoints: [a:1, "ftp://b"]}', '1:14', 'endpoints[1]', 'ftp://b');
test(refuses, 'health: {address: here}', '1:10', 'health.address');
test(refuses, 'l2.enabled: perhaps\n', '1:1', 'must be boolean');
test(refuses, 'leader: {retry: 20s}', '1:1', 'retry');
test(refuses, 'kubernetes.tokenfile: /x', '1:1', 'kubernetes.tokenFile?');
test(refuses, '[1, 2]', '1:1', 'mapping');
test(refuses, 'l2: [', '1:6', 'Flow sequence');

test('a process with an invalid configuration ends with 78 and says where it is', async (t) => {
  for (const command of ['agent', 'controller']) {
    const file = fileOf(t, 'datapath:\n  algorithm: best\n');
    let said = '';
    const code = await run([command, '--config', file, '--log-level', 'loud'], {
      out: () => undefined, err: (text) => { said += text; }, outTty: false, env: {},
      input: () => Promise.resolve(''),
    });
    t.is(code, 78);
    t.is(said, [
      'fairlead: the configuration is invalid',
      `${file}:2:3: datapath.algorithm: "best"; permitted: random, maglev`,
      '--log-level: log.level: "loud"; permitted: debug, info, warn, error', '',
    ].join('\n'));
  }
});

test('a file that is not there is named', (t) => {
  const result = loadConfiguration({ file: '/nowhere/config.yaml', env: {}, flags: {} });
  const said = result.ok ? '' : faultText(result.error[0]!);
  t.regex(said, /^\/nowhere\/config\.yaml: cannot be read/u);
});

test('grouped keys may be nested, and texts of booleans and numbers are read', (t) => {
  const { values, settings } = loaded(t, [
    'l2: {session: {duration: 10s}}', 'l2.session.renew: 2s', 'metrics: {seriesMax: "7"}',
    'l2.ignoreExcludeLabel: "true"', 'datapath: {externalIPs: off}',
  ].join('\n'));
  t.is(values['metrics.seriesMax'], 7);
  t.is(settings.l2.duration, 10_000_000);
  t.is(settings.l2.renew, 2_000_000);
  t.true(settings.l2.ignoreExcludeLabel);
  t.is(settings.datapath.externalIps, 'off');
});

test('a flag beats a variable, that the file, that the default', (t) => {
  const file = fileOf(t, 'log.level: warn\nl2.session.renew: 200ms\n');
  const env = { FAIRLEAD_LOG_LEVEL: 'error', FAIRLEAD_METRICS_SERIES_MAX: '9' };
  const result = loadConfiguration({ file, env, flags: { 'log.level': 'debug' } });
  if (!result.ok) return t.fail();
  const { values, origins } = result.value;
  const shown = ['log.level', 'metrics.seriesMax', 'l2.session.renew', 'log.format', 'l2.enabled']
    .map((key) => [values[key], origins.get(key)?.replace(file, 'F')]);
  t.deepEqual(shown, [
    ['debug', '--log-level'], [9, 'FAIRLEAD_METRICS_SERIES_MAX'], ['200ms', 'F:2:1'],
    [undefined, undefined], [true, 'default'],
  ]);
});

test("Cilium's names carry over, its other keys are ignored and listed", (t) => {
  const { values, ignored, origins } = loaded(t, [
    'kube-proxy-replacement: "strict"', 'devices: eth0 eth1', 'bpf-lb-algorithm: maglev',
    'node-port-range: "30000,31000"', 'bpf-lb-sock-hostns-only: "true"',
    'enable-l2-announcements: "false"', 'cluster-name: x', 'tunnel-protocol: vxlan',
  ].join('\n'));
  t.is(values['datapath.enabled'], true);
  t.deepEqual(values['datapath.devices'], ['eth0', 'eth1']);
  t.is(values['datapath.algorithm'], 'maglev');
  t.is(values['datapath.socketLB'], 'hostNamespaceOnly');
  t.is(values['l2.enabled'], false);
  t.deepEqual(ignored, ['cluster-name', 'tunnel-protocol']);
  t.regex(origins.get('datapath.algorithm') ?? '', /:3:1 \(bpf-lb-algorithm\)$/u);
});

test('our own name beats an alias, and an older spelling yields to the newer', (t) => {
  const { values } = loaded(t, 'bpf-lb-algorithm: maglev\ndatapath.algorithm: random\n');
  t.is(values['datapath.algorithm'], 'random');
  const { settings } = loaded(t, 'lbipam-require-lb-class: true\n');
  t.is(settings.ipam.classlessOwner, 'none');
});

test('numbers of l2 out of range are brought within, with a warning', (t) => {
  const { settings, warnings } = loaded(t, 'l2.session.duration: 500ms\nl2.session.renew: 9s\n');
  t.deepEqual([settings.l2.duration, settings.l2.renew], [1_000_000, 250_000]);
  t.is(warnings.length, 2);
});

test('the schema names every setting with its range and default', (t) => {
  const schema = configSchema() as any;
  for (const { key, usual } of settingTable) {
    let place = schema;
    for (const step of key.split('.')) place = place.properties[step];
    t.deepEqual(place.default, usual, key);
    t.is(typeof place.description, 'string');
  }
});

interface Watched {
  readonly watch: ConfigWatch;
  readonly changes: ConfigChange[];
  readonly told: JournalEntry[];
  readonly write: (text: string) => void;
}

function watched(t: ExecutionContext, text: string): Watched {
  const file = fileOf(t, text);
  const sources = { file, env: {}, flags: {} };
  const configuration = loaded(t, text);
  const [changes, told]: [ConfigChange[], JournalEntry[]] = [[], []];
  const watch = new ConfigWatch({
    sources, configuration, role: 'agent', everyMs: 3_600_000,
    journal: { note: (entry) => void told.push(entry) },
    accepted: (change) => void changes.push(change), rejected: () => undefined,
  });
  t.teardown(() => watch.close());
  return {
    watch, changes, told,
    write: (changed) => {
      writeFileSync(file, changed);
      watch.read();
    },
  };
}

test('a bad file is refused whole and remembered only as long as it is bad', (t) => {
  const { watch, changes, told, write } = watched(t, 'log.level: info\n');
  write('log.level: debug\nl2.session.renew: [1]\n');
  t.is(watch.configuration.values['log.level'], 'info');
  t.is(watch.faults.length, 1);
  t.regex(told.at(-1)!.text, /config\.yaml:2:1: l2\.session\.renew/u);
  t.is(changes.length, 0);
  write('log.level: info\n');
  t.deepEqual(watch.faults, []);
  t.is(told.at(-1)!.text, 'the configuration is good again');
});

test('what changed is told with whether it takes a restart, to whom it concerns', (t) => {
  const { changes, write } = watched(t, 'log.level: info\n');
  write('log.level: debug\n');
  write('log.level: debug\nlb-ipam-write-qps: 5\n');
  write('log.level: debug\ndatapath.algorithm: maglev\nl2.session.renew: 500ms\n');
  t.deepEqual(changes.map(({ keys, restart }) => [[...keys], restart]), [
    [['log.level'], false],
    [['datapath.algorithm', 'l2.session.renew'], true],
  ]);
});
