// SPDX-License-Identifier: GPL-2.0
/*
 * State that is neither memory nor general registers: segments and their
 * bases, what CPUID and MSRs come to, the TSC.
 */
#include "payload.h"

/* ---- Selectors and bases ---- */

#define TLS_FLAT 0x00cff3000000ffffUL
#define TLS_BASE(base)                             \
	(TLS_FLAT | ((u64)(base)&0xffffff) << 16 | \
	 ((u64)(base) >> 24 & 0xff) << 56)
#define TLS_1 0x63
#define TLS_2 0x6b

SNIPPET(state_load, "mov %ebx, %fs\n\tmov %ecx, %gs\n\t"
		    "rdfsbase %rax\n\trdgsbase %rdx\n\tsyscall\n\t"
		    "mov %fs, %ebx\n\tmov %gs, %esi\n\t"
		    "rdfsbase %rax\n\trdgsbase %rdx\n\tint3");
SNIPPET(state_spin, "1: pause\n\tjmp 1b");
SNIPPET(state_look, "mov %fs, %ebx\n\tmov %gs, %esi\n\t"
		    "rdfsbase %rax\n\trdgsbase %rdx\n\tint3");
SNIPPET(state_write, "mov %ebx, %fs\n\twrfsbase %rdi\n\tint3");
SNIPPET(state_wrfs, "wrfsbase %rdi\n\tint3");
SNIPPET(state_wrgs, "wrgsbase %rdi\n\tint3");

/* User mode that has two TLS segments in FS and GS, after its system call. */
static struct context with_tls(void)
{
	struct context c = user_context(state_load);

	hypercall(RINGLET_HC_LOAD_TLS, TLS_BASE(0x12345000),
		  TLS_BASE(0xf2345000), 0);
	c.gpr[RBX] = TLS_1;
	c.gpr[RCX] = TLS_2;
	same("gate", run(&c)->gate, RINGLET_GATE_SYSCALL);
	return c;
}

/* A descriptor's base by loading it, kept over a system call and an exception. */
void payload_state_tls(void)
{
	struct context c = with_tls();

	same("FS base", c.gpr[RAX], 0x12345000);
	same("GS base", c.gpr[RDX], 0xf2345000);
	same("user_gsbase", shared()->user_gsbase, 0xf2345000);
	same("FS base in the kernel", rdfsbase(), 0x12345000);
	same("gate", run(&c)->gate, EXC_BP);
	same("FS", (u16)c.gpr[RBX], TLS_1);
	same("FS base", c.gpr[RAX], 0x12345000);
	same("GS base", c.gpr[RDX], 0xf2345000);
	/* GS itself is the user's still: mainline saves it at a switch. */
	same("GS", (u16)c.gpr[RSI], TLS_2);
	asm volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(0));
	wrgsbase(0);
}

/* A descriptor that goes while it is loaded takes selector and base along. */
void payload_state_tls_gone(void)
{
	struct context c = with_tls();

	hypercall(RINGLET_HC_LOAD_TLS, 0, TLS_BASE(0xf2345000), 0);
	same("FS base", rdfsbase(), 0);
	same("the other's", shared()->user_gsbase, 0xf2345000);
	hypercall(RINGLET_HC_LOAD_TLS, 0, 0, 0);
	same("user_gsbase", shared()->user_gsbase, 0);
	same("gate", run(&c)->gate, EXC_BP);
	same("FS", (u16)c.gpr[RBX], 0);
	same("GS", (u16)c.gpr[RSI], 0);
	same("FS base", c.gpr[RAX], 0);
	same("GS base", c.gpr[RDX], 0);
}

/* IRETQ makes any null selector 0. */
static void same_selector(const char *what, u64 got, u16 want)
{
	if (want > 3 || (got & 0xfffc))
		same(what, got & 0xffff, want);
}

