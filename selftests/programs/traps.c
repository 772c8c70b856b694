// SPDX-License-Identifier: GPL-2.0
/*
 * traps: every exception that a program can cause by itself, and what debuggers
 * do. Each must become the signal, si_code, si_addr, vector and error code that
 * it becomes on bare hardware; each privileged instruction and each of the 253
 * interrupt gates that are not the user's must be refused with the machine left
 * as it was. Single steps are counted, also across a system call; ptrace reads
 * and writes registers, steps, counts system calls and sets debug registers.
 *
 * In a Ringlet guest the guest *kernel* runs at CPL 3 too: a trap that is sent
 * to the wrong one of the two, or with the hypervisor's own view of flags,
 * selectors or DR6 in it, is found here.
 *
 * World: user mode, natively and in the guest. What hardware may choose (UMIP,
 * alignment checks and unmasked SSE exceptions, which some emulators lack) is
 * skipped with a reason, or only noted: both worlds run on one CPU, so they skip
 * the same.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <elf.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "ktap.h"
#include "util.h"
#include "fault.h"

#define FLAG_CF 0x000001
#define FLAG_TF 0x000100
#define FLAG_IF 0x000200
#define FLAG_DF 0x000400
#define FLAG_IOPL 0x003000
#define FLAG_NT 0x004000
#define FLAG_AC 0x040000
#define FLAG_ID 0x200000

#ifndef TRAP_HWBKPT
#define TRAP_HWBKPT 4
#endif

static uint64_t read_flags(void)
{
	uint64_t flags;

	asm volatile("lea -128(%%rsp), %%rsp\n\t"
		     "pushfq\n\t"
		     "pop %0\n\t"
		     "lea 128(%%rsp), %%rsp"
		     : "=r"(flags)
		     :
		     : "memory");
	return flags;
}

static void write_flags(uint64_t flags)
{
	asm volatile("lea -128(%%rsp), %%rsp\n\t"
		     "push %0\n\t"
		     "popfq\n\t"
		     "lea 128(%%rsp), %%rsp"
		     :
		     : "r"(flags)
		     : "memory", "cc");
}

/*
 * Functions of one instruction, in assembler so that their address is the
 * instruction's: NAME() for fault_catch(). They may clobber the call-clobbered.
 */
#define INSN(name, text)                                                  \
	extern void name(uint64_t a, uint64_t b);                         \
	asm(".pushsection .text\n\t.globl " #name "\n" #name ":\n\t" text \
	    "\n\tret\n\t.popsection")

#define CHECK_TRAP(fn, sig_, code_, trapno_, err_)     \
	do {                                           \
		CHECK_EQ(fault_catch(fn, 0, 0), sig_); \
		CHECK_EQ(fault.code, code_);           \
		CHECK_EQ(fault.trapno, trapno_);       \
		CHECK_EQ(fault.err, err_);             \
	} while (0)

/* ---- Plain exceptions ---- */

INSN(div_by_zero, "xor %edx, %edx\n\tmov $1, %eax\n\txor %ecx, %ecx\n"
		  "div_by_zero_at: div %ecx");
INSN(div_overflow, "mov $0x80000000, %eax\n\tcltd\n\tmov $-1, %ecx\n"
		   "div_overflow_at: idiv %ecx");
extern char div_by_zero_at[], div_overflow_at[];

static int divide_error(void)
{
	CHECK_TRAP(div_by_zero, SIGFPE, FPE_INTDIV, 0, 0);
	CHECK_EQ(fault.addr, (uint64_t)div_by_zero_at);
	CHECK_EQ(fault.rip, (uint64_t)div_by_zero_at);
	CHECK_TRAP(div_overflow, SIGFPE, FPE_INTDIV, 0, 0);
	CHECK_EQ(fault.addr, (uint64_t)div_overflow_at);
	return KTAP_OK;
}

INSN(run_ud2, "ud2");
INSN(run_ud1, "ud1 %eax, %eax");
INSN(lock_nop, ".byte 0xf0, 0x90");
INSN(push_es, ".byte 0x06"); /* gone in 64-bit mode */
INSN(into_64, ".byte 0xce");

static int invalid_opcode(void)
{
	static fault_fn *const fns[] = {
		run_ud2,
		run_ud1,
		push_es,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++) {
		if (!fault_catch(fns[i], 0, 0))
			ktap_note("number %u passes", i);
		CHECK_TRAP(fns[i], SIGILL, ILL_ILLOPN, 6, 0);
		CHECK_EQ(fault.addr, (uint64_t)fns[i]);
		CHECK_EQ(fault.rip, (uint64_t)fns[i]);
	}
	return KTAP_OK;
}

/* TCG lets these two pass. */
static int invalid_into(void)
{
	if (!fault_catch(into_64, 0, 0))
		SKIP("this CPU has INTO in 64-bit mode");
	CHECK_TRAP(into_64, SIGILL, ILL_ILLOPN, 6, 0);
	return KTAP_OK;
}

static int invalid_lock(void)
{
	if (!fault_catch(lock_nop, 0, 0))
		SKIP("this CPU does not check LOCK");
	CHECK_TRAP(lock_nop, SIGILL, ILL_ILLOPN, 6, 0);
	return KTAP_OK;
}

INSN(run_int3, "int3");
INSN(run_cd03, ".byte 0xcd, 0x03");
INSN(run_cd04, ".byte 0xcd, 0x04");
INSN(run_icebp, ".byte 0xf1");

static int breakpoint(void)
{
	CHECK_TRAP(run_int3, SIGTRAP, SI_KERNEL, 3, 0);
	CHECK_EQ(fault.rip, (uint64_t)run_int3 + 1);
	CHECK_TRAP(run_cd03, SIGTRAP, SI_KERNEL, 3, 0);
	CHECK_EQ(fault.rip, (uint64_t)run_cd03 + 2);
	return KTAP_OK;
}

static int overflow_gate(void)
{
	CHECK_TRAP(run_cd04, SIGSEGV, SI_KERNEL, 4, 0);
	CHECK_EQ(fault.rip, (uint64_t)run_cd04 + 2);
	return KTAP_OK;
}

static int icebp(void)
{
	CHECK_EQ(fault_catch(run_icebp, 0, 0), SIGTRAP);
	CHECK_EQ(fault.trapno, 1);
	/* A trap, so RIP is behind it; some hypervisors leave it in front. */
	ktap_note("ICEBP: RIP %+d", (int)(fault.rip - (uint64_t)run_icebp));
	CHECK(fault.rip - (uint64_t)run_icebp <= 1);
	return KTAP_OK;
}

