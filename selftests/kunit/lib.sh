# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What run-uml and run-guest share: the kernel tree in the cache with our files in it, and kunit.py.
# Sourced, on the build machine only.

KUNIT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$KUNIT/../bed/lib.sh"
WORK=$CACHE/kunit

command -v python3 >/dev/null || die "python3 is missing: kunit.py is written in it"

# What the tree holds of ours for User-Mode Linux: nothing of the guest.
PURE=(module/tests module/paging.h module/compat/data_racy.h switcher/window.h include/uapi/ringlet.h
	selftests/kunit/prepare selftests/kunit/lib.sh)
while read -r f; do
	f=module/$(basename "$f" .o)
	PURE+=("$f.c")
	[ ! -e "$TREE/$f.h" ] || PURE+=("$f.h")
done < <(grep -o '[.][.]/[a-z]*[.]o' "$TREE/module/tests/Kbuild")

# A hash of source, compiler and the named files of ours.
key() {
	(
		cat "$(root source-6.12)/.debs"
		gcc --version | head -n1
		hash_files "$@"
	) | hash
}

# The unpacked source in $WORK/linux with the guest's overlay and our tests. Call it with the lock
# held; it says when there is no room. What changes in the patches is taken out and put in again,
# so that make sees which files are others.
tree() {
	local source free need=2000
	source=$(root source-6.12)
	mkdir -p "$WORK"
	[ -d "$WORK/linux" ] || need=4500
	free=$(df -Pm "$CACHE" | awk 'END { print $4 }')
	[ "$free" -ge $need ] || die "$CACHE has $free MiB free; KUnit's kernels need $need. Make room, or set XDG_CACHE_HOME"
	if ! cmp -s "$source/.debs" "$WORK/.debs"; then
		rm -rf "$WORK/linux" "$WORK/um" "$WORK/x86" "$WORK/x86.smp" "$WORK/.patches"
	fi
	cat "$TREE"/guest-pvops/patches/*.patch >"$WORK/.patches.new"
	if [ -e "$WORK/.patches" ] && ! cmp -s "$WORK/.patches" "$WORK/.patches.new"; then
		patch -s -d "$WORK/linux" -p1 -R -f --no-backup-if-mismatch <"$WORK/.patches" >&2 ||
			rm -rf "$WORK/linux" "$WORK/um" "$WORK/x86" "$WORK/x86.smp"
		rm -f "$WORK/.patches"
	fi
	if [ ! -d "$WORK/linux" ]; then
		say "unpacking the source of Linux"
		rm -rf "$WORK/linux.part" "$WORK/.patches"
		mkdir "$WORK/linux.part"
		tar -xf "$source/usr/src/linux-source-6.12.tar.xz" -C "$WORK/linux.part" --strip-components=1
		mv "$WORK/linux.part" "$WORK/linux"
		cp "$source/.debs" "$WORK/.debs"
	fi
	# From the first patched file on it counts as patched.
	mv "$WORK/.patches.new" "$WORK/.patches"
	"$TREE/guest-pvops/apply" "$WORK/linux" || die "guest-pvops/apply failed"
	"$KUNIT/prepare" "$WORK/linux"
}

# kunit.py, quiet: what it builds with goes to a log, and is shown when it fails.
# $1 names the log; the rest is kunit.py's.
kunit_build() {
	local log=$WORK/$1.log
	shift
	say "building; the first time takes some minutes"
	(cd "$WORK/linux" && python3 tools/testing/kunit/kunit.py build --jobs="$(nproc)" "$@") >"$log" 2>&1 9>&- || {
		tail -n 30 "$log" >&2
		die "KUnit's kernel does not build; all of it is in $log"
	}
}

# Results are kept for the last few states of the tree: $1 is what their names begin with.
forget() {
	(cd "$WORK" && find . -maxdepth 1 -type d -name "$1.????????????" -printf '%T@ %f\n' |
		sort -rn | tail -n +4 | cut -d' ' -f2 | xargs -r rm -rf)
}

# Reads a console's log and prints "ok NAME", "not ok NAME" or "skip NAME" for each case that has
# no cases in it: SUITE/CASE or SUITE/CASE/PARAMETER.
cases() {
	tr -d '\r' | sed -E 's/^\[ *[0-9]+\.[0-9]+\] ?//' | awk '
		function depth() { match($0, /^ */); return int(RLENGTH / 4) }
		/^ *# Subtest: / { d = depth(); sub(/^ *# Subtest: /, ""); name[d] = $0; children[d] = bad[d] = 0; next }
		/^ *(not )?ok [0-9]+ / {
			d = depth()
			verdict = /^ *not ok/ ? "not ok" : /# (SKIP|skip)/ ? "skip" : "ok"
			sub(/^ *(not )?ok [0-9]+ (- )?/, "")
			sub(/ *# .*/, "")
			path = ""
			for (i = 1; i <= d; i++)
				path = path name[i] "/"
			if (!children[d + 1] || (verdict == "not ok" && !bad[d + 1]))
				print verdict " " path $0
			children[d]++
			if (verdict == "not ok")
				bad[d]++
			children[d + 1] = bad[d + 1] = 0
		}'
}
