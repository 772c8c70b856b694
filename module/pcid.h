/* SPDX-License-Identifier: GPL-2.0 */
/* Hardware PCIDs for shadow roots; see pcid.c. */
#ifndef RINGLET_PCID_H
#define RINGLET_PCID_H

#include <linux/types.h>

#define RINGLET_PCID_FIRST 3072
#define RINGLET_PCID_GROUP 16
#define RINGLET_PCID_GROUPS 64

unsigned int ringlet_pcid_alloc(void);
bool ringlet_pcid_shared(unsigned int pcid);
void ringlet_pcid_free(unsigned int pcid);

#endif
