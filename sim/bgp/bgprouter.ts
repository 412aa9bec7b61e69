import type { Ip } from '../../lb/ip.ts';
import type { Router } from '../net/router.ts';
import type { PacketTap } from '../net/tap.ts';
import { Transport } from '../net/transport.ts';
import type { Md5Keys } from './keys.ts';
import { RouterBgp } from './router.ts';
import type { RouterBgpOptions } from './routeroptions.ts';

/**
 * How a router's BGP goes down: `silent`, as by a cut of its power; `reset`, with its sessions
 * ended first; `graceful`, its process alone, while its hardware forwards on.
 */
export type RebootForm = 'silent' | 'reset' | 'graceful';

/** A simulated router that speaks BGP: machine, TCP and process (bgp.md 9). */
export class BgpRouter {
  readonly router: Router;
  readonly bgp: RouterBgp;
  #transport: Transport;
  #keys: Md5Keys;
  #options: RouterBgpOptions;
  #up = true;
  #before: readonly Ip[] = [];

  // oxlint-disable-next-line max-params -- machine, its tap, its process and the keys of the world
  constructor(router: Router, tap: PacketTap, options: RouterBgpOptions, keys: Md5Keys) {
    const { stack, name } = router;
    const { world } = tap;
    this.router = router;
    this.#options = options;
    this.#keys = keys;
    this.#transport = new Transport(tap, {
      name, place: `router ${name}`,
      send: (packet) => stack.send(packet),
      confirm: (remote) => stack.confirm(remote),
    });
    stack.onLocal = (packet) => {
      if (keys.accepts(packet)) this.#transport.receive(packet);
    };
    this.bgp = new RouterBgp({
      name: `router ${name}`, world, transport: this.#transport, prng: world.stream(`bgp/${name}`),
      enter: (callback) => {
        if (this.#up) callback();
      },
      later: (delay, kind, callback) =>
        world.schedule(delay, { kind, entity: name }, () => {
          if (this.#up) callback();
        }),
      sourceFor: (remote) => stack.sourceTowards(remote),
      addressOf: (family) => stack.addressOf(family),
    }, stack, options);
    this.setPasswords();
  }

  get name(): string {
    return this.router.name;
  }

  start(): void {
    this.bgp.start();
  }

  /** Signs towards neighbours as configured, or all with `instead` (`bgp.password`). */
  setPasswords(instead?: string): void {
    const addresses = this.router.stack.interfaces.flatMap((iface) => iface.addresses);
    for (const { from, password } of this.#options.neighbours) {
      const remote = from.includes('/') ? undefined : (from as Ip);
      for (const address of addresses) this.#keys.set(address, remote, instead ?? password);
    }
  }

  /** Down; `up` ends it. */
  down(form: RebootForm): void {
    if (!this.#up) return;
    this.#before = this.bgp.peers()
      .flatMap((peer) => (peer.session === undefined ? [] : [peer.address.ip]));
    if (form === 'reset') for (const peer of this.bgp.peers()) peer.reset();
    if (form === 'graceful') {
      // Its kernel closes the sockets of the process, and forwards on.
      this.bgp.vanish();
      return;
    }
    this.#up = false;
    this.#transport.vanish();
    this.bgp.forget();
    this.router.setPower(false);
  }

  up(form: RebootForm): void {
    if (form === 'graceful') return this.bgp.restart(this.#before);
    this.#up = true;
    this.router.setPower(true);
    this.bgp.start();
    return undefined;
  }
}
