import { readFileSync } from 'node:fs';
import { loadAddon, type Addon, type SocketHandle } from '../../bpf/native.real.ts';
import { openDevices, type SocketAddon } from '../../lb/devices.real.ts';
import type { RealKube } from '../../kube/client.real.ts';
import type { DeviceFacts } from '../../lb/netlink.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import type { Configuration } from '../daemon/configuration.ts';
import { kubeClient } from '../daemon/kubeclient.ts';
import { nodeNameOf, textsOf } from '../daemon/values.ts';
import { kubeOf } from '../cluster.ts';
import { clusterAccess, type KubeFlags } from '../kubeconfig.ts';
import type { Check, Finding, Surroundings } from './check.ts';

/** One row of the doctor's table. */
export interface Examined extends Finding {
  readonly check: string;
}

/** Runs checks one after the other, in order. */
export async function examine(
  checks: readonly Check[], configuration: Configuration, cluster: ClusterFlags,
): Promise<Examined[]> {
  const addon = loadAddon();
  const kube = await kubeFor(configuration, cluster);
  const around: Surroundings = {
    nodeName: nodeNameOf(configuration.values), configuration,
    addon: addon.ok ? addon.value : undefined, addonMissing: addon.ok ? '' : addon.error.text,
    devices: addon.ok ? devicesOf(addon.value) : [],
    kube: kube.ok ? kube.value : undefined, kubeMissing: kube.ok ? '' : kube.error,
    read,
  };
  try {
    const examined: Examined[] = [];
    for (const { name, look } of checks) {
      examined.push({ check: name, ...await look(around) });
    }
    return examined;
  } finally {
    if (kube.ok) kube.value.close();
  }
}

/** Which cluster the command line names, where the configuration names none. */
export interface ClusterFlags {
  readonly flags: KubeFlags;
  readonly env: Readonly<Record<string, string | undefined>>;
}

async function kubeFor(
  { values }: Configuration, { flags, env }: ClusterFlags,
): Promise<Result<RealKube, string>> {
  if (textsOf(values['kubernetes.endpoints']).length > 0) return kubeClient(values, env);
  const access = await clusterAccess(flags, env);
  if (access !== undefined) return ok(await kubeOf(access));
  return err('no cluster is named: give --kubeconfig, or set KUBECONFIG');
}

function devicesOf(addon: Addon): readonly DeviceFacts[] {
  const opened = openDevices<SocketHandle>(addon as SocketAddon<SocketHandle>);
  try {
    return opened.read();
  } finally {
    opened.close();
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // What cannot be read is an answer to the check that asks.
    return undefined;
  }
}
