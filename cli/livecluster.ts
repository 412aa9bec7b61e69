import { stringify } from 'yaml';
import type { KubeObject } from '../kube/port.ts';
import type { Resource } from '../kube/resource.ts';
import { Cluster } from '../sim/cluster/cluster.ts';
import { LiveControl, type WorldCommand } from '../sim/live/control.ts';
import { LiveDriver } from '../sim/live/driver.real.ts';
import { serveApi, type ServedApi } from '../sim/live/http.real.ts';
import { LiveWorld, type Rate } from '../sim/live/live.ts';
import type { Recording } from '../sim/live/recording.ts';
import { LiveSession } from '../sim/live/session.ts';
import type { ClusterSpec } from '../sim/scenario/spec.ts';
import type { World } from '../sim/world.ts';
import { CommandEnd, exitCodes } from './exit.ts';
import { writeKubeconfig } from './simkubeconfig.ts';

export interface LiveClusterInput {
  readonly objects: readonly KubeObject[];
  readonly cluster: ClusterSpec;
  readonly rate: Rate;
  readonly seed: bigint;
  readonly host: string;
  readonly port: number;
  /** Where to write the kubeconfig; undefined: in a folder that goes at the end. */
  readonly kubeconfig: string | undefined;
}

/** A running simulated cluster with its socket, its kubeconfig and its commands. */
export interface LiveCluster {
  readonly url: string;
  readonly kubeconfig: string;
  readonly seed: bigint;
  readonly world: World;
  readonly recording: Recording;
  /** Manifests that were refused, one line each. */
  readonly warnings: readonly string[];
  /** Resolved by SIGINT and SIGTERM; rejected by a bug inside the world. */
  readonly ended: Promise<void>;
  /** How many objects there are now. */
  list(resource: Resource): number;
  /** Performs one command; the text is what it has to say. */
  perform(command: WorldCommand): Promise<string>;
  manifestText(): string;
  close(): Promise<void>;
}

/**
 * How much older than the host's clock the cluster is at its start: it may hurry through its boot
 * without creating objects in kubectl's future.
 */
const ageAtStart = 120_000_000;
/** Virtual time for the boot to converge before the clock is followed. */
const bootMax = 60_000_000;

/** Boots a cluster and serves it. The boot runs as fast as it can, while requests are answered. */
export async function startLiveCluster(input: LiveClusterInput): Promise<LiveCluster> {
  const { seed, cluster: spec, objects } = input;
  const cluster = new Cluster({
    seed, cluster: spec, objects, network: undefined, traffic: [],
    epoch: Math.floor(Date.now() / 1000) * 1_000_000 - ageAtStart,
  });
  const live = new LiveWorld(cluster.world, LiveDriver.now());
  const ending = Promise.withResolvers<void>();
  const driver = new LiveDriver(live, (error) => { ending.reject(error); });
  const session = new LiveSession(cluster, live, spec.kubernetes);
  const control = new LiveControl(session, live, driver);
  cluster.start();
  live.setRate(LiveDriver.now(), input.rate);
  live.hurry({
    until: bootMax, reached: () => cluster.unconverged().length === 0, done: () => undefined,
  });
  const served = await listen(driver, session, input);
  const kubeconfig = writeKubeconfig(served.url, input.kubeconfig);
  const stop = (): void => { ending.resolve(); };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  return {
    url: served.url,
    kubeconfig: kubeconfig.path,
    seed,
    world: cluster.world,
    recording: session.recording,
    warnings: cluster.faults.flatMap(({ object, faults }) => faults.map(({ path, message }) =>
      `${object?.kind ?? 'settings'} ${object?.metadata?.name ?? ''}: ${path} ${message}`)),
    ended: ending.promise,
    list: (resource) => cluster.api.list(resource).length,
    perform: (command) => new Promise((resolve) => { control.perform(command, resolve); }),
    manifestText: () => objects.map((object) => `---\n${stringify(object)}`).join(''),
    close: async () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
      kubeconfig.remove();
      await served.close();
    },
  };
}

async function listen(
  driver: LiveDriver, session: LiveSession, { host, port }: LiveClusterInput,
): Promise<ServedApi> {
  try {
    return await serveApi(driver, session, { host, port });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandEnd(exitCodes.unreachable, `cannot listen on ${host}:${port}: ${why}`);
  }
}