/* ---- Privileged ---- */

INSN(run_cli, "cli");
INSN(run_sti, "sti");
INSN(run_hlt, "hlt");
INSN(run_clts, "clts");
INSN(run_in_imm, "in $0x80, %al");
INSN(run_in_dx, "mov $0x3f8, %edx\n\tin %dx, %al");
INSN(run_in_cf8, "mov $0xcf8, %edx\n\tin %dx, %eax");
INSN(run_out_imm, "out %al, $0x80");
INSN(run_out_dx, "mov $0x604, %edx\n\tout %ax, %dx");
INSN(run_insb, "mov $0x60, %edx\n\tlea -8(%rsp), %rdi\n\tinsb");
INSN(run_outsb, "mov $0x60, %edx\n\tlea -8(%rsp), %rsi\n\toutsb");
INSN(read_cr0, "mov %cr0, %rax");
INSN(write_cr0, "mov %rax, %cr0");
INSN(read_cr2, "mov %cr2, %rax");
INSN(write_cr2, "mov %rax, %cr2");
INSN(read_cr3, "mov %cr3, %rax");
INSN(write_cr3, "mov %rax, %cr3");
INSN(read_cr4, "mov %cr4, %rax");
INSN(write_cr4, "mov %rax, %cr4");
INSN(read_cr8, "mov %cr8, %rax");
INSN(write_cr8, "mov %rax, %cr8");
INSN(read_dr0, "mov %db0, %rax");
INSN(write_dr0, "mov %rax, %db0");
INSN(read_dr7, "mov %db7, %rax");
INSN(write_dr7, "mov %rax, %db7");
INSN(run_lgdt, "lgdt -16(%rsp)");
INSN(run_lidt, "lidt -16(%rsp)");
INSN(run_lldt, "xor %eax, %eax\n\tlldt %ax");
INSN(run_ltr, "mov $0x40, %eax\n\tltr %ax");
INSN(run_lmsw, "mov $1, %eax\n\tlmsw %ax");
INSN(run_invlpg, "invlpg (%rsp)");
INSN(run_invd, "invd");
INSN(run_wbinvd, "wbinvd");
INSN(run_rdmsr, "mov $0xc0000080, %ecx\n\trdmsr");
INSN(run_wrmsr, "mov $0xc0000082, %ecx\n\twrmsr");
INSN(run_rdpmc, "xor %ecx, %ecx\n\trdpmc");
INSN(run_swapgs, "swapgs");
INSN(run_sysret, "sysretq");
INSN(run_xsetbv, "xor %ecx, %ecx\n\tmov $7, %eax\n\txor %edx, %edx\n\txsetbv");

#define PRIVILEGED(fn)  \
	{               \
#fn, fn \
	}

static const struct {
	const char *name;
	fault_fn *fn;
} privileged[] = {
	PRIVILEGED(run_cli),	PRIVILEGED(run_sti),	 PRIVILEGED(run_hlt),
	PRIVILEGED(run_clts),	PRIVILEGED(run_in_imm),	 PRIVILEGED(run_in_dx),
	PRIVILEGED(run_in_cf8), PRIVILEGED(run_out_imm), PRIVILEGED(run_out_dx),
	PRIVILEGED(run_insb),	PRIVILEGED(run_outsb),	 PRIVILEGED(read_cr0),
	PRIVILEGED(write_cr0),	PRIVILEGED(read_cr2),	 PRIVILEGED(write_cr2),
	PRIVILEGED(read_cr3),	PRIVILEGED(write_cr3),	 PRIVILEGED(read_cr4),
	PRIVILEGED(write_cr4),	PRIVILEGED(read_cr8),	 PRIVILEGED(write_cr8),
	PRIVILEGED(read_dr0),	PRIVILEGED(write_dr0),	 PRIVILEGED(read_dr7),
	PRIVILEGED(write_dr7),	PRIVILEGED(run_lgdt),	 PRIVILEGED(run_lidt),
	PRIVILEGED(run_lldt),	PRIVILEGED(run_ltr),	 PRIVILEGED(run_lmsw),
	PRIVILEGED(run_invlpg), PRIVILEGED(run_rdmsr),	 PRIVILEGED(run_wrmsr),
	PRIVILEGED(run_rdpmc),	PRIVILEGED(run_swapgs),	 PRIVILEGED(run_sysret),
	PRIVILEGED(run_xsetbv),
};

static bool has_xsetbv(void)
{
	unsigned int a, b, c = 0, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE);
}

static int privileged_refused(void)
{
	int wrong = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(privileged); i++) {
		int sig = fault_catch(privileged[i].fn, 0, 0);

		if (privileged[i].fn == run_xsetbv && !has_xsetbv() &&
		    sig == SIGILL && fault.trapno == 6)
			continue;
		if (sig == SIGSEGV && fault.code == SI_KERNEL && !fault.addr &&
		    fault.trapno == 13 && !fault.err)
			continue;
		ktap_note("%s: signal %d code %d vector %d error %#x",
			  privileged[i].name, sig, fault.code,
			  (int)fault.trapno, (int)fault.err);
		wrong++;
	}
	CHECK_EQ(wrong, 0);
	CHECK(read_flags() & FLAG_IF);
	return KTAP_OK;
}

/* TCG, which has no caches, lets these two pass as well. */
static int cache_flushes_refused(void)
{
	if (!fault_catch(run_invd, 0, 0) && !fault_catch(run_wbinvd, 0, 0))
		SKIP("this CPU lets anybody flush caches");
	CHECK_TRAP(run_invd, SIGSEGV, SI_KERNEL, 13, 0);
	CHECK_TRAP(run_wbinvd, SIGSEGV, SI_KERNEL, 13, 0);
	return KTAP_OK;
}

/* Opcode INT, all 256: three belong to user mode, one is a system call. */
static int interrupt_gates(void)
{
	uint8_t *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int wrong = 0;

	CHECK(code != MAP_FAILED);
	for (int vector = 0; vector < 256; vector++) {
		uint8_t *at = code + vector * 4;
		int sig;

		if (vector == 3 || vector == 4 || vector == 0x80)
			continue;
		at[0] = 0xcd;
		at[1] = vector;
		at[2] = 0xc3;
		sig = fault_catch((fault_fn *)at, 0, 0);
		/* With FRED the error code is 0. */
		if (sig == SIGSEGV && fault.code == SI_KERNEL &&
		    fault.trapno == 13 && fault.rip == (uint64_t)at &&
		    (fault.err == vector * 8U + 2 || !fault.err))
			continue;
		if (wrong++ < 5)
			ktap_note(
				"int %#x: signal %d code %d vector %d error %#x",
				vector, sig, fault.code, (int)fault.trapno,
				(int)fault.err);
	}
	CHECK(!munmap(code, PAGE));
	CHECK_EQ(wrong, 0);
	return KTAP_OK;
}

