import test from 'ava';
import { wrongImports } from './imports.ts';
import { places, sources } from './sources.ts';

const code = sources('.ts', '.mjs', '.c', '.h');
const texts = sources('.ts', '.mjs', '.c', '.h', '.md', '.json', '.yaml', '.yml', '.sh', '/run');

test('a file has at most 400 lines', (t) => {
  // A generated page is looked up by name; its length is that of what it was generated from.
  const written = code.filter(({ path }) => !path.endsWith('.gen.ts'));
  const long = written.filter(({ lines }) => lines.length > 401);
  t.deepEqual(long.map(({ path, lines }) => `${path} has ${lines.length - 1}`), []);
});

test('a line has at most 100 columns', (t) => {
  // A row of a table is one line however long: a title or a manifest cannot be broken.
  const rows = /^\s*(?:test\(|\[|\{|(?:\w+: )?['"`]|\/\/ https?:)/;
  const long = places(code, /^.{101,}$/u).filter((place) => {
    const [, path = '', text = ''] = /^(\S+) (.*)$/su.exec(place) ?? [];
    return !(path.startsWith('test/') && rows.test(text));
  });
  t.deepEqual(long, []);
});

test('imports point one way', (t) => {
  t.deepEqual(code.flatMap(wrongImports), []);
});

const importRow = test.macro({
  exec: (t, path: string, named: string, right: boolean) => {
    const lines = [`import { x } from '${named}';`];
    t.is(wrongImports({ path, lines }).length === 0, right);
  },
  title: (_, path, named, right) => `${path} may ${right ? '' : 'not '}import ${named}`,
});

test(importRow, 'lb/table.ts', './ip.ts', true);
test(importRow, 'lb/table.ts', '../kube/port.ts', false);
test(importRow, 'lb/table.ts', 'ipaddr.js', false);
test(importRow, 'lb/ip.ts', 'ipaddr.js', true);
test(importRow, 'l2/announcer.ts', '../kube/port.ts', true);
test(importRow, 'l2/announcer.ts', '../kube/reflector.ts', false);
test(importRow, 'bpf/maps.ts', '../l2/frames.ts', false);
test(importRow, 'kube/status.ts', '../sim/world.ts', false);
test(importRow, 'agent.ts', './sim/world.ts', false);
test(importRow, 'agent.ts', './l2/announcer.ts', true);
test(importRow, 'sim/cluster/cluster.ts', '../../agent.ts', true);
test(importRow, 'sim/cluster/cluster.ts', '../../kube/client.real.ts', false);
test(importRow, 'sim/cluster/cluster.ts', '../../cli/main.ts', false);
test(importRow, 'sim/node/node.ts', '../model/packet.ts', false);
test(importRow, 'sim/check/forwarding.ts', '../model/packet.ts', true);
test(importRow, 'cli/main.ts', '../sim/front.real.ts', true);
test(importRow, 'kind/lab/lab.ts', '../../bpf/native.real.ts', true);
test(importRow, 'kind/lab/lab.ts', '../../cli/main.ts', false);
test(importRow, 'sim/world.ts', '../kind/lab/lab.ts', false);

test('nothing is left unfinished and no test is set aside', (t) => {
  const words = ['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK', 'not ' + 'implemented'];
  t.deepEqual(places(texts, new RegExp(`\\b(?:${words.join('|')})\\b`)), []);
  t.deepEqual(places(code, /\btest(?:\.serial)?\.(?:only|failing|todo)\(/), []);
});

test('names say what a thing is', (t) => {
  const empty = /\b(?!fieldManager)\w*(?:Manager|Helper|Utils?)\b|\bhandle[A-Z]\w*/;
  t.deepEqual(places(sources('.ts'), empty).filter(outsideTidy), []);
  t.deepEqual(places(sources('.ts'), /\b(?:const|let|function|class) (?:data|info)\b/), []);
  t.deepEqual(code.filter(({ path }) => /(?:util|helper|manager)s?\.ts$/.test(path)), []);
});

test('no file names a folder of somebody’s machine or a package registry', (t) => {
  const folder = /(?:^|[\s'"`(=])\/(?:home|root|work|Users|tmp)\/\w/;
  t.deepEqual(places(texts, folder).filter(outsideTidy), []);
  t.deepEqual(places(sources('.json', '.npmrc', '.md'), /"resolved"|registry\.npmjs/), []);
});

test('a page has one title, and it comes first', (t) => {
  for (const { path, lines } of sources('.md')) {
    const prose = withoutFences(lines);
    t.regex(prose.find((line) => line.trim() !== '') ?? '', /^# /, path);
    t.is(prose.filter((line) => line.startsWith('# ')).length, 1, path);
  }
});

function withoutFences(lines: readonly string[]): string[] {
  let fenced = false;
  return lines.filter((line) => {
    if (!/^\s*```/.test(line)) return !fenced;
    fenced = !fenced;
    return false;
  });
}

function outsideTidy(place: string): boolean {
  return !place.startsWith('test/tidy/');
}
