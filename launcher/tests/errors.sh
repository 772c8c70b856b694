#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Every bad input gets one sentence on stderr and status 125, before any guest
# starts. Runs on a machine without the module; with one, the tests that need
# it missing are skipped.
set -u

ringlet=$(dirname "$0")/../ringlet
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

# refuse NAME PATTERN ARGUMENT...: `ringlet ARGUMENT...' says one line that
# matches PATTERN and ends with 125, and its status file says the same.
refuse() {
	name=$1 pattern=$2
	shift 2
	rm -f "$work/status"
	"$ringlet" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	if [ $status -eq 125 ] && [ ! -s "$work/out" ] &&
	   [ "$(wc -l <"$work/err")" -eq 1 ] && grep -Eq "$pattern" "$work/err"; then
		result ok "$name"
	else
		result "not ok" "$name"
		sed 's/^/# /' "$work/err"
		echo "# status $status"
	fi
}

# make_elf FILE: an ELF header and nothing else.
make_elf() {
	printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000' >"$1"
	printf '\002\000\076\000\001\000\000\000' >>"$1"
	head -c 40 /dev/zero >>"$1"
}

# make_bzimage FILE: a setup header whose payload is missing.
make_bzimage() {
	{
		head -c 497 /dev/zero
		printf '\001'				# 0x1f1 setup_sects
		head -c 16 /dev/zero
		printf 'HdrS\017\002'			# 0x202 magic, version
		head -c 9 /dev/zero
		printf '\001'				# 0x211 loadflags
		head -c 54 /dev/zero
		printf '\000\000\000\000\000\000\020\000'	# 0x248 payload
		head -c 2000 /dev/zero
	} >"$1"
	printf '\146' | dd of="$1" bs=1 seek=513 conv=notrunc 2>/dev/null
}

check() { # NAME COMMAND...
	name=$1
	shift
	if "$@"; then result ok "$name"; else result "not ok" "$name"; fi
}

echo "KTAP version 1"
make_elf "$work/elf"
make_bzimage "$work/bzimage"
head -c 4096 /dev/zero >"$work/zeros"
: >"$work/empty"
printf 'HdrS' >"$work/tiny"

refuse "no kernel given" "no kernel; give --kernel" run --initrd none
refuse "no such kernel" "No such file" run --kernel "$work/none" --initrd none
refuse "a directory" "not a regular file" run --kernel "$work" --initrd none
refuse "an empty file" "not a Linux kernel" run --kernel "$work/empty" --initrd none
refuse "a tiny file" "not a Linux kernel" run --kernel "$work/tiny" --initrd none
refuse "not a kernel" "not a Linux kernel" run --kernel "$work/zeros" --initrd none
refuse "a truncated bzImage" "truncated" run --kernel "$work/bzimage" --initrd none
refuse "an ELF file without notes" "CONFIG_RINGLET_GUEST" \
	run --kernel "$work/elf" --initrd none
refuse "an unknown option" "no option --bogus" run --bogus
refuse "an option without its argument" "needs an argument" run --kernel
refuse "a bad size" "give a size" run --kernel x --mem 12Q
refuse "a negative size" "give a size" run --kernel x --mem -5
refuse "a bad time" "seconds" run --kernel x --timeout soon
refuse "too many CPUs" "give a number from 1 to 64" run --kernel x --cpus 65
refuse "no CPU" "give a number from 1 to 64" run --kernel x --cpus 0
refuse "too much memory" "more than this machine has" \
	run --kernel "$work/elf" --mem 60T --initrd none
refuse "too little memory" "too little" \
	run --kernel "$work/elf" --mem 2M --initrd none
refuse "an absurd size" "give a size" run --kernel x --mem 99999999999999G
refuse "a command without --" "behind --" run --kernel "$work/elf" true
refuse "-- without a command" "no command behind --" run --kernel "$work/elf" --
refuse "no such command" "no command" walk
refuse "a status file in no directory" "status file" \
	run --kernel "$work/elf" --initrd none --status-file "$work/no/file"

refuse "a status file is asked for" "no option" run --bogus --status-file "$work/status"
if grep -q '"reason": "error"' "$work/status" &&
   grep -q '"status": 125' "$work/status"; then
	result ok "and tells of the fault"
else
	result "not ok" "and tells of the fault"
fi
"$ringlet" run --bogus --status-file /dev/fd/1 >"$work/out" 2>/dev/null
check "also to a file that is stdout" grep -q '"status": 125' "$work/out"
# As somebody who may write the file, and none beside it.
mkdir "$work/fixed"
: >"$work/fixed/status"
chmod 666 "$work/fixed/status"
chmod 555 "$work/fixed"
chmod 755 "$work"
cp "$ringlet" "$work/ringlet"
as_nobody=
[ "$(id -u)" != 0 ] || as_nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
$as_nobody "$work/ringlet" run --kernel "$work/none" --initrd none --status-file "$work/fixed/status" 2>"$work/err"
check "a file in a folder that is read-only" grep -q '"message": "cannot read the kernel .*/none: No such file' "$work/fixed/status"
check "and leaves no other file" [ "$(echo "$work"/*tmp*)" = "$work/*tmp*" ]

"$ringlet" run --help >"$work/help" 2>&1
check "--help has status 0" [ $? -eq 0 ]
missing=$(grep -o '^  --[a-z-]*' "$work/help" | while read -r option; do
	grep -q -- "^\.B[IR]* *\\\\-\\\\-$(echo "${option#--}" | sed 's/-/\\\\-/g')" \
		"$(dirname "$0")/../ringlet.1" || echo "$option"
done)
check "ringlet(1) has every option" [ -z "$missing" ]
echo "# missing: $missing"

qemu=$(dirname "$0")/../qemu-system-ringlet
"$qemu" -kernel x -drive file=y >/dev/null 2>"$work/err"
check "qemu-system-ringlet refuses what it does not know" [ $? -eq 125 ]
check "and says so" grep -q "no option -drive" "$work/err"

if [ -e /dev/ringlet ]; then
	n=$((n + 1))
	echo "ok $n doctor without the module # SKIP the module is loaded"
else
	"$ringlet" doctor >"$work/out" 2>&1
	check "doctor without the module" [ $? -eq 1 ]
	check "names the fix" grep -q "FAIL  module:.*modprobe" "$work/out"
fi

echo "1..$n"
exit $failed