/* The 32-bit system call from 64-bit code: getppid is 64 there. */
static int int80_in_64_bit(void)
{
	uint64_t ret, rbx = 0x1122334455667788, rbp_like = 0x99aabbccddeeff00;

	for (int i = 0; i < 100; i++) {
		register uint64_t r12 asm("r12") = rbp_like;

		asm volatile("int $0x80"
			     : "=a"(ret), "+b"(rbx), "+r"(r12)
			     : "0"(0xffffffff00000040)
			     : "memory", "r8", "r9", "r10", "r11");
		CHECK_EQ(ret, getppid());
		CHECK_EQ(rbx, 0x1122334455667788);
		CHECK_EQ(r12, rbp_like);
	}
	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "0"(5000)
		     : "memory", "r8", "r9", "r10", "r11");
	CHECK_EQ((int64_t)ret, -ENOSYS);
	return KTAP_OK;
}

/* ---- Selectors ---- */

static void load_ds(uint64_t sel, uint64_t unused)
{
	(void)unused;
	asm volatile("mov %0, %%ds" : : "r"((uint16_t)sel) : "memory");
}

static void load_fs_gs(uint64_t sel, uint64_t fs)
{
	/* Never reached for FS: it would pull the TLS from under libc. */
	if (fs)
		asm volatile("mov %0, %%fs" : : "r"((uint16_t)sel) : "memory");
	else
		asm volatile("mov %0, %%gs" : : "r"((uint16_t)sel) : "memory");
}

static void load_ss(uint64_t sel, uint64_t unused)
{
	(void)unused;
	asm volatile("mov %0, %%ss" : : "r"((uint16_t)sel) : "memory");
}

static void far_jump(uint64_t sel, uint64_t unused)
{
	struct {
		uint32_t offset;
		uint16_t sel;
	} __attribute__((packed)) target = { 0x1000, sel };

	(void)unused;
	asm volatile("ljmp *%0" : : "m"(target) : "memory");
}

static int bad_selectors(void)
{
	static const uint16_t not_data[] = {
		0x08, 0x10, 0x18,   0x1b,   0x40, 0x43,
		0x0b, 0x13, 0x67,   0x6f,   0x77, /* in the LDT, which is not there */
		0x80, 0x83, 0xfff8, 0xfffb,
	};
	static const uint16_t not_code[] = {
		0x00, 0x08, 0x10, 0x13, 0x18, 0x1b, 0x2b, 0x40, 0x43, 0x80,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(not_data); i++) {
		uint16_t sel = not_data[i];

		CHECK_EQ(fault_catch(load_ds, sel, 0), SIGSEGV);
		CHECK_EQ(fault.trapno, 13);
		CHECK_EQ(fault.err, sel & 0xfffc);
		CHECK_EQ(fault_catch(load_fs_gs, sel, 0), SIGSEGV);
		CHECK_EQ(fault.err, sel & 0xfffc);
		CHECK_EQ(fault_catch(load_fs_gs, sel, 1), SIGSEGV);
		CHECK_EQ(fault.err, sel & 0xfffc);
		CHECK_EQ(fault_catch(load_ss, sel, 0), SIGSEGV);
		CHECK_EQ(fault.err, sel & 0xfffc);
	}
	CHECK_EQ(fault_catch(load_ss, 0, 0), SIGSEGV); /* null, at CPL 3 */
	CHECK_EQ(fault.err, 0);
	CHECK_EQ(fault_catch(load_ss, 0x33, 0), SIGSEGV); /* code */
	CHECK_EQ(fault.err, 0x30);
	for (unsigned int i = 0; i < ARRAY_SIZE(not_code); i++) {
		CHECK_EQ(fault_catch(far_jump, not_code[i], 0), SIGSEGV);
		CHECK_EQ(fault.trapno, 13);
		CHECK_EQ(fault.err, not_code[i] & 0xfffc);
	}
	CHECK_EQ(fault_catch(load_ds, 0x2b, 0), 0);
	CHECK_EQ(fault_catch(load_ss, 0x2b, 0), 0);
	CHECK_EQ(fault_catch(load_ds, 0, 0), 0);
	return KTAP_OK;
}

static bool load_rights(uint32_t sel, uint32_t *rights)
{
	bool ok;

	asm volatile("lar %2, %1" : "=@ccz"(ok), "=r"(*rights) : "r"(sel));
	return ok;
}

/* Of all selectors user mode may see Linux's four; the GDT is no secret. */
static int visible_descriptors(void)
{
	static const struct {
		uint16_t sel;
		uint32_t rights; /* without the accessed bit */
	} known[] = {
		{ 0x23, 0x00cffa00 }, /* 32-bit code */
		{ 0x2b, 0x00cff200 }, /* data */
		{ 0x33, 0x00affa00 }, /* 64-bit code */
		{ 0x7b, 0x0040f400 }, /* the CPU number, as a limit */
	};
	uint32_t rights;
	int seen = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
		CHECK(load_rights(known[i].sel, &rights));
		CHECK_EQ(rights & 0x00f0fe00, known[i].rights & 0x00f0fe00);
	}
	for (uint32_t sel = 3; sel < 0x10000; sel += 4) {
		if (!load_rights(sel, &rights))
			continue;
		seen++;
		if (sel != 0x23 && sel != 0x2b && sel != 0x33 && sel != 0x7b)
			ktap_note("selector %#x is visible: %#x", sel, rights);
	}
	CHECK_EQ(seen, ARRAY_SIZE(known));
	return KTAP_OK;
}

/*
 * Far jump to 32-bit code and back. That code lies below 4 GiB as all of a
 * static program; so must the stack, for compatibility mode need not keep the
 * upper half of RSP (and where this was written, does not).
 */
