// SPDX-License-Identifier: GPL-2.0
/*
 * Finds out whether a file is a Linux kernel that can start as a Ringlet
 * guest, and copies it into guest memory. A vmlinux is an ELF file; a bzImage
 * is a setup header and, packed, the same ELF file, which the launcher unpacks
 * itself because the image's own unpacker wants a bare machine.
 *
 * The file may be damaged or hostile. Everything is checked in
 * kernel_image_open(), before the guest exists; a false return comes with a
 * sentence in image->error that says what to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../include/uapi/ringlet.h"
#include "kernel-image.h"
#include "memory.h"
#include "unpack.h"

/* Offsets in a bzImage's first sector; Documentation/arch/x86/boot.rst. */
/* clang-format off */
#define SETUP_HEADER_OFFSET	0x1f1
#define SETUP_MAGIC_OFFSET	0x202
#define SETUP_JUMP_OFFSET	0x201
#define SETUP_MAGIC		0x53726448	/* "HdrS" */
#define SETUP_MIN_VERSION	0x0208		/* the first with a payload */

#define BZIMAGE_MAX		(1 * GiB)
#define LOAD_MIN		(1 * MiB)	/* below are boot_params and tables */
/* clang-format on */

static __printf(2, 3) bool unfit(struct kernel_image *image, const char *fmt,
				 ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(image->error, sizeof(image->error), fmt, args);
	va_end(args);
	return false;
}

