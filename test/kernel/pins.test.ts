import { existsSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest from 'ava';
import { cgroupRoot, pinFolder, takeFileLock } from '../../bpf/pins.real.ts';
import { kernelTests, run } from './machine.ts';
import { Place } from './place.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

test('the folder of pins carries node and layout, and dots of a node name are no obstacle', async (t) => {
  await Place.with((place) => {
    const bpffs = place.bpffs();
    const folder = pinFolder({ node: `n-1.test-${process.pid}.example`, layout: 'abc' });
    t.true(folder.ok, folder.ok ? '' : folder.error.text);
    const path = folder.ok ? folder.value : '';
    t.true(existsSync(path));
    t.true(path.endsWith(`/fairlead/n-1_test-${process.pid}_example/vabc`), path);
    t.deepEqual(pinFolder({ node: `n-1.test-${process.pid}.example`, layout: 'abc' }), folder);
    if (path.startsWith(bpffs)) return;
    // The machine's own bpffs: the node's folder goes, and the one above it unless others use it.
    rmSync(join(path, '..'), { recursive: true });
    const above = join(path, '../..');
    if (readdirSync(above).length === 0) rmdirSync(above);
  });
});

test('the root of the cgroups is found and is a root', (t) => {
  const root = cgroupRoot();
  t.true(root.ok, root.ok ? '' : root.error.text);
  t.true(existsSync(join(root.ok ? root.value : '', 'cgroup.procs')));
});

test('a locked file is refused to the next until the lock is given back', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-lock-'));
  const path = join(folder, 'node.lock');
  const first = takeFileLock(addon, path);
  t.true(first.ok);
  const second = takeFileLock(addon, path);
  t.like(second, { ok: false, error: { kind: 'EAGAIN', operation: `lock ${path}` } });
  if (first.ok) addon.close(first.value);
  const third = takeFileLock(addon, path);
  t.true(third.ok);
  if (third.ok) addon.close(third.value);
  t.like(takeFileLock(addon, join(folder, 'none/node.lock')), { error: { kind: 'ENOENT' } });
  rmSync(folder, { recursive: true });
});

test('the locks of files end with the process that has them', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-lock-'));
  const path = join(folder, 'node.lock');
  run(`flock ${path} true`);
  const lock = takeFileLock(addon, path);
  t.true(lock.ok);
  t.throws(() => run(`flock --nonblock ${path} true`));
  if (lock.ok) addon.close(lock.value);
  t.notThrows(() => run(`flock --nonblock ${path} true`));
  rmSync(folder, { recursive: true });
});
