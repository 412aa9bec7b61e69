import { join } from 'node:path';
import type { Lab } from '../kind/lab/lab.ts';
import { podNamespace } from '../kind/lab/pods.ts';
import { startIn, type Site } from '../kind/lab/site.ts';
import { CommandEnd, exitCodes } from './exit.ts';

/** Runs a command on a machine or in a pod of a lab; its exit code, or 128 and its signal's. */
export async function runOn(lab: Lab, place: string, command: readonly string[]): Promise<number> {
  const site = place.includes('/') ? await podSite(lab, place) : machineSite(lab, place);
  const child = startIn(site, command, { stdio: 'inherit' });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('close', (...end) => resolve(end));
  });
  if (code !== null) return code;
  const { constants } = await import('node:os');
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}

function machineSite(lab: Lab, name: string): Site {
  const machine = lab.machines.get(name);
  if (machine === undefined) {
    const known = [...lab.machines.keys()].join(', ');
    throw new CommandEnd(exitCodes.notWell, `the lab has no ${name}; it has ${known}`);
  }
  if (machine.plan.kind === 'node' && machine.init() === undefined) {
    throw new CommandEnd(exitCodes.notWell, `${name} has no power`);
  }
  return machine.site('exec');
}

interface Pod {
  readonly metadata: { readonly uid: string };
  readonly spec: { readonly nodeName?: string; readonly hostNetwork?: boolean };
}

// A pod's sockets are those of its node's cgroup.
async function podSite(lab: Lab, place: string): Promise<Site> {
  const [namespace = '', name = ''] = place.split('/');
  const pod = await lab.get(`/api/v1/namespaces/${namespace}/pods/${name}`) as Pod | undefined;
  const node = pod?.spec.nodeName;
  if (pod === undefined || node === undefined) {
    throw new CommandEnd(exitCodes.notWell, `no pod ${place} runs in the lab`);
  }
  if (pod.spec.hostNetwork === true) return machineSite(lab, node);
  return {
    namespace: podNamespace(lab.name, pod.metadata.uid),
    cgroup: join(lab.machine(node).cgroup, 'exec'),
  };
}
