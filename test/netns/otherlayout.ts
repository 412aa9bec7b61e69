import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../tidy/sources.ts';

/** A version of the datapath whose tables are laid out otherwise. */
export interface OtherLayout {
  /** Where its sources are. */
  readonly sources: string;
  remove(): void;
}

// Fields change their places, one grows, and rows of all that is carried over get longer.
const changes: readonly (readonly [file: string, from: RegExp, to: string])[] = [
  ['flow.h', /struct fl_flow \{\n/u, 'struct fl_flow {\n\t__u32 state;\n\t__u32 pad[3];\n'],
  ['flow.h', /\t__u32 closed_s;\n\t__u32 state;\n/u, '\t__u64 closed_s;\n'],
  ['flow.h', /struct fl_aff \{\n\t__u64 last_ns;/u, 'struct fl_aff {\n\t__u32 pad2[4];\n\t__u64 last_ns;'],
  ['flow.h', /struct fl_sk \{\n/u, 'struct fl_sk {\n\t__u32 pad2[4];\n'],
  ['flow.h', /(struct fl_l2 \{\n)(\t__u64 expiry_ns;.*\n)(.*\n\t__u16 pad;\n)/u, '$1$3$2'],
  ['lb.h', /(struct fl_backend \{\n)/u, '$1\t__u32 pad2[4];\n'],
  ['lb.h', /(struct fl_front \{\n)/u, '$1\t__u32 pad2[2];\n'],
  ['lb.h', /(struct fl_member \{\n)/u, '$1\t__u32 pad;\n'],
];

/** Builds it beside ours, with the compiler of the committed object; `more` is copied as well. */
export function buildOtherLayout(more: readonly string[] = []): OtherLayout {
  const sources = mkdtempSync(join(tmpdir(), 'fairlead-layout-'));
  try {
    const names = ['bpf', 'kube', 'lb', 'package.json', 'test/netns', 'test/tidy', ...more];
    for (const name of names) {
      cpSync(join(root, name), join(sources, name), { recursive: true });
    }
    for (const name of ['node_modules', '.fairlead']) {
      symlinkSync(join(root, name), join(sources, name));
    }
    for (const [name, from, to] of changes) {
      const path = join(sources, 'bpf/src', name);
      const text = readFileSync(path, 'utf8');
      if (!from.test(text)) throw new Error(`${name} has nothing like ${from.source}`);
      writeFileSync(path, text.replace(from, to));
    }
    execFileSync(process.execPath, [join(sources, 'bpf/build.real.ts')], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return { sources, remove: () => rmSync(sources, { recursive: true, force: true }) };
  } catch (error) {
    rmSync(sources, { recursive: true, force: true });
    throw error;
  }
}
