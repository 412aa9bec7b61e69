import type { ServicePortRecord } from '../../lb/serviceport.ts';
import { compareText } from '../../lb/table.ts';
import type { NodeView } from '../../lb/view.ts';
import { ip } from '../../lb/ip.ts';
import {
  addressBytes, imageOf, selectable, type FrontImage, type RecordImage,
} from '../datapath/image.ts';
import { frontKind, memberBit, setFlag } from '../layout.gen.ts';
import { selfTestFront } from '../selftest.ts';
import { frontFaults, frontViews, type FrontView } from './fronts.ts';
import type { MapReader } from './mapreader.ts';
import { frontText, frontTypeOf, placeText } from './spelling.ts';

/**
 * One thing in which the maps are not as wanted: `missing` and `extra` fronts and endpoints,
 * `stale` kinds and policies, and `dangling` rows that name what is not there (interface.md 4.6).
 */
export interface MapDifference {
  readonly kind: 'missing' | 'extra' | 'stale' | 'dangling';
  readonly front: string;
  /** A sentence. */
  readonly what: string;
}

interface WantedFront {
  readonly kind: string;
  /** Place and scope of each endpoint. */
  readonly slots: readonly string[];
  readonly policies: string;
}

/**
 * How the maps of a node differ from what its Services ask for, in order of front. Which algorithm
 * chooses is not compared, because a default of the cluster may say it.
 */
export function mapDifferences(
  maps: MapReader, wanted: NodeView, records: readonly ServicePortRecord[],
): MapDifference[] {
  const expected = new Map<string, WantedFront>();
  for (const record of records) {
    const image = imageOf(record);
    for (const front of image.fronts) {
      if (!holds(wanted, record, front)) continue;
      expected.set(spelt(front), wantedFront(front, image));
    }
  }
  const found: MapDifference[] = [];
  const own = `${selfTestFront.ip}:${selfTestFront.port}/TCP`;
  for (const view of frontViews(maps)) {
    if (view.front === own) continue;
    const want = expected.get(view.front);
    expected.delete(view.front);
    found.push(...(want === undefined
      ? [difference('extra', view, 'no Service asks for it')] : compared(view, want)));
    found.push(...frontFaults(view).map((text) => difference('dangling', view, text)));
  }
  for (const [front, { kind }] of expected) {
    found.push({ kind: 'missing', front, what: `the ${kind} front has no row` });
  }
  return found.sort((left, right) => compareText(left.front, right.front));
}

function difference(
  kind: MapDifference['kind'], { front }: FrontView, what: string,
): MapDifference {
  return { kind, front, what };
}

// Of several service ports that ask for a front one has it.
function holds(wanted: NodeView, record: ServicePortRecord, front: FrontImage): boolean {
  const { protocol, family } = record;
  const { port } = front;
  // Any address of the family: a NodePort is one of all of them.
  const claim = front.kind === frontKind.nodePort
    ? wanted.nodePort(ip(family === 'IPv4' ? '0.0.0.0' : '::'), protocol, port)
    : front.ip === undefined ? undefined : wanted.front(front.ip, protocol, port);
  return claim?.servicePort.record.id === record.id;
}

function wantedFront({ kind }: FrontImage, { members, fields }: RecordImage): WantedFront {
  const listed = members.filter(({ bits }) => (bits & selectable) !== 0);
  return {
    kind: frontTypeOf(kind) ?? '',
    slots: listed.map(({ backend, bits }) => {
      const local = (bits & memberBit.local) !== 0;
      const cluster = (bits & memberBit.cluster) !== 0;
      const place = placeText({ addr: addressBytes(backend.key), port: backend.port });
      return `${place} ${local ? (cluster ? 'local' : 'local-only') : 'cluster'}`;
    }),
    policies: [
      (fields.flags & setFlag.internalLocal) !== 0 ? 'internal-local' : '',
      (fields.flags & setFlag.externalLocal) !== 0 ? 'external-local' : '',
      fields.affinityS > 0 ? `affinity=${fields.affinityS}s` : '',
    ].filter((text) => text !== '').join(', '),
  };
}

function compared(view: FrontView, want: WantedFront): MapDifference[] {
  const found: MapDifference[] = [];
  const slots = view.slots.map(({ endpoint, scope }) => `${endpoint} ${scope}`);
  const policies = view.flags.filter((flag) => /^(?:internal|external|affinity)/u.test(flag))
    .join(', ');
  if (view.kind !== want.kind) {
    found.push(difference('stale', view, `it is a ${view.kind} front, and should be ${want.kind}`));
  }
  // Without its set nothing can be said of what it leads to; the fault is told instead.
  if (view.fault !== undefined) return found;
  if (policies !== want.policies) {
    const [is, wants] = [policies || 'none', want.policies || 'none'];
    found.push(difference('stale', view, `policies are ${is}, and should be ${wants}`));
  }
  for (const slot of want.slots) {
    if (!slots.includes(slot)) found.push(difference('missing', view, `endpoint ${slot}`));
  }
  for (const slot of slots) {
    if (!want.slots.includes(slot)) found.push(difference('extra', view, `endpoint ${slot}`));
  }
  return found;
}

function spelt({ key, port, proto, kind }: FrontImage): string {
  return frontText({ addr: addressBytes(key), port, proto, kind });
}
