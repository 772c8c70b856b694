#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# How a run ends, by every way there is: exit status, sentence, status file; and the terminal, put
# back each time. The module is played (scripted.c), so that this runs on any machine; the test
# "status" of selftests does the same with the real one.
set -u

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
n=0
failed=0

result() { # ok|"not ok" NAME
	n=$((n + 1))
	echo "$1 $n $2"
	[ "$1" = ok ] || failed=1
}
check() { # NAME COMMAND...
	name=$1
	shift
	if "$@"; then result ok "$name"; else result "not ok" "$name"; fi
}

# The smallest kernel: one segment, two notes, nothing in them that runs.
"$here/image" --write "$work/kernel" || exit

# run SCRIPT ARGUMENT...: a guest that does what the script says.
run() {
	script=$1
	shift
	RINGLET_SCRIPT=$script "$here/ringlet-scripted" run --kernel "$work/kernel" --initrd none --mem 64M "$@"
}

# ends NAME STATUS REASON SENTENCE SCRIPT ARGUMENT...: with what it says on stderr, all of it.
ends() {
	name=$1 want=$2 reason=$3 sentence=$4

	rm -f "$work/status"
	script=$5
	shift 5
	run "$script" --status-file "$work/status" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	if [ $status = "$want" ] && grep -q "\"reason\": \"$reason\"" "$work/status" &&
	   grep -q "\"status\": $want," "$work/status" && [ "$(cat "$work/err")" = "$sentence" ]; then
		result ok "$name"
	else
		result "not ok" "$name"
		echo "# status $status"
		sed 's/^/# /' "$work/status" "$work/err"
	fi
}

echo "KTAP version 1"
ends "poweroff" 0 poweroff "" poweroff
ends "restart" 0 reboot "" reboot
ends "a panic" 255 panic "ringlet: the guest kernel panicked: Oops" panic:Oops
ends "killed" 255 killed "ringlet: the guest was killed: bad-page" kill:bad-page
ends "ended before its command" 255 no-status \
	"ringlet: the guest ended before its command; see its log" poweroff --log "$work/log" -- true
ends "timeout" 124 timeout \
	"ringlet: the guest did not end within 0.2 seconds; give more --timeout, or see its log" hang --timeout 0.2
ends "the module fails" 125 error \
	"ringlet: the module cannot run the guest (EIO, Input/output error): see dmesg" fail:5
ends "for want of memory" 125 error \
	"ringlet: the module cannot run the guest (ENOMEM, Cannot allocate memory): free memory of the host, or give less --mem" \
	fail:12
ends "a sentence is plain text" 255 panic "ringlet: the guest kernel panicked: a?b" "panic:a$(printf '\033')b"
for queue in 4 5 6 17 18 0xffffffff; do
	ends "nobody is there for the bell of queue $queue" 0 poweroff "" "mmio:0xd0000050,$queue poweroff"
done

# One who got hold of the launcher can open, start, reach and send nothing. System calls by number:
# open, openat, socket, execve, fork, clone without CLONE_THREAD, kill, tgkill of another, ptrace,
# process_vm_writev, rename, seccomp, bpf, io_uring_setup, TIOCSTI, and code by mmap and mprotect.
for call in 2 257 41 59 57 56,17 62,1,0 234,1,1,0 101 311 82 317 321 425 16,0,0x5412 9,0,4096,7 10,0,4096,4; do
	ends "no system call $call" 125 error \
		"ringlet: the launcher was about to make system call ${call%%,*}, which it never makes: a bug of Ringlet's, or a guest that broke out; please report it" \
		"breach:$call poweroff"
