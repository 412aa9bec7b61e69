import test from 'ava';
import fc from 'fast-check';
import { bytes, event, reply, scene, second, type Sent } from './handtransport.ts';

test('a watch asks for bookmarks and brings its events in order', (t) => {
  const at = scene();
  at.watch();
  const [{ request, sink }] = at.sent as [Sent];
  t.is(request.path, '/api/v1/nodes?watch=true&allowWatchBookmarks=true&resourceVersion=7');
  sink.sent();
  sink.head({ status: 200 });
  const bookmark = { type: 'BOOKMARK', object: { metadata: { resourceVersion: '12' } } };
  sink.bytes(bytes(`${event('ADDED', 'a')}${event('MODIFIED', 'a')}${JSON.stringify(bookmark)}\n`));
  sink.bytes(bytes(`\n${event('DELETED', 'a')}`));
  at.world.run(3600 * second);
  t.deepEqual(at.heard, ['ADDED a', 'MODIFIED a', 'BOOKMARK 12', 'DELETED a']);
  sink.end(undefined);
  t.is(at.heard.at(-1), 'end');
});

test('a stream may be cut between any two bytes, inside a character as well', (t) => {
  const names = ['e\u0301', '日本語', '\u{1F6A2}', 'plain', '\u2028', '"\\'];
  const text = names.map((name) => event('ADDED', name)).join('');
  fc.assert(fc.property(fc.array(fc.nat(bytes(text).length)), (cuts) => {
    const at = scene();
    at.watch();
    at.sent[0]?.sink.sent();
    at.sent[0]?.sink.head({ status: 200 });
    const whole = bytes(text);
    const ends = [0, ...cuts.toSorted((left, right) => left - right), whole.length];
    for (const [index, end] of ends.slice(1).entries()) {
      at.sent[0]?.sink.bytes(whole.slice(ends[index], end));
    }
    at.sent[0]?.sink.end(undefined);
    at.world.run(second);
    t.deepEqual(at.heard, [...names.map((name) => `ADDED ${name}`), 'end']);
  }), { numRuns: 200 });
});

const ends = test.macro({
  exec: (t, _: string, rest: string, failure: string | undefined, expected: string) => {
    const at = scene();
    at.watch();
    const [{ sink }] = at.sent as [Sent];
    sink.sent();
    sink.head({ status: 200 });
    sink.bytes(bytes(event('ADDED', 'a') + rest));
    sink.end(failure);
    at.world.run(second);
    t.deepEqual(at.heard, ['ADDED a', expected]);
  },
  title: (_, name) => `a watch that ends by ${name}`,
});
const cut = 'unreachable: the watch was cut in the middle of a line';
const odd = 'server: an event of the watch cannot be read:';
const status = (code: number, message: string): string => (
  `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code, message } })}\n`
);

test(ends, 'half a line', event('ADDED', 'b').slice(0, -9), undefined, cut);
test(ends, 'a line without its end', event('ADDED', 'b').slice(0, -1), undefined, cut);
test(ends, 'a lost connection', '', 'connection lost', 'unreachable: one:6443: connection lost');
test(ends, 'a cut line', '{"ty', 'connection lost', 'unreachable: one:6443: connection lost');
test(ends, 'an ERROR of 410', status(410, 'too old'), undefined, 'expired: too old');
test(ends, 'an ERROR of 500', status(500, 'etcd'), undefined, 'server: etcd');
test(ends, 'an ERROR and more', status(410, 'x') + event('ADDED', 'b'), undefined, 'expired: x');
test(ends, 'no JSON', 'hello\n', undefined, `${odd} it is not JSON`);
test(ends, 'a text', '"a"\n', undefined, `${odd} it is "a"`);
test(ends, 'an event of nothing', '{"type":"ADDED"}\n', undefined, `${odd} object is nothing`);
test(ends, 'a new type', '{"type":"MOVED","object":{}}\n', undefined, `${odd} type is "MOVED"`);
test(
  ends, 'a bookmark of nothing', '{"type":"BOOKMARK","object":{}}\n', undefined,
  `${odd} a bookmark's metadata.resourceVersion is nothing`,
);

test('410 instead of a stream is the same error', (t) => {
  const at = scene();
  at.watch();
  reply(at.sent[0]!, 410, { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' });
  t.deepEqual(at.heard, ['expired: too old']);
});

test('a line longer than 16 MiB ends the watch, and what is kept stays bounded', (t) => {
  const at = scene();
  at.watch();
  const [sent] = at.sent as [Sent];
  sent.sink.sent();
  sent.sink.head({ status: 200 });
  const mebibyte = new Uint8Array(1024 * 1024).fill(97);
  for (let each = 0; each < 16; each += 1) sent.sink.bytes(mebibyte);
  t.deepEqual(at.heard, []);
  sent.sink.bytes(mebibyte);
  t.deepEqual(at.heard, ['server: a line of the watch is longer than 16777216 bytes']);
  t.true(sent.aborted);
});

test('a watch that is not taken within 30 s ends; one that is taken is never timed', (t) => {
  const at = scene();
  at.watch();
  at.world.run(31 * second);
  t.deepEqual(at.heard, ['unreachable: one:6443: no answer in time']);
});

test('a burst is told in portions, and nothing is read meanwhile', (t) => {
  const at = scene();
  at.watch();
  const [sent] = at.sent as [Sent];
  sent.sink.sent();
  sent.sink.head({ status: 200 });
  sent.sink.bytes(bytes(event('ADDED', 'a').repeat(300)));
  t.is(at.heard.length, 128);
  t.true(sent.paused);
  // What was read before the pause took hold, and the end of the connection.
  sent.sink.bytes(bytes(event('ADDED', 'b').repeat(10)));
  sent.sink.end('connection lost');
  t.is(at.heard.length, 128);
  at.world.run(second);
  t.is(at.heard.length, 311);
  t.is(at.heard.at(-2), 'ADDED b');
  t.is(at.heard.at(-1), 'unreachable: one:6443: connection lost');
});

test('a cancelled watch brings nothing, not even what has arrived', (t) => {
  const at = scene();
  const watch = at.watch({
    event: () => {
      at.heard.push('event');
      watch.cancel();
      watch.cancel();
    },
    end: () => at.heard.push('end'),
  });
  const [sent] = at.sent as [Sent];
  sent.sink.sent();
  sent.sink.head({ status: 200 });
  sent.sink.bytes(bytes(event('ADDED', 'a').repeat(3)));
  at.world.run(second);
  t.deepEqual(at.heard, ['event']);
  t.true(sent.aborted);
});
