/* SPDX-License-Identifier: GPL-2.0 */
/* Between the runtime's own files; payloads have no business here. */
#ifndef PAYLOAD_RUNTIME_H
#define PAYLOAD_RUNTIME_H

struct boot_params;

void start(u64 zero_page);
void memory_init(const struct boot_params *params);
void memory_reset(void);

#endif
