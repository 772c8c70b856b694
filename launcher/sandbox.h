/* SPDX-License-Identifier: GPL-2.0 */
/* What the launcher gives up before a guest runs; see sandbox.c. */
#ifndef LAUNCHER_SANDBOX_H
#define LAUNCHER_SANDBOX_H

void sandbox_drop_privileges(void);
void sandbox_enter(void);

#endif
