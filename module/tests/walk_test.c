// SPDX-License-Identifier: GPL-2.0
/*
 * The walk of the guest's page tables, against the rules of the SDM (vol. 3A,
 * 4.5 to 4.7) for a CPU with CR0.WP, SMEP and NX on, and the shadow leaf made
 * of it. Each row of the table is a guest's tables on the way to one address.
 */
#include <kunit/test.h>
#include <linux/errno.h>

#include "../paging.h"
#include "../walk.h"

/* clang-format off */
#define P	RINGLET_PTE_P
#define W	RINGLET_PTE_W
#define U	RINGLET_PTE_U
#define A	RINGLET_PTE_A
#define D	RINGLET_PTE_D
#define PS	RINGLET_PTE_PS
#define NX	RINGLET_PTE_NX
#define G	BIT_ULL(8)

/* Errors and accesses */
#define EP	RINGLET_PF_P
#define EW	RINGLET_PF_W
#define EU	RINGLET_PF_U
#define ER	RINGLET_PF_RSVD
#define EI	RINGLET_PF_I
/* clang-format on */

/* The tables of a test lie in frames 4 (level 4) to 1 (level 1). */
#define TABLE(level) ((u64)(level) << 12)
#define FRAME 0x123456000ULL

/* An address whose indices are 1, 2, 3, 4 and its offset 0x567. */
#define GVA (BIT_ULL(39) | 2ULL << 30 | 3ULL << 21 | 4ULL << 12 | 0x567)
#define KERNEL_GVA (0xffff000000000000ULL | 511ULL << 39 | GVA)

/**
 * struct walk_case - one walk
 * @name: what it shows
 * @gva: 0 stands for GVA
 * @cr3: 0 stands for TABLE(4)
 * @entry: by level; an entry above level 1 without an address and without PS
 *	points to the next table
 * @access: what is done
 * @ret: expected of ringlet_walk()
 * @error: expected error code, if @ret is 1
 * @level: expected level of the leaf, if @ret is 0
 * @gpa: expected, if @ret is 0
 * @writable: same
 * @user: same
 * @nx: same
 */
struct walk_case {
	const char *name;
	u64 gva;
	u64 cr3;
	u64 entry[5];
	u32 access;
	int ret;
	u32 error;
	int level;
	u64 gpa;
	bool writable;
	bool user;
	bool nx;
};

/* clang-format off */
#define TABLES(l4, l3, l2, l1)	.entry = { 0, l1, l2, l3, l4 }
#define USER	(P | W | U)

#define ALLOWED(l, address, w, u, n)					\
	.ret = 0, .level = (l), .gpa = (address),			\
	.writable = (w), .user = (u), .nx = (n)
#define FAULT(code)	.ret = 1, .error = (code)

