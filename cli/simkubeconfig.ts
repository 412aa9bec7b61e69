import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { usageError } from './exit.ts';

const name = 'fairlead-sim';
const firstLine = '# Written by fairlead sim up; it is replaced at the next start.\n';

/** A kubeconfig on the disk. */
export interface WrittenKubeconfig {
  /** Absolute. */
  readonly path: string;
  /** Takes away what nobody asked to keep. */
  remove(): void;
}

/**
 * Writes the kubeconfig of a simulated cluster: to `wanted`, which stays, or to a folder of its own
 * that goes at the end. A file that somebody else wrote is never replaced.
 */
export function writeKubeconfig(url: string, wanted: string | undefined): WrittenKubeconfig {
  const text = firstLine + stringify(kubeconfigOf(url));
  if (wanted !== undefined) {
    const path = resolve(wanted);
    if (existsSync(path) && !readFileSync(path, 'utf8').startsWith(firstLine)) {
      throw usageError(`${wanted} is there already and not from sim up; name another file`);
    }
    writeFileSync(path, text, { mode: 0o600 });
    return { path, remove: () => undefined };
  }
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-sim-'));
  const path = join(folder, 'kubeconfig');
  writeFileSync(path, text, { mode: 0o600 });
  return { path, remove: () => { rmSync(folder, { recursive: true, force: true }); } };
}

// Some client libraries refuse cleartext unless they are told not to verify (simulator.md 6.4, 5).
function kubeconfigOf(server: string): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    contexts: [{ name, context: { cluster: name, user: 'kubernetes-admin' } }],
    clusters: [{ name, cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'kubernetes-admin', user: { token: 'user:kubernetes-admin' } }],
  };
}
