#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# tests/run.sh PROGRAM...: runs each and prints one KTAP document with a
# subtest for each. Fails if one failed, or ended without its plan.
set -u

echo "KTAP version 1"
echo "1..$#"
n=0
failed=0
for test in "$@"; do
	n=$((n + 1))
	name=$(basename "$test" .sh)
	output=$("./$test" 2>/dev/null)
	status=$?
	echo "$output" | sed 's/^/    /'
	if [ $status -eq 0 ] && echo "$output" | grep -q '^1\.\.[1-9]'; then
		echo "ok $n launcher.$name"
	else
		echo "not ok $n launcher.$name"
		failed=1
	fi
done
exit $failed
