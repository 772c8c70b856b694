# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# What tests share. Sourced by each, wherever it runs; plain sh, for busybox. $TESTS is the
# folder of the tests, $WORK an empty one that is taken away afterwards, $LEVEL how thorough to be.

# What programs reach in the module adds up, over a boot's tests.
[ ! -e /sys/kernel/debug/kcov ] || export COVERAGE=/tmp/coverage

n=0
failed=0
echo "KTAP version 1"

note() { echo "# $*"; }

# result ok|"not ok" NAME
result() {
	n=$((n + 1))
	echo "$1 $n $2"
	[ "$1" = ok ] || failed=1
}

# check NAME COMMAND…: right if the command is.
check() {
	claim=$1
	shift
	if "$@"; then
		result ok "$claim"
	else
		result "not ok" "$claim"
	fi
}

skip() { # NAME WHY
	n=$((n + 1))
	echo "ok $n $1 # SKIP $2"
}

finish() {
	echo "1..$n"
	exit $failed
}

# How often: in a smoke run, in a full one, in check-all.
count() {
	case $LEVEL in
	smoke) echo "$1" ;;
	full) echo "$2" ;;
	all) echo "$3" ;;
	esac
}

# ---- In the disposable host ----

# A guest; its console's output goes to $WORK/console.
guest() { ringlet run --kernel /boot/guest --log "$WORK/console" "$@"; }

# wait_for SECONDS COMMAND…: until the command is right.
wait_for() {
	tries=$(($1 * 10))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		usleep 100000
	done
}

# A guest in the background that runs until it is told not to: its pid is in $running.
start_guest() {
	: >"$WORK/started"
	# Not by guest(): its pid is to be the launcher's.
	ringlet run --kernel /boot/guest --log "$WORK/console" "$@" -- \
		sh -c 'echo up; while :; do :; done' >"$WORK/started" 2>"$WORK/started.err" &
	running=$!
	wait_for 60 grep -q up "$WORK/started" || {
		note "no guest came up: $(cat "$WORK/started.err")"
		return 1
	}
}
stop_guest() {
	kill -"${1:-TERM}" "$running"
	wait "$running" 2>/dev/null
}

# hmp SECONDS COMMAND…: to QEMU's monitor, every so many seconds until the next; 0: once. Only in a
# bed that has --monitor.
monitor_port() {
	for name in /sys/class/virtio-ports/*/name; do
		[ "$(cat "$name" 2>/dev/null)" != monitor ] || basename "${name%/name}"
	done
}
hmp() { echo "$*" >"/dev/$(monitor_port)"; }

# begin_work [COMMAND…]: a guest of two CPUs does the same work over and over, its launcher run by
# COMMAND; its pid is in $pid. The sums are what they are natively.
begin_work() {
	work='/programs/storm 4 1 7 | grep -v "^#" | md5sum'
	[ -e "$WORK/want" ] || eval "$work" >"$WORK/want"
	[ -e "$WORK/in" ] || mkfifo "$WORK/in"
	rm -f "$WORK/out" "$WORK/console"
	"$@" ringlet run --kernel /boot/guest --initrd "$(with_programs)" --log "$WORK/console" --mem 256M --cpus 2 -- \
		sh -c "exec 3<&0; (cat <&3 >/dev/null; : >/tmp/stop) & while [ ! -e /tmp/stop ]; do $work; done" <"$WORK/in" >"$WORK/out" 2>"$WORK/err" &
	pid=$!
	exec 7>"$WORK/in"
	wait_for 300 [ -s "$WORK/out" ] || note "the guest did not begin: $(cat "$WORK/err")"
}
# Complete lines only: one may be on its way.
work_done() { wc -l <"$WORK/out"; }
work_beyond() { [ "$(work_done)" -gt "$1" ]; }
work_right() { [ "$(head -n "$(work_done)" "$WORK/out" | sort -u)" = "$(cat "$WORK/want")" ]; }
# work_goes_on WHAT: a round is begun and finished from now on. Half of one may be done already.
work_goes_on() {
	rounds=$(work_done)
	check "$1: the guest goes on" wait_for 300 work_beyond $((rounds + 1))
	check "$1: and all of its work was right" work_right
}
# end_work WHAT: once more, now that it is over; then it ends with its stdin.
end_work() {
	work_goes_on "$1"
	exec 7>&-
	wait "$pid"
	status=$?
	check "$1: the guest comes to its end" [ $status = 0 ]
	check "$1: and its last work was right, too" work_right
	note "$(work_done) rounds of work"
	[ $status = 0 ] || tail -n 5 "$WORK/err" "$WORK/console" | sed 's/^/# /'
}

# oom_may_speak COMMAND…: the OOM killer says what looks like a splat, and names whom it kills. What
# is a splat panics, and that is on the console in any case; the test "quiet" passes over the rest.
oom_may_speak() {
	read -r level _ </proc/sys/kernel/printk
	echo 1 >/proc/sys/kernel/printk
	echo "test: the OOM killer may speak" >/dev/kmsg
	"$@"
	spoken=$?
	echo "test: that was all" >/dev/kmsg
	echo "$level" >/proc/sys/kernel/printk
	return $spoken
}
no_splat() { ! dmesg | grep -vE 'ommand line: |RCU CPU stall warnings timeout set' | grep -E 'WARNING:|BUG:|Oops|cut here|soft lockup|stall'; }

# stands_still PID: each of its threads, after SIGSTOP.
stands_still() { ! grep -h '^State:' "/proc/$1/task"/*/status | grep -v 'T (stopped)'; }

no_vm() { ! ls -d /sys/kernel/debug/ringlet/*-* 2>/dev/null; }

# The counters of a launcher's VM.
counters() { cat /sys/kernel/debug/ringlet/"$1"-*/counters; }

# pages_of MODULE: on a debug host, the stacks of pages that its functions asked for and still have.
# Those that became a slab, a table of the kernel's or a process's memory are not the module's own.
page_owner=/sys/kernel/debug/page_owner_stacks/show_stacks
pages_of() {
	awk -v module="$1" 'BEGIN { RS = "" }
		index($0, "[" module "]") && !/slab|vmalloc|pte_alloc|handle_mm_fault|stack_depot|kmemleak/' $page_owner
}
# check_pages: no guest is there, so no page is the module's. Asked of a debug host before the module
# is unloaded, for then its functions have no names any more.
no_pages() {
	pages_of ringlet >"$WORK/pages"
	[ ! -s "$WORK/pages" ]
}
check_pages() {
	[ -e $page_owner ] || return
	check "no page is the module's" wait_for 10 no_pages
	sed 's/^/# /' "$WORK/pages"
}

# Random numbers with a seed that is printed: seed; then random N is below N.
seed() {
	state=${SEED:-$(($(date +%s) % 100000 + 1))}
	note "seed $state"
}
random() {
	state=$(((state * 1103515245 + 12345) % 2147483648))
	# shellcheck disable=SC2034 # for the caller
	number=$((state / 65536 % $1))
}

# An initramfs that has the test programs too.
with_programs() {
	[ -e /tmp/with-programs ] || cat /usr/local/lib/ringlet/initramfs.cpio /boot/programs.cpio >/tmp/with-programs
	echo /tmp/with-programs
}
