/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_BOOT_H
#define LAUNCHER_BOOT_H

#include "types.h"

struct initramfs;
struct kernel_image;
struct memory;

/* Where the launcher puts what the guest finds at its start; all below 640 KiB. */
/* clang-format off */
#define BOOT_ZERO_PAGE	0x10000ULL
#define BOOT_PGD	0x11000ULL
#define BOOT_PUD	0x12000ULL
#define BOOT_PMD	0x13000ULL
#define BOOT_RNG_SEED	0x14000ULL
#define BOOT_CMDLINE	0x20000ULL
/* clang-format on */

void boot_set_up(const struct memory *mem, const struct kernel_image *image,
		 const struct initramfs *initramfs, const char *cmdline);

#endif