static bool read_at(int fd, void *buf, size_t len, off_t offset)
{
	ssize_t n;

	while (len) {
		n = pread(fd, buf, len, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		buf += n;
		len -= n;
		offset += n;
	}
	return true;
}

/* ---- bzImage: setup header and payload ---- */

static bool check_setup_header(struct kernel_image *image, const u8 *file,
			       size_t len)
{
	struct setup_header *header = &image->header;
	size_t size;

	if (len < SETUP_HEADER_OFFSET + sizeof(*header))
		return unfit(image, "%s is truncated; copy or build it again",
			     image->path);
	/* The jump over the header also says how long it is. */
	size = SETUP_MAGIC_OFFSET + file[SETUP_JUMP_OFFSET] -
	       SETUP_HEADER_OFFSET;
	memcpy(header, file + SETUP_HEADER_OFFSET, min(size, sizeof(*header)));

	if (header->version < SETUP_MIN_VERSION)
		return unfit(
			image,
			"%s is a kernel older than 2.6.24 (boot protocol %x); build a newer one",
			image->path, header->version);
	if (!(header->loadflags & LOADED_HIGH))
		return unfit(image,
			     "%s is a zImage, not a bzImage; build a bzImage",
			     image->path);
	return true;
}

static bool unpack_payload(struct kernel_image *image, const u8 *file,
			   size_t len)
{
	struct setup_header *header = &image->header;
	u64 sectors = header->setup_sects ? header->setup_sects : 4;
	u64 start = (sectors + 1) * 512 + header->payload_offset;
	const char *wrong;

	if (start + header->payload_length > len)
		return unfit(
			image,
			"%s is truncated (%zu bytes, its payload ends at %llu); copy or build it again",
			image->path, len,
			(unsigned long long)start + header->payload_length);

	image->packed = unpack_format(file + start, header->payload_length);
	wrong = unpack_image(file + start, header->payload_length, &image->data,
			     &image->len);
	if (wrong)
		return unfit(image, "the payload of %s %s", image->path, wrong);

	image->elf = elf_memory((char *)image->data, image->len);
	return true;
}

static bool open_bzimage(struct kernel_image *image, size_t len)
{
	bool ok;
	u8 *file;

	if (len > BZIMAGE_MAX)
		return unfit(
			image,
			"%s is too large for a bzImage; is it the right file?",
			image->path);
	file = malloc(len);
	if (!file || !read_at(image->fd, file, len, 0))
		ok = unfit(image, "cannot read %s: %s; check the file",
			   image->path, strerror(errno));
	else
		ok = check_setup_header(image, file, len) &&
		     unpack_payload(image, file, len);
	free(file);
	return ok;
}

/* ---- ELF: segments and notes ---- */

static bool open_vmlinux(struct kernel_image *image, size_t len)
{
	image->len = len;
	image->elf = elf_begin(image->fd, ELF_C_READ, NULL);

	/* What a bzImage of this kernel would say, as far as the guest looks. */
	image->header = (struct setup_header){
		.boot_flag = 0xaa55,
		.header = SETUP_MAGIC,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 2 * MiB,
		.cmdline_size = 2047,
	};
	return true;
}

static bool check_elf_header(struct kernel_image *image)
{
	GElf_Ehdr ehdr;

	if (!image->elf || elf_kind(image->elf) != ELF_K_ELF ||
	    !gelf_getehdr(image->elf, &ehdr))
		return unfit(
			image,
			"%s is damaged: its ELF header makes no sense; copy or build it again",
			image->path);
	if (ehdr.e_machine != EM_X86_64 || ehdr.e_ident[EI_CLASS] != ELFCLASS64)
		return unfit(
			image,
			"%s is not an x86-64 kernel; build one with ARCH=x86_64",
			image->path);
	if (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN)
		return unfit(
			image,
			"%s is an object file, not a kernel; is it the right file?",
			image->path);
	return true;
}

static void take_note(struct kernel_image *image, Elf_Data *data,
		      const GElf_Nhdr *note, size_t name, size_t desc)
{
	u64 value;

	if (note->n_namesz != sizeof(RINGLET_NOTE_NAME) ||
	    memcmp((u8 *)data->d_buf + name, RINGLET_NOTE_NAME,
		   sizeof(RINGLET_NOTE_NAME)) ||
	    note->n_descsz != sizeof(value))
		return;
	memcpy(&value, (u8 *)data->d_buf + desc, sizeof(value));
	if (note->n_type == RINGLET_NOTE_ABI)
		image->abi = value;
	else if (note->n_type == RINGLET_NOTE_ENTRY)
		image->entry = value;
}

static void read_notes(struct kernel_image *image, const GElf_Phdr *phdr)
{
	size_t offset = 0, name, desc;
	GElf_Nhdr note;
	Elf_Data *data;

	if (phdr->p_offset > image->len ||
	    phdr->p_filesz > image->len - phdr->p_offset)
		return;
	data = elf_getdata_rawchunk(image->elf, phdr->p_offset, phdr->p_filesz,
				    phdr->p_align == 8 ? ELF_T_NHDR8 :
							 ELF_T_NHDR);
	if (!data)
		return;
	while ((offset = gelf_getnote(data, offset, &note, &name, &desc)) > 0)
		take_note(image, data, &note, name, desc);
}

static bool check_segment(struct kernel_image *image, const GElf_Phdr *phdr)
{
	if (phdr->p_offset > image->len ||
	    phdr->p_filesz > image->len - phdr->p_offset)
		return unfit(
			image,
			"%s is truncated: a segment lies past its end; copy or build it again",
			image->path);
	if (phdr->p_filesz > phdr->p_memsz || phdr->p_paddr < LOAD_MIN ||
	    phdr->p_paddr >= RINGLET_BOOT_MAP_SIZE ||
	    phdr->p_memsz > RINGLET_BOOT_MAP_SIZE - phdr->p_paddr)
		return unfit(
			image,
			"%s has a segment at an address where a Linux kernel has none; is it the right file?",
			image->path);
	if (phdr->p_paddr + phdr->p_memsz > image->end)
		image->end = phdr->p_paddr + phdr->p_memsz;
	return true;
}

/* Calls for each program header what its type asks for. */
static bool scan_segments(struct kernel_image *image)
{
	GElf_Phdr phdr;
	size_t i, n;

	if (elf_getphdrnum(image->elf, &n))
		n = 0;
	for (i = 0; i < n; i++) {
		if (!gelf_getphdr(image->elf, i, &phdr))
			return unfit(
				image,
				"%s is truncated: it lacks program headers; copy or build it again",
				image->path);
		if (phdr.p_type == PT_NOTE)
			read_notes(image, &phdr);
		if (phdr.p_type == PT_LOAD && !check_segment(image, &phdr))
			return false;
	}
	return true;
}

static bool check_notes(struct kernel_image *image)
{
	const char *old =
		image->abi < RINGLET_ABI_VERSION ?
			"rebuild the kernel with this Ringlet's guest-pvops" :
			"update Ringlet";

	if (!image->abi || !image->entry)
		return unfit(
			image,
			"%s is not a Ringlet guest kernel (built without CONFIG_RINGLET_GUEST; see guest-pvops/README)",
			image->path);
	if (image->abi != RINGLET_ABI_VERSION)
		return unfit(
			image,
			"%s was built for guest ABI %llu and this launcher speaks %d: %s",
			image->path, (unsigned long long)image->abi,
			RINGLET_ABI_VERSION, old);
	if (image->entry < RINGLET_BOOT_MAP_BASE + LOAD_MIN ||
	    image->entry >= RINGLET_BOOT_MAP_BASE + image->end)
		return unfit(
			image,
			"%s is damaged: its entry point is outside the kernel; build it again",
			image->path);
	return true;
}

/* ---- The interface ---- */

static bool open_by_magic(struct kernel_image *image, size_t len)
{
	u8 head[1024] = { 0 };
	u32 magic;

	if (!read_at(image->fd, head, min(len, sizeof(head)), 0))
		return unfit(image, "cannot read %s: %s; check the file",
			     image->path, strerror(errno));
	memcpy(&magic, head + SETUP_MAGIC_OFFSET, sizeof(magic));
	if (len >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG))
		return open_vmlinux(image, len);
	if (magic == SETUP_MAGIC)
		return open_bzimage(image, len);
	return unfit(
		image,
		"%s is not a Linux kernel (neither an ELF vmlinux nor a bzImage); is it the right file?",
		image->path);
}

