/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* MurmurHash3 x86 32-bit over the 40 bytes of a flow (datapath.md 3); lb/murmur.ts agrees. */
#ifndef FL_HASH_H
#define FL_HASH_H

#include "config.h"

static __always_inline __u32 fl_rotate(__u32 word, __u32 bits)
{
	return word << bits | word >> (32 - bits);
}

/* The finalizer, which also spreads the SNAT port probes. */
static __always_inline __u32 fl_mix(__u32 hash)
{
	hash ^= hash >> 16;
	hash *= 0x85ebca6b;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 16;
}

static __always_inline __u32 fl_hash_word(__u32 hash, __u32 word)
{
	word = fl_rotate(word * 0xcc9e2d51, 15) * 0x1b873593;
	return fl_rotate(hash ^ word, 13) * 5 + 0xe6546b64;
}

static __noinline __u32 fl_hash(const struct fl_flow_key *flow)
{
	const __u32 *words = (const __u32 *)flow;
	__u32 hash = fl_options.hash_seed;
	int i;

#pragma unroll
	for (i = 0; i < 10; i++)
		hash = fl_hash_word(hash, words[i]);
	return fl_mix(hash ^ sizeof(*flow));
}

/* The client alone, so that every node finds the same endpoint for it (cilium#26709). */
static __noinline __u32 fl_hash_client(const struct fl_ip *client)
{
	__u32 hash = fl_options.hash_seed;
	int i;

#pragma unroll
	for (i = 0; i < 10; i++)
		hash = fl_hash_word(hash, i < 4 ? client->word[i & 3] : 0);
	return fl_mix(hash ^ sizeof(struct fl_flow_key));
}

#endif