extern uint32_t through_32_bit(void);
asm(".pushsection .text\n"
    "through_32_bit:\n"
    "	mov %rsp, stack_before\n"
    "	mov $low_stack_end, %rsp\n"
    "	ljmp *to_32_bit\n"
    "	.code32\n"
    "1:	mov %cs, %eax\n"
    "	push %eax\n"
    "	pop %edx\n"
    "	.byte 0x40\n" /* INC EAX here, a REX prefix there */
    "	nop\n"
    "	push %ecx\n"
    "	mov $158, %eax\n" /* sched_yield */
    "	int $0x80\n"
    "	pop %ecx\n"
    "	lea 1(%edx), %eax\n"
    "	ljmp $0x33, $2f\n"
    "	.code64\n"
    "2:	mov stack_before, %rsp\n"
    "	ret\n"
    "	.popsection\n"
    "	.pushsection .data\n"
    "	.balign 16\n"
    "	.fill 512, 8, 0\n"
    "low_stack_end:\n"
    "stack_before: .quad 0\n"
    "to_32_bit:\n"
    "	.long 1b\n"
    "	.word 0x23\n"
    "	.popsection");

static int compatibility_mode(void)
{
	for (int i = 0; i < 200; i++)
		CHECK_EQ(through_32_bit(), 0x24);
	return KTAP_OK;
}

/* SGDT and friends: UMIP may emulate, refuse or allow them. Only noted. */
static void run_sgdt(uint64_t to, uint64_t unused)
{
	(void)unused;
	asm volatile("sgdt (%0)" : : "r"(to) : "memory");
}

static void run_sidt(uint64_t to, uint64_t unused)
{
	(void)unused;
	asm volatile("sidt (%0)" : : "r"(to) : "memory");
}

static void run_smsw(uint64_t to, uint64_t unused)
{
	(void)unused;
	asm volatile("smsw %%rax\n\tmov %%rax, (%0)"
		     :
		     : "r"(to)
		     : "rax", "memory");
}

static void run_str(uint64_t to, uint64_t unused)
{
	(void)unused;
	asm volatile("xor %%eax, %%eax\n\tstr %%ax\n\tmov %%rax, (%0)"
		     :
		     : "r"(to)
		     : "rax", "memory");
}

static void run_sldt(uint64_t to, uint64_t unused)
{
	(void)unused;
	asm volatile("xor %%eax, %%eax\n\tsldt %%ax\n\tmov %%rax, (%0)"
		     :
		     : "r"(to)
		     : "rax", "memory");
}

static int table_registers(void)
{
	static const struct {
		const char *name;
		fault_fn *fn;
	} insns[] = {
		{ "sgdt", run_sgdt }, { "sidt", run_sidt },
		{ "smsw", run_smsw }, { "str", run_str },
		{ "sldt", run_sldt },
	};
	static uint64_t out[2];

	for (unsigned int i = 0; i < ARRAY_SIZE(insns); i++) {
		int sig;

		out[0] = out[1] = 0;
		sig = fault_catch(insns[i].fn, (uint64_t)out, 0);
		ktap_note("%s: signal %d, %016llx %016llx", insns[i].name, sig,
			  (unsigned long long)out[1],
			  (unsigned long long)out[0]);
		CHECK(!sig || sig == SIGSEGV);
	}
	return KTAP_OK;
}

/* ---- Flags ---- */

static int flags_register(void)
{
	uint64_t flags = read_flags();

	CHECK_EQ(flags & (FLAG_IF | FLAG_IOPL | FLAG_TF), FLAG_IF);
	/* POPF cannot take IF away nor raise IOPL, and says nothing. */
	write_flags(0x2);
	CHECK_EQ(read_flags() & (FLAG_IF | FLAG_IOPL), FLAG_IF);
	write_flags(0x3202);
	CHECK_EQ(read_flags() & (FLAG_IF | FLAG_IOPL), FLAG_IF);
	write_flags(FLAG_IF | FLAG_ID | 2);
	CHECK(read_flags() & FLAG_ID);
	write_flags(FLAG_IF | 2);
	CHECK(!(read_flags() & FLAG_ID));
	return KTAP_OK;
}

/* What a program sets stays, over system calls, switches and faults. */
static int flags_kept(void)
{
	static const uint64_t sets[] = {
		0,
		0x8d5,
		FLAG_NT,
		FLAG_ID,
		FLAG_NT | FLAG_ID | 0x8d5,
		FLAG_DF,
		FLAG_AC,
		FLAG_AC | FLAG_ID | FLAG_DF | FLAG_CF,
	};
	const uint64_t mask = 0x8d5 | FLAG_NT | FLAG_ID | FLAG_DF | FLAG_AC |
			      FLAG_IF | FLAG_IOPL | FLAG_TF;

	for (unsigned int i = 0; i < ARRAY_SIZE(sets) * 20; i++) {
		uint64_t set = sets[i % ARRAY_SIZE(sets)] | FLAG_IF | 2, flags;

		asm volatile("lea -128(%%rsp), %%rsp\n\t"
			     "push %1\n\t"
			     "popfq\n\t"
			     "mov $24, %%eax\n\t" /* sched_yield */
			     "syscall\n\t"
			     "pushfq\n\t"
			     "pushq $0x202\n\t"
			     "popfq\n\t"
			     "pop %0\n\t"
			     "lea 128(%%rsp), %%rsp"
			     : "=&r"(flags)
			     : "r"(set)
			     : "rax", "rcx", "r11", "memory", "cc");
		CHECK_EQ(flags & mask, set & mask);
	}
	return KTAP_OK;
}

/* ---- Alignment, floating point ---- */

static uint64_t misaligned[2];

static void read_misaligned(uint64_t addr, uint64_t unused)
{
	(void)unused;
	asm volatile("lea -128(%%rsp), %%rsp\n\t"
		     "pushq %1\n\t"
		     "popfq\n\t"
		     "mov (%0), %%eax\n\t"
		     "pushq $0x202\n\t"
		     "popfq\n\t"
		     "lea 128(%%rsp), %%rsp"
		     :
		     : "r"(addr), "i"(FLAG_AC | FLAG_IF | 2)
		     : "rax", "memory", "cc");
}

static int alignment_check(void)
{
	CHECK_EQ(fault_catch(read_misaligned, (uint64_t)misaligned, 0), 0);
	if (!fault_catch(read_misaligned, (uint64_t)misaligned + 1, 0))
		SKIP("this CPU does not check alignment");
	CHECK_EQ(fault.sig, SIGBUS);
	CHECK_EQ(fault.code, BUS_ADRALN);
	CHECK_EQ(fault.trapno, 17);
	CHECK_EQ(fault.err, 0);
	CHECK(!(read_flags() & FLAG_AC));
	return KTAP_OK;
}

