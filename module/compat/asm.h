/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel differences that the assembler sees. Included by switch.S only, after
 * the kernel's own headers. What exists is found by looking at the headers
 * when the module is built (compat/probes.mk), never by version numbers.
 */
#ifndef RINGLET_COMPAT_ASM_H
#define RINGLET_COMPAT_ASM_H

#ifdef RINGLET_HAVE_UNWIND_HINT_UNDEFINED
#define UNWIND_HINT_NONE UNWIND_HINT_UNDEFINED
#else
#define UNWIND_HINT_NONE UNWIND_HINT_EMPTY
#endif

/* RFLAGS with IF and the bit that is always 1. */
#define X86_EFLAGS_FIXED_IF 0x202

#endif
