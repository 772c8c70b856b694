// SPDX-License-Identifier: GPL-2.0
/*
 * The console device as its driver sees it: registers, negotiation, ports,
 * bytes both ways, and drivers that break the rules.
 */
#include <fcntl.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../memory.h"
#include "../virtio-console.h"
#include "ktap.h"

#define MEM_SIZE (1 * MiB)
#define BASE 0xd0000000ULL
#define NUM 16

static struct memory mem;
static struct virtio_console con;
static int wake_fd;

/* ---- Our ends of the ports ---- */

static u8 got[1024], to_send[1024];
static size_t got_len, room, send_len;
static bool finished, open_end = true;

static size_t put(void *data, const u8 *buf, size_t len)
{
	size_t n = min(len, room);

	(void)data;
	memcpy(got + got_len, buf, n);
	got_len += n;
	room -= n;
	return n;
}

static size_t get(void *data, u8 *buf, size_t len)
{
	size_t n = min(len, send_len);

	(void)data;
	memcpy(buf, to_send, n);
	memmove(to_send, to_send + n, send_len - n);
	send_len -= n;
	return n;
}

static void finish(void *data)
{
	(void)data;
	finished = true;
}

static bool is_open(void *data)
{
	(void)data;
	return open_end;
}

static const struct port_ops console_ops = { put, get, NULL, NULL };
static const struct port_ops ops = { put, get, finish, is_open };

/* ---- A driver, about as small as one can be ---- */

static u32 reg_read(u32 offset)
{
	u32 value;

	virtio_mmio_access(&con.dev, BASE + offset, (u8 *)&value, 4, false);
	return value;
}

static void reg_write(u32 offset, u32 value)
{
	virtio_mmio_access(&con.dev, BASE + offset, (u8 *)&value, 4, true);
}

/* Queue @q's rings and buffers lie in 32 KiB of their own. */
static u64 queue_gpa(u32 q)
{
	return 0x10000 + q * 0x8000;
}

static struct vring_desc *desc(u32 q)
{
	return memory_ptr(&mem, queue_gpa(q), 0);
}

static struct vring_avail *avail(u32 q)
{
	return memory_ptr(&mem, queue_gpa(q) + 0x1000, 0);
}

static struct vring_used *used(u32 q)
{
	return memory_ptr(&mem, queue_gpa(q) + 0x2000, 0);
}

static u8 *buffer(u32 q, u32 i)
{
	return memory_ptr(&mem, queue_gpa(q) + 0x3000 + i * 0x200, 0);
}

static void set_up_queue(u32 q)
{
	reg_write(VIRTIO_MMIO_QUEUE_SEL, q);
	reg_write(VIRTIO_MMIO_QUEUE_NUM, NUM);
	reg_write(VIRTIO_MMIO_QUEUE_DESC_LOW, queue_gpa(q));
	reg_write(VIRTIO_MMIO_QUEUE_AVAIL_LOW, queue_gpa(q) + 0x1000);
	reg_write(VIRTIO_MMIO_QUEUE_USED_LOW, queue_gpa(q) + 0x2000);
	reg_write(VIRTIO_MMIO_QUEUE_READY, 1);
}

static void offer(u32 q, u32 len, bool in)
{
	u16 i = avail(q)->idx % NUM;

	desc(q)[i] = (struct vring_desc){
		.addr = queue_gpa(q) + 0x3000 + i * 0x200,
		.len = len,
		.flags = in ? VRING_DESC_F_WRITE : 0,
	};
	avail(q)->ring[i] = i;
	avail(q)->idx++;
}

