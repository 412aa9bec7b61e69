import { err, ok, type Result } from '../lb/result.ts';

/** One line of /proc/self/mountinfo (proc(5)), as far as it says where things are. */
export interface Mount {
  /** Folder of the file system that is mounted: `/` for all of it. */
  readonly root: string;
  readonly mountPoint: string;
  readonly fsType: string;
}

/** Mounts in the order of the file; a line that is none is passed over. */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const words = line.split(' ');
    // Optional fields of any number end with a single hyphen.
    const end = words.indexOf('-', 6);
    const [, , , root, mountPoint] = words;
    const fsType = end < 0 ? undefined : words[end + 1];
    if (root === undefined || mountPoint === undefined || fsType === undefined) return [];
    return [{ root: unescaped(root), mountPoint: unescaped(mountPoint), fsType }];
  });
}

export interface MountError {
  readonly kind: 'no-bpffs' | 'no-cgroup2';
  /** What is missing and what to do. */
  readonly text: string;
}

/** Where bpffs is mounted: /sys/fs/bpf if it is there, else the first place. */
export function bpffsPath(mounts: readonly Mount[]): Result<string, MountError> {
  const places = mounts.filter(({ fsType, root }) => fsType === 'bpf' && root === '/');
  const found = places.find(({ mountPoint }) => mountPoint === usualBpffs) ?? places[0];
  if (found !== undefined) return ok(found.mountPoint);
  const text = `no bpffs is mounted: mount -t bpf bpf ${usualBpffs}, or mount the node's there`;
  return err({ kind: 'no-bpffs', text });
}

/**
 * The mount of cgroup2 that reaches highest. A process inside a cgroup namespace sees folders above
 * its own root as `/..`; each step up counts, and of two equal ones the shorter path wins. Whether
 * it is the node's root only the folder itself can tell.
 */
export function cgroupPath(mounts: readonly Mount[]): Result<string, MountError> {
  const places = mounts
    .filter(({ fsType }) => fsType === 'cgroup2')
    .toSorted((left, right) => (
      stepsUp(right) - stepsUp(left)
      || left.root.length - right.root.length
      || left.mountPoint.length - right.mountPoint.length
    ));
  const [found] = places;
  if (found !== undefined) return ok(found.mountPoint);
  return err({ kind: 'no-cgroup2', text: 'no cgroup2 is mounted: socket hooks need one' });
}

const usualBpffs = '/sys/fs/bpf';

function stepsUp({ root }: Mount): number {
  return root.split('/').filter((part) => part === '..').length;
}

// Blanks and backslashes are written in octal: `\040`.
function unescaped(path: string): string {
  return path.replaceAll(
    /\\([0-7]{3})/gu, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
