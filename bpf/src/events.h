/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Counters and event records, the clock and chance. */
#ifndef FL_EVENTS_H
#define FL_EVENTS_H

#include "packet.h"

#define FL_SECOND_NS 1000000000ULL
/* Pending bytes that are worth waking the agent for; below it polls. */
#define FL_EVENTS_WAKE_BYTES (64 * 1024)

static __always_inline struct fl_cfg *fl_config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&fl_cfg, &zero);
}

static __always_inline __u64 fl_now_ns(void)
{
	if (fl_options.test) {
		struct fl_cfg *cfg = fl_config();

		return cfg ? cfg->test_now_ns : 0;
	}
	return fl_options.has_coarse_clock ? bpf_ktime_get_coarse_ns() : bpf_ktime_get_ns();
}

/* The second of this packet, looked up once it is known to be ours. */
static __always_inline __u32 fl_seconds(struct fl_packet *p)
{
	if (!p->now_s)
		p->now_s = fl_now_ns() / FL_SECOND_NS;
	return p->now_s;
}

static __always_inline __u64 fl_boot_ns(void)
{
	if (fl_options.test) {
		struct fl_cfg *cfg = fl_config();

		return cfg ? cfg->test_boot_ns : 0;
	}
	return bpf_ktime_get_boot_ns();
}

/* A uniform 32-bit number: the high half of SplitMix64 in test builds. */
static __noinline __u32 fl_draw(void)
{
	struct fl_cfg *cfg;
	__u64 z;

	if (!fl_options.test)
		return bpf_get_prandom_u32();
	cfg = fl_config();
	if (!cfg)
		return 0;
	cfg->test_draws += 0x9e3779b97f4a7c15ULL;
	z = cfg->test_draws;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) >> 32;
}

static __always_inline void fl_count_by(__u32 hook, __u32 cell, __u64 bytes)
{
	struct fl_stats *stats;

	cell = hook * 64 + (cell & 63);
	stats = bpf_map_lookup_elem(&fl_stats, &cell);
	if (!stats)
		return;
	stats->packets++;
	stats->bytes += bytes;
}

static __always_inline void fl_count(struct __sk_buff *skb, const struct fl_packet *p,
				     __u32 reason)
{
	fl_count_by(p->hook, reason, skb->len);
}

/* What an event tells beside the packet's own source and target. */
struct fl_note {
	__u32 svc_id;
	__u32 ifindex;
	__u16 flags;
	__u8 type;
	__u8 reason;
	__u8 hook;
	__u8 pad;
	__be16 endpoint_port;
	struct fl_ip endpoint;	/* :: where none was chosen */
};

static __always_inline bool fl_wanted(const struct fl_cfg *cfg, __u8 type)
{
	__u32 level = cfg->event_level & ~FL_EVENTS_REFRESH;

	if (type == FL_EVENT_REFRESH)
		return cfg->event_level & FL_EVENTS_REFRESH;
	if (level == FL_EVENTS_OFF)
		return false;
	if (type == FL_EVENT_DROP || type == FL_EVENT_REJECT)
		return true;
	if (level != FL_EVENTS_SAMPLED)
		return level == FL_EVENTS_ALL;
	return cfg->event_sample && fl_draw() % cfg->event_sample == 0;
}

static __noinline int fl_emit(const struct fl_flow_key *flow, const struct fl_note *note)
{
	struct fl_cfg *cfg = fl_config();
	struct fl_event *event;
	__u64 wake;

	if (!cfg || !fl_wanted(cfg, note->type))
		return 0;
	event = bpf_ringbuf_reserve(&fl_events, sizeof(*event), 0);
	if (!event) {
		fl_count_by(note->hook, FL_STAT_EVENTS_LOST, 0);
		return 0;
	}
	event->time_ns = fl_now_ns();
	event->type = note->type;
	event->reason = note->reason;
	event->hook = note->hook;
	event->proto = flow->proto;
	event->svc_id = note->svc_id;
	event->client = flow->source;
	event->front = flow->target;
	event->endpoint = note->endpoint;
	event->client_port = flow->source_port;
	event->front_port = flow->target_port;
	event->endpoint_port = note->endpoint_port;
	event->flags = note->flags;
	event->ifindex = note->ifindex;
	event->pad = 0;
	wake = bpf_ringbuf_query(&fl_events, BPF_RB_AVAIL_DATA);
	bpf_ringbuf_submit(event, wake >= FL_EVENTS_WAKE_BYTES ? BPF_RB_FORCE_WAKEUP
							       : BPF_RB_NO_WAKEUP);
	return 0;
}

#endif