done
run "breach:435,0 poweroff" >"$work/out" 2>"$work/err" </dev/null
check "clone3 is as if it were not there" [ "$?,$(cat "$work/out")" = "0,errno 38" ]
run "breach:13,31,0,0 poweroff" >"$work/out" 2>"$work/err" </dev/null
check "who takes the fence away is killed by SIGSYS" [ $? = 159 ]
: >"$work/out"
RINGLET_SCRIPT="say:up hang" "$here/ringlet-scripted" run --kernel "$work/kernel" --initrd none --mem 64M \
	--timeout 20 --log /dev/fd/8 --status-file /dev/fd/9 >"$work/out" 2>&1 </dev/null \
	7<"$work/kernel" 8>"$work/log" 9>"$work/status" &
pid=$!
while ! grep -q up "$work/out"; do sleep 0.05; done
cat /proc/$pid/task/*/status >"$work/threads"
readlink /proc/$pid/fd/* >"$work/fds"
kill $pid
wait $pid
threads=$(grep -c '^Pid:' "$work/threads")
check "no thread has a capability, or can get one" [ "$(grep -cE '^Cap(Inh|Prm|Eff|Amb):	0*$' "$work/threads")" = $((4 * threads)) ]
check "or another list of system calls" [ "$(grep -cE '^NoNewPrivs:	1|^Seccomp:	2' "$work/threads")" = $((2 * threads)) ]
check "nothing is open that it was started with" [ "$(grep -cx "$work/kernel\|$work/log\|$work/status" "$work/fds")" = 2 ]
check "but what it was told to write to" [ "$(cat "$work/log"),$(grep -c interrupt "$work/status")" = up,1 ]
check "and there are three or four" [ "$threads" = 3 -o "$threads" = 4 ]

# Not by reading it: this machine may have less.
truncate -s 1T "$work/large"
ends "an initrd larger than the guest" 125 error "ringlet: the initrd $work/large has 1048576M, and the guest 64M; give more --mem" \
	poweroff --initrd "$work/large"

# A sentence begins on a line of its own where it is seen with the guest's.
run "say:half panic:x" >"$work/out" 2>&1 </dev/null
check "a sentence after half a line" [ "$(cat "$work/out")" = "$(printf 'half\nringlet: the guest kernel panicked: x')" ]
run "say:half panic:x" >"$work/out" 2>"$work/err" </dev/null
check "and nothing is added elsewhere" [ "$(cat "$work/out"; cat "$work/err")" = "halfringlet: the guest kernel panicked: x" ]
run "say:text poweroff" --log "$work/log" >"$work/out" </dev/null
check "the log is a copy of the console" [ "$(cat "$work/log" "$work/out")" = texttext ]
run "say:text poweroff" >/dev/full 2>"$work/err" </dev/null
check "a full disk: 125 and why" [ "$?,$(cat "$work/err")" = \
	"125,ringlet: cannot write to stdout: No space left on device; output is lost" ]
run "say:text poweroff" >&- 2>"$work/err" </dev/null
check "a stdout that is closed: 125 and why" [ "$?,$(cat "$work/err")" = \
	"125,ringlet: cannot write to stdout: Bad file descriptor; output is lost" ]
run "poweroff" >&- 2>"$work/err" </dev/null
check "unless there is nothing to write" [ "$?,$(cat "$work/err")" = 0, ]
run "poweroff" --status-file /dev/full 2>"$work/err" </dev/null
check "a status file on a full disk: 125 and why" [ "$?,$(cat "$work/err")" = \
	"125,ringlet: cannot write the status file /dev/full: No space left on device" ]
"$here/ringlet-scripted" help >/dev/full 2>"$work/err"
check "so is help" [ "$?,$(cat "$work/err")" = "125,ringlet: cannot write to stdout: No space left on device" ]
for command in "" "-- true"; do
	# shellcheck disable=SC2086 # words
	run "say:text poweroff" --log /dev/full $command >"$work/out" 2>"$work/err" </dev/null
	check "a log on a full disk${command:+, with a command}: 125 and why" [ "$?,$(cat "$work/err")" = \
		"125,ringlet: cannot write to the log: No space left on device; output is lost" ]
done
check "and the guest goes on" [ "$(run "say:text say:more poweroff" --log /dev/full 2>/dev/null </dev/null)" = textmore ]
ends "a panic is a panic, and the log is spoken of" 255 panic \
	"$(printf 'ringlet: cannot write to the log: No space left on device; output is lost\nringlet: the guest kernel panicked: x')" \
	"say:text panic:x" --log /dev/full
mkfifo "$work/fifo"
run "say:text poweroff" --log "$work/fifo" >"$work/out" 2>&1 </dev/null &
cat "$work/fifo" >"$work/log"
wait $!
check "a log that is a FIFO" [ "$?,$(cat "$work/log")" = 0,text ]
RINGLET_SCRIPT=poweroff timeout -k 5 0.5 "$here/ringlet-scripted" run --kernel "$work/kernel" --initrd none --mem 64M \
	--log "$work/fifo" </dev/null >/dev/null 2>&1
check "a signal ends the wait for its reader" [ $? = 124 ]
(
	run flood 2>"$work/err"
	echo $? >"$work/code"
) | head -n 1 >"$work/out"
check "a reader that goes away: 141" [ "$(cat "$work/code" "$work/out" "$work/err")" = "$(printf '141\n0123456789abcdef')" ]
# The status file is what it was named, stdout, too, and never another run's.
says_poweroff() { [ "$(cat)" = "$(printf 'text{\n  "reason": "poweroff",\n  "status": 0,\n  "message": "the guest powered off"\n}')" ]; }
run "say:text poweroff" --status-file /dev/stdout </dev/null | cat >"$work/out"
check "the status goes to a pipe that is stdout" says_poweroff <"$work/out"
run "say:text poweroff" --status-file /dev/stdout >"$work/out" </dev/null
check "and behind the output in a file" says_poweroff <"$work/out"
(
	run flood --status-file /dev/stdout 2>"$work/err"
	echo $? >"$work/code"
) | head -n 1 >"$work/out"
check "and takes no reader's place there" [ "$(cat "$work/code" "$work/out")" = "$(printf '141\n0123456789abcdef')" ]

# stalls NAME STATUS SENTENCE SCRIPT ARGUMENT...: stdout is a full pipe, whose reader stays and does not read.
stalls() {
	name=$1 want=$2 sentence=$3
	shift 3
	rm -f "$work/code"
	{
		head -c 65536 /dev/zero
		run "$@" 2>"$work/err" </dev/null
		echo $? >"$work/code"
	} | while [ ! -s "$work/code" ]; do sleep 0.05; done
	check "$name" [ "$(cat "$work/code"),$(cat "$work/err")" = "$want,$sentence" ]
}
stalls "a reader that does not read: --timeout is one" 124 \
	"ringlet: the guest did not end within 1 seconds; give more --timeout, or see its log" flood --timeout 1
stalls "of the guest's last words, too" 124 \
	"ringlet: the guest ended, but what it wrote was not taken within 1 seconds; give more --timeout, or read it faster" \
	"say:text poweroff" --timeout 1
stalls "and the status file is not waited for" 124 \
	"$(printf 'ringlet: cannot write the status file /dev/stdout: Connection timed out
ringlet: the guest did not end within 1 seconds; give more --timeout, or see its log')" flood --timeout 1 --status-file /dev/stdout
echo '{ "reason": "exit", "status": 0 }' >"$work/status"
: >"$work/out"
run "say:up hang" --status-file "$work/status" --timeout 20 >"$work/out" </dev/null &
pid=$!
while ! grep -q up "$work/out"; do sleep 0.05; done
check "last run's status is gone when the guest runs" [ ! -s "$work/status" ]
kill $pid
wait $pid
run "hang" --log "$work/no/log" >/dev/null 2>&1 </dev/null
check "a log that cannot be: 125" [ $? = 125 ]

for signal in INT:130 TERM:143 HUP:129; do
	rm -f "$work/status"
	# Whatever a shell has its background jobs ignore.
	: >"$work/out"
	RINGLET_SCRIPT="say:up hang" "$here/ringlet-scripted" run --kernel "$work/kernel" --initrd none --mem 64M \
		--timeout 20 --status-file "$work/status" >"$work/out" 2>&1 </dev/null &
	pid=$!
	while ! grep -q up "$work/out"; do sleep 0.05; done
	kill -"${signal%:*}" $pid
	wait $pid
	check "SIG${signal%:*}" [ "$?,$(grep -c '"reason": "interrupt"' "$work/status")" = "${signal#*:},1" ]
done

: >"$work/out"
(
	trap '' HUP
	RINGLET_SCRIPT="say:up hang" exec "$here/ringlet-scripted" run --kernel "$work/kernel" --initrd none --mem 64M \
		--timeout 1 >"$work/out" 2>&1 </dev/null
) &
pid=$!
while ! grep -q up "$work/out"; do sleep 0.05; done
kill -HUP $pid
wait $pid
check "under nohup SIGHUP is nothing" [ $? = 124 ]

# terminal NAME SCRIPT STEP...: someone at a terminal goes through the steps.
terminal() {
	name=$1
	RINGLET_SCRIPT=$2
	export RINGLET_SCRIPT
	shift 2
	at_terminal "$name" "$@" -- "$here/ringlet-scripted" run --kernel "$work/kernel" --initrd none --mem 64M
}
at_terminal() { # NAME STEP... -- COMMAND...
	name=$1
	shift
	if "$here/pty" "$@" 2>"$work/err"; then
		result ok "$name"
	else
		result "not ok" "$name"
		sed 's/^/# /' "$work/err"
	fi
}
terminal "Ctrl-A x" "say:up hang" expect:up raw 'send:\x01x' ends:0 cooked
terminal "Ctrl-A ?" "say:up hang" expect:up 'send:\x01?' expect:quit 'send:\x01x' ends:0 cooked
# Its last words are waited for, but the keyboard is heard.
mkfifo "$work/stalled"
sleep 1000 <>"$work/stalled" &
pid=$!
head -c 65536 /dev/zero >"$work/stalled"
at_terminal "Ctrl-A x when the guest has ended" raw 'send:\x01x' ends:0 cooked -- \
	sh -c 'RINGLET_SCRIPT="say:up poweroff" exec "$0" run --kernel "$1" --initrd none --mem 64M >"$2"' \
	"$here/ringlet-scripted" "$work/kernel" "$work/stalled"
kill $pid
# What a shell has made of its terminal while we were behind it is not what we put back.
at_terminal "from the background to the front" raw 'send:\x01x' ends:0 cooked -- \
	bash -c 'set -m; stty -echo -icanon; RINGLET_SCRIPT="say:up hang" "$0" run --kernel "$1" --initrd none --mem 64M & sleep 1; stty echo icanon; fg >/dev/null' \
	"$here/ringlet-scripted" "$work/kernel"
terminal "a terminal after a poweroff" "say:up poweroff" expect:up ends:0 cooked
terminal "after a panic" "say:up panic:x" "expect:up" "expect:ringlet: the guest kernel panicked" ends:255 cooked
terminal "after a call that is none of ours" "breach:2" "expect:system call 2, which" ends:125 cooked
for signal in 2:130 15:143 1:129 3:131 6:134 11:139 12:140 14:142 29:157 40:168; do
	terminal "after signal ${signal%:*}" "say:up hang" expect:up raw "kill:${signal%:*}" "ends:${signal#*:}" cooked
done
# Raw it is before the vCPUs start; what was said just before the fault may be lost.
terminal "after a fault of a vCPU's thread" crash ends:132 cooked
terminal "stopped and continued" "say:up hang" expect:up raw kill:19 kill:18 raw 'send:\x01x' ends:0 cooked
terminal "a terminal that goes away" "say:up hang" expect:up raw hangup ends:129

echo "1..$n"
exit $failed
