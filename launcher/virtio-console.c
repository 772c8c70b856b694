// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio console device with several ports (virtio 1.x, section 5.3): port
 * 0 is the guest's hvc0, the others are named byte pipes for whatever the
 * launcher connects to them through struct port_ops.
 *
 * The device's lock is held throughout. A console driver spins with interrupts
 * off until its bytes are taken, so output is taken right in the vCPU thread
 * that rang the bell; input and what did not fit come from the I/O thread by
 * virtio_console_service(). The lock of a stream nests inside the device's.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/eventfd.h>

#include "memory.h"
#include "virtio-console.h"

/*
 * Messages that a port waits to send, in the order in which they go. Bits and
 * not a queue: whatever a guest does, there is never more to remember.
 */
/* clang-format off */
#define CONTROL_ADD	0x1
#define CONTROL_CONSOLE	0x2
#define CONTROL_RESIZE	0x4
#define CONTROL_NAME	0x8
#define CONTROL_OPEN	0x10
/* clang-format on */

/* Queues 0 and 1 are port 0's, 2 and 3 control, 4 and 5 port 1's, ... */
#define CONTROL_RX 2
#define CONTROL_TX 3

static struct virtio_console *to_console(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_console, dev);
}

static struct virtqueue *rx_queue(struct virtio_console *con, u32 port)
{
	return &con->queues[port ? 2 + 2 * port : 0];
}

static struct virtqueue *tx_queue(struct virtio_console *con, u32 port)
{
	return rx_queue(con, port) + 1;
}

static void give_back(struct virtio_console *con, struct virtqueue *vq,
		      const struct virtqueue_chain *chain, u32 written)
{
	if (virtqueue_pop(vq, chain, written))
		virtio_interrupt(&con->dev, VIRTIO_MMIO_INT_VRING);
}

/* Copies into the chain's writable parts; returns how much there was room for. */
static u32 fill_chain(const struct virtqueue_chain *chain, const void *data,
		      u32 len)
{
	const struct iovec *iov = &chain->iov[chain->nr_out];
	u32 i, n, done = 0;

	for (i = 0; i < chain->nr_in && done < len; i++) {
		n = min(len - done, iov[i].iov_len);
		memcpy(iov[i].iov_base, data + done, n);
		done += n;
	}
	return done;
}

/* ---- Control messages to the guest ---- */

struct control_message {
	struct virtio_console_control control;
	u8 data[64];
	u32 data_len;
};

static void make_message(struct virtio_console *con, u32 id, u32 what,
			 struct control_message *msg)
{
	struct console_port *port = &con->ports[id];
	struct {
		u16 cols;
		u16 rows;
	} size = { con->config.cols, con->config.rows };

	*msg = (struct control_message){ .control = { .id = id, .value = 1 } };
	switch (what) {
	case CONTROL_ADD:
		msg->control.event = VIRTIO_CONSOLE_PORT_ADD;
		break;
	case CONTROL_CONSOLE:
		msg->control.event = VIRTIO_CONSOLE_CONSOLE_PORT;
		break;
	case CONTROL_RESIZE:
		msg->control.event = VIRTIO_CONSOLE_RESIZE;
		memcpy(msg->data, &size, sizeof(size));
		msg->data_len = sizeof(size);
		break;
	case CONTROL_NAME:
		msg->control.event = VIRTIO_CONSOLE_PORT_NAME;
		msg->data_len = strlen(port->name);
		memcpy(msg->data, port->name, msg->data_len);
		break;
	case CONTROL_OPEN:
		msg->control.event = VIRTIO_CONSOLE_PORT_OPEN;
		msg->control.value = port->told_open;
		break;
	}
}

static bool send_control(struct virtio_console *con, u32 id, u32 what)
{
	struct virtqueue *vq = &con->queues[CONTROL_RX];
	struct virtqueue_chain chain;
	struct control_message msg;
	u8 bytes[sizeof(msg.control) + sizeof(msg.data)];

	if (!virtqueue_peek(vq, &chain))
		return false;
	make_message(con, id, what, &msg);
	memcpy(bytes, &msg.control, sizeof(msg.control));
	memcpy(bytes + sizeof(msg.control), msg.data, msg.data_len);
	give_back(con, vq, &chain,
		  fill_chain(&chain, bytes,
			     sizeof(msg.control) + msg.data_len));
	return true;
}

