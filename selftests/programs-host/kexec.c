// SPDX-License-Identifier: GPL-2.0
/*
 * kexec: asks the kernel to have another one ready, of one empty page, and says what came of it.
 * Runs as root in a guest, or wherever nobody reboots afterwards.
 */
#include <errno.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WHERE (64UL << 20)

int main(void)
{
	static char page[4096];
	struct kexec_segment segment = {
		.buf = page,
		.bufsz = sizeof(page),
		.mem = (void *)WHERE,
		.memsz = sizeof(page),
	};

	if (syscall(SYS_kexec_load, WHERE, 1UL, &segment, KEXEC_ARCH_DEFAULT)) {
		printf("kexec_load: %s\n", strerror(errno));
		return 1;
	}
	puts("kexec_load: accepted");
	return 0;
}