/* One x87 operation with one exception unmasked. */
static void x87_operation(uint64_t which, uint64_t control)
{
	uint16_t cw = control;
	static const double zero, one = 1.0;
	static const double big = 1e308;

	asm volatile("fninit\n\tfldcw %0" : : "m"(cw));
	switch (which) {
	case 0: /* divide by zero */
		asm volatile("fldl %0\n\tfdivl %1\n\tfwait"
			     :
			     : "m"(one), "m"(zero));
		break;
	case 1: /* invalid: 0 / 0 */
		asm volatile("fldl %0\n\tfdivl %0\n\tfwait" : : "m"(zero));
		break;
	case 2: { /* overflow, on the way to memory */
		double result;

		asm volatile("fldl %1\n\tfldl %1\n\tfmulp\n\tfstpl %0\n\tfwait"
			     : "=m"(result)
			     : "m"(big));
		break;
	}
	case 3: /* inexact */
		asm volatile("fld1\n\tfldpi\n\tfdivrp\n\tfwait" : :);
		break;
	}
}

static int x87_exceptions(void)
{
	static const struct {
		uint16_t mask;
		int code;
	} cases[] = {
		{ 0x04, FPE_FLTDIV },
		{ 0x01, FPE_FLTINV },
		{ 0x08, FPE_FLTOVF },
		{ 0x20, FPE_FLTRES },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_EQ(fault_catch(x87_operation, i, 0x037f), 0);
		CHECK_EQ(fault_catch(x87_operation, i, 0x037f & ~cases[i].mask),
			 SIGFPE);
		CHECK_EQ(fault.code, cases[i].code);
		CHECK_EQ(fault.trapno, 16);
		asm volatile("fninit");
	}
	return KTAP_OK;
}

static void sse_operation(uint64_t which, uint64_t mxcsr)
{
	uint32_t csr = mxcsr, normal = 0x1f80;
	static const double zero, one = 1.0, big = 1e308, small = 1e-308;
	double a = which == 1 ? zero :
		   which == 2 ? big :
		   which == 4 ? small :
				one;
	double b = which <= 1 ? zero :
		   which == 2 ? 1 / big :
		   which == 4 ? big :
				3.0;

	asm volatile("ldmxcsr %2\n\t"
		     "movsd %0, %%xmm0\n\t"
		     "divsd %1, %%xmm0\n\t"
		     "ldmxcsr %3"
		     :
		     : "m"(a), "m"(b), "m"(csr), "m"(normal)
		     : "xmm0");
}

static int sse_exceptions(void)
{
	static const struct {
		uint32_t mask;
		int code;
	} cases[] = {
		{ 0x0200, FPE_FLTDIV }, { 0x0080, FPE_FLTINV },
		{ 0x0400, FPE_FLTOVF }, { 0x1000, FPE_FLTRES },
		{ 0x0800, FPE_FLTUND },
	};
	uint32_t normal = 0x1f80;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_EQ(fault_catch(sse_operation, i, 0x1f80), 0);
		if (!fault_catch(sse_operation, i, 0x1f80 & ~cases[i].mask))
			SKIP("this CPU raises no SSE exceptions");
		CHECK_EQ(fault.sig, SIGFPE);
		CHECK_EQ(fault.code, cases[i].code);
		CHECK_EQ(fault.trapno, 19);
		asm volatile("ldmxcsr %0" : : "m"(normal));
	}
	/* Reserved bits are #GP. */
	CHECK_EQ(fault_catch(sse_operation, 0, 0x80001f80), SIGSEGV);
	CHECK_EQ(fault.trapno, 13);
	return KTAP_OK;
}

INSN(movaps_misaligned, "movaps -15(%rsp), %xmm0");
INSN(too_long, ".rept 15\n\t.byte 0x66\n\t.endr\n\tnop");

static int general_protection(void)
{
	CHECK_TRAP(movaps_misaligned, SIGSEGV, SI_KERNEL, 13, 0);
	CHECK_TRAP(too_long, SIGSEGV, SI_KERNEL, 13, 0);
	CHECK_EQ(fault.rip, (uint64_t)too_long);
	return KTAP_OK;
}

/* ---- Single steps by TF ---- */

/* A known number of instructions; the parts' names are where a step ends. */
extern void stepped(void);
extern char step_first[], step_syscall[], step_after[], step_last[], step_end[];
asm(".pushsection .text\n"
    "stepped:\n"
    "	pushfq\n"
    "	orq $0x100, (%rsp)\n"
    "	popfq\n"
    "step_first:\n"
    "	nop\n"
    "	mov $110, %eax\n" /* getppid */
    "step_syscall:\n"
    "	syscall\n"
    "step_after:\n"
    "	nop\n"
    "	mov $3, %ecx\n"
    "1:	dec %ecx\n"
    "	jnz 1b\n"
    "	pushfq\n"
    "	andq $~0x100, (%rsp)\n"
    "step_last:\n"
    "	popfq\n"
    "step_end:\n"
    "	nop\n"
    "	ret\n"
    "	.popsection");

static volatile uint64_t steps[64];
static volatile unsigned int step_count, step_bad;

static void note_step(int sig, siginfo_t *info, void *context)
{
	const greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	if (step_count < ARRAY_SIZE(steps))
		steps[step_count] = gregs[REG_RIP];
	step_count++;
	if (info->si_code != TRAP_TRACE || gregs[REG_TRAPNO] != 1 ||
	    !(gregs[REG_EFL] & FLAG_TF || gregs[REG_RIP] == (greg_t)step_end))
		step_bad++;
	if (read_flags() & FLAG_TF) /* a handler is not stepped */
		step_bad++;
}

static int step_round(void)
{
	bool at_syscall = false, after_syscall = false;
	int expected;

	step_count = step_bad = 0;
	stepped();
	for (unsigned int i = 0; i < step_count && i < ARRAY_SIZE(steps); i++) {
		if (steps[i] == (uint64_t)step_syscall)
			at_syscall = true;
		if (steps[i] == (uint64_t)step_after)
			after_syscall = true;
	}
	/*
	 * nop, mov, [syscall], nop, mov, 3 times dec and jnz, pushf, and, popf.
	 * SYSCALL clears TF, and the kernel comes back by IRET when TF is set:
	 * the trap is due after the next instruction, so the system call
	 * itself is not seen as a step.
	 */
	expected = 13;
	if (step_count != 13 || after_syscall)
		ktap_note("%u steps, %s after the system call", step_count,
			  after_syscall ? "one" : "none");
	CHECK_EQ(step_bad, 0);
	CHECK(at_syscall);
	CHECK(!after_syscall);
	CHECK_EQ(step_count, expected);
	CHECK_EQ(steps[step_count - 1], (uint64_t)step_end);
	CHECK(!(read_flags() & FLAG_TF));
	return KTAP_OK;
}

