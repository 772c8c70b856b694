// SPDX-License-Identifier: GPL-2.0
/*
 * mm [MIB]: what user programs may expect of memory, with contents compared
 * and every forbidden access tried: copy on write both ways, protections
 * narrowed and widened, mappings replaced, moved, emptied and thrown away, and
 * faults with the right signal, si_code, address and error code. Under shadow
 * paging each of these is a way for a stale or too generous entry to show:
 * a write that reaches the other process, a read of an old page, an access
 * that should have faulted. Kernel addresses and the hypervisor's hole are
 * poked at too: natively and in the guest they are equally not there.
 *
 * World: user mode, natively and in the guest, one thread. MIB (default 64) is
 * the size of the large sweep. Needs a writable directory (/tmp or the current
 * one) for the file mappings; no /proc.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/resource.h>

#include "ktap.h"
#include "util.h"
#include "fault.h"

static long sweep_mib;

static void *map_anon(size_t len, int prot, int flags)
{
	return mmap(NULL, len, prot, MAP_ANONYMOUS | flags, -1, 0);
}

static void *map_private(size_t len)
{
	return map_anon(len, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

/* A page fault's signal must say all of this. */
static int expect_fault(uint64_t addr, int code, uint64_t err)
{
	CHECK_EQ(fault.sig, SIGSEGV);
	CHECK_EQ(fault.code, code);
	CHECK_EQ(fault.addr, addr);
	CHECK_EQ(fault.trapno, 14);
	CHECK_EQ(fault.err, err);
	CHECK_EQ(fault.cr2, addr);
	return KTAP_OK;
}

/* An access that faults, at the address itself or at another. */
#define CHECK_FAULT_AT(access, addr, at, code, err)                 \
	do {                                                        \
		fault_catch(access, (uint64_t)(addr), 0xff);        \
		CHECK_RUN(expect_fault((uint64_t)(at), code, err)); \
	} while (0)

#define CHECK_FAULT(access, addr, code, err) \
	CHECK_FAULT_AT(access, addr, addr, code, err)

/* ---- Mapping and unmapping ---- */

static int fresh_is_zero(void)
{
	enum { LEN = 1 << 20 };

	for (int round = 0; round < 20; round++) {
		unsigned char *p = map_private(LEN);

		CHECK(p != MAP_FAILED);
		for (int i = 0; i < LEN; i += 256)
			CHECK_EQ(p[i], 0);
		memset(p, 0xa5, LEN);
		CHECK(!munmap(p, LEN));
	}
	return KTAP_OK;
}

static int unmapped_is_gone(void)
{
	for (int round = 0; round < 100; round++) {
		char *p = map_private(4 * PAGE);

		CHECK(p != MAP_FAILED);
		memset(p, round, 4 * PAGE);
		CHECK(!munmap(p + PAGE, PAGE));
		CHECK_FAULT(touch_read, p + PAGE + 123, SEGV_MAPERR, PF_USER);
		CHECK_FAULT(touch_write, p + PAGE, SEGV_MAPERR,
			    PF_USER | PF_WRITE);
		CHECK_EQ(p[PAGE - 1], (char)round);
		CHECK_EQ(p[2 * PAGE], (char)round);
		CHECK(!munmap(p, 4 * PAGE));
		CHECK_FAULT(touch_read, p, SEGV_MAPERR, PF_USER);
	}
	return KTAP_OK;
}

static int fixed_over_existing(void)
{
	char *p = map_private(8 * PAGE);

	CHECK(p != MAP_FAILED);
	for (int round = 0; round < 50; round++) {
		memset(p, 'a' + round % 26, 8 * PAGE);
		CHECK(mmap(p + 2 * PAGE, 3 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			   0) == p + 2 * PAGE);
		for (unsigned long i = 0; i < 8 * PAGE; i += 64) {
			bool fresh = i >= 2 * PAGE && i < 5 * PAGE;

			CHECK_EQ(p[i], fresh ? 0 : 'a' + round % 26);
		}
	}
	CHECK(mmap(p, PAGE, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		   0) == MAP_FAILED);
	CHECK_EQ(errno, EEXIST);
	CHECK(!munmap(p, 8 * PAGE));
	return KTAP_OK;
}

