import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootFolder } from '../../cli/bootfolder.ts';
import type { Console } from '../../cli/console.ts';
import type { Cluster } from '../../sim/cluster/cluster.ts';
import { ApiFront } from '../../sim/api/http/front.ts';
import { LiveDriver } from '../../sim/live/driver.real.ts';
import { serveApi } from '../../sim/live/http.real.ts';
import { LiveWorld } from '../../sim/live/live.ts';

const silent: Console = {
  out: () => undefined, err: () => undefined, outTty: false, env: {},
  input: () => Promise.resolve(''),
};

/** A folder's cluster at rest, whose API answers on a socket while its time stands still. */
export interface ServedCluster {
  readonly cluster: Cluster;
  readonly url: string;
  close(): Promise<void>;
}

export async function serveFolder(folder: string): Promise<ServedCluster> {
  const { cluster } = await bootFolder(silent, { filename: [folder], nodes: '3' });
  const live = new LiveWorld(cluster.world, LiveDriver.now());
  const driver = new LiveDriver(live);
  driver.pace((paced, now) => { paced.pause(now); });
  const front = new ApiFront(cluster.world, cluster.api, { frozen: () => live.frozen });
  const api = await serveApi(driver, front);
  return { cluster, url: api.url, close: () => api.close() };
}

/** A folder for the files of one test, which it has to take away. */
export class Drawer {
  readonly path = mkdtempSync(join(tmpdir(), 'fairlead-config-'));

  /** Writes a file and tells its path. */
  put(name: string, content: string, mode = 0o600): string {
    const path = join(this.path, name);
    writeFileSync(path, content, { mode });
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }
}

/** A kubeconfig of one cluster, context and user, as YAML that is JSON. */
export function kubeconfig(
  server: string, more: { user?: object; cluster?: object; context?: object; name?: string } = {},
): string {
  const { name = 'lab', user = {}, cluster = {}, context = {} } = more;
  return JSON.stringify({
    'current-context': name,
    contexts: [{ name, context: { cluster: name, user: name, ...context } }],
    clusters: [{ name, cluster: { server, ...cluster } }],
    users: [{ name, user }],
  });
}