static int single_steps(void)
{
	struct sigaction sa = {
		.sa_sigaction = note_step, .sa_flags = SA_SIGINFO,
	}, old;
	int ret = KTAP_OK;

	CHECK(!sigaction(SIGTRAP, &sa, &old));
	for (int i = 0; i < 20 && !ret; i++)
		ret = step_round();
	CHECK(!sigaction(SIGTRAP, &old, NULL));
	return ret;
}

/* A page fault in between does not lose or add a step. */
extern void step_touch(void *p);
asm(".pushsection .text\n"
    "step_touch:\n"
    "	pushfq\n"
    "	orq $0x100, (%rsp)\n"
    "	popfq\n"
    "	movb $1, (%rdi)\n"
    "	nop\n"
    "	pushfq\n"
    "	andq $~0x100, (%rsp)\n"
    "	popfq\n"
    "	ret\n"
    "	.popsection");

static int single_steps_over_faults(void)
{
	struct sigaction sa = {
		.sa_sigaction = note_step, .sa_flags = SA_SIGINFO,
	}, old;
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	madvise(p, 16 * PAGE, MADV_NOHUGEPAGE);
	CHECK(!sigaction(SIGTRAP, &sa, &old));
	for (int i = 0; i < 16; i++) {
		step_count = 0;
		step_touch(p + i * PAGE);
		CHECK_EQ(step_count, 5);
		CHECK_EQ(p[i * PAGE], 1);
	}
	CHECK(!sigaction(SIGTRAP, &old, NULL));
	CHECK(!munmap(p, 16 * PAGE));
	return KTAP_OK;
}

/* ---- ptrace ---- */

/* What the tracee runs, from wherever the tracer sends it. */
extern char tracee_steps[], tracee_steps_end[], tracee_add[], tracee_calls[];
extern char tracee_watch[], tracee_watch_read[], tracee_watched[];
extern char tracee_watch_end[];
extern uint64_t watched_word;
asm(".pushsection .text\n"
    "tracee_steps:\n" /* 1 + 10 * 3 + 2 + 1 instructions */
    "	mov $10, %ecx\n"
    "1:	add $7, %rax\n"
    "	dec %ecx\n"
    "	jnz 1b\n"
    "	xor %edx, %edx\n"
    "	rep stosb\n" /* with RCX = 0: nothing, one step */
    "	nop\n"
    "tracee_steps_end:\n"
    "	int3\n"
    "tracee_add:\n"
    "	add %rbx, %rax\n"
    "	add %rcx, %rax\n"
    "	add %r15, %rax\n"
    "	paddq %xmm7, %xmm6\n"
    "	int3\n"
    "tracee_calls:\n"
    "	mov $20, %ebx\n"
    "1:	mov $110, %eax\n"
    "	syscall\n"
    "	dec %ebx\n"
    "	jnz 1b\n"
    "	int3\n"
    "tracee_watch:\n"
    "	nop\n"
    "tracee_watch_read:\n"
    "	nop\n"
    "	movq $77, watched_word(%rip)\n"
    "tracee_watched:\n"
    "	nop\n"
    "tracee_watch_end:\n"
    "	int3\n"
    "	.popsection\n"
    "	.pushsection .data\n"
    "	.balign 8\n"
    "watched_word: .quad 0\n"
    "	.popsection");

static pid_t tracee;

/* Until the next stop: its signal, or -1 when it is no stop. */
static int wait_stop(void)
{
	int status;

	while (waitpid(tracee, &status, __WALL) < 0)
		if (errno != EINTR)
			return -1;
	return WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}

static int start_tracee(void)
{
	tracee = fork();
	if (!tracee) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(99);
	}
	CHECK(tracee > 0);
	CHECK_EQ(wait_stop(), SIGSTOP);
	CHECK(!ptrace(PTRACE_SETOPTIONS, tracee, NULL,
		      PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD));
	return KTAP_OK;
}

static void end_tracee(void)
{
	kill(tracee, SIGKILL);
	reap(tracee);
}

/* Send the tracee to an address, out of whatever system call it sleeps in. */
static int send_to(const char *where, struct user_regs_struct *regs)
{
	CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, regs));
	regs->rip = (uint64_t)where;
	regs->orig_rax = -1;
	CHECK(!ptrace(PTRACE_SETREGS, tracee, NULL, regs));
	return KTAP_OK;
}

static int traced_steps(void)
{
	struct user_regs_struct regs;
	int count = 0;

	CHECK_RUN(start_tracee());
	CHECK_RUN(send_to(tracee_steps, &regs));
	regs.rax = 1000;
	CHECK(!ptrace(PTRACE_SETREGS, tracee, NULL, &regs));
	do {
		CHECK(!ptrace(PTRACE_SINGLESTEP, tracee, NULL, NULL));
		CHECK_EQ(wait_stop(), SIGTRAP);
		CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
		CHECK(!(regs.eflags & FLAG_TF)); /* hidden from view */
		count++;
	} while (regs.rip != (uint64_t)tracee_steps_end && count < 1000);
	CHECK_EQ(count, 1 + 10 * 3 + 3);
	CHECK_EQ(regs.rax, 1070);
	CHECK_EQ(regs.rcx, 0);
	end_tracee();
	return KTAP_OK;
}

static int traced_registers(void)
{
	struct user_regs_struct regs;
	struct user_fpregs_struct fp;
	uint64_t two[2] = { 0x1111111111111111, 5 };

	CHECK_RUN(start_tracee());
	for (uint64_t i = 0; i < 20; i++) {
		CHECK_RUN(send_to(tracee_add, &regs));
		regs.rax = i;
		regs.rbx = 0x100000000;
		regs.rcx = 0x7000;
		regs.r15 = ~0ULL;
		regs.r10 = 0xabcdef;
		regs.r11 = 0x1234;
		CHECK(!ptrace(PTRACE_SETREGS, tracee, NULL, &regs));
		CHECK(!ptrace(PTRACE_GETFPREGS, tracee, NULL, &fp));
		memcpy(&fp.xmm_space[6 * 4], two, 16);
		memcpy(&fp.xmm_space[7 * 4], two, 16);
		CHECK(!ptrace(PTRACE_SETFPREGS, tracee, NULL, &fp));
		CHECK(!ptrace(PTRACE_CONT, tracee, NULL, NULL));
		CHECK_EQ(wait_stop(), SIGTRAP);
		CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
		CHECK_EQ(regs.rax, i + 0x100000000 + 0x7000 - 1);
		CHECK_EQ(regs.rip, (uint64_t)tracee_calls);
		CHECK_EQ(regs.r10, 0xabcdef);
		CHECK_EQ(regs.r11, 0x1234);
		CHECK_EQ(regs.cs, 0x33);
		CHECK_EQ(regs.ss, 0x2b);
		CHECK(regs.eflags & FLAG_IF);
		CHECK(!ptrace(PTRACE_GETFPREGS, tracee, NULL, &fp));
		CHECK_EQ(((uint64_t *)fp.xmm_space)[12], 0x2222222222222222);
		CHECK_EQ(((uint64_t *)fp.xmm_space)[13], 10);
	}
	end_tracee();
	return KTAP_OK;
}

