import type { Ip } from '../lb/ip.ts';
import type { Micros } from '../lb/ports.ts';
import { compareIp } from '../lb/ip.ts';

const second = 1_000_000;
const noticeFor: Micros = 60 * second;
const eventEvery: Micros = 60 * second;
const defenceEvery: Micros = 10 * second;

interface Seen {
  mac: string;
  last: Micros;
  event: Micros;
  defence: Micros;
}

/** Who else claimed an address of ours, and what may be said and done about it (l2.md 9.3). */
export class Conflicts {
  #seen = new Map<Ip, Seen>();
  count = 0;

  /** True when an event is due: one per address and minute. */
  note(address: Ip, mac: string, now: Micros): boolean {
    this.count += 1;
    const known = this.#seen.get(address);
    if (known === undefined) {
      this.#seen.set(address, { mac, last: now, event: now, defence: -defenceEvery });
      return true;
    }
    known.mac = mac;
    known.last = now;
    if (now < known.event + eventEvery) return false;
    known.event = now;
    return true;
  }

  /** True when a defence may be sent now, which it then counts as. */
  defend(address: Ip, now: Micros): boolean {
    const known = this.#seen.get(address);
    if (known === undefined || now < known.defence + defenceEvery) return false;
    known.defence = now;
    return true;
  }

  /** The foreign MAC of the last minute; undefined: none. */
  recent(address: Ip, now: Micros): string | undefined {
    const known = this.#seen.get(address);
    return known === undefined || now >= known.last + noticeFor ? undefined : known.mac;
  }

  /** Conflicts of the last minute, by address. */
  notices(now: Micros): { readonly ip: Ip; readonly mac: string }[] {
    return [...this.#seen.keys()].sort(compareIp).flatMap((address) => {
      const mac = this.recent(address, now);
      return mac === undefined ? [] : [{ ip: address, mac }];
    });
  }

  /** When the next notice ends; undefined: none is standing. */
  nextEnd(now: Micros): Micros | undefined {
    let next: Micros | undefined;
    for (const { last } of this.#seen.values()) {
      const end = last + noticeFor;
      if (end > now) next = Math.min(next ?? end, end);
    }
    return next;
  }
}
