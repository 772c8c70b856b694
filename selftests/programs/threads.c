// SPDX-License-Identifier: GPL-2.0
/*
 * threads [N]: POSIX threads, and what carries them on x86-64: the FS base
 * behind every thread's TLS, the GS base and both selectors, futexes. Each
 * thread looks after each of many switches whether its TLS still is its own; a
 * base that was restored for the wrong thread, or lost with a selector load,
 * shows at once. FS and GS are then set in every way user space has:
 * arch_prctl, WRFSBASE and friends if the kernel allows them, and selectors of
 * descriptors made by set_thread_area. N (default 1000) scales the counts.
 *
 * World: user mode, natively and in the guest. libc's own FS base is changed
 * only inside short pieces of assembler that call nothing.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "ktap.h"
#include "util.h"

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE 2
#endif

static long rounds;

/* ---- TLS ---- */

static __thread uint64_t tls_word = 0x746c73;
static __thread uint64_t tls_block[64];
static __thread int tls_errors;

static void *tls_thread(void *arg)
{
	uint64_t mine = (uint64_t)arg * 0x9e3779b97f4a7c15;

	if (tls_word != 0x746c73) /* fresh from the image */
		return (void *)1;
	for (int i = 0; i < 64; i++) {
		if (tls_block[i])
			return (void *)2;
		tls_block[i] = mine + i;
	}
	tls_word = mine;
	for (long round = 0; round < rounds; round++) {
		sched_yield();
		errno = (int)(mine & 0x7fff);
		if (round % 64 == 0)
			usleep(50);
		else
			syscall(SYS_getppid);
		if (round % 64 && errno != (int)(mine & 0x7fff))
			tls_errors++;
		if (tls_word != mine ||
		    tls_block[round % 64] != mine + round % 64)
			tls_errors++;
	}
	return (void *)(long)tls_errors;
}

static int tls_kept(void)
{
	pthread_t threads[8];
	void *ret;

	tls_word = 0x6d61696e;
	for (uint64_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(!pthread_create(&threads[i], NULL, tls_thread,
				      (void *)(i + 1)));
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++) {
		CHECK(!pthread_join(threads[i], &ret));
		CHECK_EQ(ret, 0);
	}
	CHECK_EQ(tls_word, 0x6d61696e);
	return KTAP_OK;
}

/* Many short-lived ones: each gets fresh TLS and gives its value back. */
static void *short_thread(void *arg)
{
	if (tls_word != 0x746c73 || tls_block[5])
		return NULL;
	tls_word = tls_block[5] = (uint64_t)arg;
	return (void *)((uint64_t)arg * 3);
}

static int create_and_join(void)
{
	for (long i = 1; i <= rounds / 16; i++) {
		pthread_t threads[4];
		void *ret;

		for (long j = 0; j < 4; j++)
			CHECK(!pthread_create(&threads[j], NULL, short_thread,
					      (void *)(i * 4 + j)));
		for (long j = 3; j >= 0; j--) {
			CHECK(!pthread_join(threads[j], &ret));
			CHECK_EQ(ret, (i * 4 + j) * 3);
		}
	}
	return KTAP_OK;
}

static void *fork_in_thread(void *arg)
{
	pid_t pid;

	tls_word = (uint64_t)arg;
	pid = fork();
	if (!pid) {
		bool bad = tls_word != (uint64_t)arg;

		tls_word = 1;
		_exit(bad);
	}
	return (void *)(long)(pid < 0 || reap(pid) ||
			      tls_word != (uint64_t)arg);
}

static int tls_over_fork(void)
{
	pthread_t threads[4];
	void *ret;

	for (uint64_t i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(!pthread_create(&threads[i], NULL, fork_in_thread,
				      (void *)(i + 100)));
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++) {
		CHECK(!pthread_join(threads[i], &ret));
		CHECK_EQ(ret, 0);
	}
	return KTAP_OK;
}

static int handler_right;
static __thread uint64_t handler_word;

static void handler_reads_tls(int sig)
{
	(void)sig;
	if (handler_word == (uint64_t)pthread_self())
		__atomic_fetch_add(&handler_right, 1, __ATOMIC_SEQ_CST);
}

static void *signalled_thread(void *arg)
{
	pthread_barrier_t *barrier = arg;
	sigset_t set, old;

	handler_word = (uint64_t)pthread_self();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	pthread_barrier_wait(barrier); /* ready */
	pthread_barrier_wait(barrier); /* all are sent */
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return NULL;
}

