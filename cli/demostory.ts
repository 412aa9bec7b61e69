import type { KubeObject } from '../kube/port.ts';
import { resources } from '../kube/resource.ts';
import { announcingNodes } from '../sim/cluster/bgpdesired.ts';
import type { Cluster } from '../sim/cluster/cluster.ts';
import { nodeDown, routerDown, type Failure } from '../sim/report/failure.ts';
import {
  setStage,
  strike,
  summary,
  watchStrike,
  type Stage,
  type Strike,
} from '../sim/report/whatif.ts';
import { summarise } from '../sim/report/whatif-table.ts';
import { clusterSpecOf } from './clusterspec.ts';
import type { Console, Paint } from './console.ts';
import type { DemoFlags } from './demo.ts';
import { tableText } from './table.ts';
import { failableOf, failuresOf } from './failures.ts';
import { faultText } from './finding.ts';
import { textOf } from './whatif.ts';
import { wholeNumber } from './simrun.ts';

export interface DemoInput {
  readonly objects: readonly KubeObject[];
  /** How the folder is named to the reader. */
  readonly shown: string;
  readonly flags: DemoFlags;
  readonly paint: Paint;
}

const second = 1_000_000;
/** How long the failure is shown second by second; the table below tells the rest. */
const secondsShown = 9;

