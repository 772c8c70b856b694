// SPDX-License-Identifier: GPL-2.0
/*
 * Operations: loops that want nothing but the CPU. User space of the place
 * that is measured. One of N is 1000 turns.
 */
#include <immintrin.h>

#include "bench.h"

static volatile uint64_t sink;

static void int_run(long n)
{
	uint64_t x = 88172645463325252ULL;

	for (long i = 0; i < n * 1000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		x *= 0x9e3779b97f4a7c15ULL;
	}
	sink = x;
}

__attribute__((target("avx2"))) static void avx_run(long n)
{
	__m256i x = _mm256_set1_epi64x(88172645463325252LL);
	__m256i y = _mm256_set1_epi32(0x9e3779b9);

	must(__builtin_cpu_supports("avx2"), "no AVX2");
	for (long i = 0; i < n * 1000; i++) {
		x = _mm256_xor_si256(x, _mm256_slli_epi64(x, 13));
		x = _mm256_xor_si256(x, _mm256_srli_epi64(x, 7));
		x = _mm256_add_epi32(_mm256_mullo_epi32(x, y), y);
	}
	sink = _mm256_extract_epi64(x, 0);
}

/* clang-format off */
const struct operation cpu_operations[] = {
	{ "cpu-int", NULL, int_run, NULL },
	{ "cpu-avx", NULL, avx_run, NULL },
	{ }
};
/* clang-format on */
