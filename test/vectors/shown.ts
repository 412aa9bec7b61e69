import * as layout from '../../bpf/layout.gen.ts';
import { ipFromBytes } from '../../lb/ip.ts';

/** Rows of a map as an executor dumps them. */
export type Dump = (map: string) => readonly {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}[];

/** A record of `fl_events` as `type reason client front endpoint`; `-` was not chosen. */
export function shownEvent(record: Uint8Array): string {
  const event = layout.decodeEvent(record, 0);
  return [
    nameOf(layout.eventType, event.type), nameOf(layout.reason, event.reason),
    shownPlace(event.client, event.clientPort), shownPlace(event.front, event.frontPort),
    shownPlace(event.endpoint, event.endpointPort),
  ].join(' ');
}

/** The rows of `fl_ct` and `fl_snat`, sorted: key, what it leads to, states. */
export function shownFlows(dump: Dump): string[] {
  return ['fl_ct', 'fl_snat'].flatMap((name) => dump(name).map(({ key, value }) => {
    const flow = layout.decodeFlowKey(key);
    const row = layout.decodeFlow(value);
    const states = Object.entries(layout.flowBit)
      .filter(([, bit]) => (row.state & bit) !== 0).map(([state]) => state);
    return [
      name, flow.kind === 0 ? 'forward' : 'reply', shownPlace(flow.source, flow.sourcePort),
      shownPlace(flow.target, flow.targetPort), shownPlace(row.peer, row.peerPort),
      shownPlace(row.nat, row.natPort), `b${row.backendId}`, ...states,
    ].join(' ');
  })).toSorted();
}

function nameOf(names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, one]) => one === value)?.[0] ?? String(value);
}

function shownPlace(address: Uint8Array, port: number): string {
  if (address.every((octet) => octet === 0)) return '-';
  const text = ipFromBytes(address);
  return `${text.includes(':') ? `[${text}]` : text}:${port}`;
}
