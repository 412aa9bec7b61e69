import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '../../lb/result.ts';
import type { Blueprint, LabMachine } from './blueprint.ts';
import { namespacePresent } from './dismantle.ts';
import type { LabRecord } from './record.ts';
import { cgroupMount, ip, ipBatch, runIn } from './site.ts';

/** Folder of cgroup2 of everything in a lab. */
export function labCgroup(lab: string): string {
  return join(cgroupMount(), `fairlead-lab-${lab}`);
}

/** Folder of cgroup2 of one machine: the node's own, which its agent attaches to. */
export function cgroupOf(lab: string, machine: string): string {
  return join(labCgroup(lab), machine);
}

/** Why a lab cannot be made under this name; every name in the way is said. */
export function namesInUse(blueprint: Blueprint, record: LabRecord): string | undefined {
  const taken = [
    ...(record.present ? [`lab ${blueprint.name}`] : []),
    ...blueprint.machines.map(({ namespace }) => namespace).filter(namespacePresent)
      .map((name) => `namespace ${name}`),
    ...[labCgroup(blueprint.name)].filter((path) => existsSync(path)).map((path) => (
      `cgroup ${path}`
    )),
  ];
  if (taken.length === 0) return undefined;
  const remedy = record.present ? `fairlead lab down --name ${blueprint.name}` : 'another --name';
  return `already there: ${taken.join(', ')}; next: ${remedy}`;
}

/**
 * Makes the namespaces, cables, addresses and routes of a blueprint, each written down first. The
 * host's own devices, routes, rules and settings are not touched: every cable has both its ends in
 * namespaces of the lab.
 */
export function makeMachines(blueprint: Blueprint, record: LabRecord): Result<void, string> {
  const taken = namesInUse(blueprint, record);
  if (taken !== undefined) return err(taken);
  record.begin();
  record.add({ kind: 'cgroup', path: labCgroup(blueprint.name) });
  for (const machine of blueprint.machines) {
    record.add({ kind: 'namespace', name: machine.namespace });
    ip('netns', 'add', machine.namespace);
    runIn(
      { namespace: machine.namespace, cgroup: cgroupOf(blueprint.name, machine.name) },
      ['sysctl', '-qw', ...settingsOf(machine)],
    );
  }
  for (const machine of blueprint.machines) {
    ipBatch(machine.namespace, ['link set dev lo up', ...machine.lines]);
  }
  return ok(undefined);
}

function settingsOf({ kind, forwards }: LabMachine): readonly string[] {
  const bridges = kind === 'switch';
  return [
    'net.ipv6.conf.default.accept_dad=0', 'net.ipv6.conf.all.accept_ra=0',
    'net.ipv6.conf.default.accept_ra=0',
    // A switch is no host: it has no addresses and says nothing.
    `net.ipv6.conf.all.disable_ipv6=${Number(bridges)}`,
    `net.ipv6.conf.default.disable_ipv6=${Number(bridges)}`,
    // Routers share traffic by flows, as switches of a rack do.
    'net.ipv4.fib_multipath_hash_policy=1', 'net.ipv6.fib_multipath_hash_policy=1',
    `net.ipv4.ip_forward=${Number(forwards)}`,
    `net.ipv6.conf.all.forwarding=${Number(forwards)}`,
  ];
}
