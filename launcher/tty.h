/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_TTY_H
#define LAUNCHER_TTY_H

#include <signal.h>

#include "types.h"

/**
 * struct tty_escape - the keys after Ctrl-A
 * @armed: Ctrl-A was typed
 * @quit: and then x
 */
struct tty_escape {
	bool armed;
	bool quit;
};

void tty_make_raw(int fd);
void tty_restore(void);
void tty_resume(void);
void tty_take(void);
void tty_thread_mask(sigset_t *mask);
bool tty_size(int fd, u16 *cols, u16 *rows);
size_t tty_filter(struct tty_escape *escape, u8 *buf, size_t len);

#endif
