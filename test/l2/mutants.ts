import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LeaseReader } from '../../l2/leasereader.ts';
import type { AnnouncerFactory } from './harness.ts';

/** One textual change of one file; `from` must stand in it exactly once. */
export interface Patch {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly name: string;
  /** A seed that found it once: where the search begins. */
  readonly seed: number;
  readonly patches: readonly Patch[];
}

/** The mutants that l2.md 5.7 names, as edits of the product's text: no switch exists in it. */
export const mutants: readonly Mutant[] = [
  { name: 'the fence counts from the receipt of a renewal', seed: 39, patches: [
    { file: 'renewal.ts', from: 'const fence = sent + this.duration;', to: 'const fence = boot + this.duration;' },
  ] },
  { name: 'a renewal counts when it is acknowledged', seed: 21, patches: [
    { file: 'session.ts', from: 'this.#renewal.acknowledge(seq, resourceVersion, this.#ports.clock.boot());',
      to: 'if (this.#renewal.deliver(seq, resourceVersion, this.#ports.clock.boot()) && this.open) this.#hooks.extended(this.#renewal.fence ?? 0);' },
  ] },
  { name: 'the wait is 0.9 D', seed: 1, patches: [
    { file: 'settings.ts', from: 'return Math.ceil((duration * 101) / 100) + 10 * ms;', to: 'return Math.ceil((duration * 9) / 10);' },
  ] },
  { name: 'a lock of a silent session is taken without closing it', seed: 50, patches: [
    { file: 'watchers.ts', from: '    store.close(seen, session.identity, (result) => {\n',
      to: '    view.pretendClosed(name);\n    if (seen.open) return;\n    store.close(seen, session.identity, (result) => {\n' },
    { file: 'view.ts', from: '  /** Names of the locks that a valid take gives to `identity`. */',
      to: '  pretendClosed(name: string): void {\n    const seen = this.sessions.get(name);\n    const closed = { ...seen, open: false, closed: true };\n    this.sessions.set(name, closed);\n    this.#byIdentity.set(seen.identity, closed);\n    this.#listener.sessionChanged(name);\n  }\n' },
  ] },
  { name: 'the stamp is ignored', seed: 36, patches: [
    { file: 'lock.ts', from: 'function stampAgrees(lease: Lease, stamp: Stamp | \'unknown\' | undefined): boolean {',
      to: 'function stampAgrees(_lease: Lease, _stamp: unknown): boolean { return true; }\nexport function unusedAgrees(lease: Lease, stamp: Stamp | \'unknown\' | undefined): boolean {' },
    { file: 'lock.ts', from: "owner: taken ? stamp.identity : undefined,",
      to: "owner: lease.holderIdentity === '' ? undefined : lease.holderIdentity," },
  ] },
  { name: 'a missing session counts as closed', seed: 162, patches: [
    { file: 'takeable.ts', from: '  if (session === undefined) {', to: "  if (session === undefined) return { kind: 'takeable', rule: 'T2' };\n  if (session === undefined) {" },
  ] },
  { name: 'T5 does not wait', seed: 73, patches: [
    { file: 'takeable.ts', from: "return waiting('T5', lock.missingSince + waitOf(view, lock, by), by.now);", to: "return { kind: 'takeable', rule: 'T5' };" },
  ] },
  { name: 'a key is used after its release was sent', seed: 77, patches: [
    { file: 'takeable.ts', from: "return by.releasedEpoch >= epoch ? { kind: 'takeable', rule: 'T7' } : { kind: 'own' };", to: "return { kind: 'own' };" },
    { file: 'ownership.ts', from: 'return lock.reading.epoch > (this.#parts.duties().releasedEpochs.get(ip) ?? -1);', to: 'return true;' },
    { file: 'address-machine.ts', from: "          guard: ({ event }) => event.result !== 'ok',\n          actions: { type: 'arm', params: { timer: 'settle', delay: 200 * ms } },",
      to: "          guard: ({ event }) => event.result !== 'ok',\n          target: 'standby', actions: [disarm, { type: 'review' }]," },
  ] },
  { name: 'the release goes out before the keys are deleted', seed: 1, patches: [
    { file: 'duties.ts', from: 'return keys.remove(address.ip) ? undefined : keys.lastExpiry(address.ip);', to: 'return keys.has(address.ip) ? undefined : undefined;' },
    { file: 'duties.ts', from: 'if (!keys.remove(ip) && clock.boot() < keys.lastExpiry(ip)) {', to: 'if (clock.boot() < 0) {' },
    { file: 'duties.ts', from: '  released(address: Address): void {\n',
      to: '  released(address: Address): void {\n    this.#parts.keys.remove(address.ip);\n' },
  ] },
];

/** Loads the announcer of a patched copy of `l2/`; everything else is the product's own. */
export async function loadMutant(
  mutant: Mutant,
): Promise<{ factory: AnnouncerFactory; remove: () => void }> {
  const root = mkdtempSync(join(tmpdir(), 'fairlead-mutant-'));
  const home = resolve(import.meta.dirname, '../..');
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  for (const shared of ['lb', 'kube', 'node_modules']) {
    symlinkSync(join(home, shared), join(root, shared));
  }
  cpSync(join(home, 'l2'), join(root, 'l2'), { recursive: true });
  for (const { file, from, to } of mutant.patches) {
    const path = join(root, 'l2', file);
    const text = readFileSync(path, 'utf8');
    if (text.split(from).length !== 2) throw new Error(`'${from}' stands once in l2/${file}`);
    writeFileSync(path, text.replace(from, () => to));
  }
  const load = (file: string): Promise<unknown> => import(
    pathToFileURL(join(root, 'l2', file)).href
  );
  const { createAnnouncer } = await load('announcer.ts') as { createAnnouncer: AnnouncerFactory };
  const { createLeaseReader } = await load('leasereader.ts') as {
    createLeaseReader: (decode: LeaseReader['lease']) => LeaseReader;
  };
  const factory: AnnouncerFactory = (ports, tables, settings) => createAnnouncer(
    { ...ports, leases: createLeaseReader((object) => ports.leases.lease(object)) }, tables, settings,
  );
  return { factory, remove: () => rmSync(root, { recursive: true }) };
}
