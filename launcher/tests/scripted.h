/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_TESTS_SCRIPTED_H
#define LAUNCHER_TESTS_SCRIPTED_H

/* The linker's names for the C library's functions, and for ours instead. */
int __real_open(const char *path, int flags, int mode);
int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_open(const char *path, int flags, int mode);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

#endif
