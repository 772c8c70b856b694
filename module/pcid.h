/* SPDX-License-Identifier: GPL-2.0 */
/* Hardware PCIDs for shadow roots; see pcid.c. */
#ifndef RINGLET_PCID_H
#define RINGLET_PCID_H

#define RINGLET_PCID_FIRST 3072
#define RINGLET_PCID_PAIRS 512

unsigned int ringlet_pcid_alloc(void);
void ringlet_pcid_free(unsigned int pcid);

#endif