/* A signal to a thread runs with that thread's TLS. */
static int tls_in_handlers(void)
{
	struct sigaction sa = { .sa_handler = handler_reads_tls };
	pthread_barrier_t barrier;
	pthread_t threads[6];

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	CHECK(!pthread_barrier_init(&barrier, NULL, ARRAY_SIZE(threads) + 1));
	handler_right = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(!pthread_create(&threads[i], NULL, signalled_thread,
				      &barrier));
	pthread_barrier_wait(&barrier);
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(!pthread_kill(threads[i], SIGUSR1));
	pthread_barrier_wait(&barrier);
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK_EQ(__atomic_load_n(&handler_right, __ATOMIC_SEQ_CST),
		 ARRAY_SIZE(threads));
	CHECK(!pthread_barrier_destroy(&barrier));
	return KTAP_OK;
}

/* ---- Locks and futexes ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;
static uint64_t unprotected;

static void *count_locked(void *arg)
{
	(void)arg;
	for (long i = 0; i < rounds * 2; i++) {
		uint64_t was;

		pthread_mutex_lock(&lock);
		was = *(volatile uint64_t *)&unprotected;
		if (i % 128 == 0)
			sched_yield();
		*(volatile uint64_t *)&unprotected = was + 1;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static int mutex_excludes(void)
{
	pthread_t threads[4];

	unprotected = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(!pthread_create(&threads[i], NULL, count_locked, NULL));
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(!pthread_join(threads[i], NULL));
	CHECK_EQ(unprotected, rounds * 2 * ARRAY_SIZE(threads));
	return KTAP_OK;
}

static void *take_turns(void *arg)
{
	int me = (int)(long)arg;

	for (long i = 0; i < rounds / 2; i++) {
		pthread_mutex_lock(&lock);
		while (turn != me)
			pthread_cond_wait(&turn_changed, &lock);
		unprotected = unprotected * 5 + me;
		turn = (me + 1) % 3;
		pthread_cond_broadcast(&turn_changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static int condition_ring(void)
{
	pthread_t threads[3];
	uint64_t expected = 0;

	unprotected = 0;
	turn = 0;
	for (long i = 0; i < 3; i++)
		CHECK(!pthread_create(&threads[i], NULL, take_turns,
				      (void *)i));
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(threads[i], NULL));
	for (long i = 0; i < rounds / 2 * 3; i++)
		expected = expected * 5 + i % 3;
	CHECK_EQ(unprotected, expected);
	return KTAP_OK;
}

/* Bare futexes, and between processes: the word is in shared memory. */
static void futex_wait_for(uint32_t *word, uint32_t value)
{
	uint32_t now;

	while ((now = __atomic_load_n(word, __ATOMIC_SEQ_CST)) != value)
		syscall(SYS_futex, word, FUTEX_WAIT, now, NULL);
}

static void futex_set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, 1);
}

static int futex_ping_pong(void)
{
	uint32_t *word = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t *sum = (uint64_t *)(word + 2);
	uint64_t expected = 0;
	pid_t pid;

	CHECK(word != MAP_FAILED);
	pid = fork();
	if (!pid) {
		for (uint32_t i = 0; i < rounds; i++) {
			futex_wait_for(word, 2 * i + 1);
			*sum = *sum * 7 + i;
			futex_set(word, 2 * i + 2);
		}
		_exit(0);
	}
	CHECK(pid > 0);
	for (uint32_t i = 0; i < rounds; i++) {
		futex_set(word, 2 * i + 1);
		futex_wait_for(word, 2 * i + 2);
		expected = expected * 7 + i;
		CHECK_EQ(*sum, expected);
	}
	CHECK_EQ(reap(pid), 0);
	CHECK(!munmap(word, PAGE));
	return KTAP_OK;
}

