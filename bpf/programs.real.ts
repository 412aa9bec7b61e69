import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ok, type Result } from '../lb/result.ts';
import { encodeOptions, type Options } from './layout.gen.ts';
import type { Addon, MapHandle } from './native.real.ts';
import { loadObject, type LoadedObject } from './object.real.ts';
import type { Refusal } from './refusal.real.ts';

export interface ProgramsOrder {
  /** The ELF file. */
  readonly file: Uint8Array;
  /** Folder of bpffs for maps and links of this node and layout. */
  readonly folder: string;
  readonly options: Options;
  /** Entries of maps by name, where the file's figures are not the wanted ones. */
  readonly entriesMax: ReadonlyMap<string, number>;
}

/** The programs of a node over its pinned maps, in both variants. */
export interface NodePrograms {
  readonly object: LoadedObject;
  /** Folder of pinned links. */
  readonly links: string;
  /** For devices without Ethernet header: loaded when asked for, undefined when that is refused. */
  bare(): LoadedObject | undefined;
  close(): void;
}

/** Loads the programs over the maps that are pinned; maps that are not are made and pinned. */
export function loadPrograms(
  addon: Addon, { file, folder, options, entriesMax }: ProgramsOrder,
): Result<NodePrograms, Refusal> {
  const links = join(folder, linksFolder);
  mkdirSync(links, { recursive: true, mode: 0o700 });
  const loaded = loadObject(addon, {
    file, pins: folder, entriesMax, constants: constantsOf(options),
  });
  if (!loaded.ok) return loaded;
  const object = loaded.value;
  let bare: LoadedObject | undefined;
  return ok({
    object, links,
    bare: () => {
      bare ??= loadBare(addon, object, { file, options });
      return bare;
    },
    close: () => {
      object.close();
      bare?.close();
    },
  });
}

/** Folder of pinned links, below that of the maps. */
export const linksFolder = 'links';

function loadBare(
  addon: Addon, object: LoadedObject, { file, options }: Pick<ProgramsOrder, 'file' | 'options'>,
): LoadedObject | undefined {
  const maps = new Map<string, MapHandle>(
    [...object.maps].map(([name, map]) => [name, map.handle]),
  );
  const loaded = loadObject(addon, {
    file, maps, constants: constantsOf({ ...options, ethernet: 0 }),
  });
  return loaded.ok ? loaded.value : undefined;
}

function constantsOf(options: Options): ReadonlyMap<string, Uint8Array> {
  return new Map([['fl_options', encodeOptions(options)]]);
}