/* The base and the selector are two things: one outlives changes of the other. */
void payload_state_bases(void)
{
	const u64 bases[] = { 0,
			      1,
			      0x12345,
			      0xffffffff,
			      1UL << 32,
			      LOWER_END - 1,
			      UPPER_START,
			      RINGLET_SHARED_VA,
			      0xffff878000003000,
			      ~0UL };
	const u16 selectors[] = { 0, 3, 0x2b, 0x33, TLS_1, TLS_2 };
	unsigned int i, k, way;

	hypercall(RINGLET_HC_LOAD_TLS, TLS_BASE(0x12345000),
		  TLS_BASE(0xf2345000), 0);
	for (i = 0; i < ARRAY_SIZE(bases); i++)
		for (k = 0; k < ARRAY_SIZE(selectors); k++)
			for (way = 0; way < 3; way++) {
				struct context c = user_context(state_write);

				c.gpr[RBX] = selectors[k];
				c.gpr[RDI] = bases[i];
				same("gate", run(&c)->gate, EXC_BP);
				/* Exits by the timer's doing, and by ours. */
				c = user_context(state_spin);
				hypercall(RINGLET_HC_SET_TIMER, 100000 * way, 0,
					  0);
				same("gate", run(&c)->gate,
				     RINGLET_GATE_INTERRUPT);
				shared()->pending = 0;
				shared()->irq_pending = 0;
				shared()->user_gsbase = bases[i] ^ 0x10;
				if (!((bases[i] ^ 0x10) + (1UL << 47) <
				      1UL << 48))
					shared()->user_gsbase = 0;
				c = user_context(state_look);
				same("gate", run(&c)->gate, EXC_BP);
				same_selector("FS", c.gpr[RBX], selectors[k]);
				same("FS base", c.gpr[RAX], bases[i]);
				same("GS base", c.gpr[RDX],
				     shared()->user_gsbase);
			}
	asm volatile("mov %0, %%fs" : : "r"(0));
	wrfsbase(0);
}

/* A base that is not canonical is #GP, in either mode, and changes nothing. */
void payload_state_bad_bases(void)
{
	const u64 bad[] = { LOWER_END, UPPER_START - 1, 1UL << 63,
			    0x4000000000000000 };
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		for (k = 0; k < 4; k++) {
			const u8 *snippet = k & 2 ? state_wrgs : state_wrfs;
			struct context c = k & 1 ? user_context(snippet) :
						   kernel_context(snippet);
			u64 rip = c.rip;
			struct event *e;

			/* On five levels the CPU takes more. */
			if (bad[i] == LOWER_END || bad[i] == UPPER_START - 1)
				continue;
			wrfsbase(0x1111);
			wrgsbase(0x2222);
			shared()->user_gsbase = 0x3333;
			c.gpr[RDI] = bad[i];
			e = run(&c);
			if (e->gate == EXC_BP) {
				lacks("#GP for a base that is not canonical");
				continue;
			}
			came(e, &c, EXC_GP, 0, rip);
			same("FS base", rdfsbase(), 0x1111);
			same("GS base", rdgsbase(), 0x2222);
			same("user_gsbase", e->user_gsbase, 0x3333);
		}
	wrfsbase(0);
	wrgsbase(0);
}

SNIPPET(state_wide, "wrfsbase %rdi\n\twrgsbase %rdi\n\tsyscall\n\t"
		    "rdfsbase %rax\n\trdgsbase %rdx\n\tint3");

/*
 * With five levels the CPU takes bases of 57 bits, and a user's is then what it
 * wrote, or null if it cannot be put back. Nothing else comes of it.
 */
void payload_state_wide_bases(void)
{
	const u64 wide[] = { LOWER_END, UPPER_START - 1, 0x00ffffffffffffff,
			     0xff00000000000000, 0xff0f000000003000 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wide); i++) {
		struct context c = user_context(state_wide);
		struct event *e;

		c.gpr[RDI] = wide[i];
		e = run(&c);
		if (e->gate == EXC_GP)
			continue;
		same("gate", e->gate, RINGLET_GATE_SYSCALL);
		e = run(&c);
		same("gate", e->gate, EXC_BP);
		if (c.gpr[RAX] != wide[i] && c.gpr[RAX])
			fail("FS base is %llx, not %llx", c.gpr[RAX], wide[i]);
		if (c.gpr[RDX] != wide[i] && c.gpr[RDX])
			fail("GS base is %llx, not %llx", c.gpr[RDX], wide[i]);
	}
	wrfsbase(0);
	wrgsbase(0);
}

SNIPPET(state_tls32, ".code32\n\tmov %ebx, %gs\n\tmov %gs:4, %eax\n\tint3\n\t"
		     "mov %gs:4, %ecx\n\tint3\n\t.code64");

