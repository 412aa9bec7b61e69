/** A metric of interface.md 12 and of the specifications that it names, without its prefix. */
export interface Metric {
  /** Names that Cilium has stay as they are, for its dashboards; default: `fairlead_`. */
  readonly prefix?: 'cilium_';
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  readonly buckets?: readonly number[];
}

const seconds = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10] as const;
const takeover = [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 1.3, 2, 4, 5, 6.3, 10, 20] as const;

function metric(
  type: Metric['type'], name: string, of: readonly [labels: string, help: string],
): Metric {
  const [labels, help] = of;
  return { type, name, labels: labels === '' ? [] : labels.split(' '), help };
}

function histogram(
  name: string, buckets: readonly number[], of: readonly [labels: string, help: string],
): Metric {
  return { ...metric('histogram', name, of), buckets };
}

const session = 'instance_name local_asn neighbor neighbor_asn';
const cilium = (of: Metric): Metric => ({ ...of, prefix: 'cilium_' });

/** bgp.md 8. */
const bgpMetrics: readonly Metric[] = [
  cilium(metric('gauge', 'bgp_control_plane_session_state', [session, '1 while established'])),
  cilium(metric('gauge', 'bgp_control_plane_advertised_routes', [
    `${session} afi safi`, 'Routes announced to an established peer',
  ])),
  cilium(metric('gauge', 'bgp_control_plane_received_routes', [
    `${session} afi safi`, 'Routes that an established peer announced',
  ])),
  cilium(metric('counter', 'bgp_control_plane_reconcile_errors_total', [
    'instance_name', 'Refusals of a speaker',
  ])),
  cilium(histogram('bgp_control_plane_reconcile_run_duration_seconds', seconds, [
    'instance_name', 'One plan told to a speaker',
  ])),
  histogram('bgp_withdraw_seconds', seconds, ['', 'Withdrawal told to done']),
  metric('counter', 'bgp_session_flaps_total', ['instance peer', 'Sessions that went down']),
  metric('counter', 'bgp_speaker_restarts_total', ['instance', 'Speakers that came back']),
  metric('counter', 'bgp_drift_repaired_total', ['', 'What a speaker had not as it was told']),
];

/** Of both processes. */
export const commonMetrics: readonly Metric[] = [
  metric('gauge', 'build_info', ['version revision node_version', 'Always 1']),
  metric('gauge', 'config_valid', ['', '1 while the present configuration file is in force']),
  metric('counter', 'api_requests_total', ['verb kind code', 'Requests to the API server']),
  metric('counter', 'watch_relists_total', ['kind', 'Whole lists after the first']),
  metric('counter', 'watch_restarts_total', ['kind', 'Watches after the first']),
  metric('gauge', 'eventloop_lag_seconds', ['quantile', 'Lag of timers since the last scrape']),
];

/** Of the agent. */
export const agentMetrics: readonly Metric[] = [
  ...commonMetrics,
  metric('gauge', 'l2_owner', ['ip node', '1 for the node that the lock of an address names']),
  metric('gauge', 'l2_held_locks', ['', 'Addresses that this node holds']),
  histogram('l2_takeover_seconds', takeover, ['cause', 'Lock takeable to key verified']),
  metric('counter', 'l2_transitions_total', ['cause', 'Addresses that this node took']),
  metric('gauge', 'l2_session_state', ['state', '1 for the state of the session']),
  metric('gauge', 'l2_session_fence_remaining_seconds', ['', 'Time left to answer']),
  histogram('l2_session_renew_seconds', seconds, ['', 'Renewal sent to answered']),
  histogram('l2_session_echo_seconds', seconds, ['', 'Renewal sent to delivered']),
  metric('counter', 'l2_session_lost_total', ['reason', 'Sessions that ended unasked']),
  metric('counter', 'l2_lock_writes_total', ['op result', 'Writes of locks and closings']),
  metric('counter', 'l2_answers_total', ['ip interface family', 'ARP and NS answered']),
  metric('counter', 'l2_announcements_total', ['ip form', 'Announcements sent']),
  metric('counter', 'l2_announce_errors_total', ['reason', 'Announcements refused']),
  metric('counter', 'l2_announce_fenced_total', ['', 'Announcements dropped at egress']),
  metric('counter', 'l2_conflicts_total', ['ip known', 'Claims of other MACs']),
  metric('counter', 'l2_defences_total', ['ip', 'Defences against claims']),
  metric('gauge', 'l2_no_candidate', ['ip', '1 for a wanted address without a candidate']),
  metric('counter', 'l2_map_mismatch_total', ['', 'Responder keys that were not as written']),
  metric('gauge', 'l2_map_entries', ['', 'Addresses with responder keys']),
  metric('counter', 'l2_overtime_seconds_total', ['', 'Answering without a session']),
  metric('gauge', 'l2_watch_fanout', ['', 'Deliveries a second of all sessions to all']),
  metric('counter', 'datapath_packets_total', ['hook reason', 'Packets by program']),
  metric('counter', 'datapath_bytes_total', ['hook reason', 'Bytes by program']),
  metric('gauge', 'datapath_map_entries', ['map', 'Rows of a map']),
  metric('gauge', 'datapath_map_limit', ['map', 'Rows that a map takes']),
  metric('counter', 'datapath_snat_probes', ['', 'Looks for a free source port']),
  metric('gauge', 'datapath_ready', ['', '1 while tables, hooks and self-test are well']),
  histogram('datapath_sync_duration_seconds', seconds, ['', 'One round']),
  metric('gauge', 'datapath_sync_pending_seconds', ['', 'Age of the oldest waiting change']),
  histogram('datapath_programming_latency_seconds', seconds, ['', 'Change to kernel write']),
  metric('counter', 'datapath_events_lost_total', ['', 'Records without room in the ring']),
  metric('counter', 'datapath_audit_repairs_total', ['', 'Rows that an audit corrected']),
  ...bgpMetrics,
  metric('counter', 'reconcile_errors_total', ['reconciler reason', 'Failures']),
  metric('gauge', 'reconcile_retries_pending', ['reconciler', 'What is tried again']),
];

/** Of the controller. */
export const controllerMetrics: readonly Metric[] = [
  ...commonMetrics,
  metric('gauge', 'leader', ['', '1 on the leading controller']),
  metric('gauge', 'ippool_addresses', ['pool family state', 'Addresses of a pool']),
  metric('gauge', 'ippool_conflicting', ['pool', '1 for a pool in conflict']),
  metric('gauge', 'ippool_invalid', ['pool', '1 for an invalid pool']),
  metric('gauge', 'services_unsatisfied', ['reason', 'Services without what they ask for']),
  metric('gauge', 'service_announced', [
    'namespace service ip method', '1 for an address that some node announces',
  ]),
  metric('gauge', 'services_unclaimed', ['', 'Services that no pool selects']),
  metric('counter', 'service_allocation_failures_total', ['reason', 'Requests refused']),
  metric('counter', 'ipam_status_writes_total', ['resource result', 'Writes of statuses']),
];
