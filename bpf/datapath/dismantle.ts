import type { KernelError } from '../../lb/ports.ts';
import { putRangeKey, putSvcKey } from '../layout.gen.ts';
import { settleMembers } from './apply.ts';
import type { Programmed } from './programmed.ts';
import type { RangeList, RangeRow } from './ranges.ts';
import type { RevealContext } from './reveal.ts';

/**
 * Ends what has been in quarantine long enough: service records of ports that nobody needs, with
 * their members, and range rows of old generations. Gives the ports that are gone from the maps.
 */
export function dismantle(context: RevealContext): readonly Programmed[] {
  const { stores, writer, now } = context;
  removeRanges(stores.expire(now), context);
  const due = stores.retiredPorts(now).filter((port) => {
    port.retiredAt = undefined;
    return !stores.fronts.needs(port) && port.fronts === 0;
  });
  const later = (port: Programmed, map: 'fl_svc' | 'fl_member', error: KernelError): void => {
    context.refused({ name: port.id, port }, { map, error });
    stores.retirePort(port, now);
  };
  const gone: Programmed[] = [];
  writer.remove<Programmed>({
    map: 'fl_svc',
    items: due.filter((port) => port.live),
    put: ({ svcId }, { keys, keyAt }) => putSvcKey(keys, keyAt, { svcId }),
    wrote: (port) => {
      port.live = false;
      if (port.set !== undefined) stores.retire(port.set, undefined, now);
      port.set = undefined;
    },
    refused: (port, error) => later(port, 'fl_svc', error),
  });
  const dead = due.filter((port) => !port.live);
  for (const { members } of dead) for (const member of members) member.wanted = 0;
  settleMembers(dead, context, (port, { error }) => later(port, 'fl_member', error));
  for (const port of dead) {
    if (port.members.length > 0) continue;
    stores.bySvcId.delete(port.svcId);
    port.svcId = 0;
    port.gen = 0;
    context.accepted({ name: port.id, port });
    gone.push(port);
  }
  return gone;
}

function removeRanges(lists: readonly RangeList[], context: RevealContext): void {
  const { stores, writer, now } = context;
  const items: { readonly list: RangeList; readonly row: RangeRow }[] = [];
  for (const list of lists) for (const row of list.rows) items.push({ list, row });
  const left = new Set<RangeList>();
  writer.remove<(typeof items)[number]>({
    map: 'fl_range',
    items,
    put: ({ list, row }, { keys, keyAt }) => {
      const { prefixlen, addr } = row;
      putRangeKey(keys, keyAt, { prefixlen, rangeId: list.id, addr });
    },
    refused: ({ list }) => left.add(list),
  });
  for (const list of lists) {
    if (left.has(list)) stores.retireRanges(list, now);
    else stores.forgetRanges(list);
  }
}
