import { formatTime } from '../time.ts';
import type { Clock } from '../ports.ts';
import type { StatusPort, WriteError } from '../status.ts';
import type { Address } from './address.ts';
import { Attempts } from './attempts.ts';
import type { ServiceEntry } from './entry.ts';
import { Heap } from '../heap.ts';
import { compareAge } from './age.ts';
import { addressIn, type Claims } from './ours.ts';
import { recordType, writeRecord } from './record.ts';
import {
  statusDifference, wantedStatus, type StatusDifference, type WantedStatus,
} from './servicestatus.ts';
import type { IpamSettings } from './settings.ts';

export interface ServiceWriterPorts {
  readonly clock: Clock;
  readonly status: StatusPort;
  /** A write became possible: call `send` when the rate permits. */
  readonly ready: () => void;
  readonly gone: (entry: ServiceEntry) => void;
  readonly answered: (entry: ServiceEntry, error: WriteError | undefined) => void;
}

/**
 * Brings stored Service statuses to what is planned: one write at a time per Service, releases
 * before grants, and no address shown by two Services in turn (lb-ipam.md 10.5).
 */
export class ServiceWriter {
  #ports: ServiceWriterPorts;
  #claims: Claims;
  #settings: IpamSettings;
  #attempts = new Map<ServiceEntry, Attempts>();
  #releases = new Heap<ServiceEntry>(compareAge);
  #grants = new Heap<ServiceEntry>(compareAge);
  // Who still shows an address that it must let go, and who waits for that.
  #releasing = new Map<Address, Set<ServiceEntry>>();
  #letting = new Map<ServiceEntry, readonly Address[]>();
  #blocked = new Map<Address, Set<ServiceEntry>>();
  // What a write may have made a Service show, as long as its outcome is not known.
  #sent = new Map<ServiceEntry, Sent>();
  #stopped = false;

  constructor(ports: ServiceWriterPorts, claims: Claims, settings: IpamSettings) {
    this.#ports = ports;
    this.#claims = claims;
    this.#settings = settings;
  }

  get queued(): number {
    return this.#releases.size + this.#grants.size;
  }

  /** Compares plan and store of one Service and queues what differs. */
  consider(entry: ServiceEntry): void {
    const { wanted, difference } = this.#difference(entry);
    const unsure = this.#unsure(entry, wanted);
    this.#setLetting(entry, [...difference?.removed ?? [], ...unsure]);
    if (difference === undefined && unsure.length === 0) {
      this.#unqueue(entry);
      this.#rest(entry);
      return;
    }
    const attempts = this.#attempts.get(entry);
    if (attempts !== undefined && !attempts.ready(entry.stored.resourceVersion)) return;
    if (difference === undefined || difference.removed.length > 0) {
      this.#grants.delete(entry);
      this.#releases.add(entry);
    } else {
      this.#releases.delete(entry);
      this.#grants.add(entry);
    }
    this.#ports.ready();
  }

