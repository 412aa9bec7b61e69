import type { Ip } from '../../lb/ip.ts';
import type { Packet } from '../net/packet.ts';

/**
 * Who signs its TCP segments towards whom, and with what (RFC 2385). A packet carries no options
 * here, so the signature is looked up instead of computed: what the sender's kernel would sign with
 * against what the receiver's expects.
 */
export class Md5Keys {
  #keys = new Map<string, string>();

  /** `remote` undefined: every peer that has no key of its own. Undefined text: no signature. */
  set(local: Ip, remote: Ip | undefined, text: string | undefined): void {
    const name = `${local} ${remote ?? '*'}`;
    if (text === undefined) this.#keys.delete(name);
    else this.#keys.set(name, text);
  }

  /** False: the receiver's kernel drops it without a word. */
  accepts(packet: Packet): boolean {
    if (this.#keys.size === 0 || packet.protocol !== 'TCP') return true;
    return this.#key(packet.source, packet.target) === this.#key(packet.target, packet.source);
  }

  #key(local: Ip, remote: Ip): string | undefined {
    return this.#keys.get(`${local} ${remote}`) ?? this.#keys.get(`${local} *`);
  }
}
