import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Reader } from '../kube/reader.ts';
import type { Fault } from '../lb/model.ts';
import { CommandEnd, exitCodes } from './exit.ts';
import { faultText } from './finding.ts';

/** One named part of a kubeconfig. */
export interface ConfigEntry {
  readonly name: string;
  /** The file that it stands in; its relative paths start there. */
  readonly file: string;
  /** `users[0].user`. */
  readonly body: Reader;
  /** Everything that was found wrong in the file so far. */
  readonly faults: readonly Fault[];
}

/** The cluster cannot be reached because of what a file says; exit 3. */
export function unusable(sentence: string): CommandEnd {
  return new CommandEnd(exitCodes.unreachable, sentence);
}

/** Ends the command with the first thing that is wrong in the entry's file. */
export function refuseFaults({ file, faults }: ConfigEntry): void {
  const [first] = faults;
  if (first !== undefined) throw unusable(`${file}: ${faultText(first)}`);
}

/** A text that the entry has to have. */
export function textIn(entry: ConfigEntry, key: string): string {
  const text = entry.body.text(key);
  if (text === undefined || text === '') entry.body.refuse(key, 'expected text, got nothing');
  refuseFaults(entry);
  return text ?? '';
}

/** What stands in `KEY-data` as base64, or else in the file that `KEY` names; it is PEM. */
export function pemIn(entry: ConfigEntry, key: string): string | undefined {
  const encoded = entry.body.text(`${key}-data`);
  if (encoded !== undefined && encoded !== '') {
    const text = Buffer.from(encoded, 'base64').toString('utf8');
    if (!text.includes('-----BEGIN ')) {
      entry.body.refuse(`${key}-data`, 'expected PEM in base64');
      refuseFaults(entry);
    }
    return text;
  }
  const path = pathIn(entry, key);
  return path === undefined ? undefined : readNamed(entry, key, path);
}

/** A path that the entry may have, absolute. */
export function pathIn({ body, file }: ConfigEntry, key: string): string | undefined {
  const path = body.text(key);
  return path === undefined || path === '' ? undefined : resolve(dirname(file), path);
}

function readNamed(entry: ConfigEntry, key: string, path: string): string {
  const text = readText(path);
  if (text.ok) return text.text;
  entry.body.refuse(key, text.why);
  refuseFaults(entry);
  return '';
}

/** A file as text, or the sentence of why not. */
export function readText(
  path: string,
): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly why: string } {
  try {
    return { ok: true, text: readFileSync(path, 'utf8') };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { ok: false, why: code === 'ENOENT' ? `${path} does not exist` : `${path}: ${code}` };
  }
}