/* Registers that must not be set so are refused or made harmless. */
static int traced_bad_registers(void)
{
	struct user_regs_struct regs;

	CHECK_RUN(start_tracee());
	CHECK_RUN(send_to(tracee_steps_end, &regs));
	regs.cs = 0x10;
	CHECK(ptrace(PTRACE_SETREGS, tracee, NULL, &regs) < 0);
	CHECK_EQ(errno, EIO);
	CHECK_RUN(send_to(tracee_steps_end, &regs));
	regs.gs_base = 0xffff878000000000;
	CHECK(ptrace(PTRACE_SETREGS, tracee, NULL, &regs) < 0);
	CHECK_EQ(errno, EIO);
	/* IF and IOPL are not the tracer's to change. */
	CHECK_RUN(send_to(tracee_steps_end, &regs));
	regs.eflags = FLAG_IOPL | 2;
	CHECK(!ptrace(PTRACE_SETREGS, tracee, NULL, &regs));
	CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
	CHECK_EQ(regs.eflags & (FLAG_IF | FLAG_IOPL), FLAG_IF);
	CHECK(!ptrace(PTRACE_CONT, tracee, NULL, NULL));
	CHECK_EQ(wait_stop(), SIGTRAP);
	/* Into kernel addresses and non-canonical ones: only it faults. */
	CHECK_RUN(send_to((char *)0xffff878000000000, &regs));
	CHECK(!ptrace(PTRACE_CONT, tracee, NULL, NULL));
	CHECK_EQ(wait_stop(), SIGSEGV);
	CHECK_RUN(send_to((char *)0x8000000000000000, &regs));
	CHECK(!ptrace(PTRACE_CONT, tracee, NULL, NULL));
	CHECK_EQ(wait_stop(), SIGSEGV);
	end_tracee();
	return KTAP_OK;
}

static int traced_syscalls(void)
{
	struct user_regs_struct regs;
	int stops = 0, sig;

	CHECK_RUN(start_tracee());
	CHECK_RUN(send_to(tracee_calls, &regs));
	for (;;) {
		CHECK(!ptrace(PTRACE_SYSCALL, tracee, NULL, NULL));
		sig = wait_stop();
		if (sig != (SIGTRAP | 0x80))
			break;
		CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
		CHECK_EQ(regs.orig_rax, SYS_getppid);
		if (stops++ % 2)
			CHECK_EQ(regs.rax, getpid());
		else
			CHECK_EQ(regs.rax, -ENOSYS);
	}
	CHECK_EQ(sig, SIGTRAP);
	CHECK_EQ(stops, 40);
	/* A changed number and a changed result. */
	CHECK_RUN(send_to(tracee_calls, &regs));
	CHECK(!ptrace(PTRACE_SYSCALL, tracee, NULL, NULL));
	CHECK_EQ(wait_stop(), SIGTRAP | 0x80);
	CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
	regs.orig_rax = SYS_getpid;
	CHECK(!ptrace(PTRACE_SETREGS, tracee, NULL, &regs));
	CHECK(!ptrace(PTRACE_SYSCALL, tracee, NULL, NULL));
	CHECK_EQ(wait_stop(), SIGTRAP | 0x80);
	CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
	CHECK_EQ(regs.rax, tracee);
	end_tracee();
	return KTAP_OK;
}

/* Steps over a SYSCALL instruction: one each, as for any other. */
static int traced_steps_over_syscalls(void)
{
	struct user_regs_struct regs;
	int count = 0;

	CHECK_RUN(start_tracee());
	CHECK_RUN(send_to(tracee_calls, &regs));
	do {
		CHECK(!ptrace(PTRACE_SINGLESTEP, tracee, NULL, NULL));
		CHECK_EQ(wait_stop(), SIGTRAP);
		CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
		count++;
	} while (regs.rip != (uint64_t)tracee_watch - 1 && count < 1000);
	CHECK_EQ(count, 1 + 20 * 4);
	end_tracee();
	return KTAP_OK;
}

#define DEBUGREG(n) (offsetof(struct user, u_debugreg) + 8 * (n))

static bool poke_debugreg(int n, uint64_t value)
{
	return !ptrace(PTRACE_POKEUSER, tracee, DEBUGREG(n), value);
}

static uint64_t peek_debugreg(int n)
{
	errno = 0;
	return ptrace(PTRACE_PEEKUSER, tracee, DEBUGREG(n), NULL);
}

