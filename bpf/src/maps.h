/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The maps of datapath.md 7. Limits are those of a medium node; the loader scales them. */
#ifndef FL_MAPS_H
#define FL_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "lb.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct fl_front_key);
	__type(value, struct fl_front);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} fl_front SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct fl_svc_key);
	__type(value, struct fl_svc);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} fl_svc SEC(".maps");

/*
 * Arrays in which nothing is reachable until one write of fl_svc are mapped into the agent: its
 * sets, lists, Maglev tables and backends are written without a system call.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct fl_set);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_MMAPABLE);
} fl_set SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct fl_lut);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_MMAPABLE);
} fl_lut SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct fl_backend);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_MMAPABLE);
} fl_backend SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct fl_member_key);
	__type(value, struct fl_member);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} fl_member SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct fl_range_key);
	__type(value, struct fl_range);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} fl_range SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct fl_addr_key);
	__type(value, struct fl_addr);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} fl_addr SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct fl_net_key);
	__type(value, struct fl_net);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} fl_net SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct fl_dev_key);
	__type(value, struct fl_dev);
	__uint(max_entries, 4096);
} fl_dev SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct fl_netns_key);
	__type(value, struct fl_netns);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} fl_netns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct fl_flow_key);
	__type(value, struct fl_flow);
	__uint(max_entries, 262144);
} fl_ct SEC(".maps");

/* No LRU: the kernel may not evict one half of a translation (cilium#31643). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct fl_flow_key);
	__type(value, struct fl_flow);
	__uint(max_entries, 131072);
} fl_snat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct fl_aff_key);
	__type(value, struct fl_aff);
	__uint(max_entries, 131072);
} fl_aff SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct fl_sk_key);
	__type(value, struct fl_sk);
	__uint(max_entries, 131072);
} fl_sk SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct fl_frag_key);
	__type(value, struct fl_frag);
	__uint(max_entries, 8192);
} fl_frag SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct fl_l2_key);
	__type(value, struct fl_l2);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} fl_l2 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, struct fl_l2_key);
	__type(value, struct fl_l2_stats);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} fl_l2_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} fl_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct fl_stats);
	__uint(max_entries, 1024);
} fl_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct fl_rate);
	__uint(max_entries, 1);
} fl_rate SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct fl_cfg);
	__uint(max_entries, 1);
} fl_cfg SEC(".maps");

#endif
