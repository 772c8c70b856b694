/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_COMMAND_H
#define LAUNCHER_COMMAND_H

#include <stdio.h>

#define LAUNCHER_VERSION "0.1"

/* Each in its file cmd-NAME.c; argv[0] is the command's own name. */
int cmd_run(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_qemu(int argc, char **argv);

void help_run(FILE *file);
void help_doctor(FILE *file);

#endif
