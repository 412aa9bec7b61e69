import type { KubeObject } from '../kube/port.ts';
import type { Failure } from '../sim/report/failure.ts';
import { hintsFor } from '../sim/report/remedy.ts';
import { bootCluster, runPlacement, summary, type WhatIfInput } from '../sim/report/whatif.ts';
import {
  summarise,
  type FailureSummary,
  type SeededObservation,
} from '../sim/report/whatif-table.ts';
import { clusterSpecOf } from './clusterspec.ts';
import { usageError } from './exit.ts';
import { faultText } from './finding.ts';
import { failableOf, failuresOf, seedsFor } from './failures.ts';
import type { WhatIfFlags } from './whatif.ts';

export interface WhatIfAnswer {
  readonly head: string;
  readonly summaries: readonly FailureSummary[];
  readonly warnings: readonly string[];
  /** How to see the worst placement again. */
  readonly replay: string;
}

/** Runs every failure over its placements and puts the figures together. */
export function answerWhatIf(objects: readonly KubeObject[], flags: WhatIfFlags): WhatIfAnswer {
  const cluster = clusterSpecOf(flags);
  const booted = bootCluster({ objects, cluster, network: undefined, seed: 0n });
  const wanted = failuresOf(flags, failableOf(booted));
  if (wanted.length === 0) {
    throw usageError(
      'say what fails: --node-down NODE, --router-down ROUTER, --drain NODE, --isolate NODE, ' +
        '--api-down 10m, or --any-single-failure',
    );
  }
  const { first, count } = seedsFor(flags, wanted.length);
  const started = performance.now();
  const summaries = wanted.map((failure) => {
    const input: Omit<WhatIfInput, 'seed'> = { objects, cluster, network: undefined, failure };
    const observations: SeededObservation[] = [];
    for (let seed = first; seed < first + count; seed += 1) {
      const placement = runPlacement({ ...input, seed: BigInt(seed) });
      observations.push(...placement.observations.map((one) => ({ ...one, seed: BigInt(seed) })));
    }
    const table = summarise(failure, observations, count);
    return flags.hints ? { ...table, hints: hintsFor(input, table.rows) } : table;
  });
  const facts = summary(booted);
  const wall = ((performance.now() - started) / 1000).toFixed(1);
  return {
    head:
      `${facts.nodes} nodes, ${facts.services} LoadBalancer Services, ${facts.pools} pools · ` +
      `Kubernetes ${cluster.kubernetes} defaults · ` +
      `${count} placements${wanted.length > 1 ? ` × ${wanted.length} failures` : ''} · ${wall} s`,
    summaries,
    warnings: warningsOf(booted),
    replay: replayOf(summaries, flags),
  };
}

function warningsOf(booted: ReturnType<typeof bootCluster>): string[] {
  const refused = booted.faults.flatMap(({ object, faults }) =>
    faults.map((fault) => {
      const name =
        object === undefined ? '' : `${object.kind ?? ''} ${object.metadata?.name ?? ''}: `;
      return `${name}${faultText(fault)}`;
    }),
  );
  const unserved = summary(booted).unserved.map(
    ({ service, reason, message }) =>
      `service ${service} has no address: ${reason}${message === '' ? '' : `, ${message}`}`,
  );
  const assumed = booted.prepared.assumedNodes
    ? [`the folder has no Nodes; ${booted.machines.names().length} are assumed (--nodes)`]
    : [];
  return [...assumed, ...refused, ...unserved];
}

function replayOf(summaries: readonly FailureSummary[], flags: WhatIfFlags): string {
  const rows = summaries.flatMap((one) => one.rows.map((row) => ({ row, one })));
  const worst = rows.toSorted(
    (left, right) => (right.row.worstMs ?? Infinity) - (left.row.worstMs ?? Infinity),
  )[0];
  if (worst === undefined) return '\nno Service has an address that could fail';
  const { failure } = worst.one;
  const folder = flags.filename.join(' ');
  const flag = `${flagOf(failure)} --seed ${worst.row.worstSeed} --seeds 1`;
  return `\n  the worst placement again: fairlead sim what-if -f ${folder} ${flag}`;
}

// The flag that asks for one failure again.
function flagOf({ fault, node }: Failure): string {
  if (fault.name === 'router.reboot') return `--router-down ${String(fault.with['router'])}`;
  if (node === undefined) return '--any-single-failure';
  if (fault.name === 'node.powerOff') return `--node-down ${node}`;
  return fault.name === 'node.drain' ? `--drain ${node}` : `--isolate ${node}`;
}
