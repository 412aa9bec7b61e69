import type { BackendRow } from './endpoints.ts';
import type { Ip } from './ip.ts';
import type { Protocol } from './model.ts';
import type { Micros } from './ports.ts';
import type { Scope } from './policy.ts';
import type { ServicePortId, ServicePortRecord } from './serviceport.ts';

/** Where a TCP flow stands, as far as the datapath sees. UDP and SCTP are `open` at once. */
export type FlowState = 'handshake' | 'open' | 'half-closed' | 'closing';

/** One flow as the datapath remembers it (`fl_ct`). */
export interface FlowRow {
  readonly servicePort: ServicePortId;
  readonly scope: Scope;
  readonly backend: BackendRow;
  /** Of the service record when the endpoint was last found to serve; compared for UDP only. */
  readonly generation: number;
  readonly state: FlowState;
  /** A packet came back from the endpoint. */
  readonly answered: boolean;
  readonly last: Micros;
  /** When the first FIN or RST was seen. */
  readonly closedAt: Micros | undefined;
}

/** The endpoint that a client was last given (`fl_aff`). */
export interface AffinityRow {
  readonly ip: Ip;
  readonly port: number;
  readonly last: Micros;
}

/** What arrives on an existing row. */
export interface RowEvent {
  readonly protocol: Protocol;
  readonly syn: boolean;
  readonly now: Micros;
  readonly generation: number;
}

export type RowVerdict = 'keep' | 'refresh' | 'choose';

const second = 1_000_000;
/** A SYN this long after the first FIN or RST is a new connection on a reused port. */
const closingGrace: Micros = 2 * second;

/**
 * Time without a packet after which a row counts as absent (datapath.md 8.4; RFC 5382, RFC 4787).
 */
export function rowLifetime(
  row: Pick<FlowRow, 'state' | 'answered'>, protocol: Protocol,
): Micros {
  if (protocol === 'UDP') return (row.answered ? 120 : 30) * second;
  if (protocol === 'SCTP') return 600 * second;
  const seconds = { handshake: 60, open: 7_440, 'half-closed': 3_600, closing: 10 }[row.state];
  return seconds * second;
}

export function rowLives(row: FlowRow, protocol: Protocol, now: Micros): boolean {
  return now - row.last < rowLifetime(row, protocol);
}

/**
 * Whether a live row's endpoint stands for a further packet (the table of datapath.md 8.4).
 * `record` is the service port now, undefined when it is gone.
 */
export function judgeRow(
  row: FlowRow, event: RowEvent, record: ServicePortRecord | undefined,
): RowVerdict {
  if (event.protocol === 'UDP') return judgeDatagram(row, event, record);
  if (event.protocol === 'SCTP' || !event.syn) return 'keep';
  const closed = row.state === 'closing' || row.state === 'half-closed';
  if (closed && event.now - (row.closedAt ?? event.now) > closingGrace) return 'choose';
  const member = record === undefined ? undefined : memberOf(record, row.backend);
  const standing = row.scope === 'local' ? member?.near : member?.cluster;
  return standing === true ? 'keep' : 'choose';
}

// Policy and topology play no part for UDP: only whether the endpoint still serves (C28).
function judgeDatagram(
  row: FlowRow, event: RowEvent, record: ServicePortRecord | undefined,
): RowVerdict {
  if (row.generation === event.generation && record !== undefined) return 'keep';
  const member = record === undefined ? undefined : memberOf(record, row.backend);
  return member?.serving === true ? 'refresh' : 'choose';
}

/**
 * The service port's present row for the same address and port: existence elsewhere is not enough.
 */
export function memberOf(
  record: ServicePortRecord, backend: { readonly ip: Ip; readonly port: number },
): BackendRow | undefined {
  return selectable(record.backends, backend);
}

export function selectable(
  rows: readonly BackendRow[], backend: { readonly ip: Ip; readonly port: number },
): BackendRow | undefined {
  return rows.find((row) => row.ip === backend.ip && row.port === backend.port);
}
