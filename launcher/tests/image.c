// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel images and boot set-up: a made-up vmlinux with notes, damaged in each
 * field in turn, and what the guest finds in its memory afterwards.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../include/uapi/ringlet.h"
#include "../boot.h"
#include "../initramfs.h"
#include "../kernel-image.h"
#include "../memory.h"
#include "ktap.h"

#define ENTRY (RINGLET_BOOT_MAP_BASE + 0x1000100)
#define LOAD 0x1000000

#pragma pack(push, 4)
struct note {
	Elf64_Nhdr header;
	char name[8];
	u64 value;
};

#pragma pack(pop)

/* The smallest file that is a Ringlet guest kernel. */
struct vmlinux {
	Elf64_Ehdr ehdr;
	Elf64_Phdr load;
	Elf64_Phdr note;
	struct note notes[2];
	u8 text[256];
};

static struct vmlinux good = {
	.ehdr = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = offsetof(struct vmlinux, load),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	},
	.load = {
		.p_type = PT_LOAD,
		.p_offset = offsetof(struct vmlinux, text),
		.p_paddr = LOAD,
		.p_vaddr = RINGLET_BOOT_MAP_BASE + LOAD,
		.p_filesz = 256,
		.p_memsz = 8192,
	},
	.note = {
		.p_type = PT_NOTE,
		.p_offset = offsetof(struct vmlinux, notes),
		.p_filesz = 2 * sizeof(struct note),
		.p_align = 4,
	},
	.notes = {
		{ { 8, 8, RINGLET_NOTE_ABI }, RINGLET_NOTE_NAME, RINGLET_ABI_VERSION },
		{ { 8, 8, RINGLET_NOTE_ENTRY }, RINGLET_NOTE_NAME, ENTRY },
	},
	.text = "text",
};

static char *path;
static struct kernel_image image;

static bool open_bytes(const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");
	bool ok;

	fwrite(bytes, 1, len, file);
	fclose(file);
	ok = kernel_image_open(&image, path);
	return ok;
}

static void test_good(void)
{
	bool ok;

	ok = open_bytes(&good, sizeof(good)) && image.entry == ENTRY &&
	     image.abi == RINGLET_ABI_VERSION && image.end == LOAD + 8192;
	check(ok, "a vmlinux with notes");
	kernel_image_close(&image);
}

/* clang-format off */
#define REFUSED(part, ...)						\
	do {								\
		struct vmlinux bad = good;				\
		bool ok;						\
									\
		__VA_ARGS__;						\
		ok = open_bytes(&bad, sizeof(bad));			\
		ok = !ok && strstr(image.error, part);			\
		check(ok, "%s", image.error);				\
		kernel_image_close(&image);				\
	} while (0)
/* clang-format on */

static void test_bad(void)
{
	REFUSED("CONFIG_RINGLET_GUEST", bad.notes[0].name[0] = 'r');
	REFUSED("CONFIG_RINGLET_GUEST", bad.notes[1].header.n_type = 9);
	REFUSED("CONFIG_RINGLET_GUEST", bad.notes[0].header.n_namesz = 1 << 30);
	REFUSED("CONFIG_RINGLET_GUEST", bad.note.p_offset = 1ULL << 60);
	REFUSED("CONFIG_RINGLET_GUEST", bad.note.p_filesz = ~0ULL);
	REFUSED("update Ringlet", bad.notes[0].value++);
	REFUSED("entry", bad.notes[1].value = LOAD);
	REFUSED("entry",
		bad.notes[1].value = RINGLET_BOOT_MAP_BASE + LOAD + 8192);
	REFUSED("truncated", bad.load.p_offset = sizeof(good) - 255);
	REFUSED("truncated", bad.load.p_offset = ~0ULL);
	REFUSED("segment", bad.load.p_paddr = 0);
	REFUSED("segment", bad.load.p_paddr = ~0ULL - 100);
	REFUSED("segment", bad.load.p_memsz = ~0ULL);
	REFUSED("segment", bad.load.p_memsz = 1);
	REFUSED("x86-64", bad.ehdr.e_machine = EM_AARCH64);
	REFUSED("x86-64", bad.ehdr.e_ident[EI_CLASS] = ELFCLASS32);
	REFUSED("object file", bad.ehdr.e_type = ET_REL);
	check(!open_bytes(&good, 100), "a truncated vmlinux: %s", image.error);
	kernel_image_close(&image);
}

