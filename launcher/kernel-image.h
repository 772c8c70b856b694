/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_KERNEL_IMAGE_H
#define LAUNCHER_KERNEL_IMAGE_H

#include <libelf.h>
#include <asm/bootparam.h>

#include "types.h"

struct memory;

/**
 * struct kernel_image - a kernel file that was found fit to start
 * @path: as the user named it
 * @fd: the file, if it is an ELF image itself
 * @packed: how a bzImage's payload was packed; NULL for a vmlinux
 * @data: a bzImage's unpacked payload
 * @len: bytes of the ELF image
 * @elf: libelf's handle of it
 * @abi: the guest ABI it was built for
 * @entry: virtual address of its first instruction
 * @end: first guest-physical address above all its segments
 * @header: a bzImage's setup header, or one made up
 * @error: one sentence, if the image is not fit
 */
struct kernel_image {
	const char *path;
	int fd;
	const char *packed;
	u8 *data;
	size_t len;
	Elf *elf;
	u64 abi;
	u64 entry;
	u64 end;
	struct setup_header header;
	char error[512];
};

bool kernel_image_open(struct kernel_image *image, const char *path);
bool kernel_image_load(struct kernel_image *image, const struct memory *mem);
void kernel_image_close(struct kernel_image *image);

#endif
