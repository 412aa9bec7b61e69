import { deepStrictEqual, ok } from 'node:assert';
import test from 'ava';
import fc from 'fast-check';
import { v3, v4, type Dialect } from '../../../bgp/gobgp/dialect.ts';
import { readPath } from '../../../bgp/gobgp/pathform.ts';
import { readAttributes } from '../../../bgp/gobgp/policies.ts';
import { addPathStreamRequest, statement } from '../../../bgp/gobgp/messages.ts';
import { decode, encode } from '../../../bgp/gobgp/protobuf.ts';
import type { Route, SpeakerPeer } from '../../../bgp/port.ts';
import { ip, type Prefix } from '../../../lb/ip.ts';
import { route } from '../../contract/speaker.ts';
import type { FakeGobgp } from './fakegobgp.ts';
import { global, peer, Stage } from './stage.ts';

// Row 43 of bgp.md 12: whatever happens in whatever order, every peer ends with what it was to see.

const prefixes = ['198.51.100.1/32', '198.51.100.2/32', '2001:db8:100::1/128'] as Prefix[];
const lasts = [11, 12, 13] as const;

type Order =
  | { readonly kind: 'routes'; readonly last: number; readonly routes: readonly Route[] }
  | { readonly kind: 'peers'; readonly lasts: readonly number[]; readonly next6: boolean }
  | { readonly kind: 'crash' | 'agent' }
  | { readonly kind: 'tamper'; readonly prefix: Prefix }
  | { readonly kind: 'fault'; readonly after: number; readonly error: 'deadline' | 'other' }
  | { readonly kind: 'wait'; readonly seconds: number };

const routes = fc.uniqueArray(fc.record({
  prefix: fc.constantFrom(...prefixes),
  communities: fc.constantFrom([], [5], [5, 6]),
  localPref: fc.constantFrom(undefined, 100, 200),
}), { selector: ({ prefix }) => prefix }).map((all) => all.map(({ prefix, localPref, ...more }) => (
  route(prefix, { ...more, ...(localPref === undefined ? {} : { localPref }) })
)));

const order: fc.Arbitrary<Order> = fc.oneof(
  { weight: 6, arbitrary: fc.record({
    kind: fc.constant('routes' as const), last: fc.constantFrom(...lasts), routes,
  }) },
  { weight: 3, arbitrary: fc.record({
    kind: fc.constant('peers' as const), lasts: fc.subarray([...lasts]), next6: fc.boolean(),
  }) },
  { weight: 1, arbitrary: fc.record({
    kind: fc.constantFrom('crash' as const, 'agent' as const),
  }) },
  { weight: 1, arbitrary: fc.record({
    kind: fc.constant('tamper' as const), prefix: fc.constantFrom(...prefixes),
  }) },
  { weight: 1, arbitrary: fc.record({
    kind: fc.constant('fault' as const), after: fc.nat(12),
    error: fc.constantFrom('deadline' as const, 'other' as const),
  }) },
  { weight: 3, arbitrary: fc.record({
    kind: fc.constant('wait' as const), seconds: fc.constantFrom(0.0001, 0.0007, 0.1, 3),
  }) },
);

/** One history, and what was last wanted. */
class History {
  readonly stage: Stage;
  #routes = new Map<number, readonly Route[]>();
  #peers: readonly SpeakerPeer[] = [];

  constructor(dialect: Dialect) {
    this.stage = new Stage({ dialect });
    this.#tell();
  }

