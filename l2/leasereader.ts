import type { KubeObject } from '../kube/port.ts';
import type { Ip } from '../lb/ip.ts';
import type { Lease } from '../lb/model.ts';
import { lockAddress, lockName } from './lease.ts';
import { readLock, type LockReading } from './lock.ts';
import { rawSession, type RawSession } from './rawsession.ts';

/**
 * Reads stored Leases. A memo of pure functions by the identity of the object: of a renewal that a
 * hundred nodes of one world hear, one of them pays for the reading.
 */
export interface LeaseReader {
  /** The Lease as the model has it; what is unreadable in it reads as unheld and unstamped. */
  lease(object: KubeObject): Lease;
  /** What a renewal may change; undefined for what is no session as this version writes them. */
  session(object: KubeObject): RawSession | undefined;
  /** What a lock says. */
  lock(object: KubeObject): LockReading;
  /** `lockName` of an address, and `lockAddress` of a name, made once. */
  lockName(address: Ip): string;
  lockAddress(name: string): Ip | undefined;
}

/** Names remembered at most; the memo then starts anew, which costs time and nothing else. */
const namesMax = 50_000;

/** Creates an empty memo over a decoder that remembers by itself. */
export function createLeaseReader(decode: (object: KubeObject) => Lease): LeaseReader {
  const sessions = new WeakMap<KubeObject, RawSession>();
  const locks = new WeakMap<KubeObject, LockReading>();
  const tails = new Map<string, string>();
  const names = new Map<Ip, string>();
  const addresses = new Map<string, Ip | undefined>();
  return {
    lease: decode,
    lock(object) {
      const known = locks.get(object);
      if (known !== undefined) return known;
      const read = readLock(object, decode(object));
      locks.set(object, read);
      return read;
    },
    lockName: (address) => remembered(names, address, lockName),
    lockAddress: (name) => remembered(addresses, name, lockAddress),
    session(object) {
      const known = sessions.get(object);
      if (known !== undefined) return known;
      const made = rawSession(object);
      if (made === undefined) return undefined;
      const read = { ...made, tail: sameText(tails, made) };
      sessions.set(object, read);
      return read;
    },
  };
}

// Each watcher compares the tail with the last one: of one text it need not read a letter.
function sameText(tails: Map<string, string>, { holder, tail }: RawSession): string {
  const before = tails.get(holder);
  if (before === tail) return before;
  if (tails.size >= namesMax) tails.clear();
  tails.set(holder, tail);
  return tail;
}

function remembered<K, V>(known: Map<K, V>, key: K, make: (key: K) => V): V {
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size >= namesMax) known.clear();
  const made = make(key);
  known.set(key, made);
  return made;
}
