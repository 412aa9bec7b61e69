import { readFileSync, writeFileSync } from 'node:fs';
import type { PortRange } from '../lb/datapathoptions.ts';
import { reservedPorts } from './sysctl.ts';

// Files of the network namespace that this thread is in, wherever /proc was mounted.
const folder = '/proc/sys/net/ipv4';

/** Keeps local sockets off the ports of SNAT (datapath.md 8.3). Undefined, or what is refused. */
export function reservePorts(range: PortRange): string | undefined {
  const file = `${folder}/ip_local_reserved_ports`;
  return attempt(file, () => {
    const text = reservedPorts(readFileSync(file, 'utf8'), range);
    if (text !== undefined) writeFileSync(file, text);
  });
}

/**
 * Ends ICMP redirects of bridges with pods: a translated packet may leave by the port that it came
 * in by. `all` is ored with each device's own switch (IN_DEV_TX_REDIRECTS), so it goes off as well;
 * other devices keep theirs. Undefined, or what is refused.
 */
export function endRedirects(bridge: string): string | undefined {
  const files = [bridge, 'all'].map((name) => `${folder}/conf/${name}/send_redirects`);
  return files.map((file) => attempt(file, () => {
    if (readFileSync(file, 'utf8').trim() !== '0') writeFileSync(file, '0');
  })).find((refused) => refused !== undefined);
}

function attempt(file: string, write: () => void): string | undefined {
  try {
    write();
    return undefined;
  } catch (error) {
    return `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`;
  }
}
