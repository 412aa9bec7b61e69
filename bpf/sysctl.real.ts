import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PortRange } from '../lb/datapathoptions.ts';
import { runFolder } from './pins.real.ts';
import { localPortRange, reservedPorts, restoredText, type SysctlRecord } from './sysctl.ts';

// Files of the network namespace that this thread is in, wherever /proc was mounted.
const folder = '/proc/sys/net/ipv4';
const portsFile = `${folder}/ip_local_reserved_ports`;
const rangeFile = `${folder}/ip_local_port_range`;

/**
 * Keeps local sockets off the ports of SNAT (datapath.md 8.3), and remembers what was there for the
 * day when `node` is uninstalled. Undefined, or what is refused.
 */
export function reservePorts(node: string, range: PortRange): string | undefined {
  const change = (file: string, wanted: (text: string, range: PortRange) => string | undefined) => (
    attempt(file, () => {
      const before = readFileSync(file, 'utf8');
      const after = wanted(before, range);
      if (after !== undefined) write(node, file, { before: before.trim(), after });
    })
  );
  return change(portsFile, reservedPorts) ?? change(rangeFile, localPortRange);
}

/**
 * Ends ICMP redirects of bridges with pods: a translated packet may leave by the port that it came
 * in by. `all` is ored with each device's own switch (IN_DEV_TX_REDIRECTS), so it goes off as well;
 * other devices keep theirs. `default` is what later bridges begin with. Undefined, or what is
 * refused.
 */
export function endRedirects(node: string, bridge: 'default' | (string & {})): string | undefined {
  const files = [bridge, 'all'].map((name) => `${folder}/conf/${name}/send_redirects`);
  return files.map((file) => attempt(file, () => {
    const before = readFileSync(file, 'utf8').trim();
    if (before !== '0') write(node, file, { before, after: '0' });
  })).find((refused) => refused !== undefined);
}

/** Bridges of the network namespace that this thread is in, as far as /sys shows them. */
export function bridgeNames(): readonly string[] {
  const devices = existsSync('/sys/class/net') ? readdirSync('/sys/class/net') : [];
  return devices.filter((name) => existsSync(`/sys/class/net/${name}/bridge`));
}

/** What became of the sysctls that were changed for a node, as their paths. */
export interface RestoredSysctls {
  readonly restored: readonly string[];
  /** Changed by somebody else since, so left as they are. */
  readonly kept: readonly string[];
}

/** Puts back what was there, in the network namespace of the node, and forgets it. */
export function restoreSysctls(node: string): RestoredSysctls {
  const restored: string[] = [];
  const kept: string[] = [];
  for (const [file, record] of Object.entries(readRecords(node))) {
    // The device went, and its switch with it.
    if (!existsSync(file)) continue;
    const kind = file === portsFile ? 'ports' : 'value';
    const text = restoredText(record, readFileSync(file, 'utf8'), kind);
    if (text === undefined) kept.push(file);
    else {
      // An empty write says nothing to the kernel; a line end empties the list.
      writeFileSync(file, `${text}\n`);
      restored.push(file);
    }
  }
  rmSync(recordsPath(node), { force: true });
  return { restored, kept };
}

/** The sysctls that are changed for a node now, as their paths. */
export function changedSysctls(node: string): readonly string[] {
  return Object.keys(readRecords(node));
}

type Records = Readonly<Record<string, SysctlRecord>>;

const recordsEnd = '.sysctls.json';

function recordsPath(node: string): string {
  return join(runFolder, `${node}${recordsEnd}`);
}

function readRecords(node: string): Records {
  const path = recordsPath(node);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) as Records : {};
}

// Remembered first: a change that nobody remembers could never be taken back.
function write(node: string, file: string, { before, after }: SysctlRecord): void {
  const records = readRecords(node);
  const record = { before: records[file]?.before ?? before, after };
  const path = recordsPath(node);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ ...records, [file]: record })}\n`);
  writeFileSync(file, after);
}

function attempt(file: string, change: () => void): string | undefined {
  try {
    change();
    return undefined;
  } catch (error) {
    return `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Nodes of this machine for which sysctls were changed. */
export function nodesWithSysctls(): readonly string[] {
  const names = existsSync(runFolder) ? readdirSync(runFolder) : [];
  return names.filter((name) => name.endsWith(recordsEnd))
    .map((name) => name.slice(0, -recordsEnd.length));
}
