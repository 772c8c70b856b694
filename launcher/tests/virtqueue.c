// SPDX-License-Identifier: GPL-2.0
/*
 * Rings as a hostile guest writes them. Each bad one must kill the queue, with
 * a reason, and touch nothing outside guest memory, which lies between two
 * unmapped pages here.
 */
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/mman.h>

#include "../memory.h"
#include "../virtqueue.h"
#include "ktap.h"

#define MEM_SIZE (64 * KiB)
#define DESC 0x1000
#define AVAIL 0x2000
#define USED 0x3000
#define TABLE 0x4000
#define DATA 0x8000
#define NUM 8

static struct memory mem;
static struct virtqueue vq;
static struct virtqueue_chain chain;

static void set_up_memory(void)
{
	u8 *map = mmap(NULL, MEM_SIZE + 2 * PAGE_SIZE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(map + PAGE_SIZE, MEM_SIZE, PROT_READ | PROT_WRITE);
	mem = (struct memory){
		.size = MEM_SIZE,
		.nr_slots = 1,
		.slot[0] = { .size = MEM_SIZE, .hva = map + PAGE_SIZE },
	};
}

static struct vring_desc *desc(u32 i)
{
	return (struct vring_desc *)memory_ptr(&mem, DESC, 0) + i;
}

static struct vring_desc *table(u32 i)
{
	return (struct vring_desc *)memory_ptr(&mem, TABLE, 0) + i;
}

static struct vring_avail *avail(void)
{
	return memory_ptr(&mem, AVAIL, 0);
}

static struct vring_used *used(void)
{
	return memory_ptr(&mem, USED, 0);
}

/* A good queue with one buffer of one readable part. */
static void fresh(void)
{
	memset(memory_ptr(&mem, 0, MEM_SIZE), 0, MEM_SIZE);
	vq = (struct virtqueue){
		.mem = &mem,
		.num = NUM,
		.indirect = true,
		.desc_gpa = DESC,
		.avail_gpa = AVAIL,
		.used_gpa = USED,
	};
	virtqueue_enable(&vq);
	*desc(0) = (struct vring_desc){ .addr = DATA, .len = 16 };
	avail()->idx = 1;
}

static void test_good(void)
{
	bool ok;

	fresh();
	check(virtqueue_peek(&vq, &chain) && chain.nr_out == 1 && !chain.nr_in,
	      "one readable part");
	check(virtqueue_peek(&vq, &chain) && !vq.last_avail,
	      "a look takes nothing");
	ok = virtqueue_pop(&vq, &chain, 7) && used()->idx == 1 &&
	     used()->ring[0].len == 7;
	check(ok, "given back, with an interrupt");
	check(!virtqueue_peek(&vq, &chain) && vq.ready, "then empty");

	fresh();
	avail()->flags = VRING_AVAIL_F_NO_INTERRUPT;
	virtqueue_peek(&vq, &chain);
	check(!virtqueue_pop(&vq, &chain, 0), "no interrupt if none is wanted");

	fresh();
	*desc(0) = (struct vring_desc){ DATA, 16, VRING_DESC_F_NEXT, 3 };
	*desc(3) = (struct vring_desc){ DATA + 64, 32, VRING_DESC_F_WRITE, 0 };
	ok = virtqueue_peek(&vq, &chain) && chain.nr_out == 1 &&
	     chain.nr_in == 1 && chain.iov[1].iov_len == 32;
	check(ok, "a readable and a writable part");

	fresh();
	*desc(0) = (struct vring_desc){ TABLE, 32, VRING_DESC_F_INDIRECT, 0 };
	*table(0) = (struct vring_desc){ DATA, 1, VRING_DESC_F_NEXT, 1 };
	*table(1) = (struct vring_desc){ DATA, 2, 0, 0 };
	check(virtqueue_peek(&vq, &chain) && chain.nr_out == 2,
	      "an indirect table");

	fresh();
	vq.last_avail = 65535;
	vq.used_idx = 65535;
	avail()->idx = 0;
	ok = virtqueue_peek(&vq, &chain) &&
	     (virtqueue_pop(&vq, &chain, 0), !used()->idx);
	check(ok, "the indices wrap");
}

static void expect_dead(const char *name)
{
	check(!virtqueue_peek(&vq, &chain) && !vq.ready && vq.error, "%s: %s",
	      name, vq.error ? vq.error : "not noticed");
}

#define BAD(name, ...)             \
	do {                       \
		fresh();           \
		__VA_ARGS__;       \
		expect_dead(name); \
	} while (0)

static void test_bad_chains(void)
{
	BAD("head out of range", avail()->ring[0] = NUM);
	BAD("head far out of range", avail()->ring[0] = 65535);
	BAD("next out of range", desc(0)->flags = VRING_DESC_F_NEXT;
	    desc(0)->next = NUM);
	BAD("loop to itself", desc(0)->flags = VRING_DESC_F_NEXT);
	BAD("loop of two", desc(0)->flags = VRING_DESC_F_NEXT;
	    desc(0)->next = 1; *desc(1) = *desc(0); desc(1)->next = 0);
	BAD("loop of empty parts", desc(0)->len = 0;
	    desc(0)->flags = VRING_DESC_F_NEXT);
	BAD("more than there can be", avail()->idx = NUM + 1);
	BAD("index in the past", avail()->idx = 65535);
	BAD("past the end of memory", desc(0)->addr = MEM_SIZE - 15);
	BAD("address overflow", desc(0)->addr = ~0ULL - 7);
	BAD("address plus length overflow", desc(0)->addr = ~0ULL;
	    desc(0)->len = ~0U);
	BAD("length too large", desc(0)->len = MEM_SIZE);
	BAD("readable after writable",
	    desc(0)->flags = VRING_DESC_F_NEXT | VRING_DESC_F_WRITE;
	    desc(0)->next = 1; *desc(1) = (struct vring_desc){ DATA, 1, 0, 0 });
}

static void test_bad_tables(void)
{
#define INDIRECT(len) \
	(*desc(0) = (struct vring_desc){ TABLE, len, VRING_DESC_F_INDIRECT, 0 })
	BAD("indirect, not negotiated", INDIRECT(16); vq.indirect = false);
	BAD("indirect of no length", INDIRECT(0));
	BAD("indirect of odd length", INDIRECT(17));
	BAD("indirect with next", INDIRECT(16);
	    desc(0)->flags |= VRING_DESC_F_NEXT);
	BAD("indirect outside memory", INDIRECT(16);
	    desc(0)->addr = MEM_SIZE - 8);
	BAD("indirect in indirect", INDIRECT(16); *table(0) = *desc(0));
	BAD("indirect loop", INDIRECT(16);
	    *table(0) = (struct vring_desc){ DATA, 1, VRING_DESC_F_NEXT, 0 });
	BAD("indirect next out of range", INDIRECT(16);
	    *table(0) = (struct vring_desc){ DATA, 1, VRING_DESC_F_NEXT, 1 });
}

static void expect_refused(const char *name)
{
	check(!virtqueue_enable(&vq) && vq.error, "%s", name);
}

#define REFUSED(name, ...)            \
	do {                          \
		fresh();              \
		__VA_ARGS__;          \
		expect_refused(name); \
	} while (0)

static void test_bad_set_up(void)
{
	REFUSED("size 0", vq.num = 0);
	REFUSED("size 3", vq.num = 3);
	REFUSED("size too large", vq.num = 2 * VIRTQUEUE_MAX);
	REFUSED("size huge", vq.num = 1U << 31);
	REFUSED("misaligned descriptors", vq.desc_gpa += 8);
	REFUSED("misaligned available ring", vq.avail_gpa += 1);
	REFUSED("misaligned used ring", vq.used_gpa += 2);
	REFUSED("descriptors past the end", vq.desc_gpa = MEM_SIZE - 16);
	REFUSED("available ring past the end", vq.avail_gpa = MEM_SIZE - 2);
	REFUSED("used ring past the end", vq.used_gpa = MEM_SIZE - 4);
	REFUSED("used ring at the top", vq.used_gpa = ~3ULL);
}

int main(void)
{
	ktap_start();
	set_up_memory();
	test_good();
	test_bad_chains();
	test_bad_tables();
	test_bad_set_up();
	return ktap_end();
}
