import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..', '..');

/** A `sim up` in a process of its own. */
export interface Up {
  readonly kubeconfig: string;
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts `fairlead sim up` as a user does, and returns when it has said where it listens. */
export async function startUp(...flags: readonly string[]): Promise<Up> {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
  const kubeconfig = join(folder, 'kubeconfig');
  const words = [join(root, 'cli/main.ts'), 'sim', 'up', '--kubeconfig', kubeconfig, ...flags];
  const child = spawn(process.execPath, words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const url = await urlOf(child);
  return {
    kubeconfig,
    url,
    stop: async () => {
      child.kill('SIGTERM');
      await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function urlOf(child: ChildProcess): Promise<string> {
  let said = '';
  for await (const piece of child.stderr ?? []) {
    said += String(piece);
    const [, url] = / at (http:\/\/\S+)\n/u.exec(said) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error(`sim up ended: ${said}`);
}
