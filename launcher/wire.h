/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What launcher and init say to each other over the port "ringlet.control".
 * With types.h the only file that both include. Both are built together and shipped as one
 * file, so the version guards against a stale build, not against the world.
 *
 * Each message is a header and @len bytes. In order:
 *
 *   init      HELLO    u32 version: all ports are open in the guest
 *   launcher  REQUEST  u32 argc, u32 envc, then that many NUL-terminated
 *			strings, arguments first
 *   init      STATUS   u32 kind, u32 value, then a text without NUL, may be
 *			empty: the command ended, its output is written
 *   launcher  DONE     nothing: the output has arrived, power off
 *
 * The other ports carry bytes and nothing else. An end is closed by closing
 * the port, which virtio reports to the other side.
 */
#ifndef LAUNCHER_WIRE_H
#define LAUNCHER_WIRE_H

#include "types.h"

#define WIRE_VERSION 1
#define WIRE_MAGIC 0x544c4752 /* "RGLT" */
#define WIRE_REQUEST_MAX (1024 * 1024)
#define WIRE_STATUS_MAX 1024

#define WIRE_PORT_STDIN "ringlet.stdin"
#define WIRE_PORT_STDOUT "ringlet.stdout"
#define WIRE_PORT_STDERR "ringlet.stderr"
#define WIRE_PORT_CONTROL "ringlet.control"

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_REQUEST,
	WIRE_STATUS,
	WIRE_DONE,
};

enum wire_kind {
	WIRE_EXITED = 1, /* value: exit status */
	WIRE_SIGNALLED, /* value: signal's number */
	WIRE_NOT_STARTED, /* value: 126 or 127, the text says why */
};

struct wire_header {
	u32 magic;
	u32 type;
	u32 len;
};

#endif
