/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel-style types and helpers that the launcher's files share.
 * Nothing here has state or touches anything.
 */
#ifndef LAUNCHER_TYPES_H
#define LAUNCHER_TYPES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

/* As in the kernel. */
#define ATTRIBUTE __attribute__
#define __printf(a, b) ATTRIBUTE((format(printf, a, b)))

/* clang-format off */
#define KiB			1024ULL
#define MiB			(1024 * KiB)
#define GiB			(1024 * MiB)
#define PAGE_SIZE		4096ULL

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define STRINGIFY_TOKEN(x)	#x
#define STRINGIFY(x)		STRINGIFY_TOKEN(x)
#define ALIGN_DOWN(x, a)	((x) & ~((a) - 1))
#define ALIGN_UP(x, a)		ALIGN_DOWN((x) + (a) - 1, a)
#define min(a, b)		((a) < (b) ? (a) : (b))
#define container_of(ptr, type, member)					\
	((type *)((char *)(ptr) - offsetof(type, member)))
/* clang-format on */

#endif
