import { rowLifetime, type FlowState } from '../../lb/flow.ts';
import type { Protocol } from '../../lb/model.ts';
import { protocolNumbers } from '../../lb/murmur.ts';
import {
  decodeFlow, decodeFlowKey, flowBit, flowKind, type Flow, type FlowKey,
} from '../layout.gen.ts';
import type { MapReader } from './mapreader.ts';
import { comparePlaces, placeText, protocolText, type Place } from './spelling.ts';

/** One row of `fl_ct` or `fl_snat`: one direction of a connection (datapath.md 8.4). */
export interface FlowView {
  readonly dir: 'forward' | 'reply';
  readonly protocol: string;
  readonly client: string;
  readonly front: string;
  readonly endpoint: string;
  /** The client as the endpoint sees it, where that is another address. */
  readonly snat: string | undefined;
  readonly state: FlowState | 'unanswered' | 'answered' | 'expired';
  readonly flags: readonly string[];
  /** Since the last packet in this direction. */
  readonly idleSeconds: number;
  readonly svc: number;
  /** Backend id. */
  readonly id: number;
}

interface Sides {
  readonly client: Place;
  readonly front: Place;
  readonly endpoint: Place;
  readonly snat: Place | undefined;
}

/**
 * Connections by client, front and direction. `nowSeconds` is the kernel's monotonic clock. A row
 * that outlived its time counts as absent everywhere and shows as `expired` until it is replaced.
 */
export function flowViews(maps: MapReader, nowSeconds: number): FlowView[] {
  const rows = ['fl_ct', 'fl_snat'].flatMap((map) => maps.dump(map)).map(({ key, value }) => {
    const flow = { key: decodeFlowKey(key), row: decodeFlow(value) };
    return { ...flow, sides: sidesOf(flow.key, flow.row) };
  });
  rows.sort((left, right) => (
    comparePlaces(left.sides.client, right.sides.client)
    || left.key.proto - right.key.proto
    || comparePlaces(left.sides.front, right.sides.front)
    || comparePlaces(left.sides.endpoint, right.sides.endpoint)
    || left.key.kind - right.key.kind
  ));
  return rows.map(({ key, row, sides }) => {
    // A packet on another CPU may be a second ahead.
    const idleSeconds = Math.max(0, nowSeconds - row.lastS);
    return {
      dir: key.kind === flowKind.reply ? 'reply' : 'forward',
      protocol: protocolText(key.proto),
      client: placeText(sides.client),
      front: placeText(sides.front),
      endpoint: placeText(sides.endpoint),
      snat: sides.snat === undefined ? undefined : placeText(sides.snat),
      state: stateOf(key, row, idleSeconds),
      flags: flagsOf(row),
      idleSeconds,
      svc: row.svcId,
      id: row.backendId,
    };
  });
}

// A forward row is keyed by what the client sends, a reply row by what the endpoint answers.
function sidesOf(key: FlowKey, row: Flow): Sides {
  const source = { addr: key.source, port: key.sourcePort };
  const target = { addr: key.target, port: key.targetPort };
  const peer = { addr: row.peer, port: row.peerPort };
  const nat = { addr: row.nat, port: row.natPort };
  const rewritten = (row.state & (flowBit.snat | flowBit.hairpin)) !== 0;
  return key.kind === flowKind.reply
    ? { client: nat, front: peer, endpoint: source, snat: rewritten ? target : undefined }
    : { client: source, front: target, endpoint: peer, snat: rewritten ? nat : undefined };
}

const finBits = flowBit.finClient | flowBit.finEndpoint;
const rstBits = flowBit.rstClient | flowBit.rstEndpoint;

function stateOf(
  { proto }: FlowKey, { state: bits }: Flow, idleSeconds: number,
): FlowView['state'] {
  const answered = (bits & flowBit.answered) !== 0;
  const state = proto === protocolNumbers.TCP ? tcpState(bits) : 'open';
  if (idleSeconds * 1_000_000 >= rowLifetime({ state, answered }, protocolOf(proto))) {
    return 'expired';
  }
  if (proto === protocolNumbers.UDP) return answered ? 'answered' : 'unanswered';
  return state;
}

function tcpState(bits: number): FlowState {
  if ((bits & rstBits) !== 0 || (bits & finBits) === finBits) return 'closing';
  if ((bits & finBits) !== 0) return 'half-closed';
  return (bits & (flowBit.answered | flowBit.midstream)) === 0 ? 'handshake' : 'open';
}

// What is neither TCP nor UDP lives as SCTP does (fl_lifetime_s, bpf/src/conntrack.h).
function protocolOf(proto: number): Protocol {
  if (proto === protocolNumbers.TCP) return 'TCP';
  return proto === protocolNumbers.UDP ? 'UDP' : 'SCTP';
}

function flagsOf({ state }: Flow): string[] {
  const flags = [
    [flowBit.midstream, 'midstream'], [flowBit.hairpin, 'hairpin'], [flowBit.scopeLocal, 'local'],
  ] as const;
  return flags.flatMap(([bit, text]) => ((state & bit) === 0 ? [] : [text]));
}
