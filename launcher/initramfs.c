// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's initial root file system: the user's archive, read as it is, and
 * behind it, if the guest is to run a command, a small cpio archive with the
 * launcher's own init. The kernel takes archives one after the other, each in
 * its own packing, and the later one's files win.
 *
 * Runs before the guest exists; every fault ends in die().
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "initramfs.h"
#include "status.h"

#define DEFAULT_NAME "initramfs.cpio"

#define CPIO_ALIGN(x) ALIGN_UP(x, 4)

/* One member in cpio's "newc" form: 13 fields of 8 hex digits, name, data. */
static u8 *cpio_put(u8 *p, u32 inode, const char *name, u32 mode,
		    const u8 *data, size_t len)
{
	char header[111];
	size_t name_len = strlen(name) + 1;

	snprintf(header, sizeof(header),
		 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		 inode, mode, 0, 0, 1, 0, (u32)len, 0, 0, 0, 0, (u32)name_len,
		 0);
	memcpy(p, header, 110);
	memcpy(p + 110, name, name_len);
	p += CPIO_ALIGN(110 + name_len);
	if (len)
		memcpy(p, data, len);
	return p + CPIO_ALIGN(len);
}

static size_t cpio_member_size(const char *name, size_t len)
{
	return CPIO_ALIGN(110 + strlen(name) + 1) + CPIO_ALIGN(len);
}

/* An archive with one file in it; name without the leading slash. */
u8 *cpio_make_file(const char *name, u32 mode, const u8 *data, size_t len,
		   size_t *archive_len)
{
	static const char trailer[] = "TRAILER!!!";
	u8 *archive, *p;

	*archive_len =
		cpio_member_size(name, len) + cpio_member_size(trailer, 0);
	archive = calloc(1, *archive_len);
	if (!archive)
		die("out of memory");
	p = cpio_put(archive, 1, name, mode, data, len);
	cpio_put(p, 0, trailer, 0, NULL, 0);
	return archive;
}

static u8 *read_all(int fd, size_t len, const char *path)
{
	u8 *data = malloc(len + 1);
	size_t done = 0;
	ssize_t n;

	if (!data)
		die("out of memory for the initrd %s (%zu bytes)", path, len);
	while (done < len) {
		n = read(fd, data + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("cannot read the initrd %s: %s; check --initrd",
			    path, n ? strerror(errno) : "it became shorter");
		done += n;
	}
	return data;
}

void initramfs_read(struct initramfs *initramfs, const char *path, u64 mem)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st))
		die("cannot read the initrd %s: %s; check --initrd", path,
		    strerror(errno));
	if (!S_ISREG(st.st_mode))
		die("the initrd %s is not a regular file; give a cpio archive",
		    path);
	if (!st.st_size)
		die("the initrd %s is empty; build it again", path);
	/* Before it is read: a wrong file may be larger than this machine's memory. */
	if ((u64)st.st_size >= mem)
		die("the initrd %s has %lluM, and the guest %lluM; give more --mem",
		    path, ALIGN_UP((u64)st.st_size, MiB) / MiB, mem / MiB);
	initramfs->file = read_all(fd, st.st_size, path);
	initramfs->file_len = st.st_size;
	close(fd);
}

void initramfs_add_init(struct initramfs *initramfs)
{
	initramfs->ours = cpio_make_file(INITRAMFS_INIT + 1, S_IFREG | 0755,
					 init_blob, init_blob_end - init_blob,
					 &initramfs->ours_len);
}

u64 initramfs_size(const struct initramfs *initramfs)
{
	return CPIO_ALIGN(initramfs->file_len) + initramfs->ours_len;
}

/* dest is zeroed memory, so that the gap between the archives is, too. */
void initramfs_copy(const struct initramfs *initramfs, u8 *dest)
{
	if (initramfs->file_len)
		memcpy(dest, initramfs->file, initramfs->file_len);
	if (initramfs->ours_len)
		memcpy(dest + CPIO_ALIGN(initramfs->file_len), initramfs->ours,
		       initramfs->ours_len);
}

void initramfs_free(struct initramfs *initramfs)
{
	free(initramfs->file);
	free(initramfs->ours);
	memset(initramfs, 0, sizeof(*initramfs));
}

/* A path that the caller frees, or NULL. */
char *initramfs_find_default(void)
{
	const char *env = getenv("RINGLET_INITRAMFS");
	char exe[PATH_MAX];
	char *path;
	ssize_t n;

	if (env && *env)
		return strdup(env);

	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		if (asprintf(&path, "%s/" DEFAULT_NAME, dirname(exe)) < 0)
			return NULL;
		if (!access(path, F_OK))
			return path;
		free(path);
	}
	if (!access(RINGLET_LIBDIR "/" DEFAULT_NAME, F_OK))
		return strdup(RINGLET_LIBDIR "/" DEFAULT_NAME);
	return NULL;
}
