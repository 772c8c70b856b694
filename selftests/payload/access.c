// SPDX-License-Identifier: GPL-2.0
/*
 * One read, write or instruction fetch in guest user or guest kernel mode, and
 * what it should have come to. A page of page_with() says by its content which
 * it is, and its first byte is INT3, so that a fetch from it is seen, too.
 */
#include "payload.h"

SNIPPET(access_read, "mov (%rdi), %rax\n\tint3");
SNIPPET(access_write, "mov %rax, (%rdi)\n\tint3");
SNIPPET(access_fetch, "jmp *%rdi");

static const u8 *const snippets[] = { access_read, access_write, access_fetch };
static const char *const names[] = { "read", "write", "fetch" };

/* A page whose every word is CONTENT(@id). */
u64 page_with(u64 id)
{
	u64 gpa = page_alloc(), *words = at(gpa);
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		words[i] = CONTENT(id);
	return gpa;
}

/* A write writes what @c has in RAX; a read leaves it there. */
struct event *do_access(struct context *c, bool user, enum access kind, u64 va)
{
	u64 rax = c->gpr[RAX];

	*c = user ? user_context(snippets[kind]) :
		    kernel_context(snippets[kind]);
	c->gpr[RAX] = rax;
	c->gpr[RDI] = va;
	return run(c);
}

static bool complain(const struct event *e, const struct context *c, bool user,
		     enum access kind, u64 va, const char *want)
{
	fail("%s by %s at %llx: gate %llx error %llx CR2 %llx RIP %llx RAX %llx, not %s",
	     names[kind], user ? "user" : "kernel", va, e->gate, e->frame.error,
	     e->cr2, c->rip, c->gpr[RAX], want);
	return false;
}

/* The access is carried out, and on the page @id. */
bool accesses(bool user, enum access kind, u64 va, u64 id)
{
	struct context c = { .gpr[RAX] = CONTENT(id) };
	struct event *e = do_access(&c, user, kind, va);

	if (e->gate == EXC_BP && c.gpr[RAX] == CONTENT(id) &&
	    (kind != FETCH || c.rip == va + 1))
		return true;
	return complain(e, &c, user, kind, va, "carried out");
}

/* The access is a page fault, with @error beside the bits of the access. */
bool faults(bool user, enum access kind, u64 va, u64 error)
{
	struct context c = { .gpr[RAX] = ~0UL };
	struct event *e = do_access(&c, user, kind, va);
	u64 rip = user ? user_address(snippets[kind]) : (u64)snippets[kind];

	error |= (user ? PF_U : 0) | (kind == WRITE ? PF_W : 0) |
		 (kind == FETCH ? PF_I : 0);
	if (kind == FETCH)
		rip = va;
	if (e->gate == EXC_PF && e->cr2 == va && e->frame.error == error &&
	    c.rip == rip && c.gpr[RDI] == va && c.gpr[RAX] == ~0UL &&
	    c.cs == (user ? RINGLET_USER_CS : RINGLET_KERNEL_CS))
		return true;
	return complain(e, &c, user, kind, va, "a page fault");
}

/* The access is #GP: that is no address of a guest's, which have 48 bits. */
bool refuses(bool user, enum access kind, u64 va)
{
	struct context c = { .gpr[RAX] = 0x1234 };
	struct event *e = do_access(&c, user, kind, va);

	if (e->gate == EXC_GP && !e->frame.error && c.gpr[RAX] == 0x1234)
		return true;
	return complain(e, &c, user, kind, va, "#GP");
}