static const struct walk_case walk_cases[] = {
	/* Levels and addresses */
	{ "user page, user read",
	  TABLES(USER, USER, USER, USER | FRAME),
	  .access = EU, ALLOWED(1, FRAME | 0x567, true, true, false) },
	{ "upper half, its own indices", .gva = KERNEL_GVA,
	  TABLES(P | W, P | W, P | W, P | W | FRAME),
	  .access = 0, ALLOWED(1, FRAME | 0x567, true, false, false) },
	{ "last byte of the address space", .gva = ~0ULL,
	  TABLES(P | W, P | W, P | W, P | W | FRAME),
	  .access = 0, ALLOWED(1, FRAME | 0xfff, true, false, false) },
	{ "2 MiB page",
	  TABLES(USER, USER, USER | PS | 0x40000000, 0),
	  .access = EU, ALLOWED(2, 0x40000000 | (GVA & 0x1fffff), true, true, false) },
	{ "2 MiB page, PAT bit is no address",
	  TABLES(USER, USER, USER | PS | 0x40000000 | BIT_ULL(12), 0),
	  .access = EU, ALLOWED(2, 0x40000000 | (GVA & 0x1fffff), true, true, false) },
	{ "1 GiB page",
	  TABLES(USER, USER | PS | 0x1c0000000, 0, 0),
	  .access = EU, ALLOWED(3, 0x1c0000000 | (GVA & 0x3fffffff), true, true, false) },
	{ "1 GiB page, PAT bit is no address",
	  TABLES(USER, USER | PS | 0x1c0000000 | BIT_ULL(12), 0, 0),
	  .access = EU, ALLOWED(3, 0x1c0000000 | (GVA & 0x3fffffff), true, true, false) },
	{ "4 KiB page, PAT bit is no size",
	  TABLES(USER, USER, USER, USER | PS | FRAME),
	  .access = EU, ALLOWED(1, FRAME | 0x567, true, true, false) },
	{ "CR3's PCID and NOFLUSH are no address",
	  .cr3 = TABLE(4) | 0xfff | BIT_ULL(63),
	  TABLES(USER, USER, USER, USER | FRAME),
	  .access = EU, ALLOWED(1, FRAME | 0x567, true, true, false) },
	{ "ignored bits 11:8 and 62:52",
	  TABLES(USER | GENMASK_ULL(62, 52) | GENMASK_ULL(11, 8),
		 USER | GENMASK_ULL(62, 52) | GENMASK_ULL(11, 8),
		 USER | GENMASK_ULL(62, 52) | GENMASK_ULL(11, 8),
		 USER | GENMASK_ULL(62, 52) | GENMASK_ULL(11, 8) | FRAME),
	  .access = EU | EW, ALLOWED(1, FRAME | 0x567, true, true, false) },
	{ "highest frame of a guest",
	  TABLES(USER, USER, USER, USER | (BIT_ULL(46) - 4096)),
	  .access = EU, ALLOWED(1, (BIT_ULL(46) - 4096) | 0x567, true, true, false) },
	{ "accessed and dirty are not asked for",
	  TABLES(USER, USER, USER, USER | FRAME),
	  .access = EU | EW, ALLOWED(1, FRAME | 0x567, true, true, false) },

	/* Not present, at each level; nothing else in the entry matters */
	{ "level 4 not present", TABLES(W | U, USER, USER, USER),
	  .access = EU, FAULT(EU) },
	{ "level 3 not present", TABLES(USER, W | U, USER, USER),
	  .access = EU, FAULT(EU) },
	{ "level 2 not present", TABLES(USER, USER, W | U, USER),
	  .access = EU, FAULT(EU) },
	{ "level 1 not present", TABLES(USER, USER, USER, W | U | FRAME),
	  .access = EU, FAULT(EU) },
	{ "not present goes before reserved bits",
	  TABLES(USER, USER, USER, GENMASK_ULL(51, 46)), .access = EU, FAULT(EU) },
	{ "not present, kernel read", TABLES(0, 0, 0, 0),
	  .access = 0, FAULT(0) },
	{ "not present, kernel write", TABLES(0, 0, 0, 0),
	  .access = EW, FAULT(EW) },
	{ "not present, kernel fetch", TABLES(0, 0, 0, 0),
	  .access = EI, FAULT(EI) },
	{ "not present, user write", TABLES(0, 0, 0, 0),
	  .access = EU | EW, FAULT(EU | EW) },
	{ "not present, user fetch", TABLES(0, 0, 0, 0),
	  .access = EU | EI, FAULT(EU | EI) },

	/* Reserved bits, at each level */
	{ "level 4 PS", TABLES(USER | PS, USER, USER, USER),
	  .access = EU, FAULT(EU | EP | ER) },
	{ "level 4 address bit 46", TABLES(USER | BIT_ULL(46), USER, USER, USER),
	  .access = EU, FAULT(EU | EP | ER) },
	{ "level 3 address bit 51", TABLES(USER, USER | BIT_ULL(51), USER, USER),
	  .access = EU, FAULT(EU | EP | ER) },
	{ "level 2 address bit 47", TABLES(USER, USER, USER | BIT_ULL(47), USER),
	  .access = EU | EW, FAULT(EU | EW | EP | ER) },
	{ "level 1 address bit 46", TABLES(USER, USER, USER, USER | BIT_ULL(46)),
	  .access = EU | EI, FAULT(EU | EI | EP | ER) },
	{ "1 GiB page, address bit 13",
	  TABLES(USER, USER | PS | BIT_ULL(13), 0, 0), .access = EU, FAULT(EU | EP | ER) },
	{ "1 GiB page, address bit 29",
	  TABLES(USER, USER | PS | BIT_ULL(29), 0, 0), .access = EU, FAULT(EU | EP | ER) },
	{ "2 MiB page, address bit 13",
	  TABLES(USER, USER, USER | PS | BIT_ULL(13), 0), .access = 0, FAULT(EP | ER) },
	{ "2 MiB page, address bit 20",
	  TABLES(USER, USER, USER | PS | BIT_ULL(20), 0), .access = 0, FAULT(EP | ER) },
	{ "2 MiB page, address bit 50",
	  TABLES(USER, USER, USER | PS | BIT_ULL(50), 0), .access = 0, FAULT(EP | ER) },
	{ "reserved goes before rights",
	  TABLES(P, P, P, P | BIT_ULL(48)), .access = EU | EW, FAULT(EU | EW | EP | ER) },

	/* U/S: the user needs U on all levels */
	{ "user read, level 4 is the kernel's", TABLES(P | W, USER, USER, USER | FRAME),
	  .access = EU, FAULT(EU | EP) },
	{ "user read, level 3 is the kernel's", TABLES(USER, P | W, USER, USER | FRAME),
	  .access = EU, FAULT(EU | EP) },
	{ "user read, level 2 is the kernel's", TABLES(USER, USER, P | W, USER | FRAME),
	  .access = EU, FAULT(EU | EP) },
	{ "user read, level 1 is the kernel's", TABLES(USER, USER, USER, P | W | FRAME),
	  .access = EU, FAULT(EU | EP) },
	{ "user read, large page is the kernel's", TABLES(USER, USER, P | W | PS, 0),
	  .access = EU, FAULT(EU | EP) },
	{ "user write, page is the kernel's", TABLES(USER, USER, USER, P | W | FRAME),
	  .access = EU | EW, FAULT(EU | EW | EP) },
	{ "user fetch, page is the kernel's", TABLES(USER, USER, USER, P | W | FRAME),
	  .access = EU | EI, FAULT(EU | EI | EP) },
	{ "kernel read of a user page: no SMAP", TABLES(USER, USER, USER, USER | FRAME),
	  .access = 0, ALLOWED(1, FRAME | 0x567, true, true, false) },
	{ "kernel write of a user page: no SMAP", TABLES(USER, USER, USER, USER | FRAME),
	  .access = EW, ALLOWED(1, FRAME | 0x567, true, true, false) },

	/* R/W: W on all levels, for the kernel too (CR0.WP) */
	{ "write, level 4 read-only", TABLES(P | U, USER, USER, USER | FRAME),
	  .access = EU | EW, FAULT(EU | EW | EP) },
	{ "write, level 3 read-only", TABLES(USER, P | U, USER, USER | FRAME),
	  .access = EU | EW, FAULT(EU | EW | EP) },
	{ "write, level 2 read-only", TABLES(USER, USER, P | U, USER | FRAME),
	  .access = EU | EW, FAULT(EU | EW | EP) },
	{ "write, level 1 read-only", TABLES(USER, USER, USER, P | U | FRAME),
	  .access = EU | EW, FAULT(EU | EW | EP) },
	{ "write, 2 MiB page read-only", TABLES(USER, USER, P | U | PS, 0),
	  .access = EU | EW, FAULT(EU | EW | EP) },
	{ "write, 1 GiB page read-only", TABLES(USER, P | U | PS, 0, 0),
	  .access = EU | EW, FAULT(EU | EW | EP) },
	{ "kernel write, its own page read-only", TABLES(P | W, P | W, P | W, P | FRAME),
	  .access = EW, FAULT(EW | EP) },
	{ "kernel write, user page read-only", TABLES(USER, USER, USER, P | U | FRAME),
	  .access = EW, FAULT(EW | EP) },
	{ "read of a read-only page", TABLES(USER, USER, USER, P | U | FRAME),
	  .access = EU, ALLOWED(1, FRAME | 0x567, false, true, false) },

	/* NX on any level; SMEP */
	{ "fetch, level 4 NX", TABLES(USER | NX, USER, USER, USER | FRAME),
	  .access = EU | EI, FAULT(EU | EI | EP) },
	{ "fetch, level 3 NX", TABLES(USER, USER | NX, USER, USER | FRAME),
	  .access = EU | EI, FAULT(EU | EI | EP) },
	{ "fetch, level 2 NX", TABLES(USER, USER, USER | NX, USER | FRAME),
	  .access = EU | EI, FAULT(EU | EI | EP) },
	{ "fetch, level 1 NX", TABLES(USER, USER, USER, USER | NX | FRAME),
	  .access = EU | EI, FAULT(EU | EI | EP) },
	{ "kernel fetch, NX", TABLES(P | W, P | W, P | W, P | NX | FRAME),
	  .access = EI, FAULT(EI | EP) },
	{ "read of an NX page", TABLES(USER, USER, USER, USER | NX | FRAME),
	  .access = EU, ALLOWED(1, FRAME | 0x567, true, true, true) },
	{ "user fetch", TABLES(USER, USER, USER, P | U | FRAME),
	  .access = EU | EI, ALLOWED(1, FRAME | 0x567, false, true, false) },
	{ "kernel fetch", TABLES(P | W, P | W, P | W, P | FRAME),
	  .access = EI, ALLOWED(1, FRAME | 0x567, false, false, false) },
	{ "SMEP: kernel fetch of a user page", TABLES(USER, USER, USER, P | U | FRAME),
	  .access = EI, FAULT(EI | EP) },
	{ "SMEP: the user's on three levels only", TABLES(P | W, USER, USER, USER | FRAME),
	  .access = EI, ALLOWED(1, FRAME | 0x567, true, false, false) },
	{ "SMEP: large user page", TABLES(USER, USER, USER | PS, 0),
	  .access = EI, FAULT(EI | EP) },

	/* Tables that are not in guest memory */
	{ "CR3 not memory", .cr3 = 0x7000000, .ret = -EFAULT },
	{ "level 3 table not memory", TABLES(USER | 0x7000000, 0, 0, 0),
	  .ret = -EFAULT },
	{ "level 2 table not memory", TABLES(USER, USER | 0x7000000, 0, 0),
	  .ret = -EFAULT },
	{ "level 1 table not memory", TABLES(USER, USER, USER | 0x7000000, 0),
	  .ret = -EFAULT },
};

