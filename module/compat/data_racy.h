/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What one thread counts and others look at is marked for KCSAN; 6.1 has no word
 * for that. Apart from compat.h, for the pure logic that KUnit runs, too.
 */
#ifndef RINGLET_COMPAT_DATA_RACY_H
#define RINGLET_COMPAT_DATA_RACY_H

#include <linux/compiler.h>

#ifndef __data_racy
#define __data_racy
#endif

#endif
