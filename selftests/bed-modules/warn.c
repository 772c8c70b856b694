// SPDX-License-Identifier: GPL-2.0
/*
 * A planted report. Loaded into the disposable host, it must turn the bed red
 * whatever the command said: a bed that misses it would miss ours. "kind=" says
 * which: a WARN on any host, and what only the debug hosts can see.
 */
#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

static char *kind = "warn";
module_param(kind, charp, 0);
MODULE_PARM_DESC(kind, "warn, free, list, locks, race, shift or sleep");

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static unsigned int raced;
static int far = 40;

static void use_after_free(void)
{
	char *p = kmalloc(100, GFP_KERNEL);

	kfree(p);
	if (p)
		READ_ONCE(*p);
}

/* Taken out twice, by the look of it: nothing else has this list. */
static void corrupt_list(void)
{
	static struct list_head member;
	LIST_HEAD(list);

	list_add(&member, &list);
	member.prev = &member;
	list_del(&member);
}

static void sleep_where_none_may(void)
{
	preempt_disable();
	mutex_lock(&first);
	mutex_unlock(&first);
	preempt_enable();
}

/* Harmless in one thread; it is the order that is wrong. */
static void take_both_ways(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static int count(void *unused)
{
	while (!kthread_should_stop()) {
		raced++;
		cond_resched();
	}
	return 0;
}

static int race(void)
{
	struct task_struct *other = kthread_run(count, NULL, "race");
	int i;

	if (IS_ERR(other))
		return PTR_ERR(other);
	for (i = 0; i < 5000; i++) {
		raced++;
		usleep_range(500, 1000);
	}
	kthread_stop(other);
	return 0;
}

static int __init warn_init(void)
{
	if (!strcmp(kind, "race"))
		return race();
	if (!strcmp(kind, "free"))
		use_after_free();
	else if (!strcmp(kind, "list"))
		corrupt_list();
	else if (!strcmp(kind, "sleep"))
		sleep_where_none_may();
	else if (!strcmp(kind, "locks"))
		take_both_ways();
	else if (!strcmp(kind, "shift"))
		raced = 1 << READ_ONCE(far);
	else
		WARN(1, "planted by the bed's own test\n");
	return 0;
}
module_init(warn_init);

MODULE_DESCRIPTION("Ringlet's test bed: a planted report");
MODULE_LICENSE("GPL");