/* clang-format on */

KUNIT_ARRAY_PARAM_DESC(walk, walk_cases, name);

static u64 walk_case_gva(const struct walk_case *c)
{
	return c->gva ? c->gva : GVA;
}

/* Only the entry that a walk of this address has to read is memory. */
static int read_entry(void *context, u64 gpa, u64 *entry)
{
	static const int shift[] = { 0, 12, 21, 30, 39 };
	const struct walk_case *c = context;
	u64 gva = walk_case_gva(c);
	int level = gpa >> 12;

	if (level < 1 || level > 4)
		return -EFAULT;
	if (gpa != TABLE(level) + 8 * (gva >> shift[level] & 511))
		return -EIO;
	*entry = c->entry[level];
	if (level > 1 && !(*entry & (RINGLET_PTE_ADDR | PS)))
		*entry |= TABLE(level - 1);
	return 0;
}

static void walk_follows_the_sdm(struct kunit *test)
{
	const struct walk_case *c = test->param_value;
	struct ringlet_translation t = { .error = 0 };
	struct ringlet_walker walker = {
		.cr3 = c->cr3 ? c->cr3 : TABLE(4),
		.read = read_entry,
		.context = (void *)c,
	};
	int level;

	KUNIT_ASSERT_EQ(test,
			ringlet_walk(&walker, walk_case_gva(c), c->access, &t),
			c->ret);
	if (c->ret == 1)
		KUNIT_EXPECT_EQ(test, t.error, c->error);
	if (c->ret)
		return;
	KUNIT_EXPECT_EQ(test, t.level, c->level);
	KUNIT_EXPECT_EQ(test, t.gva, walk_case_gva(c));
	KUNIT_EXPECT_EQ(test, t.gpa, c->gpa);
	KUNIT_EXPECT_EQ(test, t.writable, c->writable);
	KUNIT_EXPECT_EQ(test, t.user, c->user);
	KUNIT_EXPECT_EQ(test, t.nx, c->nx);
	for (level = 4; level >= t.level; level--) {
		u64 entry;

		KUNIT_EXPECT_EQ(test, t.entry_gpa[level] >> 12, level);
		KUNIT_EXPECT_EQ(test, 0,
				read_entry((void *)c, t.entry_gpa[level],
					   &entry));
		KUNIT_EXPECT_EQ(test, t.entry[level], entry);
	}
}

