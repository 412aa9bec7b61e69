import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync,
  rmSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { embedded, generated, objects } from '../../bpf/build.real.ts';
import { root } from '../tidy/sources.ts';

/** A version of the datapath whose tables are laid out otherwise. */
export interface OtherLayout {
  /** Where its sources are. */
  readonly sources: string;
  remove(): void;
}

// Fields change their places, one grows, and rows of all that is carried over get longer.
const changes: readonly (readonly [file: string, from: RegExp, to: string])[] = [
  [
    'bpf/src/flow.h', /struct fl_flow \{\n/u,
    'struct fl_flow {\n\t__u32 state;\n\t__u32 pad[3];\n',
  ],
  ['bpf/src/flow.h', /\t__u32 closed_s;\n\t__u32 state;\n/u, '\t__u64 closed_s;\n'],
  [
    'bpf/src/flow.h', /struct fl_aff \{\n\t__u64 last_ns;/u,
    'struct fl_aff {\n\t__u32 pad2[4];\n\t__u64 last_ns;',
  ],
  ['bpf/src/flow.h', /struct fl_sk \{\n/u, 'struct fl_sk {\n\t__u32 pad2[4];\n'],
  // Its codec stands in l2, which knows nothing of bpf (l2.md 10.1).
  ['bpf/src/flow.h', /(struct fl_l2 \{\n)(\t__u64 expiry_ns;.*\n)(.*\n\t__u16 pad;\n)/u, '$1$3$2'],
  ['bpf/src/lb.h', /(struct fl_backend \{\n)/u, '$1\t__u32 pad2[4];\n'],
  ['bpf/src/lb.h', /(struct fl_front \{\n)/u, '$1\t__u32 pad2[2];\n'],
  ['bpf/src/lb.h', /(struct fl_member \{\n)/u, '$1\t__u32 pad;\n'],
  ['l2/responder-map.ts', /setBigUint64\(0, value/u, 'setBigUint64(8, value'],
  ['l2/responder-map.ts', /bytes\.set\(macBytes\(value\.mac\), 8\)/u, 'bytes.set(macBytes(value.mac), 0)'],
  ['l2/responder-map.ts', /bytes\.byteOffset, 8\)\.getBig/u, 'bytes.byteOffset + 8, 8).getBig'],
  ['l2/responder-map.ts', /macText\(bytes, 8\)/u, 'macText(bytes, 0)'],
];

/** What `bpf/build.real.ts` writes. */
const outputs = [
  ...objects.map(({ target }) => target), generated, embedded,
].map((name) => `bpf/${name}`);

/** Whether the other layout can be compiled here; with CI set the compiler must be there. */
export const compiles = process.env['CI'] !== undefined || existsSync('/usr/bin/clang-14');

/** Builds it beside ours, with the compiler of the committed object; `more` is copied as well. */
export function buildOtherLayout(more: readonly string[] = []): OtherLayout {
  const sources = mkdtempSync(join(tmpdir(), 'fairlead-layout-'));
  try {
    const ours = readdirSync(root).filter((name) => name.endsWith('.ts'));
    const folders = ['bpf', 'kube', 'lb', 'test/netns', 'test/tidy', ...more];
    const names = ['package.json', ...ours, ...folders];
    for (const name of names) {
      cpSync(join(root, name), join(sources, name), { recursive: true });
    }
    for (const name of ['node_modules', '.fairlead']) {
      symlinkSync(join(root, name), join(sources, name));
    }
    for (const [name, from, to] of changes) {
      if (!names.some((copied) => name.startsWith(`${copied}/`))) continue;
      const path = join(sources, name);
      const text = readFileSync(path, 'utf8');
      if (!from.test(text)) throw new Error(`${name} has nothing like ${from.source}`);
      writeFileSync(path, text.replace(from, to));
    }
    compileOnce(sources);
    return { sources, remove: () => rmSync(sources, { recursive: true, force: true }) };
  } catch (error) {
    rmSync(sources, { recursive: true, force: true });
    throw error;
  }
}

/** Compiles those sources, unless a test of this machine has compiled the same ones before. */
function compileOnce(sources: string): void {
  const hash = createHash('sha256');
  for (const name of readdirSync(join(sources, 'bpf/src')).toSorted()) {
    hash.update(`${name}\n`).update(readFileSync(join(sources, 'bpf/src', name)));
  }
  for (const name of ['build.real.ts', 'btf.ts', 'layout.ts']) {
    hash.update(readFileSync(join(sources, 'bpf', name)));
  }
  const kept = join(root, '.fairlead/otherlayout', hash.digest('hex'));
  if (!existsSync(kept)) {
    const compiler = join(sources, 'bpf/build.real.ts');
    execFileSync(process.execPath, [compiler], { stdio: ['ignore', 'ignore', 'inherit'] });
    mkdirSync(dirname(kept), { recursive: true });
    const made = mkdtempSync(`${kept}-`);
    for (const name of outputs) copyFileSync(join(sources, name), join(made, basename(name)));
    // Another process may have been quicker.
    if (existsSync(kept)) rmSync(made, { recursive: true });
    else renameSync(made, kept);
  }
  for (const name of outputs) copyFileSync(join(kept, basename(name)), join(sources, name));
}