static void send(u32 q, const void *data, u32 len)
{
	memcpy(buffer(q, avail(q)->idx % NUM), data, len);
	offer(q, len, false);
	reg_write(VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

static void control(u32 id, u16 event, u16 value)
{
	struct virtio_console_control msg = { id, event, value };

	send(3, &msg, sizeof(msg));
}

/* The i-th message that arrived in the control queue. */
static bool arrived(u32 i, u32 id, u16 event, u16 value)
{
	struct virtio_console_control msg;

	memcpy(&msg, buffer(2, i % NUM), sizeof(msg));
	return i < used(2)->idx && msg.id == id && msg.event == event &&
	       msg.value == value;
}

static void start_driver(void)
{
	u32 q, i;

	memset(memory_ptr(&mem, 0, MEM_SIZE), 0, MEM_SIZE);
	reg_write(VIRTIO_MMIO_STATUS, 0);
	reg_write(VIRTIO_MMIO_STATUS, 3);
	reg_write(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg_write(VIRTIO_MMIO_DRIVER_FEATURES, 1 << VIRTIO_CONSOLE_F_MULTIPORT);
	reg_write(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	reg_write(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	reg_write(VIRTIO_MMIO_STATUS, 11);
	for (q = 0; q < 6; q++)
		set_up_queue(q);
	for (i = 0; i < NUM; i++)
		offer(2, 0x200, true);
	reg_write(VIRTIO_MMIO_STATUS, 15);
	got_len = 0;
	room = sizeof(got);
	finished = false;
}

/* ---- The tests ---- */

static void test_registers(void)
{
	u8 byte[8] = { 0 };
	bool ok;
	u32 q;

	ok = reg_read(VIRTIO_MMIO_MAGIC_VALUE) == 0x74726976 &&
	     reg_read(VIRTIO_MMIO_VERSION) == 2 &&
	     reg_read(VIRTIO_MMIO_DEVICE_ID) == 3;
	check(ok, "it is a virtio console");
	ok = virtio_mmio_access(&con.dev, BASE + 0x104, byte, 1, false) &&
	     byte[0] == 2 &&
	     virtio_mmio_access(&con.dev, BASE + 0x104, byte, 8, false) &&
	     byte[0] == 2 &&
	     virtio_mmio_access(&con.dev, BASE + 0xfff, byte, 8, false) &&
	     !byte[0];
	check(ok, "config space in any size");
	ok = !virtio_mmio_access(&con.dev, BASE + 0x1000, byte, 4, false) &&
	     !virtio_mmio_access(&con.dev, BASE - 4, byte, 4, false);
	check(ok, "and nothing beside it");
	reg_write(VIRTIO_MMIO_STATUS, 3);
	reg_write(VIRTIO_MMIO_DRIVER_FEATURES, ~0U);
	reg_write(VIRTIO_MMIO_STATUS, 11);
	check(!(reg_read(VIRTIO_MMIO_STATUS) & 8),
	      "features not offered are refused");
	reg_write(VIRTIO_MMIO_QUEUE_SEL, 1000);
	reg_write(VIRTIO_MMIO_QUEUE_READY, 1);
	reg_write(VIRTIO_MMIO_QUEUE_NOTIFY, 1000);
	ok = true;
	check(!reg_read(VIRTIO_MMIO_QUEUE_NUM_MAX), "there is no queue 1000");
	for (q = 6; q < CONSOLE_MAX_QUEUES; q++) {
		reg_write(VIRTIO_MMIO_QUEUE_SEL, q);
		ok = ok && !reg_read(VIRTIO_MMIO_QUEUE_NUM_MAX);
		reg_write(VIRTIO_MMIO_QUEUE_NOTIFY, q);
	}
	check(ok, "nor one without a port, and nobody is there for its bell");
}

static void test_ports(void)
{
	bool ok;

	start_driver();
	control(~0U, VIRTIO_CONSOLE_DEVICE_READY, 1);
	ok = arrived(0, 0, VIRTIO_CONSOLE_PORT_ADD, 1) &&
	     arrived(1, 1, VIRTIO_CONSOLE_PORT_ADD, 1);
	check(ok, "two ports are added");
	control(0, VIRTIO_CONSOLE_PORT_READY, 1);
	ok = arrived(2, 0, VIRTIO_CONSOLE_CONSOLE_PORT, 1) &&
	     arrived(3, 0, VIRTIO_CONSOLE_RESIZE, 1) &&
	     arrived(4, 0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	check(ok, "port 0 is a console");
	control(1, VIRTIO_CONSOLE_PORT_READY, 1);
	ok = arrived(5, 1, VIRTIO_CONSOLE_PORT_NAME, 1) &&
	     !memcmp(buffer(2, 5) + sizeof(struct virtio_console_control),
		     "test", 4) &&
	     used(2)->ring[5].len ==
		     sizeof(struct virtio_console_control) + 4 &&
	     arrived(6, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	check(ok, "port 1 has its name");
	control(77, VIRTIO_CONSOLE_PORT_READY, 1);
	check(used(2)->idx == 7, "port 77 is nobody's");
	check(reg_read(VIRTIO_MMIO_INTERRUPT_STATUS) == VIRTIO_MMIO_INT_VRING,
	      "an interrupt is pending");
	reg_write(VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	check(!reg_read(VIRTIO_MMIO_INTERRUPT_STATUS), "until acknowledged");
}

static void test_output(void)
{
	bool ok;

	send(5, "hello", 5);
	check(got_len == 5 && !memcmp(got, "hello", 5) && used(5)->idx == 1,
	      "output");
	room = 3;
	send(5, "abcdef", 6);
	ok = got_len == 8 && used(5)->idx == 1 &&
	     !virtio_console_output_empty(&con, true) &&
	     !virtio_console_output_empty(&con, false);
	check(ok, "what does not fit waits");
	room = 100;
	virtio_console_service(&con);
	ok = got_len == 11 && !memcmp(got + 5, "abcdef", 6) &&
	     used(5)->idx == 2 && virtio_console_output_empty(&con, true);
	check(ok, "and comes once");
}

static void test_input(void)
{
	bool ok;

	memcpy(to_send, "input", 5);
	send_len = 5;
	offer(4, 3, true);
	reg_write(VIRTIO_MMIO_QUEUE_NOTIFY, 4);
	check(used(4)->idx == 0, "no input before the guest opens");
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	ok = used(4)->idx == 1 && used(4)->ring[0].len == 3 &&
	     !memcmp(buffer(4, 0), "inp", 3);
	check(ok, "as much as its buffer takes");
	offer(4, 64, true);
	reg_write(VIRTIO_MMIO_QUEUE_NOTIFY, 4);
	check(used(4)->ring[1].len == 2 && !memcmp(buffer(4, 1), "ut", 2),
	      "then the rest");
}

static void test_closing(void)
{
	open_end = false;
	virtio_console_service(&con);
	check(arrived(7, 1, VIRTIO_CONSOLE_PORT_OPEN, 0), "our end closes");
	virtio_console_service(&con);
	check(used(2)->idx == 8, "and says so once");
	open_end = true;
	room = 0;
	send(5, "tail", 4);
	control(1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	check(!finished, "the guest's end is not closed before its last bytes");
	room = 100;
	virtio_console_service(&con);
	check(finished && !memcmp(got + got_len - 4, "tail", 4), "then it is");
}

static void test_hostile(void)
{
	start_driver();
	desc(5)[0] = (struct vring_desc){ .addr = MEM_SIZE, .len = 4 };
	avail(5)->idx = 1;
	reg_write(VIRTIO_MMIO_QUEUE_NOTIFY, 5);
	check(reg_read(VIRTIO_MMIO_STATUS) & 0x40, "a bad ring: needs reset");
	reg_write(VIRTIO_MMIO_QUEUE_NOTIFY, 5);
	start_driver();
	check(!(reg_read(VIRTIO_MMIO_STATUS) & 0x40), "which a reset mends");
	control(~0U, VIRTIO_CONSOLE_DEVICE_READY, 1);
	for (int i = 0; i < 100000; i++) {
		reg_write(VIRTIO_MMIO_QUEUE_NOTIFY, 3);
		control(i % 3, i % 10, i & 1);
	}
	check(used(3)->idx == (u16)100001, "a flood of control messages");
}

/* A guest that makes a new buffer available as soon as one is taken. */
static size_t put_and_offer(void *data, const u8 *buf, size_t len)
{
	(void)data;
	(void)buf;
	offer(5, 8, false);
	return len;
}

static const struct port_ops endless_ops = { put_and_offer, get, NULL, NULL };

static void test_endless(void)
{
	eventfd_t count = 0;

	con.ports[1].ops = &endless_ops;
	eventfd_read(wake_fd, &count);
	con.lost = false;
	set_up_queue(5);
	used(5)->idx = avail(5)->idx = 0;
	send(5, "endless", 8);
	check(used(5)->idx == VIRTQUEUE_MAX,
	      "a ring's length is served at once");
	check(!eventfd_read(wake_fd, &count),
	      "and the rest is asked for again");
	virtio_console_service(&con);
	check(used(5)->idx == 2 * VIRTQUEUE_MAX, "which goes on there");
	reg_write(VIRTIO_MMIO_STATUS, 0);
	check(con.lost, "a reset with output in the queue is noticed");
	con.ports[1].ops = &ops;
}

int main(void)
{
	ktap_start();
	mem = (struct memory){
		.size = MEM_SIZE,
		.nr_slots = 1,
		.slot[0].size = MEM_SIZE,
		.slot[0].hva = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	};
	wake_fd = eventfd(0, EFD_NONBLOCK);
	virtio_console_init(&con, &mem, -1, BASE, 5, wake_fd);
	virtio_console_add_port(&con, NULL, &console_ops, NULL);
	virtio_console_add_port(&con, "test", &ops, NULL);
	test_registers();
	test_ports();
	test_output();
	test_input();
	test_closing();
	test_hostile();
	test_endless();
	return ktap_end();
}
