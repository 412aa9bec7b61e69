import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { TokenFile } from '../../kube/tokenfile.real.ts';

/** A file with a token, and a clock that stands until a test moves it. */
function scene(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-token-'));
  t.teardown(() => { rmSync(folder, { recursive: true }); });
  const path = join(folder, 'token');
  const put = (text: string): void => { writeFileSync(path, text); };
  const clock = { ms: 5 };
  put('first\n');
  const remove = (): void => { rmSync(path); };
  return { path, put, remove, clock, file: new TokenFile(path, () => clock.ms) };
}

test('a token is read again after a minute, not before', (t) => {
  const { put, clock, file } = scene(t);
  put('second');
  clock.ms += 59_999;
  t.is(file.token(), 'first');
  clock.ms += 1;
  t.is(file.token(), 'second');
});

test('a doubted token is read again at the next use, however young it is', (t) => {
  const { put, file } = scene(t);
  put('second');
  file.doubt();
  t.is(file.token(), 'second');
  put('third');
  t.is(file.token(), 'second', 'and then a minute later again');
});

test('while the file is gone or empty the last token stands', (t) => {
  const { put, remove, clock, file } = scene(t);
  for (const spoil of [remove, () => { put(''); }]) {
    spoil();
    clock.ms += 60_000;
    t.is(file.token(), 'first');
  }
  put('second');
  clock.ms += 60_000;
  t.is(file.token(), 'second');
});

test('without a token at the start there is no client', (t) => {
  const { path, put, remove } = scene(t);
  put(' \n');
  t.throws(() => new TokenFile(path), { message: `${path} is empty, expected a token` });
  remove();
  t.throws(() => new TokenFile(path), { message: /ENOENT.*token/u });
});
