import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../lb/result.ts';
import { KernelMap, mapFacts, type MapFacts } from './kernelmap.real.ts';
import {
  pinKind, type Addon, type MapDeclaration, type MapHandle, type ObjectHandle,
  type ProgramDeclaration, type ProgramHandle,
} from './native.real.ts';
import { isRefused, refusal, type Refusal } from './refusal.real.ts';

/** What to load, and over which maps. */
export interface ObjectOrder {
  /** The ELF file. */
  readonly file: Uint8Array;
  /** Bytes of `.rodata` variables by name; the others keep what the file says. */
  readonly constants?: ReadonlyMap<string, Uint8Array>;
  /** Entries of maps by name, where the file's figure is not the wanted one. */
  readonly entriesMax?: ReadonlyMap<string, number>;
  /** Maps to use in place of new ones, by name. They stay the caller's. */
  readonly maps?: ReadonlyMap<string, MapHandle>;
  /** Programs to leave out, because this kernel lacks something that they need. */
  readonly without?: ReadonlySet<string>;
  /** A folder of bpffs: maps that are pinned there are used, the others are created and pinned. */
  readonly pins?: string;
}

/** Maps and programs of a loaded object; each lives until it is closed or, pinned, for longer. */
export interface LoadedObject {
  readonly maps: ReadonlyMap<string, KernelMap>;
  readonly programs: ReadonlyMap<string, ProgramHandle>;
  /** Of the programs that were loaded. */
  readonly declarations: readonly ProgramDeclaration[];
  close(): void;
}

/**
 * Loads an object: maps first, so that programs are verified over the maps that they will use.
 * Refuses with the verifier's words in `log`, and with EINVAL for a variable or map that the file
 * has not, or a pinned map of another shape. What was created until then is released.
 */
export function loadObject(addon: Addon, order: ObjectOrder): Result<LoadedObject, Refusal> {
  addon.takeLog();
  const object = addon.objectOpen(order.file);
  if (isRefused(object)) return err(refusal('open the object file', object, addon.takeLog()));
  try {
    return new Loading(addon, object as ObjectHandle, order).load();
  } finally {
    addon.close(object as ObjectHandle);
  }
}

/** A refusal on its way out of the straight line below. */
class Refused extends Error {
  readonly refusal: Refusal;

  constructor(reason: Refusal) {
    super(reason.operation);
    this.refusal = reason;
  }
}

class Loading {
  #addon: Addon;
  #object: ObjectHandle;
  #order: ObjectOrder;
  #opened: { readonly handle: MapHandle | ProgramHandle }[] = [];

  constructor(addon: Addon, object: ObjectHandle, order: ObjectOrder) {
    this.#addon = addon;
    this.#object = object;
    this.#order = order;
  }

  load(): Result<LoadedObject, Refusal> {
    try {
      this.#setConstants();
      this.#setEntries();
      const all = this.#addon.objectMaps(this.#object);
      const declared = all.filter(({ internal }) => internal === 0);
      this.#useMaps(declared);
      for (const name of this.#order.without ?? []) {
        this.#check(`leave out ${name}`, this.#addon.objectAutoload(this.#object, name, false));
      }
      this.#check('load the object', this.#addon.objectLoad(this.#object));
      return ok(this.#result(declared));
    } catch (error) {
      for (const { handle } of this.#opened) this.#addon.close(handle);
      if (error instanceof Refused) return err(error.refusal);
      throw error;
    }
  }

  #check<T>(operation: string, value: T | number): T {
    if (isRefused(value)) throw new Refused(refusal(operation, value, this.#addon.takeLog()));
    return value as T;
  }

  #setConstants(): void {
    const { constants } = this.#order;
    if (constants === undefined || constants.size === 0) return;
    const places = this.#addon.objectVariables(this.#object);
    const initial = this.#check<Uint8Array>(
      'read .rodata', this.#addon.objectInitial(this.#object, '.rodata'),
    );
    for (const [name, bytes] of constants) {
      const place = places.find((one) => one.name === name && one.section === '.rodata');
      if (place?.size !== bytes.length) this.#check(`set constant ${name}`, -invalid);
      else initial.set(bytes, place.offset);
    }
    this.#check(
      'set .rodata', this.#addon.objectSetInitial(this.#object, '.rodata', initial),
    );
  }

  #setEntries(): void {
    for (const [name, entriesMax] of this.#order.entriesMax ?? []) {
      this.#check(
        `set the size of ${name}`, this.#addon.objectSetEntries(this.#object, name, entriesMax),
      );
    }
  }

  #useMaps(declared: readonly MapDeclaration[]): void {
    for (const declaration of declared) {
      const { name } = declaration;
      const handle = this.#order.maps?.get(name) ?? this.#pinned(name);
      if (handle === undefined) continue;
      const facts = mapFacts(this.#addon, handle);
      // libbpf compares some of it and calls the rest compatible.
      if (!sameShape(facts, declaration)) this.#check(`reuse ${name}`, -invalid);
      this.#check(`reuse ${name}`, this.#addon.objectReuse(this.#object, name, handle));
    }
  }

  #pinned(name: string): MapHandle | undefined {
    const path = this.#pinPath(name);
    if (path === undefined || !existsSync(path)) return undefined;
    const handle = this.#check<MapHandle>(
      `open ${name}`, this.#addon.openPinned(pinKind.map, path),
    );
    this.#opened.push({ handle });
    return handle;
  }

  #take(name: string): MapHandle {
    const handle = this.#check<MapHandle>(
      `take ${name}`, this.#addon.objectMap(this.#object, name),
    );
    this.#opened.push({ handle });
    return handle;
  }

  #pinPath(name: string): string | undefined {
    return this.#order.pins === undefined ? undefined : join(this.#order.pins, name);
  }

  #result(declared: readonly MapDeclaration[]): LoadedObject {
    const addon = this.#addon;
    const maps = new Map<string, KernelMap>();
    for (const { name } of declared) {
      // libbpf gives a map that it was told to reuse the name that the kernel has for it.
      const handle = this.#order.maps?.get(name) ?? this.#take(name);
      maps.set(name, new KernelMap(addon, handle));
      const path = this.#pinPath(name);
      if (path !== undefined && !existsSync(path)) {
        this.#check(`pin ${name}`, addon.pin(handle, pinKind.map, path));
      }
    }
    const programs = new Map<string, ProgramHandle>();
    const declarations = addon.objectPrograms(this.#object)
      .filter(({ name }) => this.#order.without?.has(name) !== true);
    for (const { name } of declarations) {
      const handle = this.#check<ProgramHandle>(
        `take ${name}`, addon.objectProgram(this.#object, name),
      );
      this.#opened.push({ handle });
      programs.set(name, handle);
    }
    const opened = this.#opened;
    const close = (): void => opened.forEach(({ handle }) => addon.close(handle));
    return { maps, programs, declarations, close };
  }
}

const invalid = 22;

function sameShape(facts: MapFacts, declaration: MapDeclaration): boolean {
  return facts.type === declaration.type && facts.keySize === declaration.keySize
    && facts.valueSize === declaration.valueSize && facts.flags === declaration.flags
    && facts.entriesMax === declaration.entriesMax;
}
