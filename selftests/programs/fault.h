/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Do something that may raise a signal, and learn which one, exactly: number,
 * si_code, si_addr, and what the kernel put into the frame (trap number,
 * error code, CR2, RIP). A guest kernel that gets an exception from a
 * hypervisor has to end at the very values that bare hardware gives.
 *
 * World: user mode, one thread. The handler leaves by siglongjmp(), so the code
 * in question is never resumed. The flags are reset to what a fresh program has
 * afterwards: the code in question may have set AC, TF, DF or NT.
 */
#ifndef _FAULT_H
#define _FAULT_H

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

/**
 * struct fault - what a signal handler saw
 * @sig: signal, 0 if there was none
 * @code: si_code
 * @addr: si_addr
 * @trapno: exception vector
 * @err: error code
 * @cr2: CR2, means something after a page fault only
 * @rip: where
 */
struct fault {
	int sig;
	int code;
	uint64_t addr;
	uint64_t trapno;
	uint64_t err;
	uint64_t cr2;
	uint64_t rip;
};

/* Page fault error code bits. */
#define PF_PRESENT 0x01
#define PF_WRITE 0x02
#define PF_USER 0x04
#define PF_INSTR 0x10

static struct fault fault;
static sigjmp_buf fault_jmp;
static volatile sig_atomic_t fault_expected;

static inline void fault_reset_flags(void)
{
	/* Below the red zone; a plain push would be inside it. */
	asm volatile("lea -128(%%rsp), %%rsp\n\t"
		     "pushq $0x202\n\t"
		     "popfq\n\t"
		     "lea 128(%%rsp), %%rsp" ::
			     : "memory", "cc");
}

static inline void fault_handler(int sig, siginfo_t *info, void *context)
{
	const greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;

	/* The kernel leaves AC and NT set for a handler; libc cannot bear AC. */
	fault_reset_flags();
	/* Nobody asked for it: back to the instruction, and die of it. */
	if (!fault_expected) {
		signal(sig, SIG_DFL);
		return;
	}
	fault.sig = sig;
	fault.code = info->si_code;
	fault.addr = (uint64_t)info->si_addr;
	fault.trapno = gregs[REG_TRAPNO];
	fault.err = gregs[REG_ERR];
	fault.cr2 = gregs[REG_CR2];
	fault.rip = gregs[REG_RIP];
	siglongjmp(fault_jmp, 1);
}

/* Take all signals that an exception can become. On an alternate stack. */
static inline void fault_init(void)
{
	static char stack[65536];
	static const int signals[] = {
		SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP,
	};
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = {
		.sa_sigaction = fault_handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	sigaltstack(&alt, NULL);
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

typedef void fault_fn(uint64_t a, uint64_t b);

/*
 * Call a function; its signal, or 0. The details are in `fault`. Not inlined:
 * the caller's variables must not live in a function that returns twice.
 */
__attribute__((noinline)) static int fault_catch(fault_fn *fn, uint64_t a,
						 uint64_t b)
{
	memset(&fault, 0, sizeof(fault));
	if (!sigsetjmp(fault_jmp, 1)) {
		fault_expected = 1;
		fn(a, b);
	}
	fault_expected = 0;
	fault_reset_flags();
	return fault.sig;
}

/*
 * The three kinds of access, one instruction each. The address may be any 64
 * bits: it is data to the compiler.
 */
static inline void touch_read(uint64_t addr, uint64_t unused)
{
	(void)unused;
	asm volatile("movb (%0), %%al" : : "r"(addr) : "rax", "memory");
}

static inline void touch_write(uint64_t addr, uint64_t value)
{
	asm volatile("movb %b0, (%1)" : : "q"(value), "r"(addr) : "memory");
}

/* Calls a function there: the page wants at least a `ret`. */
static inline void touch_exec(uint64_t addr, uint64_t unused)
{
	(void)unused;
	asm volatile("lea -128(%%rsp), %%rsp\n\t"
		     "call *%0\n\t"
		     "lea 128(%%rsp), %%rsp"
		     :
		     : "r"(addr)
		     : "memory", "cc", "rax", "rcx", "rdx", "rsi", "rdi", "r8",
		       "r9", "r10", "r11");
}

#endif /* _FAULT_H */
