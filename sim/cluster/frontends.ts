import { compareIp, type Ip } from '../../lb/ip.ts';
import { compareText } from '../../lb/table.ts';
import type { ViewIndex } from '../../lb/view.ts';

/**
 * What a node's kernel serves: `192.0.2.10:80/TCP`, NodePorts as `*:30080/TCP`; by address, then
 * text.
 */
export function frontTexts(view: ViewIndex): string[] {
  const fronts: { readonly ip: Ip | undefined; readonly text: string }[] = [];
  for (const record of view.records()) {
    if (record.kind !== 'service-port') continue;
    for (const ip of [...record.clusterIps, ...record.vips, ...record.externalIps]) {
      const shown = record.family === 'IPv6' ? `[${ip}]` : ip;
      fronts.push({ ip, text: `${shown}:${record.port}/${record.protocol}` });
    }
    if (record.nodePort > 0)
      fronts.push({ ip: undefined, text: `*:${record.nodePort}/${record.protocol}` });
  }
  fronts.sort((left, right) => {
    if (left.ip === undefined || right.ip === undefined) {
      return (
        Number(left.ip === undefined) - Number(right.ip === undefined) ||
        compareText(left.text, right.text)
      );
    }
    return compareIp(left.ip, right.ip) || compareText(left.text, right.text);
  });
  return [...new Set(fronts.map((front) => front.text))];
}
