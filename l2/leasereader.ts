import type { KubeObject } from '../kube/port.ts';
import type { Lease } from '../lb/model.ts';
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
}

/** Creates an empty memo over a decoder that remembers by itself. */
export function createLeaseReader(decode: (object: KubeObject) => Lease): LeaseReader {
  const sessions = new WeakMap<KubeObject, RawSession>();
  return {
    lease: decode,
    session(object) {
      const known = sessions.get(object);
      if (known !== undefined) return known;
      const read = rawSession(object);
      if (read !== undefined) sessions.set(object, read);
      return read;
    },
  };
}