/* A read that cannot be done now ends the walk with its own errno. */
static int read_later(void *context, u64 gpa, u64 *entry)
{
	return -EAGAIN;
}

static void walk_passes_errors_on(struct kunit *test)
{
	struct ringlet_walker walker = { .read = read_later };
	struct ringlet_translation t;

	KUNIT_EXPECT_EQ(test, ringlet_walk(&walker, GVA, 0, &t), -EAGAIN);
}

/**
 * struct spte_case - one shadow leaf
 * @name: what it shows
 * @gpte: the guest's leaf
 * @writable: all levels
 * @user: all levels
 * @nx: some level
 * @host_writable: see ringlet_make_spte()
 * @private_nx: same
 * @gva: the address
 * @spte: expected, but for the frame, P, U and A
 */
struct spte_case {
	const char *name;
	u64 gpte;
	bool writable;
	bool user;
	bool nx;
	bool host_writable;
	bool private_nx;
	u64 gva;
	u64 spte;
};

#define FULL RINGLET_SPTE_FULL

static const struct spte_case spte_cases[] = {
	{ "dirty, writable", P | W | U | A | D, .writable = true, .user = true,
	  .host_writable = true, .spte = W | D | FULL },
	{ "clean: writing waits", P | W | U | A, .writable = true, .user = true,
	  .host_writable = true, .spte = 0 },
	{ "the host's frame is read-only", P | W | U | A | D, .writable = true,
	  .user = true, .spte = 0 },
	{ "read-only", P | U | A, .user = true, .host_writable = true,
	  .spte = FULL },
	{ "read-only and dirty", P | U | A | D, .user = true,
	  .host_writable = true, .spte = FULL },
	{ "W in the leaf, not above", P | W | U | A | D, .user = true,
	  .host_writable = true, .spte = FULL },
	{ "NX", P | W | U | A | D | NX, .writable = true, .user = true,
	  .nx = true, .host_writable = true, .spte = W | D | NX | FULL },
	{ "NX from above", P | A, .nx = true, .spte = NX | FULL },
	{ "supervisor page is the CPU's user", P | W | A | D, .writable = true,
	  .host_writable = true, .spte = W | D | FULL },
	{ "G is never passed on", P | W | A | D | G, .writable = true,
	  .host_writable = true, .spte = W | D | FULL },
	{ "PAT and ignored bits are not passed on",
	  P | W | A | D | PS | GENMASK_ULL(62, 52) | GENMASK_ULL(11, 9) |
		  GENMASK_ULL(4, 3),
	  .writable = true, .host_writable = true, .spte = W | D | FULL },
	{ "private: user page gets NX (SMEP)", P | U | A, .user = true,
	  .private_nx = true, .spte = NX | FULL },
	{ "private: supervisor page may run", P | A, .private_nx = true,
	  .spte = FULL },
	{ "upper half: user page gets NX (SMEP)", P | U | A, .user = true,
	  .gva = KERNEL_GVA, .spte = NX | FULL },
	{ "upper half: supervisor page may run", P | A, .gva = KERNEL_GVA,
	  .spte = FULL },
};

