import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from '../../agent.ts';
import type { Controller } from '../../controller.ts';
import { maps as declared } from '../../bpf/layout.gen.ts';
import type { OpenNode } from '../../bpf/node.real.ts';
import { programCounts } from '../../bpf/views/counters.ts';
import { mapFills, type MapFill } from '../../bpf/views/mapfill.ts';
import type { MapReader } from '../../bpf/views/mapreader.ts';
import { decodeResponderKey, responderStats } from '../../l2/responder-map.ts';
import { familyOf } from '../../lb/ip.ts';
import { clientVersion } from '../version.ts';
import type { ConfigWatch } from './configwatch.ts';
import type { Meters, Show } from './meters.ts';

/** What every process shows. */
export function showProcess(watch: ConfigWatch): (show: Show) => void {
  const labels = {
    version: clientVersion(), revision: revision(), node_version: process.versions.node,
  };
  return (show) => {
    show('build_info', 1, labels);
    show('config_valid', Number(watch.faults.length === 0));
  };
}

/** The commit that an image was built from; empty in a checkout. */
function revision(): string {
  try {
    return readFileSync(join(import.meta.dirname, '..', '..', 'REVISION'), 'utf8').trim();
  } catch {
    return '';
  }
}

export function showController(controller: Controller): (show: Show) => void {
  return (show) => {
    const { ipam, l2 } = controller;
    show('leader', Number(ipam !== undefined));
    if (ipam === undefined) return;
    const metrics = ipam.metrics();
    for (const { pool, family, ...states } of metrics.pools) {
      for (const [state, count] of Object.entries(states)) {
        show('ippool_addresses', Number(count), { pool, family, state });
      }
    }
    for (const { pool, value } of metrics.conflicting) {
      show('ippool_conflicting', Number(value), { pool });
    }
    for (const { pool, value } of metrics.invalid) show('ippool_invalid', Number(value), { pool });
    for (const { reason, count } of metrics.servicesUnsatisfied) {
      show('services_unsatisfied', count, { reason });
    }
    for (const { key, ip, announced } of l2?.announcements() ?? []) {
      const [namespace = '', service = ''] = key.split('/');
      show('service_announced', Number(announced), { namespace, service, ip, method: 'l2' });
    }
    show('services_unclaimed', metrics.servicesUnclaimed);
    for (const { reason, count } of metrics.allocationFailures) {
      show('service_allocation_failures_total', count, { reason });
    }
    for (const { resource, result, count } of metrics.statusWrites) {
      show('ipam_status_writes_total', count, { resource, result });
    }
  };
}

export function showDatapath(agent: Agent, node: OpenNode): (show: Show) => void {
  const fills = new RecentFills(node);
  return (show) => {
    const { datapath } = agent;
    show('datapath_ready', Number(datapath.ready()));
    const { queuedAt } = datapath.sync();
    const waits = queuedAt === undefined ? 0 : Date.now() / 1000 - queuedAt / 1e6;
    show('datapath_sync_pending_seconds', Math.max(0, waits));
    show('datapath_audit_repairs_total', datapath.auditRepairs);
    show('reconcile_retries_pending', datapath.faults.length, { reconciler: 'datapath' });
    const counts = programCounts(node.kernel.dump('fl_stats'));
    for (const { hook, reason, packets, bytes } of counts.packets) {
      show('datapath_packets_total', packets, { hook, reason });
      show('datapath_bytes_total', bytes, { hook, reason });
      if (reason === 'l2Fence') show('l2_announce_fenced_total', packets);
    }
    show('datapath_events_lost_total', counts.eventsLost);
    show('datapath_snat_probes', counts.snatProbes);
    const flows = [...datapath.flowRows].filter(([map]) => map === 'fl_ct')
      .map(([map, entries]) => (
        { map, entries, limit: node.limits[map] ?? declared[map].entriesMax }
      ));
    for (const { map, entries, limit } of [...fills.read(), ...flows]) {
      show('datapath_map_entries', entries, { map });
      show('datapath_map_limit', limit, { map });
    }
  };
}

const fillsMsMax = 30_000;

/** Fill of maps, counted at most twice a minute: a scrape must not hold the process for long. */
class RecentFills {
  #node: OpenNode;
  #fills: readonly MapFill[] = [];
  #at = -Infinity;

  constructor(node: OpenNode) {
    this.#node = node;
  }

  read(): readonly MapFill[] {
    const now = performance.now();
    if (now - this.#at < fillsMsMax) return this.#fills;
    this.#at = now;
    const { kernel, limits } = this.#node;
    // Rows that the kernel evicts: counting hundreds of thousands at once takes its time, and the
    // walk of the datapath counts those of fl_ct page by page.
    const flows = new Set<string>(Object.entries(declared)
      .filter(([, { type }]) => type === 'lru-hash').map(([name]) => name));
    const reader: MapReader = {
      lookup: (map, key) => kernel.lookup(map, key),
      dump: (map) => (flows.has(map) ? [] : kernel.dump(map)),
    };
    this.#fills = mapFills(reader, limits).filter(({ map }) => !flows.has(map));
    return this.#fills;
  }
}

/** Sessions of this node as Cilium's metrics have them (bgp.md 8). */
export function showBgp(agent: Agent): (show: Show) => void {
  return (show) => {
    for (const instance of agent.advertiser?.instances ?? []) {
      const { desired } = instance;
      for (const { peer } of desired?.peers ?? []) {
        const facts = instance.session(peer.name);
        const { ip } = peer.address;
        const host = familyOf(ip) === 'IPv6' ? `[${ip}]` : ip;
        const labels = {
          instance_name: instance.name, local_asn: String(desired?.global?.asn ?? 0),
          neighbor: `${host}:${peer.port}`,
          neighbor_asn: String(peer.asn === 0 ? facts?.report.remoteAsn ?? 0 : peer.asn),
        };
        const established = facts?.report.state === 'established';
        show('bgp_control_plane_session_state', Number(established), labels);
        if (!established) continue;
        for (const { family, received, advertised } of facts.counts.values()) {
          const of = { ...labels, afi: family.toLowerCase(), safi: 'unicast' };
          show('bgp_control_plane_advertised_routes', advertised, of);
          show('bgp_control_plane_received_routes', received, of);
        }
      }
    }
  };
}

export function showL2(agent: Agent, node: OpenNode, meters: Meters): (show: Show) => void {
  return (show) => {
    const { announcer } = agent;
    if (announcer === undefined) return;
    const { state, fenceLeft, keys, sessions, settings } = announcer.status();
    show('l2_session_state', 1, { state });
    show('l2_session_fence_remaining_seconds', Math.max(0, fenceLeft ?? 0) / 1e6);
    show('l2_map_entries', keys);
    show('l2_watch_fanout', (sessions * sessions) / (settings.renew / 1e6));
    const rows = announcer.rows();
    meters.keepOnly(new Set(rows.map(({ ip }) => ip)));
    let held = 0;
    for (const { ip, node: owner, candidates } of rows) {
      if (owner !== undefined) show('l2_owner', 1, { ip, node: owner });
      if (owner === settings.nodeName) held += 1;
      if (candidates.length === 0) show('l2_no_candidate', 1, { ip });
    }
    show('l2_held_locks', held);
    const names = new Map(announcer.links().map(({ ifindex, name }) => [ifindex, name]));
    for (const { key, value } of node.kernel.dump(responderStats)) {
      const { ip, ifindex } = decodeResponderKey(key);
      const answers = new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0, true);
      show('l2_answers_total', Number(answers), {
        ip, interface: names.get(ifindex) ?? String(ifindex), family: familyOf(ip),
      });
    }
  };
}