static int remap_moves(void)
{
	enum { LEN = 32 * 4096 };
	char *p = map_private(LEN), *target = map_private(LEN), *q;
	uint64_t sum;

	CHECK(p != MAP_FAILED && target != MAP_FAILED);
	fill(p, LEN, 3);
	sum = checksum(CHECKSUM_INIT, p, LEN);
	for (int round = 0; round < 20; round++) {
		memset(target, 0xee, LEN);
		q = mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, target);
		CHECK(q == target);
		CHECK_EQ(checksum(CHECKSUM_INIT, q, LEN), sum);
		CHECK_FAULT(touch_read, p, SEGV_MAPERR, PF_USER);
		CHECK(mmap(p, LEN, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			   -1, 0) == p);
		target = p;
		p = q;
	}
	CHECK(!munmap(target, LEN));
	/* Growing keeps the old part and zeroes the new; shrinking cuts. */
	q = mremap(p, LEN, 4 * LEN, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECK_EQ(checksum(CHECKSUM_INIT, q, LEN), sum);
	for (int i = LEN; i < 4 * LEN; i += 512)
		CHECK_EQ(q[i], 0);
	CHECK(mremap(q, 4 * LEN, LEN, 0) == q);
	CHECK_EQ(checksum(CHECKSUM_INIT, q, LEN), sum);
	CHECK_FAULT(touch_read, q + LEN, SEGV_MAPERR, PF_USER);
	CHECK(!munmap(q, LEN));
	return KTAP_OK;
}

static int dontneed_refills(void)
{
	enum { LEN = 64 * 4096 };
	char *p = map_private(LEN);

	CHECK(p != MAP_FAILED);
	for (int round = 0; round < 20; round++) {
		memset(p, 0x11 + round, LEN);
		CHECK(!madvise(p + 16 * PAGE, 32 * PAGE, MADV_DONTNEED));
		for (unsigned long i = 0; i < LEN; i += 128) {
			bool gone = i >= 16 * PAGE && i < 48 * PAGE;

			CHECK_EQ(p[i], gone ? 0 : 0x11 + round);
		}
	}
	CHECK(!munmap(p, LEN));
	return KTAP_OK;
}

static int many_areas(void)
{
	enum { AREAS = 2000 };
	char *p = map_private(AREAS * PAGE);

	CHECK(p != MAP_FAILED);
	for (unsigned long i = 0; i < AREAS; i++)
		*(uint64_t *)(p + i * PAGE) = i * 0x9e3779b97f4a7c15;
	/* Every other page read-only: as many areas as pages. */
	for (unsigned long i = 0; i < AREAS; i += 2)
		CHECK(!mprotect(p + i * PAGE, PAGE, PROT_READ));
	for (unsigned long i = 0; i < AREAS; i++)
		CHECK_EQ(*(uint64_t *)(p + i * PAGE), i * 0x9e3779b97f4a7c15);
	for (unsigned long i = 0; i < AREAS; i += 50) {
		uint64_t ro = (uint64_t)p + i * PAGE;

		CHECK_FAULT(touch_write, ro, SEGV_ACCERR,
			    PF_USER | PF_WRITE | PF_PRESENT);
		CHECK_EQ(fault_catch(touch_write, ro + PAGE + 8, 0), 0);
	}
	for (unsigned long i = 1; i < AREAS; i += 2)
		CHECK(!munmap(p + i * PAGE, PAGE));
	for (unsigned long i = 0; i < AREAS; i += 2)
		CHECK_EQ(*(uint64_t *)(p + i * PAGE), i * 0x9e3779b97f4a7c15);
	CHECK_FAULT(touch_read, p + 77 * PAGE, SEGV_MAPERR, PF_USER);
	CHECK(!munmap(p, AREAS * PAGE));
	return KTAP_OK;
}

/* ---- Protections ---- */

static int protect_none(void)
{
	char *p = map_private(2 * PAGE);

	CHECK(p != MAP_FAILED);
	memset(p, 'x', 2 * PAGE);
	for (int round = 0; round < 100; round++) {
		p[5] = round;
		CHECK(!mprotect(p, PAGE, PROT_NONE));
		CHECK_FAULT(touch_read, p + 5, SEGV_ACCERR, PF_USER);
		CHECK_FAULT(touch_write, p + 6, SEGV_ACCERR,
			    PF_USER | PF_WRITE);
		CHECK_EQ(p[PAGE], 'x');
		CHECK(!mprotect(p, PAGE, PROT_READ | PROT_WRITE));
		CHECK_EQ(p[5], (char)round);
	}
	CHECK(!munmap(p, 2 * PAGE));
	return KTAP_OK;
}

