import type { Ip } from '../../lb/ip.ts';
import type { KernelError, Micros } from '../../lb/ports.ts';
import { putAddr, putFront } from '../layout.gen.ts';
import { wantedBits, type Address, type AddressPlace } from './addresses.ts';
import { shownKind, type Front, type FrontWrite } from './fronts.ts';
import { putText, type FrontImage } from './image.ts';
import type { Refusal } from './plan.ts';
import type { Programmed } from './programmed.ts';
import type { Stores } from './stores.ts';
import type { RowWriter } from './writer.ts';

export interface RevealContext {
  readonly stores: Stores;
  readonly writer: RowWriter;
  readonly now: Micros;
  /** Rows of an earlier process are all accounted for, so that what nobody wants may go. */
  readonly pruning: boolean;
  /** Somebody's place changed, and what is to be done for it must be thought over again. */
  readonly look: (port: Programmed) => void;
  readonly refused: (subject: Subject, refusal: Refusal) => void;
  readonly accepted: (subject: Subject) => void;
  /** Something was refused before this round: only then is it worth telling what is accepted. */
  readonly failing: boolean;
}

/** What a refusal or its end is about. */
export interface Subject {
  /** A service port's identity, or a front or address that several may share. */
  readonly name: string;
  readonly port: Programmed | undefined;
}

/**
 * Puts the wanted images of these service ports in force: claims and addresses of the old ones end.
 * Nothing is written yet. The set of each must be committed, or none be needed.
 */
export function show(ports: readonly Programmed[], { stores, look }: RevealContext): void {
  const { fronts, addresses } = stores;
  for (const port of ports) {
    const before = port.shown;
    const after = port.wanted;
    port.shown = after;
    if (after !== undefined) {
      if (after !== before) addresses.count(after, 1);
      fronts.touch(after);
    }
    if (before === undefined || before === after) continue;
    addresses.count(before, -1);
    fronts.release(port, before, { kept: [after], promoted: look });
  }
}

/**
 * Writes what differs of fronts and addresses (datapath.md 10, step 6): new fronts, then the new
 * meanings of their addresses; then, the other way round, what goes. An address that lost its front
 * while it still counted as ours would be refused for a moment, which is neither old nor new.
 * Gives the addresses whose fronts came or went.
 */
export function writeFronts(context: RevealContext): ReadonlySet<Ip> {
  const { stores, writer } = context;
  const { addresses, fronts } = stores;
  const changes = fronts.changes();
  const changed = new Set<Ip>();
  const held = new Set<string>();
  const step = {
    map: 'fl_front',
    wrote: (write: FrontWrite) => {
      noteFront(write, changed, context);
      if (context.failing) context.accepted(frontSubject(write.front));
    },
    refused: (write: FrontWrite, error: KernelError) => {
      fronts.again(write);
      held.add(write.front.image.address);
      context.refused(frontSubject(write.front, write.holder), { map: 'fl_front', error });
    },
  } as const;
  writer.update<FrontWrite>({
    ...step,
    items: changes.filter(({ holder }) => holder !== undefined),
    put: ({ front, holder }, { keys, keyAt, values, valueAt }) => {
      putText(keys, keyAt, front.image.key);
      const kind = holder === undefined ? 0 : shownKind(holder, front);
      putFront(values, valueAt, { svcId: holder?.svcId ?? 0, kind, flags: 0 });
    },
  });
  // An address whose front was refused, and a front whose address was, stay as they are too.
  const growing = addresses.growing().filter(({ key }) => !held.has(key));
  const grown = (address: Address): number => address.bits | wantedBits(address);
  for (const address of writeAddresses(growing, context, grown)) held.add(address.key);
  const shrinking = context.pruning ? addresses.shrinking() : [];
  for (const address of writeAddresses(shrinking, context, wantedBits)) held.add(address.key);
  const removals = changes.filter(({ holder }) => holder === undefined);
  const waiting = removals.filter(({ front }) => held.has(front.image.address));
  for (const write of waiting) fronts.again(write);
  writer.remove<FrontWrite>({
    ...step,
    items: removals.filter((write) => !waiting.includes(write)),
    put: ({ front }, { keys, keyAt }) => putText(keys, keyAt, front.image.key),
  });
  if (context.pruning) addresses.settle();
  return changed;
}

function frontSubject(front: Front, port?: Programmed): Subject {
  const { ip, key, port: number, proto } = front.image;
  // Each family has its NodePort: one name for both would let the one end the other's retries.
  const place = ip ?? (key.charCodeAt(10) === 0 ? 'node, IPv6,' : 'node');
  return { name: `front ${place}:${number}/${proto}`, port };
}

/** Keeps the counts of fronts by holder and by address right. */
function noteFront(write: FrontWrite, changed: Set<Ip>, context: RevealContext): void {
  const { stores, look } = context;
  const { front, holder } = write;
  const before = stores.bySvcId.get(front.svcId);
  const place = placeOf(front.image);
  if (before !== undefined) before.fronts -= 1;
  if (holder !== undefined) holder.fronts += 1;
  if (place !== undefined && (front.svcId === 0) !== (holder === undefined)) {
    const address = stores.addresses.place(place);
    address.fronts += holder === undefined ? -1 : 1;
    stores.addresses.touch(address);
    if (address.fronts === (holder === undefined ? 0 : 1)) changed.add(place.ip);
  }
  stores.fronts.wrote(write);
  if (before !== undefined && before !== holder && before.fronts === 0) look(before);
}

/** The address of a front; undefined for a NodePort. */
export function placeOf({ address, ip }: FrontImage): AddressPlace | undefined {
  return ip === undefined ? undefined : { key: address, ip };
}

/** Gives those that were refused. */
function writeAddresses(
  items: readonly Address[], context: RevealContext, bitsOf: (address: Address) => number,
): readonly Address[] {
  const { writer, stores } = context;
  const refused: Address[] = [];
  const subject = ({ ip }: Address): Subject => ({ name: `address ${ip}`, port: undefined });
  const step = {
    map: 'fl_addr',
    wrote: (address: Address) => {
      address.bits = bitsOf(address);
      if (context.failing) context.accepted(subject(address));
    },
    refused: (address: Address, error: KernelError) => {
      stores.addresses.touch(address);
      refused.push(address);
      context.refused(subject(address), { map: 'fl_addr', error });
    },
  } as const;
  writer.update<Address>({
    ...step,
    items: items.filter((address) => bitsOf(address) !== 0),
    put: (address, { keys, keyAt, values, valueAt }) => {
      putText(keys, keyAt, address.key);
      putAddr(values, valueAt, { bits: bitsOf(address) });
    },
  });
  writer.remove<Address>({
    ...step,
    items: items.filter((address) => bitsOf(address) === 0),
    put: (address, { keys, keyAt }) => putText(keys, keyAt, address.key),
  });
  return refused;
}

/** Puts service ports that nobody needs, and that have no front any more, into quarantine. */
export function retireUnneeded(ports: Iterable<Programmed>, { stores, now }: RevealContext): void {
  for (const port of ports) {
    if (stores.fronts.needs(port) || port.fronts > 0) continue;
    // Without a record, rows may be left of a commit that failed and could not be taken back.
    const left = port.live || port.members.length > 0;
    if (left && port.retiredAt === undefined) stores.retirePort(port, now);
  }
}