/* Any prefix and any single flipped byte: an answer, not a crash. */
static void test_fuzz(void)
{
	struct vmlinux bad;
	size_t i;

	for (i = 0; i < sizeof(good); i++) {
		open_bytes(&good, i);
		kernel_image_close(&image);
		bad = good;
		((u8 *)&bad)[i] ^= 0xff;
		open_bytes(&bad, sizeof(bad));
		kernel_image_close(&image);
	}
	check(true, "%zu prefixes and flipped bytes", 2 * sizeof(good));
}

static u64 walk(const struct memory *mem, u64 va)
{
	u64 *table = memory_ptr(mem, BOOT_PGD, PAGE_SIZE);
	u64 entry = table[va >> 39 & 511];

	table = memory_ptr(mem, entry & ~0xfffULL, PAGE_SIZE);
	entry = table[va >> 30 & 511];
	table = memory_ptr(mem, entry & ~0xfffULL, PAGE_SIZE);
	entry = table[va >> 21 & 511];
	return (entry & 0x83) == 0x83 ?
		       (entry & ~0x1fffffULL) + (va & 0x1fffff) :
		       0;
}

static void test_boot(void)
{
	struct initramfs initramfs = { 0 };
	struct boot_params *params;
	struct setup_data *data;
	struct memory mem;
	u8 *initrd;
	bool ok;

	open_bytes(&good, sizeof(good));
	memory_alloc(&mem, 64 * MiB);
	ok = kernel_image_load(&image, &mem) &&
	     !strcmp(memory_ptr(&mem, LOAD, 5), "text");
	check(ok, "the segment is at its address");

	initramfs.file = (u8 *)strdup("12345");
	initramfs.file_len = 5;
	initramfs_add_init(&initramfs);
	boot_set_up(&mem, &image, &initramfs, "console=hvc0");

	params = memory_ptr(&mem, BOOT_ZERO_PAGE, PAGE_SIZE);
	ok = params->e820_entries == 2 && params->e820_table[1].addr == MiB &&
	     params->e820_table[1].size == 63 * MiB;
	check(ok, "the memory map");
	check(!strcmp(memory_ptr(&mem, params->hdr.cmd_line_ptr, 16),
		      "console=hvc0"),
	      "the command line");
	data = memory_ptr(&mem, params->hdr.setup_data, 48);
	check(data && data->type == 9 && data->len == 32 && !data->next,
	      "the seed");
	ok = walk(&mem, RINGLET_BOOT_MAP_BASE + 0x1234567) == 0x1234567 &&
	     walk(&mem, RINGLET_BOOT_MAP_BASE + 0x3fffffff) == 0x3fffffff;
	check(ok, "the page tables");

	initrd = memory_ptr(&mem, params->hdr.ramdisk_image,
			    params->hdr.ramdisk_size);
	ok = initrd && !(params->hdr.ramdisk_image & 0xfff) &&
	     !memcmp(initrd, "12345\000\000\000070701", 14);
	check(ok, "the initrd, and ours behind it at a multiple of four");
	initramfs_free(&initramfs);
	kernel_image_close(&image);
}

static void test_cpio(void)
{
	size_t len;
	u8 *archive = cpio_make_file("name", 0100755, (u8 *)"hello", 5, &len);
	bool ok;

	ok = len % 4 == 0 && !memcmp(archive, "070701", 6) &&
	     !memcmp(archive + 14, "000081ED", 8) &&
	     /* mode */ !memcmp(archive + 54, "00000005", 8) &&
	     /* size */ !memcmp(archive + 94, "00000005", 8) &&
	     /* name's size */ !memcmp(archive + 110, "name\0", 5) &&
	     !memcmp(archive + 116, "hello\000\000\000070701", 14) &&
	     !memcmp(archive + 124 + 110, "TRAILER!!!", 11);
	check(ok, "a cpio archive");
	free(archive);
}

/* For tests that want a kernel: --write FILE. */
static int write_good(const char *file)
{
	FILE *out = fopen(file, "w");
	size_t n = out ? fwrite(&good, sizeof(good), 1, out) : 0;

	return !n || fclose(out);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--write"))
		return write_good(argv[2]);
	ktap_start();
	path = strdup("/tmp/ringlet-test.XXXXXX");
	close(mkstemp(path));
	test_good();
	test_bad();
	test_fuzz();
	test_boot();
	test_cpio();
	unlink(path);
	return ktap_end();
}
