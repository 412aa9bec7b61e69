import test from 'ava';
import fc from 'fast-check';
import { bpffsPath, cgroupPath, parseMountinfo } from '../../bpf/mountinfo.ts';

/** A line of mountinfo: `root mountPoint fsType`, optional fields in between as asked. */
function line(root: string, mountPoint: string, fsType: string, optional = ''): string {
  return `31 23 0:28 ${root} ${mountPoint} rw,relatime ${optional}- ${fsType} ${fsType} rw`;
}

test('optional fields and escapes are read over', (t) => {
  const text = [
    line('/', '/sys/fs/bpf', 'bpf', 'shared:11 master:2 '), line('/', String.raw`/a\040b`, 'tmpfs'),
    'nonsense', '',
  ].join('\n');
  t.deepEqual(parseMountinfo(text), [
    { root: '/', mountPoint: '/sys/fs/bpf', fsType: 'bpf' },
    { root: '/', mountPoint: '/a b', fsType: 'tmpfs' },
  ]);
});

const cgroups = test.macro({
  exec: (t, _: string, lines: readonly string[], path: string) => {
    const found = cgroupPath(parseMountinfo(lines.join('\n')));
    t.is(found.ok ? found.value : found.error.kind, path);
  },
  title: (_, name, __, path) => `cgroup2 ${name}: ${path}`,
});
test(cgroups, 'as systemd mounts it', [line('/', '/sys/fs/cgroup', 'cgroup2')], '/sys/fs/cgroup');
test(cgroups, 'beside version 1', [
  line('/', '/sys/fs/cgroup/cpu', 'cgroup'), line('/', '/sys/fs/cgroup/unified', 'cgroup2'),
], '/sys/fs/cgroup/unified');
test(cgroups, 'of the pod and of the node', [
  line('/', '/sys/fs/cgroup', 'cgroup2'), line('/../..', '/host/cgroup', 'cgroup2'),
], '/host/cgroup');
test(cgroups, 'of a folder and of all', [
  line('/kubepods/a', '/sys/fs/cgroup', 'cgroup2'), line('/', '/run/cgroup2', 'cgroup2'),
], '/run/cgroup2');
test(cgroups, 'mounted twice', [
  line('/', '/run/longer/cgroup', 'cgroup2'), line('/', '/sys/cgroup', 'cgroup2'),
], '/sys/cgroup');
test(cgroups, 'of version 1 only', [line('/', '/sys/fs/cgroup', 'cgroup')], 'no-cgroup2');

const bpffs = test.macro({
  exec: (t, _: string, lines: readonly string[], path: string) => {
    const found = bpffsPath(parseMountinfo(lines.join('\n')));
    t.is(found.ok ? found.value : found.error.kind, path);
  },
  title: (_, name, __, path) => `bpffs ${name}: ${path}`,
});
test(bpffs, 'in its usual place among others', [
  line('/', '/mnt/bpf', 'bpf'), line('/', '/sys/fs/bpf', 'bpf'),
], '/sys/fs/bpf');
test(bpffs, 'elsewhere', [line('/', '/mnt/bpf', 'bpf')], '/mnt/bpf');
test(bpffs, 'of which only a folder is mounted', [line('/x', '/sys/fs/bpf', 'bpf')], 'no-bpffs');
test(bpffs, 'not mounted', [], 'no-bpffs');

test('any text is read without a fault', (t) => {
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseMountinfo(text))));
  t.pass();
});