KUNIT_ARRAY_PARAM_DESC(spte, spte_cases, name);

static void spte_has_the_rights(struct kunit *test)
{
	const struct spte_case *c = test->param_value;
	struct ringlet_translation t = {
		.gva = c->gva,
		.level = 1,
		.entry[1] = c->gpte,
		.writable = c->writable,
		.user = c->user,
		.nx = c->nx,
	};
	u64 spte =
		ringlet_make_spte(&t, 0xabcde, c->host_writable, c->private_nx);

	KUNIT_EXPECT_EQ(test, spte, c->spte | 0xabcde000 | P | U | A);
}

/* The leaf's own D bit counts, at whatever level the leaf is. */
static void spte_of_a_large_page(struct kunit *test)
{
	struct ringlet_translation t = { .writable = true, .user = true };

	t.level = 2;
	t.entry[2] = P | W | U | A | D | PS;
	KUNIT_EXPECT_EQ(test, ringlet_make_spte(&t, 1, true, false),
			0x1000 | P | W | U | A | D | FULL);
	t.level = 3;
	t.entry[3] = P | W | U | A | PS;
	KUNIT_EXPECT_EQ(test, ringlet_make_spte(&t, 1, true, false),
			0x1000 | P | U | A);
}

/*
 * What is said of a neighbour without a walk is what a walk says, for any leaf
 * below any tables: each row's tables with each row's leaf beside its own.
 */
