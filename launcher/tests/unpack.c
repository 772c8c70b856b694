// SPDX-License-Identifier: GPL-2.0
/*
 * Payloads of bzImages as the kernel's build packs them, in every format that
 * the launcher unpacks: whole, cut short and with a wrong byte.
 */
#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "../unpack.h"
#include "ktap.h"

/* More than one of LZ4's blocks. */
#define SIZE (9 * MiB + 12345)
#define ROOM (12 * MiB)

static u8 *plain, *packed;

static void fill(void)
{
	u32 state = 1, i;

	for (i = 0; i < SIZE; i++) {
		state = state * 1103515245 + 12345;
		/* Neither noise nor a single run. */
		plain[i] = i / 1000 % 2 ? state >> 28 : i >> 8;
	}
}

/* All but gzip's own end are followed by the unpacked size. */
static size_t append_size(size_t len)
{
	u32 size = SIZE;

	memcpy(packed + len, &size, sizeof(size));
	return len + sizeof(size);
}

static size_t pack_gzip(void)
{
	z_stream z = {
		.next_in = plain,
		.avail_in = SIZE,
		.next_out = packed,
		.avail_out = ROOM,
	};

	deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return z.total_out;
}

static size_t run_lzma(lzma_stream *lz)
{
	lz->next_in = plain;
	lz->avail_in = SIZE;
	lz->next_out = packed;
	lz->avail_out = ROOM;
	if (lzma_code(lz, LZMA_FINISH) != LZMA_STREAM_END)
		return 0;
	lzma_end(lz);
	return append_size(lz->total_out);
}

/* scripts/xz_wrap.sh: the filter for x86 code, and CRC32. */
static size_t pack_xz(void)
{
	lzma_stream lz = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	lzma_filter filters[] = {
		{ LZMA_FILTER_X86, NULL },
		{ LZMA_FILTER_LZMA2, &options },
		{ LZMA_VLI_UNKNOWN, NULL },
	};

	lzma_lzma_preset(&options, 1);
	options.dict_size = 32 * MiB;
	if (lzma_stream_encoder(&lz, filters, LZMA_CHECK_CRC32) != LZMA_OK)
		return 0;
	return run_lzma(&lz);
}

static size_t pack_lzma(void)
{
	lzma_stream lz = LZMA_STREAM_INIT;
	lzma_options_lzma options;

	lzma_lzma_preset(&options, 1);
	if (lzma_alone_encoder(&lz, &options) != LZMA_OK)
		return 0;
	return run_lzma(&lz);
}

static size_t pack_bzip2(void)
{
	unsigned int len = ROOM;

	BZ2_bzBuffToBuffCompress((char *)packed, &len, (char *)plain, SIZE, 1,
				 0, 0);
	return append_size(len);
}

/* zstd --ultra -22 has a window of 128 MiB, more than is taken by default. */
static size_t pack_zstd(void)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	size_t len;

	ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, 1);
	ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, 28);
	ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 0);
	len = ZSTD_compress2(z, packed, ROOM, plain, SIZE);
	ZSTD_freeCCtx(z);
	return append_size(len);
}

/* lz4 -l: legacy frames, blocks of 8 MiB. */
static size_t pack_lz4(void)
{
	static const u8 magic[] = { 0x02, 0x21, 0x4c, 0x18 };
	size_t in = 0, out = sizeof(magic);
	u32 n;

	memcpy(packed, magic, sizeof(magic));
	while (in < SIZE) {
		size_t part = min(SIZE - in, 8 * MiB);

		n = LZ4_compress_default((char *)plain + in,
					 (char *)packed + out + 4, part,
					 ROOM - out - 4);
		memcpy(packed + out, &n, 4);
		out += 4 + n;
		in += part;
	}
	return append_size(out);
}

static bool unpacks(size_t len)
{
	size_t n = 0;
	u8 *out = NULL;
	bool ok = !unpack_image(packed, len, &out, &n) && n == SIZE &&
		  !memcmp(out, plain, SIZE);

	free(out);
	return ok;
}

static void test_format(const char *name, size_t (*pack)(void))
{
	size_t len = pack();
	const char *found = unpack_format(packed, len);
	u32 size = SIZE;

	check(found && !strcmp(found, name), "%s is known", name);
	check(len && unpacks(len), "%s of %zu bytes", name, len);
	/* The size as before, so that it is the data that is too short. */
	memcpy(packed + len / 2, &size, sizeof(size));
	check(!unpacks(len / 2 + sizeof(size)), "%s, cut short", name);
	check(!unpacks(6), "%s, and nothing behind its magic", name);

	len = pack();
	size = SIZE - 1;
	memcpy(packed + len - 4, &size, sizeof(size));
	check(!unpacks(len), "%s, said to be shorter than it is", name);
	size = SIZE + 1;
	memcpy(packed + len - 4, &size, sizeof(size));
	check(!unpacks(len), "%s, said to be longer", name);
}

int main(void)
{
	size_t n;
	u8 *out;

	ktap_start();
	plain = malloc(SIZE);
	packed = malloc(ROOM);
	fill();
	test_format("gzip", pack_gzip);
	test_format("xz", pack_xz);
	test_format("lzma", pack_lzma);
	test_format("bzip2", pack_bzip2);
	test_format("zstd", pack_zstd);
	test_format("lz4", pack_lz4);
	memcpy(packed, "\211LZO\000\015\012\032\012", 9);
	check(strstr(unpack_image(packed, 100, &out, &n), "LZO"),
	      "LZO is refused by its name");
	memset(packed, 0xaa, 100);
	check(strstr(unpack_image(packed, 100, &out, &n), "no format"),
	      "what is unknown is refused");
	return ktap_end();
}
