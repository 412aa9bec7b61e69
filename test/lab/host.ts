import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupMount } from '../../kind/lab/site.ts';

const path = '/usr/sbin:/sbin:/usr/bin:/bin';

function output(...words: readonly string[]): string {
  const [command = '', ...rest] = words;
  return execFileSync(command, rest, { encoding: 'utf8', env: { PATH: path } });
}

/** Settings of this machine's network, by file; counters and what changes by itself are none. */
function sysctls(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const place = join(folder, entry.name);
    if (entry.isDirectory()) return sysctls(place);
    if (/^(?:flush|stat_refresh)$|_count$/u.test(entry.name)) return [];
    try {
      return [`${place}=${readFileSync(place, 'utf8').trim()}`];
    } catch {
      // Settings that may only be written say so when they are read.
      return [];
    }
  });
}

/** The machine's own network as it is: devices, addresses, routes, rules and settings. */
export function hostNetwork(): Readonly<Record<string, unknown>> {
  return {
    links: output('ip', '-j', 'link', 'show'),
    addresses: output('ip', 'address', 'show').replaceAll(/(?:valid|preferred)_lft \d+sec/gu, ''),
    routes: ['-4', '-6'].map((family) => output('ip', family, 'route', 'show', 'table', 'all')),
    rules: ['-4', '-6'].map((family) => output('ip', family, 'rule', 'show')),
    nft: output('nft', 'list', 'ruleset'),
    sysctls: sysctls('/proc/sys/net/ipv4').concat(sysctls('/proc/sys/net/ipv6')),
  };
}

/** What of a lab is on this machine: other tests have namespaces and cgroups of their own. */
export function leftOf(lab: string): readonly string[] {
  const pins = '/sys/fs/bpf/fairlead';
  return [
    ...readdirSync('/run/netns').filter((name) => name.startsWith(`${lab}-`)),
    ...readdirSync(cgroupMount()).filter((name) => name === `fairlead-lab-${lab}`),
    ...(existsSync(pins) ? readdirSync(pins) : []).filter((name) => name.includes(lab)),
    ...readdirSync('/run').filter((name) => name.includes(lab)),
    ...output('mount').split('\n').filter((line) => line.includes(lab)),
  ];
}
