/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_UNPACK_H
#define LAUNCHER_UNPACK_H

#include "types.h"

/* A kernel that unpacks to more than this is not one. */
#define UNPACK_MAX (1 * GiB)

const char *unpack_format(const u8 *in, size_t len);
const char *unpack_image(const u8 *in, size_t in_len, u8 **out,
			 size_t *out_len);

#endif
