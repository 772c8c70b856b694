/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel-style types and helpers that the launcher's files share.
 * Nothing here has state or touches anything.
 */
#ifndef LAUNCHER_TYPES_H
#define LAUNCHER_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define KiB			1024ULL
#define MiB			(1024 * KiB)
#define GiB			(1024 * MiB)
#define PAGE_SIZE		4096ULL

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a)	((x) & ~((a) - 1))
#define ALIGN_UP(x, a)		ALIGN_DOWN((x) + (a) - 1, a)
#define min(a, b)		((a) < (b) ? (a) : (b))

#define container_of(ptr, type, member)					\
	((type *)((char *)(ptr) - offsetof(type, member)))

#endif