bool kernel_image_open(struct kernel_image *image, const char *path)
{
	struct stat st;

	elf_version(EV_CURRENT);
	memset(image, 0, sizeof(*image));
	image->path = path;
	image->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (image->fd < 0)
		return unfit(image,
			     "cannot read the kernel %s: %s; check --kernel",
			     path, strerror(errno));
	if (fstat(image->fd, &st) || !S_ISREG(st.st_mode))
		return unfit(
			image,
			"%s is not a regular file; give a vmlinux or a bzImage",
			path);

	return open_by_magic(image, st.st_size) && check_elf_header(image) &&
	       scan_segments(image) && check_notes(image);
}

static bool load_segment(struct kernel_image *image, const GElf_Phdr *phdr,
			 const struct memory *mem)
{
	u8 *dest = memory_ptr(mem, phdr->p_paddr, phdr->p_memsz);

	if (!dest)
		return unfit(
			image,
			"%s needs memory up to %lluM and the guest has %lluM; give more --mem",
			image->path, ALIGN_UP(image->end, MiB) / MiB,
			mem->size / MiB);
	if (image->data)
		memcpy(dest, image->data + phdr->p_offset, phdr->p_filesz);
	else if (!read_at(image->fd, dest, phdr->p_filesz, phdr->p_offset))
		return unfit(image, "cannot read %s: %s; check the file",
			     image->path, strerror(errno));
	/* The rest is zero: guest memory is fresh. */
	return true;
}

bool kernel_image_load(struct kernel_image *image, const struct memory *mem)
{
	GElf_Phdr phdr;
	size_t i, n;

	if (elf_getphdrnum(image->elf, &n))
		n = 0;
	for (i = 0; i < n; i++)
		if (gelf_getphdr(image->elf, i, &phdr) &&
		    phdr.p_type == PT_LOAD && !load_segment(image, &phdr, mem))
			return false;
	return true;
}

void kernel_image_close(struct kernel_image *image)
{
	elf_end(image->elf);
	free(image->data);
	if (image->fd >= 0)
		close(image->fd);
	image->elf = NULL;
	image->data = NULL;
	image->fd = -1;
}
