import { decodeFront, decodeFrontKey, frontKind } from '../../bpf/layout.gen.ts';
import { compareIp, ipFromBytes, type Ip } from '../../lb/ip.ts';
import { protocolNumbers } from '../../lb/murmur.ts';
import type { MapEntry } from '../../lb/ports.ts';
import { compareText } from '../../lb/table.ts';

const protocolNames: ReadonlyMap<number, string> = new Map(
  Object.entries(protocolNumbers).map(([name, number]) => [number, name]),
);

/**
 * What a node's kernel serves, by the rows of `fl_front`: `192.0.2.10:80/TCP`, NodePorts as
 * `*:30080/TCP`; by address, then text.
 */
export function frontTexts(rows: readonly MapEntry[]): string[] {
  const fronts = rows.map(({ key, value }): { readonly ip: Ip | undefined; text: string } => {
    const { addr, port, proto } = decodeFrontKey(key);
    const service = `${port}/${protocolNames.get(proto) ?? proto}`;
    if (decodeFront(value).kind === frontKind.nodePort) {
      return { ip: undefined, text: `*:${service}` };
    }
    const ip = ipFromBytes(addr);
    return { ip, text: `${ip.includes(':') ? `[${ip}]` : ip}:${service}` };
  });
  fronts.sort((left, right) => {
    if (left.ip !== undefined && right.ip !== undefined) {
      return compareIp(left.ip, right.ip) || compareText(left.text, right.text);
    }
    return Number(left.ip === undefined) - Number(right.ip === undefined) ||
      compareText(left.text, right.text);
  });
  return [...new Set(fronts.map((front) => front.text))];
}