static void neighbour(struct kunit *test, const struct walk_case *c, u64 gpte)
{
	struct walk_case beside = *c;
	struct ringlet_translation t, n, w;
	struct ringlet_walker walker = {
		.cr3 = TABLE(4),
		.read = read_entry,
		.context = (void *)c,
	};
	u64 gva = walk_case_gva(c) ^ 0x3000;
	bool may;

	if (c->cr3 || ringlet_walk(&walker, walk_case_gva(c), c->access, &t))
		return;
	may = ringlet_walk_neighbour(&t, gva, gpte, &n);
	if (t.level > 1) {
		KUNIT_EXPECT_EQ(test, may,
				!!(c->entry[t.level] & RINGLET_PTE_A));
		gpte = c->entry[1];
	} else {
		KUNIT_EXPECT_TRUE(test, !may || (gpte & P && gpte & A));
	}
	beside.gva = gva;
	beside.entry[1] = gpte;
	walker.context = &beside;
	if (ringlet_walk(&walker, gva, 0, &w)) {
		KUNIT_EXPECT_FALSE(test, may && t.level == 1);
		return;
	}
	if (t.level == 1)
		KUNIT_EXPECT_EQ(test, may, !!(gpte & A));
	KUNIT_EXPECT_EQ(test, n.level, w.level);
	KUNIT_EXPECT_EQ(test, n.gva, w.gva);
	KUNIT_EXPECT_EQ(test, n.gpa, w.gpa);
	KUNIT_EXPECT_EQ(test, n.writable, w.writable);
	KUNIT_EXPECT_EQ(test, n.user, w.user);
	KUNIT_EXPECT_EQ(test, n.nx, w.nx);
	KUNIT_EXPECT_EQ(test, n.entry[n.level], w.entry[w.level]);
	KUNIT_EXPECT_EQ(test, n.entry_gpa[n.level], w.entry_gpa[w.level]);
}

static void neighbours_are_as_walked(struct kunit *test)
{
	int i, j;

	for (i = 0; i < ARRAY_SIZE(walk_cases); i++)
		for (j = 0; j < ARRAY_SIZE(walk_cases); j++) {
			u64 gpte = walk_cases[j].entry[1];

			neighbour(test, &walk_cases[i], gpte);
			neighbour(test, &walk_cases[i], gpte | A);
		}
}

