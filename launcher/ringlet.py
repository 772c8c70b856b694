# SPDX-License-Identifier: GPL-2.0
#
# kunit.py in a Ringlet guest, from any 6.12 tree that guest-pvops was applied to:
#
#	tools/testing/kunit/kunit.py run --qemu_config=.../ringlet.py
#
# kunit.py makes the program's name from qemu_arch: qemu-system-ringlet, which
# has to be in PATH. kernel_path is the vmlinux, which spares the unpacking.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='x86_64',
			   kconfig='''
CONFIG_HYPERVISOR_GUEST=y
CONFIG_PARAVIRT=y
CONFIG_RINGLET_GUEST=y
CONFIG_TTY=y
CONFIG_PRINTK=y
CONFIG_VIRTIO_MENU=y
CONFIG_VIRTIO_MMIO=y
CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y
CONFIG_VIRTIO_CONSOLE=y''',
			   qemu_arch='ringlet',
			   kernel_path='vmlinux',
			   kernel_command_line='console=hvc0',
			   extra_qemu_params=[])
