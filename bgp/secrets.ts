import type { KubeObject, KubePort } from '../kube/port.ts';
import { resources } from '../kube/resource.ts';
import { base64Bytes } from '../lb/base64.ts';
import type { Clock, Micros, Timer } from '../lb/ports.ts';
import { textOfUtf8 } from '../lb/utf8.ts';
import type { PeerPassword } from './port.ts';

/** How often each Secret in use is looked at: a watch for each is not worth a connection. */
const lookEvery: Micros = 10_000_000;
const retryAfter: Micros = 1_000_000;
const requestTimeout: Micros = 5_000_000;
const passwordBytesMax = 80;
/** Answers after which waiting helps nobody. */
const refusals: ReadonlySet<string> = new Set(['gone', 'denied', 'invalid']);

interface Known {
  /** Undefined: never asked, or never answered. */
  state: 'present' | 'missing' | undefined;
  /** The last good one: a Secret that goes takes no session with it (bgp.md 4). */
  password: PeerPassword | undefined;
}

/** Passwords of the peers of this node, each Secret asked for by its name alone. */
export class Secrets {
  #ports: { readonly kube: KubePort; readonly clock: Clock };
  #namespace: string;
  #changed: () => void;
  #known = new Map<string, Known>();
  #timer: Timer | undefined;
  #asking = 0;
  #failed = false;
  #stopped = false;

  constructor(
    ports: { readonly kube: KubePort; readonly clock: Clock }, namespace: string,
    changed: () => void,
  ) {
    this.#ports = ports;
    this.#namespace = namespace;
    this.#changed = changed;
  }

  /** Names the Secrets in use; those not named any more are forgotten. */
  want(names: readonly string[]): void {
    const wanted = new Set(names);
    for (const name of this.#known.keys()) if (!wanted.has(name)) this.#known.delete(name);
    let fresh = false;
    for (const name of names) {
      if (this.#known.has(name)) continue;
      this.#known.set(name, { state: undefined, password: undefined });
      fresh = true;
    }
    if (fresh) this.#look();
  }

  /** Whether each Secret in use was answered for. */
  get complete(): boolean {
    return [...this.#known.values()].every(({ state }) => state !== undefined);
  }

  password(name: string): PeerPassword | undefined {
    return this.#known.get(name)?.password;
  }

  /** Secrets that are not there, or have no usable password. */
  missing(): readonly string[] {
    return [...this.#known].flatMap(([name, { state }]) => (state === 'missing' ? [name] : []))
      .sort((left, right) => (left < right ? -1 : 1));
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #look(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const name of this.#known.keys()) this.#ask(name);
  }

  #ask(name: string): void {
    this.#asking += 1;
    const ref = { resource: resources.secrets, namespace: this.#namespace, name };
    this.#ports.kube.request({ verb: 'get', ref, timeout: requestTimeout }, (result) => {
      this.#asking -= 1;
      if (this.#stopped) return;
      if (result.ok && result.value.kind === 'object') this.#take(name, result.value.object);
      else if (!result.ok && refusals.has(result.error.kind)) this.#take(name, undefined);
      else this.#failed = true;
      if (this.#asking === 0) this.#arm();
    });
  }

  #arm(): void {
    const delay = this.#failed && !this.complete ? retryAfter : lookEvery;
    this.#failed = false;
    this.#timer?.cancel();
    this.#timer = this.#known.size === 0
      ? undefined : this.#ports.clock.after(delay, () => this.#look());
  }

  #take(name: string, object: KubeObject | undefined): void {
    const known = this.#known.get(name);
    if (known === undefined) return;
    const password = object === undefined ? undefined : readPassword(object);
    const state = password === undefined ? 'missing' : 'present';
    const changed = known.state !== state || (password !== undefined
      && known.password?.version !== password.version);
    known.state = state;
    known.password = password ?? known.password;
    if (changed) this.#changed();
  }
}

/** The key `password` of a Secret: 1 to 80 bytes of UTF-8 (RFC 2385; tcp(7)). */
export function readPassword(object: KubeObject): PeerPassword | undefined {
  const stored: unknown = object['data'];
  const encoded: unknown = typeof stored === 'object' && stored !== null && 'password' in stored
    ? stored.password : undefined;
  if (typeof encoded !== 'string' || !/^[A-Za-z0-9+/=\s]*$/u.test(encoded)) return undefined;
  const bytes = base64Bytes(encoded);
  if (bytes.length === 0 || bytes.length > passwordBytesMax) return undefined;
  const text = textOfUtf8(bytes);
  // What is no UTF-8 cannot be handed to a speaker as text.
  if (text.includes('\uFFFD')) return undefined;
  const { uid, resourceVersion } = object.metadata ?? {};
  return { text, version: `${uid}/${resourceVersion}` };
}
