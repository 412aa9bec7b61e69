import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';

/** One command of a transcript with what it shall print. */
export interface Exchange {
  /** As it stands after the prompt; more lines of a here-document included. */
  readonly command: string;
  readonly output: string;
}

const limit = /^(\$? ?)\[(\d+)?-(\d+)?\] /u;

/** The line without its limit, or undefined when it is not for this minor version. */
function forMinor(line: string, minor: number): string | undefined {
  const [whole, start = '', from = '0', to = '999'] = limit.exec(line) ?? [];
  if (whole === undefined) return line;
  const within = minor >= Number(from) && minor <= Number(to);
  return within ? start + line.slice(whole.length) : undefined;
}

/**
 * Splits a transcript as it reads for one minor version of kubectl: `$ ` begins a command, `> `
 * continues it, all else is output. A line that begins with `[31-] ` is for 1.31 and later only.
 */
export function parseTranscript(text: string, minor: number): Exchange[] {
  const exchanges: { command: string; output: string }[] = [];
  let skips = false;
  for (const each of text.split('\n')) {
    const last = exchanges.at(-1);
    const line = forMinor(each, minor);
    if (each.startsWith('$ ')) skips = line === undefined;
    if (skips || line === undefined) continue;
    if (line.startsWith('$ ')) exchanges.push({ command: line.slice(2), output: '' });
    else if (last === undefined || line.startsWith('#')) continue;
    else if (line.startsWith('> ')) last.command += `\n${line.slice(2)}`;
    else last.output += `${line}\n`;
  }
  return exchanges.map(({ command, output }) => ({ command, output: output.trimEnd() }));
}

/**
 * The transcript with the outputs that differ written anew; `exchanges` are those of one version,
 * and what was said for other versions of a command that differs is lost.
 */
export function rewritten(
  text: string, exchanges: readonly Exchange[], outputs: readonly string[],
): string {
  let result = text;
  for (const [index, { command, output }] of exchanges.entries()) {
    const heard = outputs[index] ?? '';
    if (heard === normalised(output)) continue;
    const prompt = `$ ${command.replaceAll('\n', '\n> ')}\n`;
    const start = result.indexOf(prompt) + prompt.length;
    const rest = result.slice(start);
    const [old = ''] = /^(?:(?![$#]).*\n)*/u.exec(rest) ?? [];
    const gap = old.endsWith('\n\n') || old === '\n' ? '\n' : '';
    const fresh = heard === '' ? gap : `${heard}\n${gap}`;
    result = result.slice(0, start) + fresh + rest.slice(old.length);
  }
  return result;
}

/** Runs commands in a folder of its own with one kubectl. */
export class Shell {
  readonly #folder = mkdtempSync(join(tmpdir(), 'fairlead-transcript-'));
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #kubectl: string;

  constructor(kubectl: string, kubeconfig: string) {
    this.#kubectl = kubectl;
    const home = this.#folder;
    this.#env = { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfig, KUBECTL: kubectl };
  }

  /** Standard output and errors of `command` as they came, and the exit code where it is not 0. */
  run(command: string): Promise<string> {
    const script = `kubectl() { "$KUBECTL" "$@"; }\n{ ${command}\n} 2>&1`;
    return new Promise((resolve) => {
      const options = { cwd: this.#folder, env: this.#env, timeout: 30_000 };
      execFile('/bin/bash', ['-c', script], options, (error, output) => {
        const code = error === null ? '' : `(exit ${error.signal ?? error.code})`;
        resolve(`${output}${code}`.trimEnd());
      });
    });
  }

  get kubectl(): string {
    return basename(this.#kubectl);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Every kubectl in reach: those on the path, and versions that lie beside them. */
export function kubectls(): string[] {
  const found = (process.env['PATH'] ?? '').split(delimiter).flatMap((folder) => {
    try {
      return [realpathSync(join(folder, 'kubectl'))];
    } catch {
      // Not in this folder.
      return [];
    }
  });
  const beside = found.flatMap((path) => readdirSync(dirname(path))
    .filter((name) => /^kubectl[.-]v?1\.\d+$/u.test(name))
    .map((name) => join(dirname(path), name)));
  return [...new Set([...found, ...beside])];
}

/** The minor version of a kubectl: `1.32`. */
export function versionOf(kubectl: string): string {
  const text = execFileSync(kubectl, ['version', '--client', '--output=json'], {
    encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
  });
  return /"gitVersion": "v(1\.\d+)/u.exec(text)?.[1] ?? '1.32';
}

/** What differs from run to run, by words in its place; columns are told apart by three spaces. */
export function normalised(text: string): string {
  return text
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/gu, '<uid>')
    .replaceAll(/\bv1\.\d\d\.0\b/gu, '<release>')
    .replaceAll(/(?<=\b(?:jellyfin|traefik|web)-)[0-9a-z]{6,10}\b/gu, '<hash>')
    .replaceAll(/(?<=-)[bcdfghjklmnpqrstvwxz2456789]{5}\b(?![-\w])/gu, '<id>')
    .replaceAll(/\b\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000/gu, '<time>')
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:]{8}(?:\.\d+)?Z/gu, '<time>')
    .replaceAll(/\bresourceVersion: "\d+"/gu, 'resourceVersion: <version>')
    .replaceAll(/\b10\.96\.\d+\.\d+\b/gu, '<clusterIP>')
    .replaceAll(/(?<=:|\s)3[0-2]\d{3}(?=\/)/gu, '<nodePort>')
    .replaceAll(/(?<=^|\s)\d+(?:s|m|m\d+s)(?= ago|\s|$)/gmu, '<age>')
    .replaceAll(/(?<=, )\d+ ms(?=\))/gu, '<ms>')
    .replaceAll(/-{3,}/gu, '---')
    .replaceAll(/(?<=\S) {2,}/gu, '   ')
    .replaceAll(/[ \t]+$/gmu, '')
    .replaceAll(/\n{3,}/gu, '\n\n')
    .trimEnd();
}
