// SPDX-License-Identifier: GPL-2.0
/*
 * A program to compile, for the test "gcc": a little of much that a compiler
 * and a C library do, with results that are the same on every machine. It is
 * not one of selftests/programs because it is built inside the guest.
 */
#include <ctype.h>
#include <errno.h>
#include <linux/types.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define N(array) (sizeof(array) / sizeof((array)[0]))

static __u64 random_state = 88172645463325252ULL;

static __u64 next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* ---- A checksum: CRC-32 with a table ---- */

static __u32 crc_table[256];

static void make_crc_table(void)
{
	__u32 i, k, c;

	for (i = 0; i < 256; i++) {
		c = i;
		for (k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320U ^ c >> 1 : c >> 1;
		crc_table[i] = c;
	}
}

static __u32 crc(const void *data, size_t len)
{
	const __u8 *p = data;
	__u32 c = ~0U;

	while (len--)
		c = crc_table[(c ^ *p++) & 0xff] ^ c >> 8;
	return ~c;
}

/* ---- Digits of pi, by a spigot ---- */

static void do_pi(void)
{
	enum { DIGITS = 200, LEN = DIGITS * 10 / 3 + 1 };
	static int remainders[LEN];
	int i, j, carry, sum, digit;
	char text[DIGITS + 1] = "";
	int nines = 0, held = 0, n = 0;

	for (i = 0; i < LEN; i++)
		remainders[i] = 2;
	for (i = 0; i < DIGITS && n < DIGITS; i++) {
		carry = 0;
		for (j = LEN - 1; j > 0; j--) {
			sum = remainders[j] * 10 + carry * (j + 1);
			remainders[j] = sum % (2 * j + 1);
			carry = sum / (2 * j + 1);
		}
		sum = remainders[0] * 10 + carry;
		remainders[0] = sum % 10;
		digit = sum / 10;
		if (digit == 9) {
			nines++;
			continue;
		}
		if (i)
			text[n++] = '0' + held + digit / 10;
		while (nines && n < DIGITS) {
			text[n++] = digit == 10 ? '0' : '9';
			nines--;
		}
		held = digit % 10;
	}
	text[n] = '\0';
	printf("pi %s\n", text);
}

/* ---- Sorting, by the library and by hand ---- */

struct item {
	__u32 key;
	char name[12];
};

static int by_key(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void heap_sort(struct item *items, size_t n)
{
	size_t root, child, end = n, start = n / 2;
	struct item swap;

	while (end > 1) {
		if (start) {
			start--;
		} else {
			end--;
			swap = items[end];
			items[end] = items[0];
			items[0] = swap;
		}
		for (root = start; (child = 2 * root + 1) < end; root = child) {
			if (child + 1 < end &&
			    by_key(&items[child], &items[child + 1]) < 0)
				child++;
			if (by_key(&items[root], &items[child]) >= 0)
				break;
			swap = items[root];
			items[root] = items[child];
			items[child] = swap;
		}
	}
}

static void do_sorting(void)
{
	enum { COUNT = 20000 };
	struct item *a = calloc(COUNT, sizeof(*a));
	struct item *b = calloc(COUNT, sizeof(*b));
	size_t i;

	for (i = 0; i < COUNT; i++) {
		/* Different keys, so that there is one right order. */
		a[i].key = (__u32)i * 2654435761U;
		snprintf(a[i].name, sizeof(a[i].name), "n%08x",
			 (__u32)next_random());
	}
	memcpy(b, a, COUNT * sizeof(*a));
	qsort(a, COUNT, sizeof(*a), by_key);
	heap_sort(b, COUNT);
	printf("sorting %08x %s\n", crc(a, COUNT * sizeof(*a)),
	       memcmp(a, b, COUNT * sizeof(*a)) ? "differ" : "agree");
	free(a);
	free(b);
}

/* ---- Floating point: a system of equations, and the library ---- */

static void do_equations(void)
{
	enum { SIZE = 24 };
	double m[SIZE][SIZE + 1], factor, worst = 0, sum;
	int i, j, k;

	for (i = 0; i < SIZE; i++) {
		m[i][SIZE] = 0;
		for (j = 0; j < SIZE; j++) {
			m[i][j] = 1.0 / (1 + (i * 7 + j * 3) % 31) +
				  (i == j ? 4 : 0);
			m[i][SIZE] += m[i][j] * (j + 1);
		}
	}
	for (k = 0; k < SIZE; k++) {
		for (i = k + 1; i < SIZE; i++) {
			factor = m[i][k] / m[k][k];
			for (j = k; j <= SIZE; j++)
				m[i][j] -= factor * m[k][j];
		}
	}
	for (i = SIZE - 1; i >= 0; i--) {
		sum = m[i][SIZE];
		for (j = i + 1; j < SIZE; j++)
			sum -= m[i][j] * m[j][SIZE];
		m[i][SIZE] = sum / m[i][i];
		if (fabs(m[i][SIZE] - (i + 1)) > worst)
			worst = fabs(m[i][SIZE] - (i + 1));
	}
	printf("equations %.6f %.6f %s\n", m[0][SIZE], m[SIZE - 1][SIZE],
	       worst < 0.000001 ? "exact enough" : "wrong");
	printf("functions %.9f %.9f %.9f %a\n", sin(1.0), exp(1.5), sqrt(2.0),
	       ldexp(0.625, 9));
}

/* ---- A calculator: recursion, unions, errors by longjmp ---- */

static const char *cursor;
static jmp_buf syntax_error;

static long sum(void);

static long atom(void)
{
	long value;
	char *end;

	while (isspace((unsigned char)*cursor))
		cursor++;
	if (*cursor == '(') {
		cursor++;
		value = sum();
		if (*cursor++ != ')')
			longjmp(syntax_error, 1);
		return value;
	}
	if (*cursor == '-') {
		cursor++;
		return -atom();
	}
	value = strtol(cursor, &end, 0);
	if (end == cursor)
		longjmp(syntax_error, 2);
	cursor = end;
	return value;
}

static char operator_in(const char *set)
{
	while (isspace((unsigned char)*cursor))
		cursor++;
	return *cursor && strchr(set, *cursor) ? *cursor++ : '\0';
}

static long product(void)
{
	long value = atom(), right;
	char op;

	while ((op = operator_in("*/%"))) {
		right = atom();
		if (op != '*' && !right)
			longjmp(syntax_error, 3);
		value = op == '*' ? value * right :
			op == '/' ? value / right :
				    value % right;
	}
	return value;
}

static long sum(void)
{
	long value = product();
	char op;

	while ((op = operator_in("+-")))
		value += op == '+' ? product() : -product();
	return value;
}

static void do_calculator(void)
{
	static const char *const lines[] = {
		"1 + 2 * 3",
		"(1 + 2) * 3",
		"0x10 - -010",
		"100 / 7 % 5 - 3",
		"2 * (3 + (4 - 5",
		"7 / (3 - 3)",
		"8 +",
		"-(-(-9)) * 1000",
	};
	size_t i;
	int error;

	for (i = 0; i < N(lines); i++) {
		cursor = lines[i];
		error = setjmp(syntax_error);
		if (error)
			printf("calculator %s: error %d\n", lines[i], error);
		else
			printf("calculator %s = %ld\n", lines[i], sum());
	}
}

/* ---- Variable arguments, strings, memory ---- */

static char *join(const char *separator, ...)
{
	char *text = calloc(1, 1), *longer;
	const char *word;
	va_list words;

	va_start(words, separator);
	while ((word = va_arg(words, const char *))) {
		longer = realloc(text, strlen(text) + strlen(separator) +
					       strlen(word) + 1);
		if (!longer)
			abort();
		text = longer;
		if (*text)
			strcat(text, separator);
		strcat(text, word);
	}
	va_end(words);
	return text;
}

static void do_memory(void)
{
	char *blocks[256] = { NULL };
	size_t size, total = 0;
	__u32 check = 0;
	int i, slot;

	for (i = 0; i < 20000; i++) {
		slot = next_random() % N(blocks);
		size = next_random() % 5000 + 1;
		if (blocks[slot])
			check ^= crc(blocks[slot], strlen(blocks[slot]));
		free(blocks[slot]);
		blocks[slot] = malloc(size);
		memset(blocks[slot], 'a' + slot % 26, size - 1);
		blocks[slot][size - 1] = '\0';
		total += size;
	}
	for (i = 0; i < (int)N(blocks); i++)
		free(blocks[i]);
	printf("memory %zu %08x\n", total, check);
}

/* ---- Threads and atomics ---- */

static _Atomic __u64 shared;
static _Thread_local __u64 mine;

static void *adder(void *arg)
{
	__u64 from = (uintptr_t)arg * 100000, i;

	for (i = from; i < from + 100000; i++)
		mine += i * i;
	shared += mine;
	return NULL;
}

static void do_threads(void)
{
	pthread_t threads[4];
	uintptr_t i;

	for (i = 0; i < N(threads); i++)
		if (pthread_create(&threads[i], NULL, adder, (void *)i))
			abort();
	for (i = 0; i < N(threads); i++)
		pthread_join(threads[i], NULL);
	printf("threads %llu\n", (unsigned long long)shared);
}

/* ---- Loops for the compiler to make vectors of ---- */

static void do_vectors(void)
{
	static int a[4096], b[4096];
	static float c[4096];
	float largest = 0;
	int i;

	for (i = 0; i < 4096; i++)
		a[i] = (int)next_random();
	for (i = 0; i < 4096; i++)
		b[i] = (a[i] ^ i) + (a[i] >> 3 & 0xff);
	for (i = 0; i < 4096; i++)
		c[i] = (b[i] & 0xffff) * 0.25f + 1.0f;
	for (i = 0; i < 4096; i++)
		largest = c[i] > largest ? c[i] : largest;
	printf("vectors %08x %08x %.2f\n", crc(b, sizeof(b)), crc(c, sizeof(c)),
	       largest);
}

int main(int argc, char **argv)
{
	time_t then = 1000000000;
	char date[40];
	char *words;

	make_crc_table();
	printf("crc %08x\n", crc("123456789", 9));
	do_pi();
	do_sorting();
	do_equations();
	do_calculator();
	words = join(", ", "one", "two", "three", (char *)NULL);
	printf("join %s\n", words);
	free(words);
	do_memory();
	do_threads();
	do_vectors();
	strftime(date, sizeof(date), "%F %T", gmtime(&then));
	printf("date %s\n", date);
	printf("error %s\n", strerror(ENOENT));
	printf("arguments %d %s\n", argc, argc > 1 ? argv[1] : "-");
	return 42;
}