static void *die_with_lock(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static int robust_mutex(void)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t mutex;
	pthread_t thread;

	CHECK(!pthread_mutexattr_init(&attr));
	CHECK(!pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
	CHECK(!pthread_mutex_init(&mutex, &attr));
	CHECK(!pthread_create(&thread, NULL, die_with_lock, &mutex));
	CHECK(!pthread_join(thread, NULL));
	CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
	CHECK(!pthread_mutex_consistent(&mutex));
	CHECK(!pthread_mutex_unlock(&mutex));
	CHECK(!pthread_mutex_lock(&mutex));
	CHECK(!pthread_mutex_unlock(&mutex));
	return KTAP_OK;
}

/* ---- FS and GS ---- */

static uint16_t get_fs(void)
{
	uint16_t sel;

	asm volatile("mov %%fs, %0" : "=r"(sel));
	return sel;
}

static uint16_t get_gs(void)
{
	uint16_t sel;

	asm volatile("mov %%gs, %0" : "=r"(sel));
	return sel;
}

static uint64_t gs_word(void)
{
	uint64_t word;

	asm volatile("mov %%gs:0, %0" : "=r"(word) : : "memory");
	return word;
}

static uint64_t fs_word(void)
{
	uint64_t word;

	asm volatile("mov %%fs:0, %0" : "=r"(word) : : "memory");
	return word;
}

static uint64_t get_base(int code)
{
	uint64_t base = ~0ULL;

	syscall(SYS_arch_prctl, code, &base);
	return base;
}

static int selectors_at_start(void)
{
	CHECK_EQ(get_fs(), 0);
	CHECK_EQ(get_gs(), 0);
	CHECK(get_base(ARCH_GET_FS) != 0);
	CHECK_EQ(get_base(ARCH_GET_GS), 0);
	/* The ABI: the first word at FS is its own address. */
	CHECK_EQ(fs_word(), get_base(ARCH_GET_FS));
	return KTAP_OK;
}

static void *gs_thread(void *arg)
{
	static const uint64_t words[] = {
		0x1111111111111111,
		0x2222222222222222,
		0x3333333333333333,
		0x4444444444444444,
	};
	uint64_t mine = words[(long)arg];

	if (get_base(ARCH_GET_GS))
		return (void *)1;
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, &mine))
		return (void *)2;
	for (long i = 0; i < rounds; i++) {
		if (gs_word() != mine)
			return (void *)3;
		sched_yield();
		if (i % 100 == 0)
			usleep(20);
		if (get_base(ARCH_GET_GS) != (uint64_t)&mine)
			return (void *)4;
	}
	if (get_gs())
		return (void *)5;
	return NULL;
}

static int gs_base_per_thread(void)
{
	pthread_t threads[4];
	void *ret;

	for (long i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, gs_thread, (void *)i));
	for (int i = 0; i < 4; i++) {
		CHECK(!pthread_join(threads[i], &ret));
		CHECK_EQ(ret, 0);
	}
	return KTAP_OK;
}

static int gs_base_over_fork(void)
{
	uint64_t word = 0xf02c, other = 0xbad;
	pid_t pid;

	CHECK(!syscall(SYS_arch_prctl, ARCH_SET_GS, &word));
	pid = fork();
	if (!pid) {
		if (gs_word() != 0xf02c)
			_exit(1);
		if (syscall(SYS_arch_prctl, ARCH_SET_GS, &other))
			_exit(2);
		for (int i = 0; i < 100; i++)
			sched_yield();
		_exit(gs_word() != 0xbad);
	}
	CHECK(pid > 0);
	CHECK_EQ(reap(pid), 0);
	CHECK_EQ(gs_word(), 0xf02c);
	/* What is not an address of user space is refused. */
	CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff878000000000) < 0);
	CHECK_EQ(errno, EPERM);
	CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x8000000000000000) < 0);
	CHECK_EQ(errno, EPERM);
	CHECK(syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffffffffffffd000) < 0);
	CHECK_EQ(errno, EPERM);
	CHECK_EQ(gs_word(), 0xf02c);
	CHECK(!syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
	return KTAP_OK;
}

/* Move FS away, look by it, call the kernel by it, and bring it back. */
static int fs_base_by_prctl(void)
{
	uint64_t mine = get_base(ARCH_GET_FS), there = 0xf5f5f5f5, seen, ret;

	for (int i = 0; i < 100; i++) {
		register uint64_t r8 asm("r8") = mine;

		asm volatile("mov %[nr], %%eax\n\t"
			     "mov %[set_fs], %%edi\n\t"
			     "mov %[there], %%rsi\n\t"
			     "syscall\n\t"
			     "mov %%rax, %%r9\n\t"
			     "mov $24, %%eax\n\t" /* sched_yield */
			     "syscall\n\t"
			     "mov %%fs:0, %[seen]\n\t"
			     "mov %[nr], %%eax\n\t"
			     "mov %[set_fs], %%edi\n\t"
			     "mov %%r8, %%rsi\n\t"
			     "syscall\n\t"
			     "or %%r9, %%rax"
			     : "=&a"(ret), [seen] "=&r"(seen)
			     : [nr] "i"(SYS_arch_prctl),
			       [set_fs] "i"(ARCH_SET_FS), [there] "r"(&there),
			       "r"(r8)
			     : "rcx", "r11", "rdi", "rsi", "r9", "memory");
		CHECK_EQ(ret, 0);
		CHECK_EQ(seen, there);
		there = there * 3 + i;
	}
	CHECK_EQ(get_base(ARCH_GET_FS), mine);
	return KTAP_OK;
}