static int protect_read_only(void)
{
	char *p = map_private(PAGE);

	CHECK(p != MAP_FAILED);
	for (int round = 0; round < 100; round++) {
		CHECK_EQ(fault_catch(touch_write, (uint64_t)p + 9, round), 0);
		CHECK(!mprotect(p, PAGE, PROT_READ));
		CHECK_FAULT(touch_write, p + 9, SEGV_ACCERR,
			    PF_USER | PF_WRITE | PF_PRESENT);
		CHECK_EQ(p[9], (char)round);
		CHECK(!mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	}
	CHECK(!munmap(p, PAGE));
	/* Never touched: nothing is present, but a write is still refused. */
	p = map_anon(PAGE, PROT_READ, MAP_PRIVATE);
	CHECK(p != MAP_FAILED);
	CHECK_FAULT(touch_write, p, SEGV_ACCERR, PF_USER | PF_WRITE);
	CHECK_EQ(p[0], 0);
	/* Now the zero page is there. */
	CHECK_FAULT(touch_write, p, SEGV_ACCERR,
		    PF_USER | PF_WRITE | PF_PRESENT);
	CHECK(!munmap(p, PAGE));
	return KTAP_OK;
}

/* mov $imm32, %eax; ret */
static void put_code(unsigned char *p, uint32_t value)
{
	p[0] = 0xb8;
	memcpy(p + 1, &value, 4);
	p[5] = 0xc3;
}

static int no_exec(void)
{
	unsigned char *p = map_private(2 * PAGE);
	uint32_t (*fn)(void) = (void *)p;

	CHECK(p != MAP_FAILED);
	/* Not yet there: Linux first fills the page in, then refuses. */
	CHECK_FAULT(touch_exec, p, SEGV_ACCERR,
		    PF_USER | PF_INSTR | PF_PRESENT);
	for (uint32_t round = 0; round < 50; round++) {
		put_code(p, 0xc0de0000 + round);
		CHECK_FAULT(touch_exec, p, SEGV_ACCERR,
			    PF_USER | PF_INSTR | PF_PRESENT);
		CHECK_EQ(fault.rip, (uint64_t)p);
		CHECK(!mprotect(p, PAGE, PROT_READ | PROT_EXEC));
		CHECK_EQ(fn(), 0xc0de0000 + round);
		CHECK_FAULT(touch_write, p, SEGV_ACCERR,
			    PF_USER | PF_WRITE | PF_PRESENT);
		CHECK(!mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	}
	/* Code that runs off an executable page into one that is not. */
	memset(p, 0x90, 2 * PAGE);
	CHECK(!mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	CHECK_FAULT_AT(touch_exec, p + PAGE - 8, p + PAGE, SEGV_ACCERR,
		       PF_USER | PF_INSTR | PF_PRESENT);
	CHECK(!munmap(p, 2 * PAGE));
	CHECK_FAULT(touch_exec, p, SEGV_MAPERR, PF_USER | PF_INSTR);
	return KTAP_OK;
}

/* Writable and executable at once: each new code is what runs. */
static int self_modifying(void)
{
	unsigned char *p =
		map_anon(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
	uint32_t (*fn)(void) = (void *)p;

	CHECK(p != MAP_FAILED);
	for (uint32_t i = 0; i < 2000; i++) {
		put_code(p, i * 0x01010101);
		asm volatile("" ::: "memory");
		CHECK_EQ(fn(), i * 0x01010101);
	}
	CHECK(!munmap(p, PAGE));
	return KTAP_OK;
}

/* The same frame by two addresses, one writable and one executable. */
static int two_views_of_code(void)
{
	char path[PATH_MAX];
	int fd = temp_file(path);
	unsigned char *rw, *rx;

	CHECK(fd >= 0);
	unlink(path);
	CHECK(!ftruncate(fd, PAGE));
	rw = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	rx = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	if (rx == MAP_FAILED && errno == EPERM)
		SKIP("the temporary file system is mounted noexec");
	CHECK(rw != MAP_FAILED && rx != MAP_FAILED);
	for (uint32_t i = 0; i < 500; i++) {
		put_code(rw, i);
		asm volatile("" ::: "memory");
		CHECK_EQ(((uint32_t(*)(void))rx)(), i);
	}
	CHECK_FAULT(touch_exec, rw, SEGV_ACCERR,
		    PF_USER | PF_INSTR | PF_PRESENT);
	CHECK_FAULT(touch_write, rx, SEGV_ACCERR,
		    PF_USER | PF_WRITE | PF_PRESENT);
	CHECK(!munmap(rw, PAGE) && !munmap(rx, PAGE));
	close(fd);
	return KTAP_OK;
}

/* ---- Copy on write and sharing ---- */

enum { COW_LEN = 64 * 4096 };

struct cow {
	unsigned char *map;
	int to_child[2], to_parent[2];
};

/* Child: sees the old contents, whatever the parent has written meanwhile. */
static int cow_child(void *arg)
{
	struct cow *cow = arg;
	static unsigned char was[COW_LEN];
	char c;

	fill(was, COW_LEN, 1);
	if (!read_all(cow->to_child[0], &c, 1))
		return 1;
	if (memcmp(cow->map, was, COW_LEN))
		return 2;
	memset(cow->map, 0xcc, COW_LEN);
	if (!write_all(cow->to_parent[1], &c, 1))
		return 3;
	if (!read_all(cow->to_child[0], &c, 1))
		return 4;
	for (int i = 0; i < COW_LEN; i++)
		if (cow->map[i] != 0xcc)
			return 5;
	return 0;
}

static int cow_both_ways(void)
{
	static unsigned char mine[COW_LEN];
	struct cow cow = { .map = map_private(COW_LEN) };
	char c = 0;

	CHECK(cow.map != MAP_FAILED);
	CHECK(!pipe(cow.to_child) && !pipe(cow.to_parent));
	for (int round = 0; round < 10; round++) {
		pid_t pid;

		fill(cow.map, COW_LEN, 1);
		pid = fork();
		if (!pid)
			_exit(cow_child(&cow));
		CHECK(pid > 0);
		/* Parent writes first; the child must not see it. */
		fill(cow.map, COW_LEN, 2 + round);
		memcpy(mine, cow.map, COW_LEN);
		CHECK(write_all(cow.to_child[1], &c, 1));
		/* Then the child writes; we must not see it. */
		CHECK(read_all(cow.to_parent[0], &c, 1));
		CHECK(!memcmp(cow.map, mine, COW_LEN));
		memset(cow.map, 0xdd, COW_LEN);
		CHECK(write_all(cow.to_child[1], &c, 1));
		CHECK_EQ(reap(pid), 0);
		for (int i = 0; i < COW_LEN; i += 64)
			CHECK_EQ(cow.map[i], 0xdd);
	}
	for (int i = 0; i < 2; i++) {
		close(cow.to_child[i]);
		close(cow.to_parent[i]);
	}
	CHECK(!munmap(cow.map, COW_LEN));
	return KTAP_OK;
}

static int grandchild_writes(void *arg)
{
	unsigned char *map = arg;

	memset(map, 3, COW_LEN);
	return map[COW_LEN - 1] != 3;
}

static int child_forks(void *arg)
{
	unsigned char *map = arg;

	memset(map, 2, COW_LEN / 2);
	if (in_child(grandchild_writes, map))
		return 1;
	for (int i = 0; i < COW_LEN; i++)
		if (map[i] != (i < COW_LEN / 2 ? 2 : 1))
			return 2;
	return 0;
}

static int cow_three_generations(void)
{
	unsigned char *map = map_private(COW_LEN);

	CHECK(map != MAP_FAILED);
	memset(map, 1, COW_LEN);
	for (int round = 0; round < 10; round++) {
		CHECK_EQ(in_child(child_forks, map), 0);
		for (int i = 0; i < COW_LEN; i += 32)
			CHECK_EQ(map[i], 1);
	}
	CHECK(!munmap(map, COW_LEN));
	return KTAP_OK;
}

/* The kernel writes into a COW page by itself: read() into it after a fork. */
static int kernel_writes_child(void *arg)
{
	unsigned char *map = arg;
	int fds[2];

	if (pipe(fds) || !write_all(fds[1], "from the kernel", 16) ||
	    !read_all(fds[0], map + PAGE - 8, 16))
		return 1;
	return memcmp(map + PAGE - 8, "from the kernel", 16) != 0;
}

static int cow_by_the_kernel(void)
{
	unsigned char *map = map_private(2 * PAGE);

	CHECK(map != MAP_FAILED);
	memset(map, 0x77, 2 * PAGE);
	for (int round = 0; round < 20; round++) {
		CHECK_EQ(in_child(kernel_writes_child, map), 0);
		for (unsigned long i = 0; i < 2 * PAGE; i++)
			CHECK_EQ(map[i], 0x77);
	}
	/* And into a page that is only the shared zero page so far. */
	CHECK(!munmap(map, 2 * PAGE));
	map = map_private(2 * PAGE);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(map[0] + map[PAGE], 0);
	CHECK_EQ(kernel_writes_child(map), 0);
	/* Not into a read-only one. */
	CHECK(!mprotect(map, 2 * PAGE, PROT_READ));
	CHECK_EQ(kernel_writes_child(map), 1);
	CHECK(!munmap(map, 2 * PAGE));
	return KTAP_OK;
}

static int share_child(void *arg)
{
	volatile uint64_t *map = arg;

	for (int i = 0; i < 512 * 4; i++) {
		if (map[i] != (uint64_t)i)
			return 1;
		map[i] = ~(uint64_t)i;
	}
	return 0;
}

static int shared_over_fork(void)
{
	uint64_t *map = map_anon(4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	CHECK(map != MAP_FAILED);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 512 * 4; i++)
			map[i] = i;
		CHECK_EQ(in_child(share_child, map), 0);
		for (int i = 0; i < 512 * 4; i++)
			CHECK_EQ(map[i], ~(uint64_t)i);
	}
	CHECK(!munmap(map, 4 * PAGE));
	return KTAP_OK;
}

static int private_file(void)
{
	static unsigned char was[4 * 4096], now[4 * 4096];
	char path[PATH_MAX];
	int fd = temp_file(path);
	unsigned char *a, *b;

	CHECK(fd >= 0);
	unlink(path);
	fill(was, sizeof(was), 9);
	CHECK(write_all(fd, was, sizeof(was)));
	a = mmap(NULL, sizeof(was), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	b = mmap(NULL, sizeof(was), PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED);
	CHECK(!memcmp(a, was, sizeof(was)));
	a[0] ^= 1;
	a[PAGE + 1] ^= 1;
	CHECK(!memcmp(b, was, sizeof(was)));
	CHECK_EQ(pread(fd, now, sizeof(now), 0), sizeof(now));
	CHECK(!memcmp(now, was, sizeof(was)));
	/* A page that we did not write follows the file; ours does not. */
	CHECK_EQ(pwrite(fd, "!", 1, 2 * PAGE), 1);
	CHECK_EQ(b[2 * PAGE], '!');
	CHECK_EQ(pwrite(fd, "?", 1, 1), 1);
	CHECK_EQ(a[1], was[1]);
	CHECK_EQ(b[1], '?');
	/* MADV_DONTNEED drops our copy: the file shines through again. */
	CHECK(!madvise(a, PAGE, MADV_DONTNEED));
	CHECK_EQ(a[0], was[0]);
	CHECK_EQ(a[1], '?');
	CHECK(!munmap(a, sizeof(was)) && !munmap(b, sizeof(was)));
	close(fd);
	return KTAP_OK;
}

static int shared_file(void)
{
	char path[PATH_MAX], buf[16];
	int fd = temp_file(path);
	char *a, *b;

	CHECK(fd >= 0);
	unlink(path);
	CHECK(!ftruncate(fd, 2 * PAGE));
	a = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED && a != b);
	for (int i = 0; i < 200; i++) {
		a[i] = i;
		CHECK_EQ(b[i], (char)i);
		b[PAGE + i] = ~i;
		CHECK_EQ(a[PAGE + i], (char)~i);
	}
	CHECK(!msync(a, 2 * PAGE, MS_SYNC));
	CHECK_EQ(pread(fd, buf, 16, 3), 16);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(buf[i], i + 3);
	/* Past the end of the file there is SIGBUS, not SIGSEGV. */
	CHECK(!ftruncate(fd, PAGE));
	fault_catch(touch_read, (uint64_t)a + PAGE, 0);
	CHECK_EQ(fault.sig, SIGBUS);
	CHECK_EQ(fault.code, BUS_ADRERR);
	CHECK_EQ(fault.addr, (uint64_t)a + PAGE);
	CHECK(!ftruncate(fd, 2 * PAGE));
	CHECK_EQ(a[PAGE], 0);
	CHECK(!munmap(a, 2 * PAGE) && !munmap(b, 2 * PAGE));
	close(fd);
	return KTAP_OK;
}

/* ---- Large, low, high ---- */

/* Of the sweep's 64 MiB; found by running it, the same on every machine. */
#define SWEEP_64_SUM 0x927a0ff61d7ea0cfULL

static int large_sweep(void)
{
	size_t len = sweep_mib << 20, words = len / 8;
	uint64_t *map, seed = 0x5eed, sum = CHECKSUM_INIT;
	enum { TOUCHES = 100000 };

	if (!len)
		SKIP("no size given");
	map = map_private(len);
	CHECK(map != MAP_FAILED);
	for (int i = 0; i < TOUCHES; i++) {
		uint64_t where = next_random(&seed) % words;

		map[where] = map[where] * 31 + i + 1;
	}
	/* Again over the same places, then over all of it in order. */
	seed = 0x5eed;
	for (int i = 0; i < TOUCHES; i++)
		CHECK(map[next_random(&seed) % words]);
	for (size_t i = 0; i < words; i++)
		if (map[i])
			sum = checksum(checksum(sum, &i, 8), map + i, 8);
	if (sweep_mib == 64)
		CHECK_EQ(sum, SWEEP_64_SUM);
	ktap_note("checksum %#llx", (unsigned long long)sum);
	CHECK(!munmap(map, len));
	return KTAP_OK;
}

static int large_holes(void)
{
	enum { PAGES = 2048 };
	char *p = map_private(PAGES * PAGE);

	CHECK(p != MAP_FAILED);
	/* As huge pages, if the kernel likes; then holes knocked into them. */
	madvise(p, PAGES * PAGE, MADV_HUGEPAGE);
	for (unsigned long i = 0; i < PAGES; i++)
		*(uint64_t *)(p + i * PAGE) = i + 1;
	for (unsigned long i = 0; i < PAGES; i += 7)
		CHECK(!munmap(p + i * PAGE, PAGE));
	for (unsigned long i = 0; i < PAGES; i++) {
		if (i % 7)
			CHECK_EQ(*(uint64_t *)(p + i * PAGE), i + 1);
		else if (i % 21 == 0)
			CHECK_FAULT(touch_read, p + i * PAGE, SEGV_MAPERR,
				    PF_USER);
	}
	CHECK(!munmap(p, PAGES * PAGE));
	return KTAP_OK;
}

static int use_at(uint64_t addr)
{
	char *p = mmap((void *)addr, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0);

	if (p == MAP_FAILED && errno == EEXIST)
		return -1;
	CHECK_EQ((uint64_t)p, addr);
	CHECK_EQ(p[0] | p[PAGE - 1], 0);
	fill(p, PAGE, addr | 1);
	CHECK_EQ(checksum(CHECKSUM_INIT, p, PAGE), ({
			 static char same[4096];
			 fill(same, PAGE, addr | 1);
			 checksum(CHECKSUM_INIT, same, PAGE);
		 }));
	CHECK(!munmap(p, PAGE));
	CHECK_FAULT(touch_read, addr, SEGV_MAPERR, PF_USER);
	return KTAP_OK;
}

static int low_address(void)
{
	/* Debian's vm.mmap_min_addr is 64 KiB. */
	CHECK_EQ(use_at(0x10000), KTAP_OK);
	/* One in every top-level slot's neighbourhood of the lower half. */
	for (int shift = 21; shift < 47; shift++) {
		int ret = use_at((1UL << shift) + 0x12345000);

		if (ret > 0)
			return ret;
	}
	return KTAP_OK;
}

static int highest_address(void)
{
	uint64_t addr = 0x7fffffffe000;
	int ret;

	/* The stack may be there: the highest page that is free, then. */
	for (;;) {
		ret = use_at(addr);
		if (ret >= 0)
			break;
		addr -= PAGE;
	}
	CHECK_RUN(ret);
	ktap_note("used %#llx", (unsigned long long)addr);
	/*
	 * The page above is no program's with 4-level paging; with 5 levels
	 * it can be mapped, by those who ask for it. Here nobody has.
	 */
	CHECK_EQ(fault_catch(touch_read, 0x7ffffffff000, 0), SIGSEGV);
	CHECK_EQ(fault.addr, 0x7ffffffff000);
	CHECK(mmap((void *)0xffff800000000000, PAGE, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == MAP_FAILED);
	CHECK_EQ(errno, ENOMEM);
	return KTAP_OK;
}

/* ---- Stack ---- */

__attribute__((noinline)) static uint64_t descend(int levels)
{
	volatile uint64_t block[512]; /* a page each */
	uint64_t below;

	block[0] = levels;
	block[511] = levels * 3;
	below = levels ? descend(levels - 1) : 0;
	if (block[0] != (uint64_t)levels || block[511] != levels * 3ULL)
		return -1;
	return below + block[0];
}

static void descend_1200(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	descend(1200);
}

static int stack_grows(void)
{
	CHECK_EQ(descend(1200), 1200 * 1201 / 2);
	CHECK_EQ(descend(1200), 1200 * 1201 / 2);
	return KTAP_OK;
}

static int overflow_child(void *arg)
{
	struct rlimit limit = { 256 << 10, 256 << 10 };
	char *bottom = arg;
	uint64_t depth;

	if (setrlimit(RLIMIT_STACK, &limit))
		return 1;
	if (!fault_catch(descend_1200, 0, 0))
		return 2;
	depth = (uint64_t)bottom - fault.addr;
	if (fault.sig != SIGSEGV || fault.code != SEGV_MAPERR ||
	    fault.trapno != 14)
		return 3;
	/* Not before the limit (argv and the like take some), not after. */
	return depth > (256 << 10) + 4 * PAGE || depth < 64 << 10;
}

/* Before stack_grows(): a stack that has grown does not shrink. */
static int stack_overflows(void)
{
	char here;

	CHECK_EQ(in_child(overflow_child, &here), 0);
	return KTAP_OK;
}

static void write_long(uint64_t addr, uint64_t value)
{
	asm volatile("movq %0, (%1)" : : "r"(value), "r"(addr) : "memory");
}

static int guard_page(void)
{
	char *p = map_anon(18 * PAGE, PROT_NONE, MAP_PRIVATE);

	CHECK(p != MAP_FAILED);
	CHECK(!mprotect(p + PAGE, 16 * PAGE, PROT_READ | PROT_WRITE));
	memset(p + PAGE, 1, 16 * PAGE);
	CHECK_FAULT(touch_write, p + PAGE - 1, SEGV_ACCERR, PF_USER | PF_WRITE);
	CHECK_FAULT(touch_write, p + 17 * PAGE, SEGV_ACCERR,
		    PF_USER | PF_WRITE);
	CHECK_FAULT(touch_exec, p, SEGV_ACCERR, PF_USER | PF_INSTR);
	/* An access across the border faults at the second page. */
	CHECK_FAULT_AT(write_long, p + 17 * PAGE - 4, p + 17 * PAGE,
		       SEGV_ACCERR, PF_USER | PF_WRITE);
	CHECK_EQ(p[17 * PAGE - 4], 1); /* and has written nothing */
	CHECK(!munmap(p, 18 * PAGE));
	return KTAP_OK;
}

/* ---- Not ours ---- */

static int null_pointer(void)
{
	CHECK_FAULT(touch_read, 0, SEGV_MAPERR, PF_USER);
	CHECK_FAULT(touch_write, 8, SEGV_MAPERR, PF_USER | PF_WRITE);
	CHECK_FAULT(touch_exec, 0, SEGV_MAPERR, PF_USER | PF_INSTR);
	return KTAP_OK;
}

/*
 * Every address of the upper half faults the same way. The kernel reports
 * "present" for all of them on purpose: user space shall not learn which are.
 */
static int kernel_addresses(void)
{
	static const uint64_t addrs[] = {
		0xffff800000000000, /* first: hypervisor's hole */
		0xffff878000000000, /* hole, slot 271: Ringlet's windows */
		0xffff878000001000,
		0xffff878000040000,
		0xffff878040000000,
		0xffff87ffffffffff, /* last of the hole */
		0xffff888000000000, /* direct map */
		0xffff888000100000,
		0xffff888001000000,
		0xffffc90000000000, /* vmalloc */
		0xffffea0000000000, /* struct page */
		0xfffffe0000000000, /* CPU entry area */
		0xfffffe0000001000,
		0xffffffff80000000, /* kernel image, and around it */
		0xffffffff81000000,
		0xffffffff82000000,
		0xffffffffa0000000,
		0xffffffffc0000000,
		0xffffffffff000000,
		0xffffffffffc00000, /* the 2 MiB at the very top, where */
		0xffffffffffe00000, /* Ringlet's shared page appears in */
		0xffffffffffffc000, /* guest kernel mode */
		0xffffffffffffd000,
		0xffffffffffffd008,
		0xffffffffffffe000,
		0xffffffffffffffff,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(addrs); i++) {
		uint64_t addr = addrs[i];

		CHECK_FAULT(touch_read, addr, SEGV_MAPERR,
			    PF_USER | PF_PRESENT);
		CHECK_FAULT(touch_write, addr, SEGV_MAPERR,
			    PF_USER | PF_WRITE | PF_PRESENT);
		CHECK_FAULT(touch_exec, addr, SEGV_MAPERR,
			    PF_USER | PF_INSTR | PF_PRESENT);
		CHECK_EQ(fault.rip, addr);
	}
	return KTAP_OK;
}

/* Every top-level slot of the upper half, by its first byte. */
static int kernel_slots(void)
{
	for (uint64_t slot = 256; slot < 512; slot++) {
		uint64_t addr = 0xffff000000000000 | slot << 39;

		CHECK_FAULT(touch_read, addr, SEGV_MAPERR,
			    PF_USER | PF_PRESENT);
		CHECK_FAULT(touch_write, addr + 0x1000, SEGV_MAPERR,
			    PF_USER | PF_WRITE | PF_PRESENT);
	}
	return KTAP_OK;
}

/* RBP as a base means the stack segment. */
static void read_by_rbp(uint64_t addr, uint64_t unused)
{
	(void)unused;
	asm volatile("mov %%rbp, %%rdx\n\t"
		     "mov %0, %%rbp\n\t"
		     "mov (%%rbp), %%rax\n\t"
		     "mov %%rdx, %%rbp"
		     :
		     : "r"(addr)
		     : "rax", "rdx", "memory");
}

/* Non-canonical with 48 and with 57 bits: #GP, and no address is told. */
static const uint64_t non_canonical_addrs[] = {
	0x8000000000000000, 0x0100000000000000, 0xfe00000000000000,
	0x7fffffffffffffff, 0xdeadbeefdeadbeef,
};

static int non_canonical(void)
{
	const uint64_t *addrs = non_canonical_addrs;

	for (unsigned int i = 0; i < ARRAY_SIZE(non_canonical_addrs); i++) {
		CHECK_EQ(fault_catch(touch_read, addrs[i], 0), SIGSEGV);
		CHECK_EQ(fault.code, SI_KERNEL);
		CHECK_EQ(fault.addr, 0);
		CHECK_EQ(fault.trapno, 13);
		CHECK_EQ(fault.err, 0);
		CHECK_EQ(fault_catch(touch_write, addrs[i], 0), SIGSEGV);
		CHECK_EQ(fault.addr, 0);
		CHECK_EQ(fault_catch(touch_exec, addrs[i], 0), SIGSEGV);
		CHECK_EQ(fault.code, SI_KERNEL);
	}
	/* The 48-bit border is #GP or, on a 5-level machine, #PF: one signal. */
	CHECK_EQ(fault_catch(touch_read, 0x0000800000000000, 0), SIGSEGV);
	ktap_note("first address past 47 bits: vector %d", (int)fault.trapno);
	CHECK_EQ(fault_catch(touch_read, 0xffff7fffffffffff, 0), SIGSEGV);
	return KTAP_OK;
}

/* By way of the stack the same is #SS, which TCG does not know. */
static int non_canonical_stack(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(non_canonical_addrs); i++) {
		fault_catch(read_by_rbp, non_canonical_addrs[i], 0);
		CHECK_EQ(fault.addr, 0);
		CHECK_EQ(fault.err, 0);
		if (fault.sig == SIGSEGV && fault.trapno == 13)
			SKIP("this CPU raises no stack faults");
		CHECK_EQ(fault.sig, SIGBUS);
		CHECK_EQ(fault.code, SI_KERNEL);
		CHECK_EQ(fault.trapno, 12);
	}
	return KTAP_OK;
}

/* mincore() and the kernel's own idea of the map agree with ours. */
static int mincore_agrees(void)
{
	unsigned char vec[8];
	char *p = map_private(8 * PAGE);

	CHECK(p != MAP_FAILED);
	madvise(p, 8 * PAGE, MADV_NOHUGEPAGE);
	p[2 * PAGE] = 1;
	p[5 * PAGE] = 1;
	CHECK(!mincore(p, 8 * PAGE, vec));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(vec[i] & 1, i == 2 || i == 5);
	CHECK(!munmap(p, 8 * PAGE));
	CHECK(mincore(p, 8 * PAGE, vec) < 0);
	CHECK_EQ(errno, ENOMEM);
	return KTAP_OK;
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		{ "fresh memory is zero", fresh_is_zero },
		{ "unmapped memory faults", unmapped_is_gone },
		{ "MAP_FIXED replaces", fixed_over_existing },
		{ "mremap moves, grows, shrinks", remap_moves },
		{ "MADV_DONTNEED empties", dontneed_refills },
		{ "2000 areas", many_areas },
		{ "PROT_NONE and back", protect_none },
		{ "PROT_READ and back", protect_read_only },
		{ "no execution without PROT_EXEC", no_exec },
		{ "self-modifying code", self_modifying },
		{ "code written through another mapping", two_views_of_code },
		{ "copy on write, both ways", cow_both_ways },
		{ "copy on write over three generations",
		  cow_three_generations },
		{ "copy on write by the kernel", cow_by_the_kernel },
		{ "shared memory over fork", shared_over_fork },
		{ "private file mapping", private_file },
		{ "shared file mapping", shared_file },
		{ "large mapping, random touches", large_sweep },
		{ "holes in a large mapping", large_holes },
		{ "mappings at low addresses", low_address },
		{ "mapping at the top of user space", highest_address },
		{ "stack overflow faults", stack_overflows },
		{ "stack grows", stack_grows },
		{ "guard pages", guard_page },
		{ "null pointers", null_pointer },
		{ "kernel and hypervisor addresses", kernel_addresses },
		{ "all kernel top-level slots", kernel_slots },
		{ "non-canonical addresses", non_canonical },
		{ "non-canonical stack addresses", non_canonical_stack },
		{ "mincore", mincore_agrees },
	};

	sweep_mib = ktap_arg(argc, argv, 1, 64);
	fault_init();
	return ktap_run(tests, ARRAY_SIZE(tests));
}