static void neighbour_of_a_large_page(struct kunit *test)
{
	struct ringlet_translation n, t = {
		.level = 2,
		.gva = GVA,
		.gpa = 0x40000000 | (GVA & 0x1fffff),
		.entry[2] = P | A | PS | 0x40000000,
	};

	KUNIT_EXPECT_TRUE(test,
			  ringlet_walk_neighbour(&t, GVA + 0x1000, ~0ULL, &n));
	KUNIT_EXPECT_EQ(test, n.gpa, t.gpa + 0x1000);
	t.entry[2] &= ~A;
	KUNIT_EXPECT_FALSE(test,
			   ringlet_walk_neighbour(&t, GVA + 0x1000, ~0ULL, &n));
}

static void addresses(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, ringlet_canonical(0));
	KUNIT_EXPECT_TRUE(test, ringlet_canonical(0x00007fffffffffff));
	KUNIT_EXPECT_FALSE(test, ringlet_canonical(0x0000800000000000));
	KUNIT_EXPECT_FALSE(test, ringlet_canonical(0xffff7fffffffffff));
	KUNIT_EXPECT_TRUE(test, ringlet_canonical(0xffff800000000000));
	KUNIT_EXPECT_TRUE(test, ringlet_canonical(~0ULL));
	/* 57-bit addresses of the host are none of the guest's. */
	KUNIT_EXPECT_FALSE(test, ringlet_canonical(0x00ffffffffffffff));
	KUNIT_EXPECT_FALSE(test, ringlet_upper_half(0x00007fffffffffff));
	KUNIT_EXPECT_TRUE(test, ringlet_upper_half(0xffff800000000000));
	KUNIT_EXPECT_EQ(test, ringlet_level_size(1), 4096);
	KUNIT_EXPECT_EQ(test, ringlet_level_size(2), 2 << 20);
	KUNIT_EXPECT_EQ(test, ringlet_level_size(3), 1 << 30);
	KUNIT_EXPECT_EQ(test, ringlet_index(KERNEL_GVA, 4), 511);
	KUNIT_EXPECT_EQ(test, ringlet_index(GVA, 3), 2);
	KUNIT_EXPECT_EQ(test, ringlet_index(GVA, 2), 3);
	KUNIT_EXPECT_EQ(test, ringlet_index(GVA, 1), 4);
}

/* D is the leaf's alone, and a write's; SDM vol. 3A, 4.8. */
static void accessed_and_dirty(struct kunit *test)
{
	struct ringlet_translation t = { .level = 2 };

	KUNIT_EXPECT_EQ(test, ringlet_ad_bits(&t, 4, RINGLET_PF_W),
			RINGLET_PTE_A);
	KUNIT_EXPECT_EQ(test, ringlet_ad_bits(&t, 2, RINGLET_PF_U),
			RINGLET_PTE_A);
	KUNIT_EXPECT_EQ(test,
			ringlet_ad_bits(&t, 2, RINGLET_PF_U | RINGLET_PF_W),
			RINGLET_PTE_A | RINGLET_PTE_D);
}

static struct kunit_case walk_test_cases[] = {
	KUNIT_CASE_PARAM(walk_follows_the_sdm, walk_gen_params),
	KUNIT_CASE(walk_passes_errors_on),
	KUNIT_CASE(accessed_and_dirty),
	KUNIT_CASE_PARAM(spte_has_the_rights, spte_gen_params),
	KUNIT_CASE(spte_of_a_large_page),
	KUNIT_CASE(neighbours_are_as_walked),
	KUNIT_CASE(neighbour_of_a_large_page),
	KUNIT_CASE(addresses),
	{}
};

static struct kunit_suite walk_test_suite = {
	.name = "ringlet-walk",
	.test_cases = walk_test_cases,
};

kunit_test_suite(walk_test_suite);