static void send_pending_control(struct virtio_console *con)
{
	struct console_port *port;
	u32 id, what;

	for (id = 0; id < con->nr_ports; id++) {
		port = &con->ports[id];
		while (port->pending) {
			what = port->pending & -port->pending;
			if (!send_control(con, id, what))
				goto out;
			port->pending &= ~what;
		}
	}
out:
	virtio_check_queue(&con->dev, &con->queues[CONTROL_RX]);
}

static void tell_open(struct console_port *port, bool open)
{
	if (!port->ready || port->told_open == open)
		return;
	port->told_open = open;
	port->pending |= CONTROL_OPEN;
}

/* ---- Control messages from the guest ---- */

static void device_ready(struct virtio_console *con)
{
	u32 id;

	for (id = 0; id < con->nr_ports; id++)
		con->ports[id].pending |= CONTROL_ADD;
}

static void port_ready(struct console_port *port)
{
	port->ready = true;
	port->pending |= port->name ? CONTROL_NAME :
				      CONTROL_CONSOLE | CONTROL_RESIZE;
	tell_open(port, true);
}

static void port_open(struct console_port *port, bool open)
{
	if (port->guest_open && !open)
		port->guest_closed = true;
	port->guest_open = open;
}

static void take_control(struct virtio_console *con,
			 const struct virtio_console_control *msg)
{
	struct console_port *port =
		msg->id < con->nr_ports ? &con->ports[msg->id] : NULL;

	if (msg->event == VIRTIO_CONSOLE_DEVICE_READY && msg->value)
		device_ready(con);
	else if (msg->event == VIRTIO_CONSOLE_PORT_READY && port && msg->value)
		port_ready(port);
	else if (msg->event == VIRTIO_CONSOLE_PORT_OPEN && port)
		port_open(port, msg->value);
}

/*
 * May one more buffer be served, @n having been? A guest that offers new ones
 * as fast as they come back would keep the thread here, the device's lock with
 * it, from its signals and its timeout: after a ring's length others' turn comes.
 */
static bool may_serve(struct virtio_console *con, u32 *n)
{
	if ((*n)++ < VIRTQUEUE_MAX)
		return true;
	eventfd_write(con->wake_fd, 1);
	return false;
}

static void receive_control(struct virtio_console *con)
{
	struct virtqueue *vq = &con->queues[CONTROL_TX];
	struct virtio_console_control msg;
	struct virtqueue_chain chain;
	u32 n = 0;

	while (virtqueue_peek(vq, &chain) && may_serve(con, &n)) {
		if (chain.nr_out && chain.iov[0].iov_len >= sizeof(msg)) {
			memcpy(&msg, chain.iov[0].iov_base, sizeof(msg));
			take_control(con, &msg);
		}
		give_back(con, vq, &chain, 0);
	}
	virtio_check_queue(&con->dev, vq);
}

/* ---- Data ---- */

/*
 * Puts what our end takes of one buffer. True if that was all of it; else
 * port->put_done remembers where to go on.
 */
static bool put_chain(struct console_port *port,
		      const struct virtqueue_chain *chain)
{
	size_t skip = port->put_done, len, n;
	u32 i;

	for (i = 0; i < chain->nr_out; i++) {
		len = chain->iov[i].iov_len;
		if (skip >= len) {
			skip -= len;
			continue;
		}
		len -= skip;
		n = port->ops->put(port->data, chain->iov[i].iov_base + skip,
				   len);
		port->put_done += n;
		if (n < len)
			return false;
		skip = 0;
	}
	port->put_done = 0;
	return true;
}

static void service_output(struct virtio_console *con, u32 id)
{
	struct console_port *port = &con->ports[id];
	struct virtqueue *vq = tx_queue(con, id);
	struct virtqueue_chain chain;
	u32 n = 0;

	while (virtqueue_peek(vq, &chain)) {
		if (!may_serve(con, &n) || !put_chain(port, &chain))
			return;
		give_back(con, vq, &chain, 0);
	}
	virtio_check_queue(&con->dev, vq);
	if (port->guest_closed) {
		port->guest_closed = false;
		if (port->ops->finish)
			port->ops->finish(port->data);
	}
}

static void service_input(struct virtio_console *con, u32 id)
{
	struct console_port *port = &con->ports[id];
	struct virtqueue *vq = rx_queue(con, id);
	struct virtqueue_chain chain;
	u8 data[PAGE_SIZE];
	u32 i, served = 0;
	size_t n, room;

	if (!port->ops->get || !port->guest_open)
		return;
	while (virtqueue_peek(vq, &chain) && may_serve(con, &served)) {
		for (room = 0, i = 0; i < chain.nr_in; i++)
			room += chain.iov[chain.nr_out + i].iov_len;
		n = port->ops->get(port->data, data, min(room, sizeof(data)));
		if (!n)
			break;
		give_back(con, vq, &chain, fill_chain(&chain, data, n));
	}
	virtio_check_queue(&con->dev, vq);
}

