/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_INITRAMFS_H
#define LAUNCHER_INITRAMFS_H

#include "types.h"

#define INITRAMFS_INIT "/ringlet-init"

/**
 * struct initramfs - what goes into guest memory as the initrd
 * @file: the user's archive, any format that the kernel takes; may be empty
 * @file_len: its length
 * @ours: a cpio archive with the launcher's init, or NULL
 * @ours_len: its length
 */
struct initramfs {
	u8 *file;
	size_t file_len;
	u8 *ours;
	size_t ours_len;
};

/* init/ringlet-init, put in by init-blob.S. */
extern const u8 init_blob[];
extern const u8 init_blob_end[];

void initramfs_read(struct initramfs *initramfs, const char *path, u64 mem);
void initramfs_add_init(struct initramfs *initramfs);
u64 initramfs_size(const struct initramfs *initramfs);
void initramfs_copy(const struct initramfs *initramfs, u8 *dest);
void initramfs_free(struct initramfs *initramfs);
char *initramfs_find_default(void);

u8 *cpio_make_file(const char *name, u32 mode, const u8 *data, size_t len,
		   size_t *archive_len);

#endif