/* What a 32-bit program does with it: its thread's data. */
void payload_state_tls32(void)
{
	u64 *data = at(*entry_of(pgd, USER_DATA, 1) & PTE_ADDR);
	struct context c = user_context(state_tls32);

	data[0] = 0x5555666677778888;
	hypercall(RINGLET_HC_LOAD_TLS, TLS_BASE(USER_DATA), 0, 0);
	c.cs = RINGLET_USER32_CS;
	c.gpr[RBX] = TLS_1;
	same("gate", run(&c)->gate, EXC_BP);
	same("what is there", (u32)c.gpr[RAX], 0x55556666);
	/* GS base is the user's when it comes back. */
	same("user_gsbase", shared()->user_gsbase, USER_DATA);
	same("gate", run(&c)->gate, EXC_BP);
	same("what is there", (u32)c.gpr[RCX], 0x55556666);
	asm volatile("mov %0, %%gs" : : "r"(0));
	wrgsbase(0);
}

SNIPPET(state_ds, "mov %ebx, %ds\n\tmov %ebx, %es\n\tint3\n\t"
		  "mov %ds, %eax\n\tmov %es, %ecx\n\tint3");

/* DS and ES are the user's own, over whatever comes between. */
void payload_state_data_selectors(void)
{
	const u16 selectors[] = { 0x2b, 0, TLS_1, 3 };
	unsigned int i;

	hypercall(RINGLET_HC_LOAD_TLS, TLS_FLAT, 0, 0);
	for (i = 0; i < ARRAY_SIZE(selectors); i++) {
		struct context c = user_context(state_ds), spin;

		c.gpr[RBX] = selectors[i];
		same("gate", run(&c)->gate, EXC_BP);
		spin = user_context(state_spin);
		hypercall(RINGLET_HC_SET_TIMER, 1000000, 0, 0);
		same("gate", run(&spin)->gate, RINGLET_GATE_INTERRUPT);
		shared()->pending = 0;
		shared()->irq_pending = 0;
		same("gate", run(&c)->gate, EXC_BP);
		same_selector("DS", c.gpr[RAX], selectors[i]);
		same_selector("ES", c.gpr[RCX], selectors[i]);
	}
	asm volatile("mov %0, %%ds; mov %0, %%es" : : "r"(0));
}

/* ---- MSRs ---- */

SNIPPET(state_rdmsr, "rdmsr\n\tint3");
SNIPPET(state_wrmsr, "wrmsr\n\tint3");

/*
 * Those of abi.md's table, which Linux's pv_ops answer, and others: the module
 * knows none of them.
 */
static const u32 msrs[] = {
	0xc0000100, 0xc0000101,
	0xc0000102, /* FS_BASE, GS_BASE, KERNEL_GS_BASE */
	0xc0000080, 0xc0000081,
	0xc0000082, 0xc0000083,
	0xc0000084, /* EFER ... */
	0x174,	    0x175,
	0x176, /* SYSENTER_* */
	0xc0000103, 0x10,
	0x3b,	    0x6e0, /* TSC_AUX, TSC, TSC_ADJUST, TSC_DEADLINE */
	0x277,	    0x1d9,
	0x8b,	    0x79,
	0x1b, /* PAT, DEBUGCTL, UCODE_REV, APICBASE */
	0xc0010015, 0xc001001f,
	0xc0011029, /* HWCR, NB_CFG, DE_CFG */
	0x48,	    0x49,
	0x10a,	    0x10b,
	0x122,	    0x123, /* SPEC_CTRL ... */
	0xda0,	    0x6a0,
	0x6a2,	    0x6a4,
	0x6a8,	    0x6e1, /* XSS, CET, PKRS */
	0x3a,	    0x480,
	0x48f,	    0xc0010114,
	0xc0010117, /* VMX, SVM */
	0x179,	    0x17a,
	0x400,	    0x401,
	0x2ff,	    0x200,
	0xfe, /* MCE, MTRR */
	0xc1,	    0x186,
	0x38f,	    0x390,
	0x3f1,	    0x600,
	0xc0010000, /* PMU, PEBS */
	0x802,	    0x808,
	0x80b,	    0x830,
	0x83f, /* x2APIC */
	0x1a0,	    0x1a2,
	0x198,	    0x199,
	0x610,	    0x606,
	0xce,	    0x140, /* power */
	0x1cc,	    0x1ce,
	0x1c4,	    0x1c5,
	0xc80, /* FRED, XFD, SGX */
	0x40000000, 0x40000001,
	0x4b564d00, 0xc0010130, /* hypervisors', SEV */
	0,	    1,
	2,	    0x17,
	0xe7,	    0xe8,
	0x12345678, 0x80000000,
	0xffffffff,
};