static void service_port(struct virtio_console *con, u32 id)
{
	struct console_port *port = &con->ports[id];

	service_output(con, id);
	service_input(con, id);
	if (port->ops->is_open)
		tell_open(port, port->ops->is_open(port->data));
}

static void service_all(struct virtio_console *con)
{
	u32 id;

	receive_control(con);
	for (id = 0; id < con->nr_ports; id++)
		service_port(con, id);
	send_pending_control(con);
}

/* ---- The interface ---- */

static void console_notify(struct virtio_device *dev, u32 queue)
{
	struct virtio_console *con = to_console(dev);

	if (queue == CONTROL_RX || queue == CONTROL_TX)
		service_all(con);
	else
		service_port(con, queue < 2 ? 0 : queue / 2 - 1);
	send_pending_control(con);
}

static void console_reset(struct virtio_device *dev)
{
	struct virtio_console *con = to_console(dev);
	struct virtqueue_chain chain;
	struct console_port *port;
	u32 id;

	for (id = 0; id < con->nr_ports; id++) {
		port = &con->ports[id];
		if (port->name && virtqueue_peek(tx_queue(con, id), &chain))
			con->lost = true;
		port->ready = false;
		port->told_open = false;
		port->guest_open = false;
		port->pending = 0;
		port->put_done = 0;
	}
}

static const struct virtio_ops console_ops = {
	.notify = console_notify,
	.reset = console_reset,
};

void virtio_console_init(struct virtio_console *con, const struct memory *mem,
			 int vm_fd, u64 gpa, u32 irq, int wake_fd)
{
	con->wake_fd = wake_fd;
	con->dev = (struct virtio_device){
		.name = "console",
		.gpa = gpa,
		.irq = irq,
		.vm_fd = vm_fd,
		.id = VIRTIO_ID_CONSOLE,
		.features = 1ULL << VIRTIO_F_VERSION_1 |
			    1ULL << VIRTIO_RING_F_INDIRECT_DESC |
			    1ULL << VIRTIO_CONSOLE_F_SIZE |
			    1ULL << VIRTIO_CONSOLE_F_MULTIPORT,
		.config = &con->config,
		.config_len = sizeof(con->config),
		.queues = con->queues,
		.nr_queues = CONSOLE_MAX_QUEUES,
		.ops = &console_ops,
	};
	virtio_device_init(&con->dev, mem);
	/* A queue without a port behind it is none: they come in pairs. */
	con->dev.nr_queues = 0;
}

struct console_port *virtio_console_add_port(struct virtio_console *con,
					     const char *name,
					     const struct port_ops *ops,
					     void *data)
{
	struct console_port *port = &con->ports[con->nr_ports++];

	con->config.max_nr_ports = con->nr_ports;
	con->dev.nr_queues = 2 + 2 * con->nr_ports;
	port->name = name;
	port->ops = ops;
	port->data = data;
	return port;
}

/* The terminal changed its size; the guest learns it by message and by config. */
void virtio_console_resize(struct virtio_console *con, u16 cols, u16 rows)
{
	pthread_mutex_lock(&con->dev.lock);
	con->config.cols = cols;
	con->config.rows = rows;
	con->dev.generation++;
	if (con->ports[0].ready)
		con->ports[0].pending |= CONTROL_RESIZE;
	send_pending_control(con);
	pthread_mutex_unlock(&con->dev.lock);
}

/* Moves whatever can move: streams have bytes, or room, that they had not. */
void virtio_console_service(struct virtio_console *con)
{
	pthread_mutex_lock(&con->dev.lock);
	service_all(con);
	pthread_mutex_unlock(&con->dev.lock);
}

bool virtio_console_output_empty(struct virtio_console *con, bool named)
{
	struct virtqueue_chain chain;
	bool empty = true;
	u32 id;

	pthread_mutex_lock(&con->dev.lock);
	for (id = 0; id < con->nr_ports; id++)
		if ((con->ports[id].name || !named) &&
		    virtqueue_peek(tx_queue(con, id), &chain))
			empty = false;
	pthread_mutex_unlock(&con->dev.lock);
	return empty;
}
