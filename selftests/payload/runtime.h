/* SPDX-License-Identifier: GPL-2.0 */
/* Between the runtime's own files; payloads have no business here. */
#ifndef PAYLOAD_RUNTIME_H
#define PAYLOAD_RUNTIME_H

/* A vCPU's area, as assembler knows it; runtime.c has the structure. */
/* clang-format off */
#define AREA_RESUMER_RSP	0x80
#define AREA_STACK_END		0x5000
#define AREA_EVENTS_END		0x9000
#define AREA_KERNEL_STACK_END	0xa000
#define AREA_SIZE		0xa000

#define CPU_NUMBER_SELECTOR	0x7b
/* clang-format on */

#ifndef __ASSEMBLY__
struct boot_params;

void start(u64 zero_page);
void other_main(void) __attribute__((noreturn));
void memory_init(const struct boot_params *params);
void memory_reset(void);
#endif

#endif