static int base_instructions(void)
{
	uint64_t fs, gs, word = 0x6a5e, seen;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		SKIP("the kernel does not offer FSGSBASE");
	asm volatile("rdfsbase %0" : "=r"(fs));
	CHECK_EQ(fs, get_base(ARCH_GET_FS));
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t base = i * 0x123456789 & 0x7fffffffffff;

		/* Any canonical value, mapped or not. */
		if (i % 3 == 0)
			base |= 0xffff800000000000;
		asm volatile("wrgsbase %0" : : "r"(base) : "memory");
		sched_yield();
		if (i % 50 == 0)
			usleep(20);
		asm volatile("rdgsbase %0" : "=r"(gs));
		CHECK_EQ(gs, base);
		CHECK_EQ(get_base(ARCH_GET_GS), base);
	}
	asm volatile("wrgsbase %0" : : "r"(&word) : "memory");
	CHECK_EQ(gs_word(), 0x6a5e);
	/* FS the same, with a system call while it points elsewhere. */
	asm volatile("wrfsbase %[there]\n\t"
		     "mov $24, %%eax\n\t"
		     "syscall\n\t"
		     "mov %%fs:0, %[seen]\n\t"
		     "wrfsbase %[mine]"
		     : [seen] "=&r"(seen)
		     : [there] "r"(&word), [mine] "r"(fs)
		     : "rax", "rcx", "r11", "memory");
	CHECK_EQ(seen, 0x6a5e);
	asm volatile("wrgsbase %0" : : "r"(0UL) : "memory");
	return KTAP_OK;
}

static void *base_thread(void *arg)
{
	uint64_t base = 0x100000000 * ((long)arg + 1), now;

	for (long i = 0; i < rounds; i++, base += 0x1001) {
		asm volatile("wrgsbase %0" : : "r"(base));
		/* Long enough to be preempted in now and then. */
		for (volatile int j = 0; j < 200; j++)
			;
		if (i % 8 == 0)
			sched_yield();
		asm volatile("rdgsbase %0" : "=r"(now));
		if (now != base)
			return (void *)1;
	}
	return NULL;
}

static int base_instructions_in_threads(void)
{
	pthread_t threads[4];
	void *ret;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		SKIP("the kernel does not offer FSGSBASE");
	for (long i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, base_thread,
				      (void *)i));
	for (int i = 0; i < 4; i++) {
		CHECK(!pthread_join(threads[i], &ret));
		CHECK_EQ(ret, 0);
	}
	return KTAP_OK;
}

/* ---- Descriptors of one's own ---- */

/*
 * 64-bit Linux has no such system call, but a 64-bit program may ask for the
 * 32-bit one; then its argument has to lie below 4 GiB, as our statics do.
 */
enum { SET_THREAD_AREA = 243, GET_THREAD_AREA = 244 };

static int thread_area(int nr, struct user_desc *desc)
{
	static struct user_desc low[8];
	static int next;
	/* Several threads come here: a place for each. */
	struct user_desc *p =
		&low[__atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST) % 8];
	int64_t ret;

	*p = *desc;
	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "0"(nr), "b"(p)
		     : "memory", "r8", "r9", "r10", "r11");
	*desc = *p;
	if (ret >= 0)
		return 0;
	errno = -ret;
	return -1;
}

static int make_descriptor(int entry, void *base, struct user_desc *desc)
{
	*desc = (struct user_desc){
		.entry_number = entry,
		.base_addr = (uint32_t)(uint64_t)base,
		.limit = 0xfffff,
		.seg_32bit = 1,
		.limit_in_pages = 1,
		.useable = 1,
	};
	return thread_area(SET_THREAD_AREA, desc);
}