void payload_state_msrs(void)
{
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		for (k = 0; k < 4; k++) {
			const u8 *snippet = k & 2 ? state_wrmsr : state_rdmsr;
			struct context c = k & 1 ? user_context(snippet) :
						   kernel_context(snippet);
			u64 rip = c.rip;

			c.gpr[RCX] = msrs[i] | 0xdead00000000;
			c.gpr[RAX] = 0x1111;
			c.gpr[RDX] = 0x2222;
			if (!came(run(&c), &c, EXC_GP, 0, rip))
				fail("that was MSR %x", msrs[i]);
			same("RAX", c.gpr[RAX], 0x1111);
			same("RDX", c.gpr[RDX], 0x2222);
			same("RCX", c.gpr[RCX], msrs[i] | 0xdead00000000);
		}
}

/* ---- CPUID ---- */

#define B(n) (1U << (n))

static bool is_zero(struct cpuid c)
{
	return !(c.eax | c.ebx | c.ecx | c.edx);
}

/* What a guest kernel is not to see, and what it is to see always. */
void payload_state_cpuid(void)
{
	/* MONITOR VMX SMX EIST TM2 DCA x2APIC TSC-deadline; OSXSAVE apart */
	const u32 never1c = B(2) | B(3) | B(4) | B(5) | B(6) | B(7) | B(8) |
			    B(14) | B(15) | B(18) | B(21) | B(24);
	/* MCE APIC SEP MTRR MCA DS ACPI TM PBE, virtual-8086, DE */
	const u32 never1d = B(1) | B(2) | B(7) | B(9) | B(11) | B(12) | B(14) |
			    B(21) | B(22) | B(29) | B(31);
	/* SGX INVPCID RTM MPX PQM SMAP, processor trace */
	const u32 never7b = B(1) | B(2) | B(4) | B(10) | B(11) | B(12) | B(14) |
			    B(15) | B(20) | B(25);
	/* UMIP PKU OSPKE WAITPKG CET-SS TME LA57 KL bus lock ENQCMD SGX-LC PKS */
	const u32 never7c = B(2) | B(3) | B(4) | B(5) | B(7) | B(13) | B(16) |
			    B(23) | B(24) | B(29) | B(30) | B(31);
	/* SPEC_CTRL and its kin, AMX, CET-IBT, UINTR */
	const u32 never7d = B(5) | B(9) | B(10) | B(11) | B(13) | B(15) |
			    B(18) | B(19) | B(20) | B(22) | B(24) | B(25) |
			    B(26) | B(27) | B(28) | B(29) | B(30) | B(31);
	struct cpuid c = cpuid(0, 0), n;

	if (c.eax > 0x16)
		fail("the last leaf is %x", c.eax);
	n = native_cpuid(0, 0);
	same("the vendor", c.ebx, n.ebx);
	c = cpuid(1, 0);
	n = native_cpuid(1, 0);
	same("1.EAX", c.eax, n.eax);
	same("1.ECX of what is not there", c.ecx & never1c, 0);
	same("1.EDX of what is not there", c.edx & never1d, 0);
	same("PCID and HYPERVISOR", c.ecx & (B(17) | B(31)), B(17) | B(31));
	same("XSAVE with OSXSAVE", c.ecx >> 26 & 1, c.ecx >> 27 & 1);
	same("what the host has not", c.ecx & ~n.ecx & ~(B(17) | B(31)), 0);
	same("APIC ID", c.ebx >> 24, this_vcpu());
	same("HTT", c.edx >> 28 & 1, nr_vcpus() > 1);
	c = cpuid(7, 0);
	n = native_cpuid(7, 0);
	same("7.EBX of what is not there", c.ebx & never7b, 0);
	same("7.ECX of what is not there", c.ecx & never7c, 0);
	same("7.EDX of what is not there", c.edx & never7d, 0);
	same("what the host has not", c.ebx & ~n.ebx, 0);
	same("FSGSBASE", c.ebx & 1, 1);
	c = cpuid(0x80000001, 0);
	same("SVM", c.ecx & B(2), 0);
	same("SYSCALL, NX and long mode", c.edx & (B(11) | B(20) | B(29)),
	     B(11) | B(20) | B(29));
	c = cpuid(0x80000008, 0);
	same("virtual bits", c.eax >> 8 & 0xff, 48);
	if ((c.eax & 0xff) > 46 || (c.eax & 0xff) < 36)
		fail("%u physical bits", c.eax & 0xff);
	c = cpuid(0x40000000, 0);
	same("the last leaf of a hypervisor's", c.eax, 0x40000000);
	same("its name", c.ebx, 0x676e6952);
	same("its name", c.ecx, 0x5274656c);
	same("its name", c.edx, 0x6c676e69);
}