/** The whole story, printed as it unfolds in virtual time. */
export function showDemo(console: Console, input: DemoInput): void {
  const say = (text = ''): void => console.out(`${text}\n`);
  const started = performance.now();
  const seed = BigInt(wholeNumber('--seed', input.flags.seed));
  const stage = setStage({
    objects: input.objects,
    cluster: clusterSpecOf(input.flags),
    network: undefined,
    seed,
  });
  const { cluster } = stage;
  const facts = summary(cluster);
  say(
    `A simulated cluster from ${input.shown}: ${facts.nodes} nodes, ${facts.pools} pools, ` +
      `${facts.services} LoadBalancer Services. Time below is virtual.`,
  );
  for (const { object, faults } of cluster.faults) {
    for (const fault of faults)
      say(
        `  ${input.paint('yellow', 'refused')}  ${object?.kind ?? ''} ` +
          `${object?.metadata?.name ?? ''}: ${faultText(fault)}`,
      );
  }
  say();
  sayPools(cluster, say);
  sayRouters(cluster, say);
  sayServices(stage, say);
  sayTraffic(stage, say);
  const failure = chosenFailure(stage, input.flags);
  say(`t=0s   ${input.paint('red', failure.title)}`);
  const struck = strike(stage, failure);
  saySeconds(struck, say);
  const observations = watchStrike(struck).map((one) => ({ ...one, seed }));
  say('What each address went through:');
  console.out(textOf(summarise(failure, observations, 1), { headers: true, output: 'table' }));
  say();
  sayNext(input, failure, say);
  const virtual = Math.round(cluster.world.now / second);
  say(`\n${virtual} s of virtual time in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
}

type Say = (text?: string) => void;

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gmu, '  ').trimEnd();
}

function sayPools(cluster: Cluster, say: Say): void {
  const rows = cluster.pools().map((pool) => {
    const count = (type: string): string =>
      pool.conditions.find((one) => one.type === type)?.message ?? '-';
    const blocks = pool.blocks.map(
      (block) =>
        block.cidr ??
        (block.stop === undefined ? (block.start ?? '') : `${block.start ?? ''}-${block.stop}`),
    );
    return {
      name: pool.meta.name,
      blocks: blocks.join(', '),
      used: count('cilium.io/IPsUsed'),
      available: count('cilium.io/IPsAvailable'),
    };
  });
  say(
    indent(
      tableText(
        [
          { head: 'POOL', cell: (row) => row.name },
          { head: 'BLOCKS', cell: (row) => row.blocks },
          { head: 'USED', cell: (row) => row.used },
          { head: 'AVAILABLE', cell: (row) => row.available },
        ],
        rows,
        { wide: false, heads: true, sortBy: undefined },
      ),
    ),
  );
  say();
}

/** Routers that speak BGP, with their sessions and what they learned; nothing where none does. */
function sayRouters({ network, machines }: Cluster, say: Say): void {
  const rows = [...network.bgpRouters.values()].map(({ name, bgp }) => {
    const up = bgp.peers().filter(({ session }) => session !== undefined);
    const nodes = up.filter(({ address }) =>
      machines.all().some(({ node }) => node.stack.isLocal(address.ip)));
    return {
      name, asn: bgp.options.asn, sessions: `${up.length} (${nodes.length} with nodes)`,
      prefixes: bgp.fib.prefixes().length,
    };
  });
  if (rows.length === 0) return;
  say(
    indent(
      tableText(
        [
          { head: 'BGP ROUTER', cell: (row) => row.name },
          { head: 'AS', cell: (row) => row.asn },
          { head: 'SESSIONS', cell: (row) => row.sessions },
          { head: 'PREFIXES', cell: (row) => row.prefixes },
        ],
        rows,
        { wide: false, heads: true, sortBy: undefined },
      ),
    ),
  );
  say();
}

interface ServiceLine {
  readonly service: string;
  readonly address: string;
  readonly announced: string;
  readonly why: string;
}

function sayServices({ cluster, watched }: Stage, say: Say): void {
  const served: ServiceLine[] = watched.map((one) => {
    const owners = cluster.ownersOf(one.ip);
    const nodes = owners.length > 0 ? owners : announcingNodes(cluster, one.ip);
    const owner = nodes.length === 0 ? undefined : nodes.join(', ');
    return {
      service: one.key,
      address: one.ip,
      announced: owner ?? 'nobody',
      why: owner === undefined ? announcedText(cluster, one.key) : '',
    };
  });
  const waiting = summary(cluster).unserved.map((one): ServiceLine => ({
    service: one.service,
    address: '<pending>',
    announced: '-',
    why: `${one.reason}: ${one.message}`,
  }));
  const rows = [...served, ...waiting].toSorted((left, right) =>
    left.service < right.service ? -1 : Number(left.service > right.service),
  );
  say(
    indent(
      tableText<ServiceLine>(
        [
          { head: 'SERVICE', cell: (row) => row.service },
          { head: 'ADDRESS', cell: (row) => row.address },
          { head: 'ANNOUNCED BY', cell: (row) => row.announced },
          { head: 'WHY NOT', cell: (row) => row.why },
        ],
        rows,
        { wide: false, heads: true, sortBy: undefined },
      ),
    ),
  );
  say();
}

function announcedText(cluster: Cluster, key: string): string {
  const [namespace = '', name = ''] = key.split('/');
  const object = cluster.api.get(resources.services, namespace, name);
  const decoded = object === undefined ? undefined : cluster.decoder.service(object);
  const condition =
    decoded?.ok === true
      ? decoded.value.conditions.find((one) => one.type === 'fairlead.dev/Announced')
      : undefined;
  return condition === undefined ? '' : `${condition.reason}: ${condition.message}`;
}

function sayTraffic({ cluster, client, watched }: Stage, say: Say): void {
  const lines = watched.map((one) => cluster.traffic.line(one.line));
  const good = lines.reduce((sum, line) => sum + line.counts.ok, 0);
  const all = lines.reduce((sum, line) => sum + line.requestCount, 0);
  const latency = Math.max(0, ...lines.map((line) => line.latencyMean));
  say(
    `The client '${client}' asks every address ten times a second: ` +
    `${good} of ${all} requests answered so far, ` +
      `${(latency / 1000).toFixed(1)} ms on average at the slowest.`,
  );
  say();
}

// Unless told otherwise, the node that most addresses depend on.
function chosenFailure({ cluster, watched }: Stage, flags: DemoFlags): Failure {
  const names = cluster.machines.names();
  const failable = failableOf(cluster);
  const [asked] = failuresOf(flags, failable);
  if (asked !== undefined) return asked;
  const router = flags.bgp === true ? doubledRouter(cluster) : undefined;
  if (router !== undefined) return routerDown(router);
  const owned = (node: string): number =>
    watched.filter((one) => cluster.ownersOf(one.ip).includes(node)).length;
  const [node = names[0] ?? ''] = names.toSorted((left, right) => owned(right) - owned(left));
  return nodeDown(node);
}

/** A router beside which another one of its system serves the same nodes. */
function doubledRouter({ network }: Cluster): string | undefined {
  const all = [...network.bgpRouters.values()];
  return all.find(({ name, bgp }) => all.some((other) =>
    other.name !== name && other.bgp.options.asn === bgp.options.asn))?.name;
}

/** One line a second: which addresses were silent or answered in part, and what changed hands. */
function saySeconds({ stage, struckAt }: Strike, say: Say): void {
  const { cluster, watched } = stage;
  const tallies = watched.map((one) => {
    const seconds = Array.from({ length: secondsShown + 1 }, () => ({ good: 0, bad: 0 }));
    cluster.traffic.line(one.line).onRecord((record) => {
      const tally = seconds[Math.floor((record.startedAt - struckAt) / second)];
      if (tally === undefined || record.startedAt < struckAt) return;
      if (record.outcome === 'ok') tally.good += 1;
      else tally.bad += 1;
    });
    return { key: one.key, seconds };
  });
  let noted = cluster.world.notes.length;
  for (let passed = 1; passed <= secondsShown; passed += 1) {
    // A request may take a second to fail: what began in this one is known at the end of the next.
    cluster.world.run(struckAt + (passed + 1) * second);
    const notes = cluster.world.notes
      .slice(noted)
      .filter((note) => note.time < struckAt + passed * second);
    noted += notes.length;
    for (const note of notes) {
      if (note.code === 'l2.announced' || note.code.startsWith('kube.node'))
        say(`  ${at(note.time - struckAt)}  ${note.text}`);
    }
    const those = (test: (tally: { good: number; bad: number }) => boolean): string => {
      const keys = tallies
        .filter(({ seconds }) => test(seconds[passed - 1] ?? { good: 0, bad: 0 }))
        .map(({ key }) => key);
      return [...new Set(keys)].join(', ');
    };
    const silent = those(({ good, bad }) => bad > 0 && good === 0);
    const partly = those(({ good, bad }) => bad > 0 && good > 0);
    const parts = [
      silent === '' ? '' : `silent: ${silent}`,
      partly === '' ? '' : `in part: ${partly}`,
    ].filter((part) => part !== '');
    say(`t=${passed}s   ${parts.length === 0 ? 'every address answers' : parts.join('   ')}`);
  }
  say();
}

function at(micros: number): string {
  return `+${(micros / second).toFixed(3)}s`;
}

function sayNext({ flags }: DemoInput, failure: Failure, say: Say): void {
  const example = flags.bgp === true ? 'kind/examples/bgp-rack' : 'kind/examples/homelab';
  const folder = flags.filename?.join(' ') ?? example;
  const node = failure.node ?? 'node-2';
  say('Next:');
  say(`  npm start -- -f DIR --node-down ${node}`);
  say('      the same on your own folder of manifests');
  say(`  npm run -s fairlead -- sim what-if -f ${folder} --any-single-failure`);
  say('      every single failure over many placements, with hints');
  say('  npm run -s fairlead -- sim run test/scenario/01-node-power-loss.yaml --verbose');
  say('      a failure as a file with expectations, for CI');
  if (flags.filename === undefined && flags.bgp !== true) {
    say(
      '  npm run -s fairlead -- service explain -f kind/examples/homelab ' +
        '-f kind/examples/pending.yaml home/printer',
    );
    say('      why a Service waits, and what would help');
  }
}
