/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which of the kernel's feature bits ask the world switch for what against
 * speculation. The host's choice, command line included, is in those bits; the
 * switcher's alternatives and what debugfs says of them both read this list.
 * Included by C and assembler.
 *
 * Kernels differ in the names, and a host that lacks a bit lacks the mitigation.
 */
#ifndef RINGLET_COMPAT_FEATURES_H
#define RINGLET_COMPAT_FEATURES_H

#include <asm/cpufeatures.h>

/* Renamed in 6.17. */
#ifndef X86_FEATURE_CLEAR_BHB_VMEXIT
#define X86_FEATURE_CLEAR_BHB_VMEXIT X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
#endif

#ifndef X86_FEATURE_CLEAR_CPU_BUF_VM
#define X86_FEATURE_CLEAR_CPU_BUF_VM X86_FEATURE_CLEAR_CPU_BUF
#endif

/* clang-format off */

/*
 * MDS, TAA, MMIO, RFDS, TSA: VERW before the guest. The second is for VMs alone
 * (tsa=vm). What some hosts do for VMs with devices of their own is not for us.
 */
#define RINGLET_IF_VERW		X86_FEATURE_CLEAR_CPU_BUF
#define RINGLET_OR_VERW		X86_FEATURE_CLEAR_CPU_BUF_VM

/*
 * Retbleed, SRSO: IBPB at the exit. A guest is a user program that brings
 * kernel addresses, so what the host does for VMs alone is done, too.
 */
#define RINGLET_IF_IBPB		X86_FEATURE_ENTRY_IBPB
#define RINGLET_OR_IBPB		X86_FEATURE_IBPB_ON_VMEXIT

/* Retbleed, SRSO: untraining before the first RET. */
#define RINGLET_IF_UNTRAIN	X86_FEATURE_UNRET
#define RINGLET_OR_UNTRAIN	X86_FEATURE_SRSO_ALIAS

/* Spectre v2 on CPUs with IBRS that is not "enhanced". */
#define RINGLET_IF_IBRS		X86_FEATURE_KERNEL_IBRS

/* BHI */
#define RINGLET_IF_BHB		X86_FEATURE_CLEAR_BHB_LOOP
#define RINGLET_OR_BHB		X86_FEATURE_CLEAR_BHB_VMEXIT

/*
 * Return predictions. The second is the CPU's, not the host's choice: with
 * enhanced IBRS newer hosts leave the RSB alone, because a user can only put
 * user addresses there and SMEP forbids those. A guest kernel's are others.
 */
#define RINGLET_IF_RSB		X86_FEATURE_RSB_CTXSW
#define RINGLET_OR_RSB		X86_FEATURE_IBRS_ENHANCED

/* Zen 1: a quotient stays in the divider, for whoever divides by zero. */
#define RINGLET_BUG_DIVIDER	X86_BUG_DIV0

/* clang-format on */
#endif