/* All leaves that are not in the list are zero, whatever the subleaf. */
void payload_state_cpuid_unlisted(void)
{
	static const u32 listed[] = { 0, 1, 2, 4, 7, 0xb, 0xd, 0x15, 0x16 };
	const u32 ends[] = { 0x1000,	 0x20000000, 0x40000001, 0x40000100,
			     0x4fffffff, 0x7fffffff, 0x80000009, 0x8000000a,
			     0x8000001f, 0x80000021, 0xc0000000, 0xffffffff };
	unsigned int leaf, i;

	for (leaf = 0; leaf < 0x100; leaf++) {
		bool known = false;

		for (i = 0; i < ARRAY_SIZE(listed); i++)
			known |= leaf == listed[i];
		if (known)
			continue;
		for (i = 0; i < 4; i++)
			same("a leaf that is not listed",
			     is_zero(cpuid(leaf, i)), true);
	}
	for (i = 0; i < ARRAY_SIZE(ends); i++)
		same("a leaf that is not listed", is_zero(cpuid(ends[i], 0)),
		     true);
	for (i = 2; i < 100; i++)
		same("a subleaf of leaf 7", is_zero(cpuid(7, i)), true);
	for (i = 64; i < 100; i++)
		same("a subleaf of leaf d", is_zero(cpuid(0xd, i)), true);
	same("a subleaf of leaf d", is_zero(cpuid(0xd, ~0U)), true);
}

SNIPPET(state_cpuid, "cpuid\n\tint3");

/* User mode executes it, and sees what the CPU says, as the kernel would. */
void payload_state_cpuid_native(void)
{
	u32 leaf;

	for (leaf = 0; leaf < 3; leaf++) {
		struct context c = user_context(state_cpuid);
		struct cpuid n = native_cpuid(leaf, 0);

		c.gpr[RAX] = leaf;
		same("gate", run(&c)->gate, EXC_BP);
		same("EAX", c.gpr[RAX], n.eax);
		same("ECX", c.gpr[RCX], n.ecx);
		same("EDX", c.gpr[RDX], n.edx);
	}
}

/* ---- The TSC ---- */

static u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (u64)high << 32;
}

SNIPPET(state_rdtsc, "rdtsc\n\tshl $32, %rdx\n\tor %rdx, %rax\n\tint3");

/* It does not go back, in no mode and over no exit, and goes as fast as it says. */
void payload_state_tsc(void)
{
	u64 last = rdtsc(), begun, from, ticks, ns, khz = shared()->tsc_khz;
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		struct context c = i & 1 ? user_context(state_rdtsc) :
					   kernel_context(state_rdtsc);
		u64 t;

		run(&c);
		t = rdtsc();
		if (c.gpr[RAX] < last || t < c.gpr[RAX])
			fail("the TSC went from %llu to %llu and %llu", last,
			     c.gpr[RAX], t);
		last = t;
	}
	if (!(shared()->features & RINGLET_FEATURE_TSC_STABLE) || !khz)
		return;
	begun = hypercall(RINGLET_HC_CLOCK, 0, 0, 0);
	from = rdtsc();
	do {
		ns = hypercall(RINGLET_HC_CLOCK, 0, 0, 0) - begun;
	} while (ns < 50000000);
	ticks = (rdtsc() - from) * 1000000 / khz;
	/* An emulated machine's clocks are not one. */
	if (ticks < ns / 2 || ticks > ns * 2)
		fail("%llu ns by the TSC, %llu by the clock", ticks, ns);
}
