import type { Drive } from '../../sim/live/control.ts';
import { LiveControl } from '../../sim/live/control.ts';
import { LiveSession } from '../../sim/live/session.ts';
import { LiveWorld } from '../../sim/live/live.ts';
import { parseCommand } from '../../sim/live/command.ts';
import { Cluster } from '../../sim/cluster/cluster.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import type { ClusterSpec } from '../../sim/scenario/spec.ts';
import { asker, type Heard } from './place.ts';

/** A live cluster on a clock of the test's own. */
export interface LiveRig {
  readonly session: LiveSession;
  readonly live: LiveWorld;
  readonly spec: ClusterSpec;
  readonly seed: bigint;
  /** Lets so many seconds of host time pass. */
  pass(seconds: number): void;
  /** Performs one command to its end; what it said. */
  say(line: string): string;
  ask(line: string, body?: unknown, headers?: Record<string, string>): Heard;
}

/** Two nodes with agents and controllers, booted and paced by `pass`. */
export function liveCluster(): LiveRig {
  const usual = defaultCluster();
  const spec: ClusterSpec = { ...usual, nodes: usual.nodes.slice(0, 2) };
  const seed = 7n;
  const cluster = new Cluster({
    seed, cluster: spec, network: undefined, objects: [], traffic: [], freeze: true,
  });
  let hostNow = 0;
  const live = new LiveWorld(cluster.world, hostNow);
  const session = new LiveSession(cluster, live, spec.kubernetes);
  const advance = (): void => { while (live.advance(hostNow)); };
  const drive: Drive = {
    enter: (what, act) => { live.enter(hostNow, what, act); },
    pace: (change) => {
      change(live, hostNow);
      advance();
    },
  };
  const control = new LiveControl(session, live, drive);
  cluster.start();
  const ask = asker(session);
  return {
    session, live, spec, seed,
    pass: (seconds) => {
      // In steps below the lag at which a world gives up to keep up.
      for (let left = seconds * 1_000_000; left > 0; left -= 500_000) {
        hostNow += Math.min(left, 500_000);
        advance();
      }
    },
    say: (line) => {
      const parsed = parseCommand(line);
      if (!parsed.ok) throw new Error(parsed.error);
      const command = parsed.value;
      if (command.kind === 'save' || command.kind === 'quit' || command.kind === 'none') return '';
      let said = '';
      control.perform(command, (text) => { said = text; });
      return said;
    },
    ask: (line, body, headers) => {
      let heard: Heard | undefined;
      live.enter(hostNow, { kind: 'http.request', entity: 'test' }, () => {
        heard = ask(line, body, headers);
      });
      return heard!;
    },
  };
}
