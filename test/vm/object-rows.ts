import * as layout from '../../bpf/layout.gen.ts';
import { at, bytes, type Rows } from '../vectors/fixture.ts';
import { drawState } from '../vectors/vector.ts';

/** One row of a map of the datapath as bytes. */
export interface ObjectRow {
  readonly map: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The rows that an agent would write, in the order that it writes them. */
export function encodeRows(rows: Rows): ObjectRow[] {
  return [
    ...rows.cells.map((row) => (
      { map: 'fl_lut', key: index(row.cell), value: layout.encodeLut(row) }
    )),
    ...rows.backends.map((row) => (
      { map: 'fl_backend', key: index(row.id), value: layout.encodeBackend(row) }
    )),
    ...rows.members.map((row) => (
      { map: 'fl_member', key: layout.encodeMemberKey(row), value: layout.encodeMember(row) }
    )),
    ...rows.ranges.map((row) => (
      { map: 'fl_range', key: layout.encodeRangeKey(row), value: layout.encodeRange(row) }
    )),
    ...rows.sets.map((row) => (
      { map: 'fl_set', key: index(row.id), value: layout.encodeSet(row) }
    )),
    ...rows.services.map((row) => (
      { map: 'fl_svc', key: layout.encodeSvcKey(row), value: layout.encodeSvc(row) }
    )),
    ...rows.fronts.map((row) => (
      { map: 'fl_front', key: layout.encodeFrontKey(row), value: layout.encodeFront(row) }
    )),
    ...rows.addresses.map((row) => (
      { map: 'fl_addr', key: layout.encodeAddrKey(row), value: layout.encodeAddr(row) }
    )),
    ...rows.nets.map((row) => (
      { map: 'fl_net', key: layout.encodeNetKey(row), value: layout.encodeNet(row) }
    )),
  ];
}

/** The uplink as the agent describes it. */
export function deviceRow(ifindex: number): ObjectRow {
  return {
    map: 'fl_dev', key: layout.encodeDevKey({ ifindex }),
    value: layout.encodeDev({
      headerLen: 14, mtu: 1500, source6: bytes(at.node6), source4: bytes(at.node),
      mac: Uint8Array.of(2, 0, 0, 0, 0, 10),
    }),
  };
}

/** Switches with the clock and the draws of a test. */
export function configRow(
  seconds: number, draw: number, changes: Partial<layout.Cfg> = {},
): ObjectRow {
  const now = BigInt(Math.round(seconds * 1000)) * 1_000_000n;
  return {
    map: 'fl_cfg', key: index(0),
    value: layout.encodeCfg({
      eventLevel: layout.eventLevel.all, eventSample: 0, refusalRate: 500, refusalBurst: 1000,
      nodeCookie: 1n, testNowNs: now, testBootNs: now, testDraws: drawState(draw),
      node4: bytes(at.node), node6: bytes('::'), ...changes,
    }),
  };
}

function index(number: number): Uint8Array {
  return Uint8Array.of(number, number >>> 8, number >>> 16, number >>> 24);
}
