// SPDX-License-Identifier: GPL-2.0
/*
 * Unpacks the payload of a bzImage with the well-kept libraries, one small
 * function per format. Input is a file that nobody has checked: every function
 * is given the room there is and fails when that does not do.
 *
 * Pure: memory in, memory out.
 */
#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "unpack.h"

struct span {
	const u8 *in;
	size_t in_len;
	u8 *out;
	size_t room;
};

/* Each returns the number of bytes unpacked, or -1. */
typedef ssize_t (*unpack_fn)(struct span *span);

static ssize_t unpack_gzip(struct span *s)
{
	z_stream z = {
		.next_in = (u8 *)s->in,
		.avail_in = s->in_len,
		.next_out = s->out,
		.avail_out = s->room,
	};
	int err;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -1;
	err = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return err == Z_STREAM_END ? (ssize_t)z.total_out : -1;
}

static ssize_t run_lzma(struct span *s, lzma_stream *lz)
{
	lzma_ret err;

	lz->next_in = s->in;
	lz->avail_in = s->in_len;
	lz->next_out = s->out;
	lz->avail_out = s->room;
	err = lzma_code(lz, LZMA_RUN);
	lzma_end(lz);
	return err == LZMA_STREAM_END ? (ssize_t)lz->total_out : -1;
}

static ssize_t unpack_xz(struct span *s)
{
	lzma_stream lz = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&lz, UINT64_MAX, 0) != LZMA_OK)
		return -1;
	return run_lzma(s, &lz);
}

static ssize_t unpack_lzma(struct span *s)
{
	lzma_stream lz = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&lz, UINT64_MAX) != LZMA_OK)
		return -1;
	return run_lzma(s, &lz);
}

static ssize_t unpack_bzip2(struct span *s)
{
	bz_stream bz = {
		.next_in = (char *)s->in,
		.avail_in = s->in_len,
		.next_out = (char *)s->out,
		.avail_out = s->room,
	};
	int err;

	if (BZ2_bzDecompressInit(&bz, 0, 0) != BZ_OK)
		return -1;
	err = BZ2_bzDecompress(&bz);
	BZ2_bzDecompressEnd(&bz);
	return err == BZ_STREAM_END ? (ssize_t)bz.total_out_lo32 : -1;
}

static ssize_t unpack_zstd(struct span *s)
{
	ZSTD_inBuffer in = { .src = s->in, .size = s->in_len };
	ZSTD_outBuffer out = { .dst = s->out, .size = s->room };
	ZSTD_DStream *z = ZSTD_createDStream();
	size_t left = 1;

	/* The kernel is packed with windows larger than the default limit. */
	ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, 31);
	while (left && in.pos < in.size && out.pos < out.size) {
		left = ZSTD_decompressStream(z, &out, &in);
		if (ZSTD_isError(left))
			break;
	}
	ZSTD_freeDStream(z);
	return left ? -1 : (ssize_t)out.pos;
}

/*
 * The kernel uses LZ4's legacy frames, which the library's frame API does not
 * read: a magic number, then blocks of at most 8 MiB behind their packed
 * lengths. Nothing marks the end. The bzImage appends the unpacked size, which
 * has set the room here, so that the end is where the room is full.
 */
static ssize_t unpack_lz4(struct span *s)
{
	size_t in = 4, out = 0;
	u32 len;
	int n;

	while (in + 4 <= s->in_len && out < s->room) {
		memcpy(&len, s->in + in, 4);
		in += 4;
		if (len > s->in_len - in)
			return -1;
		n = LZ4_decompress_safe((const char *)s->in + in,
					(char *)s->out + out, len,
					min(s->room - out, 8 * MiB));
		if (n < 0)
			return -1;
		in += len;
		out += n;
	}
	return out;
}

static const struct format {
	const char *name;
	const char *magic;
	size_t magic_len;
	unpack_fn unpack;
} formats[] = {
	{ "gzip", "\x1f\x8b", 2, unpack_gzip },
	{ "xz", "\3757zXZ\0", 6, unpack_xz },
	{ "zstd", "\x28\xb5\x2f\xfd", 4, unpack_zstd },
	{ "lz4", "\x02\x21\x4c\x18", 4, unpack_lz4 },
	{ "bzip2", "BZh", 3, unpack_bzip2 },
	{ "lzma", "\x5d\0\0", 3, unpack_lzma },
	{ "lzo", "\x89LZO", 4, NULL },
};

static const struct format *find_format(const u8 *in, size_t len)
{
	const struct format *f;

	for (f = formats; f < formats + ARRAY_SIZE(formats); f++)
		if (len >= f->magic_len && !memcmp(in, f->magic, f->magic_len))
			return f;
	return NULL;
}

const char *unpack_format(const u8 *in, size_t len)
{
	const struct format *f = find_format(in, len);

	return f ? f->name : NULL;
}

/*
 * Returns NULL, or what is wrong as the second half of a sentence. The last
 * four bytes of a payload are the unpacked size; it bounds what is allocated.
 */
const char *unpack_image(const u8 *in, size_t in_len, u8 **out, size_t *out_len)
{
	const struct format *f = find_format(in, in_len);
	struct span span = { .in = in, .in_len = in_len };
	ssize_t n;
	u32 size;

	if (!f)
		return "is packed in no format that the launcher knows";
	if (!f->unpack)
		return "is packed with LZO, which is not known here; use the vmlinux instead";
	if (in_len < 8)
		return "is truncated";

	memcpy(&size, in + in_len - 4, 4);
	if (!size || size > UNPACK_MAX)
		return "is truncated or damaged: its unpacked size is absurd";
	span.room = size;
	span.out = malloc(size);
	if (!span.out)
		return "cannot be unpacked: out of memory";

	n = f->unpack(&span);
	if (n != (ssize_t)size) {
		free(span.out);
		return "is truncated or damaged: it does not unpack to its stated size";
	}
	*out = span.out;
	*out_len = n;
	return NULL;
}
