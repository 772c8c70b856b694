/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, ringlet:*: entry, exit, hypercall, fault, inject. Names of exits
 * and hypercalls come from the tables that define them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ringlet

#if !defined(RINGLET_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define RINGLET_TRACE_H

#include <linux/tracepoint.h>

/* clang-format off */
#define RINGLET_EXIT_SYMBOL(name, text) { RINGLET_LEFT_##name, text },
#define RINGLET_HC_SYMBOL(nr, name, ...) { nr, #name },

TRACE_EVENT(ringlet_entry,
	TP_PROTO(u32 vcpu, u64 rip, bool user),
	TP_ARGS(vcpu, rip, user),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, rip)
		__field(bool, user)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->rip = rip;
		__entry->user = user;
	),
	TP_printk("vcpu %u rip 0x%llx %s", __entry->vcpu, __entry->rip,
		  __entry->user ? "user" : "kernel")
);

TRACE_EVENT(ringlet_exit,
	TP_PROTO(u32 vcpu, unsigned int reason, u64 vector, u64 rip),
	TP_ARGS(vcpu, reason, vector, rip),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(unsigned int, reason)
		__field(u64, vector)
		__field(u64, rip)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->reason = reason;
		__entry->vector = vector;
		__entry->rip = rip;
	),
	TP_printk("vcpu %u %s vector 0x%llx next rip 0x%llx", __entry->vcpu,
		  __print_symbolic(__entry->reason,
				   RINGLET_EXITS(RINGLET_EXIT_SYMBOL) { -1, "" }),
		  __entry->vector, __entry->rip)
);

TRACE_EVENT(ringlet_hypercall,
	TP_PROTO(u32 vcpu, u64 nr, u64 a0, u64 a1, u64 a2, u64 result),
	TP_ARGS(vcpu, nr, a0, a1, a2, result),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u64, nr)
		__field(u64, a0)
		__field(u64, a1)
		__field(u64, a2)
		__field(u64, result)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->nr = nr;
		__entry->a0 = a0;
		__entry->a1 = a1;
		__entry->a2 = a2;
		__entry->result = result;
	),
	TP_printk("vcpu %u %s(0x%llx, 0x%llx, 0x%llx) = 0x%llx", __entry->vcpu,
		  __print_symbolic(__entry->nr,
				   RINGLET_HYPERCALLS(RINGLET_HC_SYMBOL) { -1, "" }),
		  __entry->a0, __entry->a1, __entry->a2, __entry->result)
);

TRACE_EVENT(ringlet_fault,
	TP_PROTO(u32 vcpu, u64 gva, u32 access, u64 gpa, u64 pte, const char *what),
	TP_ARGS(vcpu, gva, access, gpa, pte, what),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(u32, access)
		__field(u64, gva)
		__field(u64, gpa)
		__field(u64, pte)
		__field(const char *, what)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->access = access;
		__entry->gva = gva;
		__entry->gpa = gpa;
		__entry->pte = pte;
		__entry->what = what;
	),
	TP_printk("vcpu %u %s gva 0x%llx access 0x%x gpa 0x%llx pte 0x%llx", __entry->vcpu,
		  __entry->what, __entry->gva, __entry->access, __entry->gpa, __entry->pte)
);

TRACE_EVENT(ringlet_inject,
	TP_PROTO(u32 vcpu, unsigned int gate, u64 error, u64 rip, bool user),
	TP_ARGS(vcpu, gate, error, rip, user),
	TP_STRUCT__entry(
		__field(u32, vcpu)
		__field(unsigned int, gate)
		__field(u64, error)
		__field(u64, rip)
		__field(bool, user)
	),
	TP_fast_assign(
		__entry->vcpu = vcpu;
		__entry->gate = gate;
		__entry->error = error;
		__entry->rip = rip;
		__entry->user = user;
	),
	TP_printk("vcpu %u gate 0x%x error 0x%llx at rip 0x%llx %s", __entry->vcpu, __entry->gate,
		  __entry->error, __entry->rip, __entry->user ? "user" : "kernel")
);

/* clang-format on */
#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
