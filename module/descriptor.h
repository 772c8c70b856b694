/* SPDX-License-Identifier: GPL-2.0 */
/* Checks of what a guest may load into the CPU; see descriptor.c. */
#ifndef RINGLET_DESCRIPTOR_H
#define RINGLET_DESCRIPTOR_H

#include <linux/types.h>

bool ringlet_tls_valid(u64 descriptor);
u64 ringlet_tls_sane(u64 descriptor);
u16 ringlet_sane_selector(const u64 *gdt, unsigned int entries, u16 selector);
u64 ringlet_sane_rflags(u64 rflags);
u64 ringlet_sane_dr7(u64 dr7);

#endif