static int hardware_breakpoints(void)
{
	struct user_regs_struct regs;
	siginfo_t info;

	watched_word = 0;
	CHECK_RUN(start_tracee());
	if (!poke_debugreg(0, (uint64_t)tracee_watch_read) ||
	    !poke_debugreg(7, 0x1)) {
		int why = errno;

		end_tracee();
		SKIP("debug registers refused: errno %d", why);
	}
	/* Breakpoint on an instruction: before it. */
	CHECK_RUN(send_to(tracee_watch, &regs));
	CHECK(!ptrace(PTRACE_CONT, tracee, NULL, NULL));
	CHECK_EQ(wait_stop(), SIGTRAP);
	CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
	CHECK_EQ(regs.rip, (uint64_t)tracee_watch_read);
	CHECK(!ptrace(PTRACE_GETSIGINFO, tracee, NULL, &info));
	CHECK_EQ(info.si_code, TRAP_HWBKPT);
	CHECK_EQ(peek_debugreg(6) & 0xf, 1);
	/* Goes on past it, to the end, once. */
	CHECK(!ptrace(PTRACE_CONT, tracee, NULL, NULL));
	CHECK_EQ(wait_stop(), SIGTRAP);
	CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
	CHECK_EQ(regs.rip, (uint64_t)tracee_watch_end + 1);
	/* Watch point on 8 bytes written, in register 2: after the write. */
	CHECK(poke_debugreg(7, 0));
	CHECK(poke_debugreg(2, (uint64_t)&watched_word));
	CHECK(poke_debugreg(7, 0x1 << 4 | 0x9UL << 24));
	CHECK(poke_debugreg(6, 0));
	CHECK_RUN(send_to(tracee_watch, &regs));
	CHECK(!ptrace(PTRACE_CONT, tracee, NULL, NULL));
	CHECK_EQ(wait_stop(), SIGTRAP);
	CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
	CHECK_EQ(regs.rip, (uint64_t)tracee_watched);
	CHECK_EQ(peek_debugreg(6) & 0xf, 4);
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, tracee, &watched_word, NULL), 77);
	CHECK_EQ(watched_word, 0);
	/* It is the tracee's alone: ours does not trap. */
	*(volatile uint64_t *)&watched_word = 1;
	CHECK_EQ(*(volatile uint64_t *)&watched_word, 1);
	/* Disarmed, nothing stops it. */
	CHECK(poke_debugreg(7, 0));
	CHECK_RUN(send_to(tracee_watch, &regs));
	CHECK(!ptrace(PTRACE_CONT, tracee, NULL, NULL));
	CHECK_EQ(wait_stop(), SIGTRAP);
	CHECK(!ptrace(PTRACE_GETREGS, tracee, NULL, &regs));
	CHECK_EQ(regs.rip, (uint64_t)tracee_watch_end + 1);
	/* The kernel's addresses are not to be watched. */
	CHECK(!poke_debugreg(0, 0xffffffff81000000) || !poke_debugreg(7, 0x1));
	CHECK(!poke_debugreg(0, 0xffff878000000000) || !poke_debugreg(7, 0x1));
	end_tracee();
	return KTAP_OK;
}

static int memory_by_ptrace(void)
{
	static volatile uint64_t word = 0x1234567812345678;

	CHECK_RUN(start_tracee());
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, tracee, &word, NULL), word);
	CHECK(!ptrace(PTRACE_POKEDATA, tracee, &word, 42));
	CHECK_EQ(ptrace(PTRACE_PEEKDATA, tracee, &word, NULL), 42);
	CHECK_EQ(word, 0x1234567812345678);
	/* Its code too, which is shared with ours, and read-only. */
	CHECK(!ptrace(PTRACE_POKETEXT, tracee, tracee_watch,
		      0xccccccccccccccccULL));
	CHECK_EQ(*(volatile uint8_t *)tracee_watch, 0x90);
	errno = 0;
	CHECK(ptrace(PTRACE_PEEKDATA, tracee, 0xffff878000000000, NULL) == -1);
	CHECK_EQ(errno, EIO);
	end_tracee();
	return KTAP_OK;
}

/* ---- Returning to bad places ---- */

static uint64_t bad_cs, bad_ss, bad_rip;

static void spoil_context(int sig, siginfo_t *info, void *context)
{
	greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t csgsfs = gregs[REG_CSGSFS];

	(void)sig;
	(void)info;
	if (bad_cs)
		csgsfs = (csgsfs & ~0xffffULL) | bad_cs;
	if (bad_ss)
		csgsfs = (csgsfs & 0xffffffffffffULL) | bad_ss << 48;
	gregs[REG_CSGSFS] = csgsfs;
	if (bad_rip)
		gregs[REG_RIP] = bad_rip;
}

static void raise_usr1(uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	raise(SIGUSR1);
}

/* Signal frames edited so that the return cannot work: a signal, no more. */
static int bad_signal_returns(void)
{
	static const struct {
		uint64_t cs, ss, rip;
	} cases[] = {
		{ 0x10, 0, 0 },
		{ 0x13, 0, 0 },
		{ 0x2b, 0, 0 },
		{ 0x47, 0, 0 },
		{ 0xfffb, 0, 0 },
		{ 0, 0x33, 0 },
		{ 0, 0x18, 0 },
		{ 0, 0, 0x8000000000000000 },
		{ 0, 0, 0xffff878000000000 },
		{ 0, 0, 0xffffffff81000000 },
		{ 0, 0, 0xffffffffffffd000 },
	};
	struct sigaction sa = {
		.sa_sigaction = spoil_context,
		.sa_flags = SA_SIGINFO,
	};

	CHECK(!sigaction(SIGUSR1, &sa, NULL));
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		bad_cs = cases[i].cs;
		bad_ss = cases[i].ss;
		bad_rip = cases[i].rip;
		if (fault_catch(raise_usr1, 0, 0) != SIGSEGV)
			ktap_note("case %u: signal %d, vector %d", i, fault.sig,
				  (int)fault.trapno);
		CHECK(fault.sig == SIGSEGV || fault.sig == SIGBUS);
	}
	return KTAP_OK;
}

int main(void)
{
	static const struct ktap_test tests[] = {
		{ "divide errors", divide_error },
		{ "invalid opcodes", invalid_opcode },
		{ "INTO in 64-bit code", invalid_into },
		{ "LOCK where it may not be", invalid_lock },
		{ "breakpoint instructions", breakpoint },
		{ "overflow gate", overflow_gate },
		{ "ICEBP", icebp },
		{ "privileged instructions refused", privileged_refused },
		{ "cache flushes refused", cache_flushes_refused },
		{ "253 interrupt gates refused", interrupt_gates },
		{ "int $0x80 in 64-bit code", int80_in_64_bit },
		{ "bad selectors refused", bad_selectors },
		{ "visible descriptors", visible_descriptors },
		{ "32-bit code segment and back", compatibility_mode },
		{ "table registers (not compared)", table_registers },
		{ "flags register", flags_register },
		{ "flags kept over system calls", flags_kept },
		{ "alignment check", alignment_check },
		{ "x87 exceptions", x87_exceptions },
		{ "SSE exceptions", sse_exceptions },
		{ "general protection by operands", general_protection },
		{ "single steps, also over a system call", single_steps },
		{ "single steps over page faults", single_steps_over_faults },
		{ "ptrace: single steps", traced_steps },
		{ "ptrace: registers", traced_registers },
		{ "ptrace: bad registers", traced_bad_registers },
		{ "ptrace: system calls", traced_syscalls },
		{ "ptrace: single steps over system calls",
		  traced_steps_over_syscalls },
		{ "ptrace: hardware breakpoints", hardware_breakpoints },
		{ "ptrace: memory", memory_by_ptrace },
		{ "bad returns from signals", bad_signal_returns },
	};

	/* Debug registers and steps on one CPU: deterministic, and quicker. */
	pin_to_one_cpu();
	fault_init();
	return ktap_run(tests, ARRAY_SIZE(tests));
}