static int descriptor_for_gs(void)
{
	struct user_desc desc, back;
	uint64_t *low, *low2;
	uint16_t sel;
	pid_t pid;

	low = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	CHECK(low != MAP_FAILED);
	low2 = low + 512;
	*low = 0x10adab1e;
	*low2 = 0x5ec0d;
	CHECK(!make_descriptor(-1, low, &desc));
	CHECK(desc.entry_number >= 12 && desc.entry_number <= 14);
	sel = desc.entry_number << 3 | 3;
	back.entry_number = desc.entry_number;
	CHECK(!thread_area(GET_THREAD_AREA, &back));
	CHECK_EQ(back.base_addr, (uint64_t)low);
	CHECK_EQ(back.limit, 0xfffff);
	asm volatile("mov %0, %%gs" : : "r"(sel) : "memory");
	CHECK_EQ(gs_word(), 0x10adab1e);
	for (int i = 0; i < 200; i++) {
		sched_yield();
		if (i % 50 == 0)
			usleep(20);
		CHECK_EQ(get_gs(), sel);
		CHECK_EQ(gs_word(), 0x10adab1e);
	}
	/* A child has the descriptor and the selector as well. */
	pid = fork();
	if (!pid) {
		bool bad = get_gs() != sel || gs_word() != 0x10adab1e;

		sched_yield();
		_exit(bad || get_gs() != sel || gs_word() != 0x10adab1e);
	}
	CHECK(pid > 0);
	CHECK_EQ(reap(pid), 0);
	/* Changed while it is loaded: good at once, or after a reload. */
	CHECK(!make_descriptor(desc.entry_number, low2, &desc));
	asm volatile("mov %0, %%gs" : : "r"(sel) : "memory");
	CHECK_EQ(gs_word(), 0x5ec0d);
	/* A base set over it wins, until the selector is loaded again. */
	CHECK(!syscall(SYS_arch_prctl, ARCH_SET_GS, low));
	CHECK_EQ(gs_word(), 0x10adab1e);
	CHECK_EQ(get_gs(), 0);
	asm volatile("mov %0, %%gs" : : "r"(sel) : "memory");
	CHECK_EQ(gs_word(), 0x5ec0d);
	asm volatile("mov %0, %%gs" : : "r"((uint16_t)0) : "memory");
	/* An emptied entry is no selector any more: checked in `traps`. */
	desc = (struct user_desc){
		.entry_number = desc.entry_number,
		.read_exec_only = 1,
		.seg_not_present = 1,
	};
	CHECK(!thread_area(SET_THREAD_AREA, &desc));
	CHECK(!syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
	CHECK(!munmap(low, 2 * PAGE));
	return KTAP_OK;
}

/* Only harmless descriptors are taken. */
static int descriptor_refused(void)
{
	struct user_desc desc;

	CHECK(!make_descriptor(13, &desc, &desc));
	desc.contents = 2; /* code */
	CHECK(thread_area(SET_THREAD_AREA, &desc) < 0);
	CHECK_EQ(errno, EINVAL);
	desc.contents = 0;
	desc.seg_32bit = 0; /* 16-bit data */
	CHECK(thread_area(SET_THREAD_AREA, &desc) < 0);
	CHECK_EQ(errno, EINVAL);
	desc.seg_32bit = 1;
	desc.seg_not_present = 1;
	CHECK(thread_area(SET_THREAD_AREA, &desc) < 0);
	CHECK_EQ(errno, EINVAL);
	desc.seg_not_present = 0;
	desc.entry_number = 4; /* the kernel's own */
	CHECK(thread_area(SET_THREAD_AREA, &desc) < 0);
	CHECK_EQ(errno, EINVAL);
	return KTAP_OK;
}

/* Each thread has its own three entries. */
static void *descriptor_thread(void *arg)
{
	uint32_t *cell = arg, seen;
	struct user_desc desc;
	uint16_t sel;

	if (make_descriptor(12, cell, &desc))
		return (void *)1;
	sel = 12 << 3 | 3;
	asm volatile("mov %0, %%gs" : : "r"(sel) : "memory");
	for (long i = 0; i < rounds / 2; i++) {
		sched_yield();
		asm volatile("mov %%gs:0, %0" : "=r"(seen) : : "memory");
		if (seen != *cell || get_gs() != sel)
			return (void *)2;
		/* Reloading takes the base from this thread's descriptor. */
		asm volatile("mov %0, %%gs" : : "r"(sel) : "memory");
		asm volatile("mov %%gs:0, %0" : "=r"(seen) : : "memory");
		if (seen != *cell)
			return (void *)3;
	}
	asm volatile("mov %0, %%gs" : : "r"((uint16_t)0) : "memory");
	return NULL;
}

static int descriptors_per_thread(void)
{
	pthread_t threads[4];
	uint32_t *cells;
	void *ret;

	cells = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	CHECK(cells != MAP_FAILED);
	for (int i = 0; i < 4; i++) {
		cells[i * 16] = 0xce110000 + i;
		CHECK(!pthread_create(&threads[i], NULL, descriptor_thread,
				      cells + i * 16));
	}
	for (int i = 0; i < 4; i++) {
		CHECK(!pthread_join(threads[i], &ret));
		CHECK_EQ(ret, 0);
	}
	CHECK(!munmap(cells, PAGE));
	return KTAP_OK;
}

/* DS and ES hold what was put there, over system calls and switches. */
static int data_selectors_kept(void)
{
	uint16_t ds, es, was_ds, was_es;

	asm volatile("mov %%ds, %0; mov %%es, %1" : "=r"(was_ds), "=r"(was_es));
	asm volatile("mov %0, %%ds; mov %0, %%es" : : "r"((uint16_t)0x2b));
	for (int i = 0; i < 200; i++) {
		sched_yield();
		if (i % 50 == 0)
			usleep(20);
		asm volatile("mov %%ds, %0; mov %%es, %1" : "=r"(ds), "=r"(es));
		CHECK_EQ(ds, 0x2b);
		CHECK_EQ(es, 0x2b);
	}
	asm volatile("mov %0, %%ds; mov %1, %%es" : : "r"(was_ds), "r"(was_es));
	return KTAP_OK;
}

static bool selectors_stay(uint16_t ds, uint16_t es, bool sleep)
{
	uint16_t now_ds, now_es;

	asm volatile("mov %0, %%ds; mov %1, %%es" : : "r"(ds), "r"(es));
	if (sleep)
		usleep(20);
	else
		sched_yield();
	asm volatile("mov %%ds, %0; mov %%es, %1" : "=r"(now_ds), "=r"(now_es));
	return now_ds == ds && now_es == es;
}

/*
 * A descriptor of one's own in them, while others run that have none: a process
 * that yields in turn, and whatever runs when this one sleeps.
 */
static int data_selectors_by_descriptor(void)
{
	uint16_t was_ds, was_es, sel;
	struct user_desc desc;
	bool stay;
	pid_t pid;

	pid = fork();
	if (!pid)
		for (;;)
			sched_yield();
	CHECK(pid > 0);
	stay = !make_descriptor(-1, NULL, &desc);
	sel = desc.entry_number << 3 | 3;
	asm volatile("mov %%ds, %0; mov %%es, %1" : "=r"(was_ds), "=r"(was_es));
	for (int i = 0; i < 200 && stay; i++) {
		bool sleep = i % 50 == 0;

		stay = selectors_stay(sel, sel, sleep) &&
		       selectors_stay(was_ds, sel, sleep) &&
		       selectors_stay(sel, was_es, sleep);
	}
	asm volatile("mov %0, %%ds; mov %1, %%es" : : "r"(was_ds), "r"(was_es));
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(reap(pid), 128 + SIGKILL);
	CHECK(stay);
	return KTAP_OK;
}

int main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		{ "selectors and bases at the start", selectors_at_start },
		{ "thread-local storage over switches", tls_kept },
		{ "threads created and joined", create_and_join },
		{ "thread-local storage over fork", tls_over_fork },
		{ "thread-local storage in signal handlers", tls_in_handlers },
		{ "mutex excludes", mutex_excludes },
		{ "condition variable, three in turn", condition_ring },
		{ "futex ping-pong between processes", futex_ping_pong },
		{ "robust mutex", robust_mutex },
		{ "GS base by arch_prctl, per thread", gs_base_per_thread },
		{ "GS base over fork", gs_base_over_fork },
		{ "FS base by arch_prctl", fs_base_by_prctl },
		{ "FS and GS base by instructions", base_instructions },
		{ "GS base by instructions, per thread",
		  base_instructions_in_threads },
		{ "GS by a descriptor", descriptor_for_gs },
		{ "GS by descriptors, per thread", descriptors_per_thread },
		{ "bad descriptors refused", descriptor_refused },
		{ "DS and ES kept", data_selectors_kept },
		{ "DS and ES by a descriptor", data_selectors_by_descriptor },
	};

	rounds = ktap_arg(argc, argv, 1, 1000);
	return ktap_run(tests, ARRAY_SIZE(tests));
}