  /** The Service is gone: nothing of it is shown any more. */
  forget(entry: ServiceEntry): void {
    this.#unqueue(entry);
    for (const waiting of this.#blocked.values()) waiting.delete(entry);
    this.#setLetting(entry, []);
    this.#attempts.get(entry)?.stop();
    this.#attempts.delete(entry);
    this.#sent.delete(entry);
  }

  /** Sends the next write; false when none can be sent now. */
  send(): boolean {
    for (;;) {
      const entry = this.#releases.pop() ?? this.#grants.pop();
      if (entry === undefined) return false;
      if (this.#sendOne(entry)) return true;
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const attempts of this.#attempts.values()) attempts.stop();
  }

  /** Sentences about what is outstanding. */
  pending(): readonly string[] {
    const sentences: string[] = [];
    if (this.queued > 0) sentences.push(`${this.queued} Service statuses wait for their write`);
    for (const [entry, attempts] of this.#attempts) {
      if (attempts.inFlight) sentences.push(`the status of ${entry.key} is being written`);
      else if (attempts.waiting) sentences.push(`the status of ${entry.key} waits for a retry`);
    }
    const blocked = new Set([...this.#blocked.values()].flatMap((entries) => [...entries]));
    for (const entry of blocked) {
      sentences.push(`${entry.key} waits until another Service has let go of its address`);
    }
    return sentences;
  }

  #difference(entry: ServiceEntry): {
    readonly wanted: WantedStatus | undefined;
    readonly difference: StatusDifference | undefined;
  } {
    const wanted = wantedStatus(entry, this.#claims, this.#settings);
    const difference = wanted === undefined ? undefined : this.#compare(entry, wanted);
    return { wanted, difference };
  }

  // Unwanted addresses that an earlier write may yet show. Once the stored version has moved on,
  // that write is either part of it or refused for ever.
  #unsure(entry: ServiceEntry, wanted: WantedStatus | undefined): readonly Address[] {
    const sent = this.#sent.get(entry);
    if (sent === undefined) return [];
    if (sent.version !== entry.stored.resourceVersion) {
      this.#sent.delete(entry);
      return [];
    }
    const kept = new Set(wanted?.items.map((item) => item.address));
    return sent.addresses.filter((address) => !kept.has(address));
  }

  #compare(entry: ServiceEntry, wanted: WantedStatus): StatusDifference | undefined {
    const at = formatTime(this.#ports.clock.wall());
    return statusDifference(entry, wanted, { claims: this.#claims, at });
  }

  #sendOne(entry: ServiceEntry): boolean {
    const { wanted, difference: whole } = this.#difference(entry);
    if (wanted === undefined || whole === undefined) return this.#proveSent(entry, wanted);
    const blockers = this.#blockers(entry, wanted);
    let difference = whole;
    if (blockers.length > 0) {
      for (const address of blockers) this.#block(entry, address);
      // What it lets go itself may be what the other waits for: two Services that swap addresses.
      if (difference.removed.length === 0) return false;
      const part = this.#compare(entry, withoutBlocked(entry, wanted, new Set(blockers)));
      if (part === undefined) return false;
      difference = part;
    }
    this.#write(entry, difference);
    return true;
  }

  // Nothing differs from what is known, but an answer was lost: the same list once more tells by
  // its precondition whether that write came through.
  #proveSent(entry: ServiceEntry, wanted: WantedStatus | undefined): boolean {
    if (this.#unsure(entry, wanted).length === 0) return false;
    const { ingress } = entry.stored;
    this.#write(entry, { ingress, conditions: undefined, removed: [] });
    return true;
  }

  #write(entry: ServiceEntry, difference: StatusDifference): void {
    const attempts = this.#attempts.get(entry) ?? new Attempts();
    this.#attempts.set(entry, attempts);
    attempts.begin();
    entry.writing = true;
    const { ingress, conditions } = difference;
    const { resourceVersion } = entry.stored;
    const base = { key: entry.key, uid: entry.uid, resourceVersion };
    const lists = { ...(ingress && { ingress }), ...(conditions && { conditions }) };
    const { stored } = entry;
    const added = (ingress ?? []).flatMap((item) => addressIn(item) ?? []);
    const before = this.#sent.get(entry)?.addresses ?? [];
    this.#sent.set(entry, { version: resourceVersion, addresses: [...before, ...added] });
    this.#ports.status.writeService({ ...base, ...lists }, (result) => {
      if (this.#stopped || this.#attempts.get(entry) !== attempts) return;
      entry.writing = false;
      // Any other error leaves open whether the write happened.
      if (result.ok || result.error.kind !== 'retry') this.#sent.delete(entry);
      if (result.ok) {
        attempts.succeed();
        entry.acknowledge({
          resourceVersion: result.value.resourceVersion,
          ingress: ingress ?? stored.ingress,
          conditions: conditions ?? stored.conditions,
        });
      }
      this.#ports.answered(entry, result.ok ? undefined : result.error);
      if (!result.ok && result.error.kind === 'gone') {
        this.#ports.gone(entry);
        return;
      }
      if (!result.ok) {
        const again = (): void => this.consider(entry);
        attempts.fail(result.error, { clock: this.#ports.clock, version: resourceVersion, again });
      }
      this.consider(entry);
    });
  }

  // Addresses that another Service still shows and does not hold any more.
  #blockers(entry: ServiceEntry, wanted: WantedStatus): readonly Address[] {
    if (this.#releasing.size === 0) return [];
    return wanted.items.map((item) => item.address).filter((address) => {
      const showing = this.#releasing.get(address);
      return showing !== undefined && (showing.size > 1 || !showing.has(entry));
    });
  }

  #block(entry: ServiceEntry, address: Address): void {
    const entries = this.#blocked.get(address) ?? new Set<ServiceEntry>();
    entries.add(entry);
    this.#blocked.set(address, entries);
  }

  #setLetting(entry: ServiceEntry, addresses: readonly Address[]): void {
    const before = this.#letting.get(entry) ?? [];
    if (before.length === 0 && addresses.length === 0) return;
    if (addresses.length > 0) this.#letting.set(entry, addresses);
    else this.#letting.delete(entry);
    for (const address of addresses) {
      const showing = this.#releasing.get(address) ?? new Set<ServiceEntry>();
      showing.add(entry);
      this.#releasing.set(address, showing);
    }
    for (const address of before) {
      if (!addresses.includes(address)) this.#released(entry, address);
    }
  }

  #released(entry: ServiceEntry, address: Address): void {
    const showing = this.#releasing.get(address);
    showing?.delete(entry);
    if (showing === undefined || showing.size > 0) return;
    this.#releasing.delete(address);
    const waiting = this.#blocked.get(address) ?? [];
    this.#blocked.delete(address);
    for (const other of waiting) this.consider(other);
  }

  // Only Services with something outstanding are remembered.
  #rest(entry: ServiceEntry): void {
    const attempts = this.#attempts.get(entry);
    if (attempts === undefined || attempts.inFlight) return;
    attempts.rest();
    this.#attempts.delete(entry);
  }

  #unqueue(entry: ServiceEntry): void {
    this.#releases.delete(entry);
    this.#grants.delete(entry);
  }
}

interface Sent {
  /** The stored version that the write was made on. */
  readonly version: string;
  readonly addresses: readonly Address[];
}

// Only the entries and their record are written; the verdict waits for the whole.
function withoutBlocked(
  entry: ServiceEntry,
  wanted: WantedStatus,
  blocked: ReadonlySet<Address>,
): WantedStatus {
  const items = wanted.items.filter((item) => !blocked.has(item.address));
  const record = writeRecord(items, entry.service.meta.generation);
  const kept = entry.stored.conditions.filter((stored) => stored.type !== recordType
    && wanted.conditions.some((condition) => condition.type === stored.type));
  return { items, conditions: [...kept, record] };
}
