import { readFileSync } from 'node:fs';
import { loadAddon, type Addon, type SocketHandle } from '../../bpf/native.real.ts';
import { openDevices, type SocketAddon } from '../../lb/devices.real.ts';
import type { DeviceFacts } from '../../lb/netlink.ts';
import type { Configuration } from '../daemon/configuration.ts';
import { kubeClient } from '../daemon/kubeclient.ts';
import { nodeNameOf } from '../daemon/values.ts';
import type { Check, Finding, Surroundings } from './check.ts';

/** One row of the doctor's table. */
export interface Examined extends Finding {
  readonly check: string;
}

/** Runs checks one after the other, in order. */
export async function examine(
  checks: readonly Check[], configuration: Configuration,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Examined[]> {
  const addon = loadAddon();
  const kube = kubeClient(configuration.values, env);
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
