/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Why a vCPU left the guest: the one table from which the counters, their
 * names in debugfs and the tracepoints' names are made.
 *
 * Every return of the switcher is counted under exactly one of these, and in a
 * total that is counted apart; debugfs shows both, and a test adds them up.
 */
#ifndef RINGLET_EXITS_H
#define RINGLET_EXITS_H

/* clang-format off */
#define RINGLET_EXITS(X)						\
	X(INTERRUPT,	"interrupt")	/* a host interrupt, re-dispatched */ \
	X(NMI,		"nmi")		/* a host NMI, passed on */	\
	X(MCE,		"mce")		/* a machine check, passed on */ \
	X(ABORTED,	"aborted")	/* one of those came while entering */ \
	X(HYPERCALL,	"hypercall")	/* SYSCALL in guest kernel mode */ \
	X(SYSCALL,	"syscall")	/* SYSCALL in guest user mode */ \
	X(FILL,		"fill")		/* a shadow entry was missing */ \
	X(SPURIOUS,	"spurious")	/* nothing was missing: stale TLB */ \
	X(PAGE_FAULT,	"page_fault")	/* the guest's own, delivered */ \
	X(EXCEPTION,	"exception")	/* any other, delivered */	\
	X(EMULATED,	"emulated")	/* a privileged instruction */	\
	X(MMIO,		"mmio")		/* an access for the launcher */ \
	X(FATAL,	"fatal")	/* the guest was killed */
/* clang-format on */

#define RINGLET_EXIT_ENUM(name, ...) RINGLET_LEFT_##name,
enum ringlet_exit { RINGLET_EXITS(RINGLET_EXIT_ENUM) RINGLET_LEFT_COUNT };

#undef RINGLET_EXIT_ENUM

#endif
