// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/ringlet and the fds that come from it: the ioctl API of the uapi header.
 * Arguments are copied and checked here; what they mean is in vm.c and vcpu.c.
 *
 * Host kernel, process context.
 */
#include "ringlet.h"

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>

/* A VM belongs to one address space; fds can travel, page tables cannot. */
static bool own_mm(const struct ringlet_vm *vm)
{
	return current->mm == vm->mm;
}

static long ioctl_regs(struct ringlet_vcpu *vcpu, unsigned int cmd,
		       void __user *arg)
{
	struct ringlet_regs regs;
	int ret;

	if (cmd == RINGLET_GET_REGS) {
		ret = ringlet_vcpu_get_regs(vcpu, &regs);
		return ret ?:
			       copy_to_user(arg, &regs, sizeof(regs)) ?
			       -EFAULT :
			       0;
	}
	if (copy_from_user(&regs, arg, sizeof(regs)))
		return -EFAULT;
	return ringlet_vcpu_set_regs(vcpu, &regs);
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ringlet_vcpu *vcpu = file->private_data;
	long ret;

	if (!own_mm(vcpu->vm))
		return -EIO;
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	switch (cmd) {
	case RINGLET_RUN:
		ret = arg ? -EINVAL : ringlet_vcpu_run(vcpu);
		break;
	case RINGLET_GET_REGS:
	case RINGLET_SET_REGS:
		ret = ioctl_regs(vcpu, cmd, (void __user *)arg);
		break;
	default:
		ret = -ENOTTY;
	}
	mutex_unlock(&vcpu->mutex);
	return ret;
}

/* The page goes with the VM, which the mapping's file keeps. */
static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ringlet_vcpu *vcpu = file->private_data;

	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return vm_insert_page(vma, vma->vm_start, virt_to_page(vcpu->run));
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct ringlet_vcpu *vcpu = file->private_data;

	/* None: there was a file, but no vCPU could be made for it. */
	if (vcpu)
		ringlet_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_release,
	.llseek = noop_llseek,
};

/*
 * The fd and the file before the vCPU: a vCPU lives as long as its VM, and one
 * that nobody can reach would take its number with it.
 */
static long create_vcpu(struct ringlet_vm *vm, unsigned long id)
{
	struct ringlet_vcpu *vcpu;
	struct file *file;
	int fd, ret;

	if (id > U32_MAX)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = anon_inode_getfile("ringlet-vcpu", &vcpu_fops, NULL, O_RDWR);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto no_file;
	}
	ret = ringlet_vm_create_vcpu(vm, id, &vcpu);
	if (ret)
		goto no_vcpu;
	ringlet_vm_get(vm);
	file->private_data = vcpu;
	fd_install(fd, file);
	return fd;

no_vcpu:
	fput(file);
no_file:
	put_unused_fd(fd);
	return ret;
}

static long set_memory(struct ringlet_vm *vm, void __user *arg)
{
	struct ringlet_memory memory;

	if (copy_from_user(&memory, arg, sizeof(memory)))
		return -EFAULT;
	return ringlet_vm_set_memory(vm, &memory);
}

/* All lines go to the boot vCPU, stopped or not. */
static long raise_irq(struct ringlet_vm *vm, unsigned long line)
{
	struct ringlet_vcpu *vcpu;

	if (line >= RINGLET_IRQ_IPI || line == RINGLET_IRQ_TIMER)
		return -EINVAL;
	vcpu = ringlet_vm_vcpu(vm, 0);
	if (!vcpu)
		return -ENXIO;
	ringlet_vcpu_raise(vcpu, line);
	return 0;
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ringlet_vm *vm = file->private_data;

	if (!own_mm(vm))
		return -EIO;
	switch (cmd) {
	case RINGLET_SET_MEMORY:
		return set_memory(vm, (void __user *)arg);
	case RINGLET_CREATE_VCPU:
		return create_vcpu(vm, arg);
	case RINGLET_IRQ_RAISE:
		return raise_irq(vm, arg);
	}
	return -ENOTTY;
}

static int vm_release(struct inode *inode, struct file *file)
{
	ringlet_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.release = vm_release,
	.llseek = noop_llseek,
};

static long create_vm(unsigned long flags)
{
	struct ringlet_vm *vm;
	int fd;

	if (flags)
		return -EINVAL;
	vm = ringlet_vm_create();
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	fd = anon_inode_getfd("ringlet-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		ringlet_vm_put(vm);
	return fd;
}

static long get_info(void __user *arg)
{
	struct ringlet_info info = {
		.api_version = RINGLET_API_VERSION,
		.abi_version = RINGLET_ABI_VERSION,
		.run_size = PAGE_SIZE,
		.max_vcpus = RINGLET_MAX_VCPUS,
		.module_version = RINGLET_MODULE_VERSION,
	};

	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case RINGLET_GET_API_VERSION:
		return arg ? -EINVAL : RINGLET_API_VERSION;
	case RINGLET_GET_INFO:
		return get_info((void __user *)arg);
	case RINGLET_CREATE_VM:
		return create_vm(arg);
	}
	return -ENOTTY;
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.llseek = noop_llseek,
};

/* The group, kvm, is udev's to give: module/60-ringlet.rules. */
static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ringlet",
	.mode = 0660,
	.fops = &device_fops,
};

/**
 * ringlet_device_init() - make /dev/ringlet
 *
 * Return: 0 or a negative errno.
 */
int ringlet_device_init(void)
{
	return misc_register(&device);
}

/**
 * ringlet_device_exit() - remove it
 */
void ringlet_device_exit(void)
{
	misc_deregister(&device);
}
