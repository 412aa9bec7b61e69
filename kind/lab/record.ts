import {
  appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** A thing of the machine that a lab made, or was about to make. */
export type Made =
  | { readonly kind: 'namespace'; readonly name: string }
  | { readonly kind: 'cgroup'; readonly path: string };

const root = join(import.meta.dirname, '..', '..');

/** Folder of all labs of this clone. */
export const labsFolder = join(root, '.fairlead', 'lab');

/**
 * What one lab has on this machine. Everything is written down before it is made, so that whatever
 * dies at any moment leaves nothing that `lab down` does not know of.
 */
export class LabRecord {
  readonly name: string;
  readonly folder: string;

  constructor(name: string) {
    this.name = name;
    this.folder = join(labsFolder, name);
  }

  get present(): boolean {
    return existsSync(this.#file);
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  /** Begins a lab; nothing has been made yet. */
  begin(): void {
    mkdirSync(this.path('logs'), { recursive: true });
    writeFileSync(this.#file, '');
  }

  /** Call it before the thing is made. */
  add(made: Made): void {
    appendFileSync(this.#file, `${JSON.stringify(made)}\n`);
  }

  /** In the order of making. A line that a dying process left half written was not made. */
  made(): readonly Made[] {
    if (!this.present) return [];
    return readFileSync(this.#file, 'utf8').split('\n').flatMap((line): Made[] => {
      if (!line.endsWith('}')) return [];
      return [JSON.parse(line) as Made];
    });
  }

  /** The last step of taking a lab down. */
  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #file(): string {
    return this.path('record.jsonl');
  }
}
