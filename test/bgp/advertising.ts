import { createAdvertiser, type Advertiser } from '../../bgp/advertiser.ts';
import type { BgpTables } from '../../bgp/catalogue.ts';
import { bgpDefaults, type BgpSettings } from '../../bgp/settings.ts';
import type { KubeDone, KubeObject, KubePort } from '../../kube/port.ts';
import type { Ip, Prefix } from '../../lb/ip.ts';
import type { LinkFacts, ObjectEvent, RouteFacts, Sample } from '../../lb/ports.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { MachineClock, Process, processClock, processRandom } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import { emptyTables, put } from './derive.ts';
import { Recorders } from './recorder.ts';

const ms = 1_000;

/** One node's advertiser in virtual time, between tables that a test fills and a recorder. */
export class Rig {
  readonly world = new World({ seed: 1n });
  readonly tables: BgpTables = emptyTables();
  readonly speakers: Recorders;
  readonly events: ObjectEvent[] = [];
  readonly samples: Sample[] = [];
  /** Statuses of the NodeConfig as they were written, and when. */
  readonly statuses: any[] = [];
  readonly statusTimes: number[] = [];
  /** Black holes of the node, and what was done to them. */
  holes: Prefix[] = [];
  readonly blackholes: string[] = [];
  readonly secrets = new Map<string, KubeObject>();
  readonly process: Process;
  readonly advertiser: Advertiser;
  links: readonly LinkFacts[] = [];
  routes: readonly RouteFacts[] = [];
  /** Frontends that are not programmed; undefined: the data path is not ready. */
  unprogrammed: ReadonlySet<string> | undefined = new Set();
  #frontListeners: ((change: { all: boolean; ips: ReadonlySet<Ip> }) => void)[] = [];
  #linkListeners: (() => void)[] = [];

  constructor(objects: readonly KubeObject[], settings: Partial<BgpSettings> = {}) {
    this.process = new Process(this.world, 'agent', new MachineClock(this.world));
    const clock = processClock(this.process);
    this.speakers = new Recorders(clock);
    this.put(...objects);
    const kube: KubePort = {
      request: (request, done) => { clock.after(ms, () => this.#answer(request, done)); },
      watch: () => { throw new Error('nothing here watches'); },
    };
    this.advertiser = createAdvertiser({
      clock, random: processRandom(this.process, 'bgp'), kube,
      journal: { note: () => undefined, measure: (sample) => this.samples.push(sample) },
      events: { emit: (event) => this.events.push(event) },
      speakers: this.speakers,
      blackholes: {
        list: () => this.holes,
        add: (prefix) => this.#dig('add', prefix),
        remove: (prefix) => this.#dig('remove', prefix),
      },
      link: {
        links: () => this.links, routes: () => this.routes,
        onLinks: (listener) => this.#linkListeners.push(listener),
      },
      datapath: {
        ready: () => this.unprogrammed !== undefined,
        hasFront: (ip) => this.unprogrammed?.has(ip) === false,
        onChange: (listener) => this.#frontListeners.push(listener),
      },
    }, this.tables, { ...bgpDefaults, ...settings, nodeName: 'n1' });
  }

  /** An advertiser that announces these objects already; calls so far are forgotten. */
  static announcing(objects: readonly KubeObject[], settings: Partial<BgpSettings> = {}): Rig {
    const rig = new Rig(objects, settings);
    rig.complete();
    rig.advertiser.start();
    rig.run(1000);
    for (const speaker of rig.speakers.opened) speaker.take();
    return rig;
  }

  put(...objects: readonly KubeObject[]): void {
    for (const object of objects) put(this.tables, object);
  }

  complete(): void {
    for (const table of Object.values(this.tables)) table.markComplete();
  }

  /** Changes of `ips`, or of everything, in what the data path serves. */
  fronts(unprogrammed: ReadonlySet<string> | undefined, ...ips: readonly string[]): void {
    this.unprogrammed = unprogrammed;
    const change = { all: ips.length === 0, ips: new Set(ips as readonly Ip[]) };
    for (const listener of this.#frontListeners) listener(change);
  }

  network(links: readonly LinkFacts[], routes: readonly RouteFacts[]): void {
    this.links = links;
    this.routes = routes;
    for (const listener of this.#linkListeners) listener();
  }

  run(milliseconds: number): void {
    this.world.run(this.world.now + milliseconds * ms);
    if (this.process.fault !== undefined) throw this.process.fault;
  }

  #dig(verb: 'add' | 'remove', prefix: Prefix): Result<void, never> {
    this.blackholes.push(`${verb} ${prefix}`);
    this.holes = this.holes.filter((other) => other !== prefix);
    if (verb === 'add') this.holes.push(prefix);
    return ok(undefined);
  }

  #answer(request: Parameters<KubePort['request']>[0], done: KubeDone): void {
    if (request.verb === 'patch') {
      this.statuses.push((request.body as any).status);
      this.statusTimes.push(this.world.now - ms);
      return done(ok({ kind: 'object', object: {} }));
    }
    const found = request.verb === 'get' ? this.secrets.get(request.ref.name) : undefined;
    if (found !== undefined) return done(ok({ kind: 'object', object: found }));
    done(err({ kind: 'gone', message: 'not found' }));
  }
}

/** A Secret as the API stores it. */
export function secret(name: string, password: string | undefined, version = '1'): KubeObject {
  const encoded = password === undefined ? {} : {
    password: Buffer.from(password).toString('base64'),
  };
  return {
    apiVersion: 'v1', kind: 'Secret', data: encoded,
    metadata: { name, namespace: 'kube-system', uid: `uid-${name}`, resourceVersion: version },
  };
}