  take(of: Order): void {
    const { stage } = this;
    switch (of.kind) {
      case 'routes':
        this.#routes.set(of.last, of.routes);
        return stage.port.setRoutes(`p${of.last}`, of.routes, () => undefined);
      case 'peers':
        this.#peers = of.lasts.map((last) => peer(last, {
          // The last one is of our own AS.
          ...(last === 13 ? { asn: global.asn } : {}),
          ...(of.next6 ? { nextHop6: ip('2001:db8::6') } : {}),
        }));
        return stage.port.setPeers(this.#peers, () => undefined);
      case 'crash':
        if (stage.process.alive) stage.process.die();
        return;
      case 'agent':
        stage.call((done) => stage.port.stop('keep', done));
        stage.open();
        return this.#tell();
      case 'tamper':
        stage.daemon.paths.delete(of.prefix);
        return;
      case 'fault': {
        let left = of.after;
        stage.daemon.fault = () => {
          left -= 1;
          return left === 0 ? { kind: of.error, text: 'injected' } : undefined;
        };
        return;
      }
      case 'wait': stage.run(of.seconds);
    }
  }

  wanted(): Record<string, Record<string, string>> {
    return Object.fromEntries(this.#peers.map(({ name, address, asn, nextHop6 }) => {
      const seen = (this.#routes.get(Number(name.slice(1))) ?? []).map((of): [string, string] => [
        of.prefix, text(
          of.communities, asn === global.asn ? of.localPref : undefined,
          of.prefix.includes(':') ? nextHop6 : undefined,
        ),
      ]);
      return [address.ip, Object.fromEntries(seen)];
    }));
  }

  #tell(): void {
    const { port } = this.stage;
    for (const [last, of] of this.#routes) port.setRoutes(`p${last}`, of, () => undefined);
    port.setPeers(this.#peers, () => undefined);
    port.start(global, () => undefined);
  }
}

function text(
  communities: readonly number[], localPref: number | undefined, next6: string | undefined,
): string {
  return `${communities.join()} ${localPref ?? '-'} ${next6 ?? '-'}`;
}

/** What each peer of a daemon would be sent, by its policies. */
function views(daemon: FakeGobgp, internal: string): Record<string, Record<string, string>> {
  const found: Record<string, Record<string, string>> = {};
  for (const address of daemon.peers.keys()) found[address] = {};
  for (const message of daemon.paths.values()) {
    const read = readPath(daemon.dialect, decode(addPathStreamRequest, encode(
      addPathStreamRequest, { paths: [message] },
    )).paths[0]!)!;
    for (const { index, set } of read.state.targets) {
      const name = `fl1-p${index}-a${set}`;
      const { neighbour } = daemon.dialect.definedType;
      const [neighbor = ''] = daemon.sets.get(`${neighbour} fl1-p${index}`) ?? [];
      const address = neighbor.split('/')[0]!;
      const attached = daemon.policies.get(`fl1-p${index}`)?.includes(name) === true
        && daemon.assignments[2].includes(`fl1-p${index}`);
      if (!attached || found[address] === undefined) continue;
      const v6 = read.prefix.includes(':') ? daemon.statements.get(`${name}-v6`) : undefined;
      const used = decode(statement, encode(statement, v6 ?? daemon.statements.get(name)!));
      const own = readAttributes(daemon.dialect, used, undefined);
      const preference = set === 0 ? read.state.localPref : own.localPref;
      found[address][read.prefix] = text(
        set === 0 ? read.state.communities : own.communities,
        address === internal ? preference : undefined, used.actions?.nexthop?.address,
      );
    }
  }
  return found;
}

/** Outside a drain (bgp.md 5.2, G12, G24, G27). */
const never = [
  'DeletePath', 'UpdatePeer', 'ResetPeer', 'ShutdownPeer', 'DisablePeer', 'EnablePeer',
  'SetPolicies', 'AddPeerGroup', 'AddDynamicNeighbor',
];

for (const dialect of [v3, v4]) {
  test(`bgp 43, G12: any history ends in what was last wanted (GoBGP ${dialect.major})`, (t) => {
    fc.assert(fc.property(fc.array(order, { maxLength: 25 }), (orders) => {
      const history = new History(dialect);
      for (const one of orders) history.take(one);
      const { daemon } = history.stage;
      daemon.fault = () => undefined;
      history.stage.run(100);
      deepStrictEqual(views(daemon, '192.0.2.13'), history.wanted());
      // Nothing of ours is left that no peer needs.
      deepStrictEqual(daemon.policies.size, daemon.peers.size + 1);
      const said = new Set(daemon.calls.map(({ name }) => name));
      deepStrictEqual(never.filter((name) => said.has(name)), []);
      // A process is started once, unless it was stopped in between (G2).
      const lives = history.stage.process.spawned + daemon.count('StopBgp');
      ok(daemon.count('StartBgp') <= lives, `${daemon.count('StartBgp')} starts, ${lives} lives`);
      // Nobody opened the policies meanwhile (G27).
      deepStrictEqual(daemon.defaults, { 1: 2, 2: 2 });
    }), { numRuns: Number(process.env['FAIRLEAD_SEEDS'] ?? 60) });
    t.pass();
  });
}
