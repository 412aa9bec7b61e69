import { createRequire } from 'node:module';
import { err, ok, type Result } from '../lb/result.ts';
import { buildAddon, type AddonError } from './addon/build.real.ts';

/** A thing of the kernel that the addon owns; it is closed by `close`, or when nobody has it. */
export interface Handle<Kind extends string> {
  readonly __handle: Kind;
}
export type ObjectHandle = Handle<'object'>;
export type MapHandle = Handle<'map'>;
export type ProgramHandle = Handle<'program'>;
export type LinkHandle = Handle<'link'>;
export type RingHandle = Handle<'ring'>;
export type SocketHandle = Handle<'socket'>;
export type LockHandle = Handle<'lock'>;
export type AnyHandle =
  | ObjectHandle | MapHandle | ProgramHandle | LinkHandle | RingHandle | SocketHandle | LockHandle;

/** 0 or more on success, else a negative errno. */
export type Code = number;

/** A map as an object file declares it. */
export interface MapDeclaration {
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly entriesMax: number;
  readonly flags: number;
  /** 1 for a section of variables. */
  readonly internal: number;
}

/** An entry program of an object file. */
export interface ProgramDeclaration {
  readonly name: string;
  readonly section: string;
  readonly type: number;
  readonly attachType: number;
}

/** Where a global variable lies in its section. */
export interface VariablePlace {
  readonly name: string;
  readonly section: string;
  readonly offset: number;
  readonly size: number;
}

type Numbers = readonly number[];

/**
 * The functions of `bpf/addon/*.c`, whose comments say what each does. They never throw: a wrong
 * argument is -EINVAL, a closed handle -EBADF. Sizes are checked against the map's.
 */
export interface Addon {
  close(handle: AnyHandle): Code;
  watch(handle: AnyHandle, readable: () => void): Code;
  unwatch(handle: AnyHandle): Code;

  takeLog(): string;
  objectOpen(file: Uint8Array): ObjectHandle | Code;
  objectMaps(object: ObjectHandle): readonly MapDeclaration[];
  objectPrograms(object: ObjectHandle): readonly ProgramDeclaration[];
  objectVariables(object: ObjectHandle): readonly VariablePlace[];
  objectInitial(object: ObjectHandle, map: string): Uint8Array | Code;
  objectSetInitial(object: ObjectHandle, map: string, bytes: Uint8Array): Code;
  objectSetEntries(object: ObjectHandle, map: string, entriesMax: number): Code;
  objectReuse(object: ObjectHandle, name: string, map: MapHandle): Code;
  objectAutoload(object: ObjectHandle, program: string, wanted: boolean): Code;
  objectLoad(object: ObjectHandle): Code;
  objectMap(object: ObjectHandle, name: string): MapHandle | Code;
  objectProgram(object: ObjectHandle, name: string): ProgramHandle | Code;

  mapCreate(type: number, name: string, ...sizes: Numbers): MapHandle | Code;
  mapFacts(map: MapHandle): Numbers | Code;
  mapTypes(map: MapHandle): Numbers | Code;
  btfBytes(id: number): Uint8Array | Code;
  mapUpdate(map: MapHandle, key: Uint8Array, value: Uint8Array, flags: number): Code;
  mapDelete(map: MapHandle, key: Uint8Array): Code;
  mapLookup(map: MapHandle, key: Uint8Array, value: Uint8Array): Code;
  mapNext(map: MapHandle, key: Uint8Array | undefined, next: Uint8Array): Code;
  mapCells(map: MapHandle): ArrayBuffer | Code;
  mapUpdateBatch(
    map: MapHandle, keys: Uint8Array, values: Uint8Array, ...countFlags: Numbers
  ): readonly [done: number, error: Code];
  mapDeleteBatch(
    map: MapHandle, keys: Uint8Array, count: number,
  ): readonly [done: number, error: Code];
  mapLookupEach(
    map: MapHandle, keys: Uint8Array, values: Uint8Array, present: Uint8Array, count: number,
  ): Code;
  mapReadBatch(
    map: MapHandle, first: boolean, cursor: Uint8Array, keys: Uint8Array, values: Uint8Array,
    count: number,
  ): readonly [count: number, more: Code];
  mapSum(map: MapHandle, values: Uint8Array, sums: Uint8Array, count: number): Code;

  programLoad(type: number, attachType: number, code: Uint8Array): ProgramHandle | Code;
  programFacts(program: ProgramHandle): Numbers | Code;
  programNames(id: number): string | Code;
  programRun(
    program: ProgramHandle, packet: Uint8Array | undefined, packetOut: Uint8Array | undefined,
    context: Uint8Array | undefined, contextOut: Uint8Array | undefined, repeat: number,
  ): Numbers | Code;
  pin(handle: MapHandle | ProgramHandle | LinkHandle, kind: number, path: string): Code;
  openPinned(kind: 2, path: string): MapHandle | Code;
  openPinned(kind: 3, path: string): ProgramHandle | Code;
  openPinned(kind: 4, path: string): LinkHandle | Code;

  linkCreate(
    program: ProgramHandle, target: number | string, ...attachTypeFlagsRelative: Numbers
  ): LinkHandle | Code;
  linkUpdate(link: LinkHandle, program: ProgramHandle): Code;
  linkDetach(link: LinkHandle): Code;
  linkFacts(link: LinkHandle): Numbers | Code;
  hookPrograms(target: number | string, attachType: number): Numbers | Code;
  filterQuery(...ifindexDirectionPriorityHandle: Numbers): Code;
  filterAttach(program: ProgramHandle, ...placeAndExpectedId: Numbers): Code;
  filterDetach(...placeAndExpectedId: Numbers): Code;

  ringOpen(map: MapHandle): RingHandle | Code;
  ringRead(ring: RingHandle, out: Uint8Array): Numbers | Code;

  netnsCall<T>(path: string, body: () => T): T | Code;
  netnsCookie(): bigint | Code;
  bootNs(): bigint;

  packetOpen(ifindex: number, mark: number, filter: Uint8Array): SocketHandle | Code;
  netlinkOpen(groups: number): SocketHandle | Code;
  socketSend(socket: SocketHandle, bytes: Uint8Array): Code;
  socketRead(socket: SocketHandle, out: Uint8Array): Numbers | Code;

  lockTake(name: string): LockHandle | Code;
  lockWait(name: string): LockHandle | Code;
  fileLock(path: string): LockHandle | Code;
}

/** Kinds of pins, as the addon numbers them (enum handle_kind). */
export const pinKind = { map: 2, program: 3, link: 4 } as const;

/** The addon, built first when its sources changed. Needs no privileges itself. */
export function loadAddon(): Result<Addon, AddonError> {
  const built = buildAddon();
  if (!built.ok) return built;
  try {
    return ok(createRequire(import.meta.url)(built.value) as Addon);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const text = `the addon does not load: ${why}; the Debian package libbpf1 gives libbpf`;
    return err({ kind: 'load', text });
  }
}
