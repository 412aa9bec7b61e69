import { walkFronts, type WalkedFront } from '../bpf/views/fronts.ts';
import {
  maglevShares, maglevSlot, maglevViews, type MaglevShare, type MaglevShares, type MaglevView,
} from '../bpf/views/maglevtables.ts';
import { frontText, protocolText } from '../bpf/views/spelling.ts';
import { ipFromBytes, parseIp, type Ip } from '../lb/ip.ts';
import type { Protocol } from '../lb/model.ts';
import { affinityKey, flowKey, murmur32 } from '../lb/murmur.ts';
import { frontKind, setFlag } from '../bpf/layout.gen.ts';
import { usageError } from './exit.ts';
import { onNodes, printView, type OnNode } from './lbviews.ts';
import type { MapsNow, NodeMaps } from './nodemaps.ts';
import { absent, type OutputFlags } from './output.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

/** `lb maglev`: every table. */
export function printTables(session: Session, flags: OutputFlags, now: MapsNow): Promise<void> {
  const items = onNodes(now.nodes, maglevViews);
  return printView(session, flags, {
    now,
    kind: 'MaglevTableList', items, columns: tableColumns, rows: items, warnings: [],
    name: ({ node, svc, scope }) => `maglevtable/${node}/${svc}-${scope}`,
  });
}

const tableColumns: readonly Column<OnNode<MaglevView>>[] = [
  { head: 'NODE', cell: (row) => row.node },
  { head: 'SVC', cell: (row) => row.svc },
  { head: 'SCOPE', cell: (row) => row.scope },
  { head: 'SIZE', cell: (row) => row.size },
];

/** Which tables, and for whom. */
export interface TableQuestion {
  /** An id, or a frontend as `lb list` prints it. */
  readonly service: string;
  /** A client, `ADDRESS:PORT`, whose endpoint is asked. */
  readonly key: string | undefined;
  readonly hashSeed: number;
}

type AnsweredShares = MaglevShares & {
  /** Backend id that the client of the question gets; absent without one. */
  readonly selected?: number;
};

interface ShareRow {
  readonly table: OnNode<AnsweredShares>;
  readonly share?: MaglevShare;
}

/** `lb maglev FRONTEND`: what each endpoint has of the tables of one service port. */
export async function printShares(
  session: Session, flags: OutputFlags & TableQuestion, now: MapsNow,
): Promise<void> {
  const items = now.nodes.flatMap((node) => sharesOn(node, flags));
  if (items.length === 0) throw absent(`a Maglev table of ${flags.service}`, []);
  const rows = items.flatMap((table): ShareRow[] => (
    table.endpoints.length === 0
      ? [{ table }]
      : table.endpoints.map((share) => ({ table, share }))
  ));
  const asked = flags.key !== undefined;
  await printView(session, flags, {
    now,
    kind: 'MaglevTableList', items, rows,
    columns: asked ? [...shareColumns, selectedColumn] : shareColumns,
    warnings: items.flatMap(({ node, svc, scope, endpoints, fault }) => (
      [fault, ...endpoints.map((share) => share.fault)].filter((text) => text !== undefined)
        .map((text) => `${node}: table of service ${svc}, ${scope}: ${text}`)
    )),
    group: ({ table }) => `${table.node} ${table.svc} ${table.scope}`,
    name: ({ node, svc, scope }) => `maglevtable/${node}/${svc}-${scope}`,
  });
}

const shareColumns: readonly Column<ShareRow>[] = [
  { head: 'NODE', cell: ({ table }) => table.node, once: true },
  { head: 'SVC', cell: ({ table }) => table.svc, once: true },
  { head: 'SCOPE', cell: ({ table }) => table.scope, once: true },
  { head: 'SIZE', cell: ({ table }) => table.size, once: true },
  { head: 'ENDPOINT', cell: ({ table, share }) => share?.fault ?? share?.endpoint ?? table.fault },
  { head: 'SLOTS', cell: ({ share }) => share?.slots },
  {
    head: 'SHARE',
    cell: ({ share }) => (share === undefined ? undefined : `${(share.share * 100).toFixed(1)} %`),
    sortKey: ({ share }) => share?.share ?? 0,
  },
];

const selectedColumn: Column<ShareRow> = {
  head: 'SELECTED',
  cell: ({ table, share }) => (
    share !== undefined && share.id === table.selected ? 'yes' : undefined
  ),
};

function sharesOn({ node, maps }: NodeMaps, asked: TableQuestion): OnNode<AnsweredShares>[] {
  const fronts = walkFronts(maps);
  const front = fronts.find((each) => frontText(each) === asked.service);
  const byId = /^[0-9]+$/u.test(asked.service) ? Number(asked.service) : undefined;
  const svc = front?.walk.svcId ?? byId;
  if (svc === undefined) return [];
  const tables = maglevShares(maps, svc);
  if (asked.key === undefined) return tables.map((table) => ({ node, ...table }));
  const client = clientOf(asked.key);
  if (front === undefined) {
    throw usageError(`--key needs a frontend, as 192.0.2.10:80/TCP, and not '${asked.service}'`);
  }
  const hash = murmur32(hashedKey(front, client), asked.hashSeed);
  return tables.map((table) => {
    const selected = maglevSlot(maps, table, hash % table.size);
    return { node, ...table, ...(selected === undefined ? {} : { selected }) };
  });
}

// What a program hashes for the first packet of this client (datapath.md 3).
function hashedKey(front: WalkedFront, client: Client): Uint8Array {
  const { set } = front.walk;
  if (set !== undefined && (set.flags & setFlag.affinity) !== 0) return affinityKey(client.ip);
  if (front.kind === frontKind.nodePort) {
    throw usageError('a NodePort has no address of its own: give --key with another frontend');
  }
  return flowKey({
    source: client.ip, sourcePort: client.port,
    target: ipFromBytes(front.addr), targetPort: front.port,
    protocol: protocolText(front.proto) as Protocol,
  });
}

interface Client {
  readonly ip: Ip;
  readonly port: number;
}

function clientOf(text: string): Client {
  const [, six, four, port = ''] = /^(?:\[(.+)\]|([^:]+)):([0-9]{1,5})$/u.exec(text) ?? [];
  const ip = parseIp(six ?? four ?? '');
  if (!ip.ok || Number(port) > 65_535) {
    throw usageError(`--key ${text} is no client: say 198.51.100.7:40112 or [2001:db8::7]:40112`);
  }
  return { ip: ip.value, port: Number(port) };
}
