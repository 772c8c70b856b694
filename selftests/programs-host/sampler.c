// SPDX-License-Identifier: GPL-2.0
/*
 * sampler SECONDS: what `perf record -a -e cpu-clock` does: samples all CPUs from a timer's
 * interrupt, with registers and call chain, and says how many samples there were of the module, of
 * other kernel text and of user space. Runs in the disposable host.
 */
#include <err.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGES 256
#define FREQUENCY 2000
#define CPUS_MAX 64

static unsigned long page, begin, end;
static unsigned long samples, module_samples, kernel_samples, user_samples;

/* Where the module lies: its first and last symbol. */
static void find_module(void)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[256];
	unsigned long a;

	if (!f)
		err(1, "/proc/kallsyms");
	while (fgets(line, sizeof(line), f)) {
		char *rest;

		a = strtoul(line, &rest, 16);
		/* Text: what is per CPU lies anywhere. */
		if (!strstr(line, "[ringlet]") || (rest[1] | 0x20) != 't')
			continue;
		if (!begin || a < begin)
			begin = a;
		if (a > end)
			end = a;
	}
	fclose(f);
	if (!end)
		errx(1, "no module ringlet");
}

static void *start(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = FREQUENCY,
		.freq = 1,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_CALLCHAIN,
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, 0);
	void *area;

	if (fd < 0)
		return NULL;
	area = mmap(NULL, (PAGES + 1) * page, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (area == MAP_FAILED)
		err(1, "mmap");
	return area;
}

static void count(uint64_t ip)
{
	samples++;
	if (ip >= begin && ip <= end)
		module_samples++;
	else if (ip >> 63)
		kernel_samples++;
	else
		user_samples++;
}

static void drain(struct perf_event_mmap_page *area)
{
	const char *data = (char *)area + page;
	uint64_t size = PAGES * page, tail = area->data_tail;
	uint64_t head = __atomic_load_n(&area->data_head, __ATOMIC_ACQUIRE);
	struct perf_event_header header;
	uint64_t ip;

	while (tail < head) {
		/* Headers and what follows are multiples of 8 bytes. */
		memcpy(&header, data + tail % size, sizeof(header));
		memcpy(&ip, data + (tail + sizeof(header)) % size, sizeof(ip));
		if (header.type == PERF_RECORD_SAMPLE)
			count(ip);
		tail += header.size;
	}
	__atomic_store_n(&area->data_tail, tail, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	void *areas[CPUS_MAX];
	int cpus, i, n;

	if (argc != 2)
		errx(1, "usage: sampler SECONDS");
	page = sysconf(_SC_PAGESIZE);
	find_module();
	for (cpus = 0; cpus < CPUS_MAX; cpus++) {
		areas[cpus] = start(cpus);
		if (!areas[cpus])
			break;
	}
	if (!cpus)
		err(1, "perf_event_open");
	for (n = atoi(argv[1]) * 50; n > 0; n--) {
		nanosleep(&pause, NULL);
		for (i = 0; i < cpus; i++)
			drain(areas[i]);
	}
	printf("cpus %d\nsamples %lu\nmodule %lu\nkernel %lu\nuser %lu\n", cpus,
	       samples, module_samples, kernel_samples, user_samples);
	return 0;
}
