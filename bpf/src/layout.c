/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * Compiled for its BTF alone. An enum, and the record of a ring buffer, reach BTF only where a
 * variable has their type; such a variable in the object itself would be a section that libbpf
 * complains of. The maps and switches are those of the object, from the same headers.
 */
#include "config.h"

struct fl_numbers {
	enum fl_reason reason;
	enum fl_stat stat;
	enum fl_hook hook;
	enum fl_event_type event_type;
	enum fl_event_level event_level;
	enum fl_front_kind front_kind;
	enum fl_set_flag set_flag;
	enum fl_backend_flag backend_flag;
	enum fl_member_bit member_bit;
	enum fl_range_bit range_bit;
	enum fl_addr_bit addr_bit;
	enum fl_net_bit net_bit;
	enum fl_netns_flag netns_flag;
	enum fl_flow_kind flow_kind;
	enum fl_flow_bit flow_bit;
	enum fl_aff_kind aff_kind;
	enum fl_sk_kind sk_kind;
	enum fl_event_flag event_flag;
	enum fl_no_endpoints no_endpoints;
	enum fl_midstream midstream;
	enum fl_call_outcome call_outcome;
};

struct fl_numbers fl_numbers;
struct fl_event fl_event_record;
struct fl_call fl_call_record;
