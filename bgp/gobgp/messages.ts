import {
  bool, bytes, int32, message, packed, repeated, string, uint, type Read,
} from './protobuf.ts';

// The part of GoBGP's API that the adapter speaks, the same in v3 and v4 (bgp.md 5.3). What
// differs, routes, attributes, capabilities and some numbers of enums, stands in dialect.ts: here
// they are bytes. Names are upstream's, so that they can be looked up.

export const global = {
  asn: uint(1), router_id: string(2), listen_port: int32(3), listen_addresses: repeated(string(4)),
};
export const globalMessage = { global: message(1, global) };
export const stopRequest = { allow_graceful_restart: bool(1) };

export const family = { afi: uint(1), safi: uint(2) };

const messageCounts = { notification: uint(1), update: uint(2), open: uint(3), keepalive: uint(4) };
const peerState = {
  messages: message(4, {
    received: message(1, messageCounts), sent: message(2, messageCounts),
  }),
  neighbor_address: string(5),
  peer_asn: uint(6),
  queues: message(9, { input: uint(1), output: uint(2) }),
  session_state: uint(13),
  flops: uint(17),
  remote_cap: repeated(bytes(18)),
  router_id: string(20),
  /** v4 only. */
  disconnect_reason: uint(21),
  disconnect_message: string(22),
};
const timestamp = { seconds: uint(1) };
export const peer = {
  conf: message(2, {
    auth_password: string(1), description: string(2), local_asn: uint(3),
    neighbor_address: string(4), peer_asn: uint(5),
  }),
  ebgp_multihop: message(3, { enabled: bool(1), multihop_ttl: uint(2) }),
  state: message(5, peerState),
  timers: message(6, {
    config: message(1, { connect_retry: uint(1), hold_time: uint(2), keepalive_interval: uint(3) }),
    state: message(2, {
      keepalive_interval: uint(3), negotiated_hold_time: uint(5),
      uptime: message(6, timestamp), downtime: message(7, timestamp),
    }),
  }),
  transport: message(7, {
    local_address: string(1), passive_mode: bool(4), remote_port: uint(6),
    bind_interface: string(8),
  }),
  graceful_restart: message(9, {
    enabled: bool(1), restart_time: uint(2), deferral_time: uint(4), notification_enabled: bool(5),
    local_restarting: bool(10),
  }),
  afi_safis: repeated(message(10, {
    mp_graceful_restart: message(1, {
      config: message(1, { enabled: bool(1) }),
      state: message(2, { received: bool(2), advertised: bool(3) }),
    }),
    config: message(2, { family: message(1, family), enabled: bool(2) }),
    state: message(3, {
      family: message(1, family), received: uint(3), accepted: uint(4), advertised: uint(5),
    }),
  })),
};
export type PeerMessage = Read<typeof peer>;

export const peerMessage = { peer: message(1, peer) };
export const deletePeerRequest = { address: string(1) };
export const listPeerRequest = { address: string(1), enable_advertised: bool(2) };

export const path = {
  nlri: bytes(1), pattrs: repeated(bytes(2)), is_withdraw: bool(5),
  family: message(9, family), stale: bool(13),
};
export const addPathStreamRequest = { table_type: uint(1), paths: repeated(message(3, path)) };
export const deletePathRequest = {
  table_type: uint(1), family: message(3, family), path: message(4, path),
};
export const listPathRequest = {
  table_type: uint(1), name: string(2), family: message(3, family),
};
export const listPathResponse = {
  destination: message(1, { prefix: string(1), paths: repeated(message(2, path)) }),
};

export const prefixNlri = { prefix_len: uint(1), prefix: string(2) };
export const originAttribute = { origin: uint(1) };
export const nextHopAttribute = { next_hop: string(1) };
export const localPrefAttribute = { local_pref: uint(1) };
export const communitiesAttribute = { communities: packed(1) };
export const largeAttribute = {
  communities: repeated(message(1, {
    global_admin: uint(1), local_data1: uint(2), local_data2: uint(3),
  })),
};
export const restartCapability = { flags: uint(1), time: uint(2) };
export const nextHopCapability = {
  tuples: repeated(message(1, {
    nlri_family: message(1, family), nexthop_family: message(2, family),
  })),
};

/** The empty message in `peer` asks for events of peers. */
export const watchEventRequest = { peer: message(1, {}) };
export const watchEventResponse = { peer: message(2, { type: uint(1), peer: message(2, peer) }) };

export const definedSet = { defined_type: uint(1), name: string(2), list: repeated(string(3)) };
export const definedSetRequest = { defined_set: message(1, definedSet), all: bool(2) };
export const listDefinedSetRequest = { defined_type: uint(1), name: string(2) };

const matchSet = { type: uint(1), name: string(2) };
const communityAction = { type: uint(1), communities: repeated(string(2)) };
export const statement = {
  name: string(1),
  conditions: message(2, {
    neighbor_set: message(2, matchSet), route_type: uint(8),
    large_community_set: message(9, matchSet), afi_safi_in: repeated(message(11, family)),
  }),
  actions: message(3, {
    route_action: uint(1), community: message(2, communityAction),
    nexthop: message(6, { address: string(1) }), local_pref: message(7, { value: uint(1) }),
    large_community: message(8, communityAction),
  }),
};
export type StatementMessage = Read<typeof statement>;
export const policy = { name: string(1), statements: repeated(message(2, statement)) };
export type PolicyMessage = Read<typeof policy>;
export const policyRequest = { policy: message(1, policy), all: bool(3) };
export const listByName = { name: string(1) };
export const statementRequest = { statement: message(1, statement), all: bool(2) };
export const assignment = {
  name: string(1), direction: uint(2), policies: repeated(message(4, policy)),
  default_action: uint(5),
};
export const assignmentMessage = { assignment: message(1, assignment) };
export const listAssignmentRequest = { name: string(1), direction: uint(2) };
