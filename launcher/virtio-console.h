/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LAUNCHER_VIRTIO_CONSOLE_H
#define LAUNCHER_VIRTIO_CONSOLE_H

#include <linux/virtio_console.h>

#include "types.h"
#include "virtio-mmio.h"

#define CONSOLE_MAX_PORTS 8
#define CONSOLE_MAX_QUEUES (2 + 2 * CONSOLE_MAX_PORTS)

/**
 * struct port_ops - the launcher's end of a port; the device's lock is held
 * @put: bytes from the guest; returns how many were taken. What was not is
 *	offered again at the next virtio_console_service()
 * @get: bytes for the guest; returns how many there were
 * @finish: the guest closed the port and all its bytes were put
 * @is_open: false once nothing will be got, or nobody wants what is put; the
 *	guest is told so after the last byte. NULL: always open
 */
struct port_ops {
	size_t (*put)(void *data, const u8 *buf, size_t len);
	size_t (*get)(void *data, u8 *buf, size_t len);
	void (*finish)(void *data);
	bool (*is_open)(void *data);
};

/**
 * struct console_port - one of the device's ports
 * @name: NULL makes it a console (hvc) in the guest
 * @ops: our end
 * @data: for @ops
 * @ready: the guest made the port
 * @told_open: what we last told the guest about our end
 * @guest_open: what the guest last told us about its own
 * @guest_closed: it was open and is not any more
 * @pending: CONTROL_* messages to send
 * @put_done: bytes of the first available buffer that were put already
 */
struct console_port {
	const char *name;
	const struct port_ops *ops;
	void *data;
	bool ready;
	bool told_open;
	bool guest_open;
	bool guest_closed;
	u32 pending;
	size_t put_done;
};

/**
 * struct virtio_console - the device
 * @dev: what it has in common with others
 * @config: its configuration space
 * @queues: two for each port, and two for control messages
 * @ports: in use up to @nr_ports
 * @nr_ports: of them
 * @wake_fd: an eventfd: call virtio_console_service() soon
 * @lost: the guest took back output that it had given to a named port
 */
struct virtio_console {
	struct virtio_device dev;
	struct virtio_console_config config;
	struct virtqueue queues[CONSOLE_MAX_QUEUES];
	struct console_port ports[CONSOLE_MAX_PORTS];
	u32 nr_ports;
	int wake_fd;
	bool lost;
};

void virtio_console_init(struct virtio_console *con, const struct memory *mem,
			 int vm_fd, u64 gpa, u32 irq, int wake_fd);
struct console_port *virtio_console_add_port(struct virtio_console *con,
					     const char *name,
					     const struct port_ops *ops,
					     void *data);
void virtio_console_resize(struct virtio_console *con, u16 cols, u16 rows);
void virtio_console_service(struct virtio_console *con);
/* True if all that the guest wrote was put: into any port, or into those with a name. */
bool virtio_console_output_empty(struct virtio_console *con, bool named);

#endif
