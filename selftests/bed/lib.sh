# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What every script of the bed needs: where the tree and the cache are, and how to say things.
# Sourced, on the build machine only. Everything the bed downloads or builds lives under $CACHE;
# nothing is written into the source tree or installed into the machine.

BED=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=$(cd "$BED/../.." && pwd)
CACHE=${RINGLET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ringlet}
mkdir -p "$CACHE"
CACHE=$(cd "$CACHE" && pwd)
ROOTS=$CACHE/roots
# The hosts of every check, and those that only the matrix of check-all wants.
HOSTS="6.1-cloud 6.1-full 6.12-cloud 6.12-full"
MATRIX_HOSTS="6.1-rt 6.12-rt 6.12-trixie 7.3-cloud 7.3-full 7.3-rt"
# Those that are no packages: built by bed/kernel.
BUILT_HOSTS="6.12-debug 6.12-kcsan"
# Options of bed/boot for a host that takes machine checks apart, which Linux does on Intel's CPUs: one
# without Meltdown, so that the switcher serves faults, too.
MCE_HOST="--monitor --cpu max,vendor=GenuineIntel,family=6,model=28,stepping=10 --append mce=30000000 --append mitigations=off --la57 off"
ME=${0##*/}

say() { printf '%s: %s\n' "$ME" "$*" >&2; }
die() {
	say "$*"
	exit 1
}

# One of a kind at a time, across processes: two beds may want the same download or build.
# $1 names the lock; it is held until this process ends or unlocks it.
lock() {
	mkdir -p "$CACHE/locks"
	exec 9>"$CACHE/locks/$1"
	flock 9
}
unlock() { exec 9>&-; }

# A private root that bed/fetch has unpacked, or bed/kernel built. Made when it is not there yet.
root() {
	! is_built "$1" || {
		"$BED/kernel" "$1"
		return
	}
	[ -e "$ROOTS/$1/.debs" ] || "$BED/fetch" "$1" || return
	readlink -f "$ROOTS/$1"
}

# The kernel release (uname -r) of a host.
release() {
	local r
	r=$(root "$1") || return
	basename "$(echo "$r"/boot/vmlinuz-*)" | sed 's/^vmlinuz-//'
}

is_built() {
	case " $BUILT_HOSTS " in
	*" $1 "*) return 0 ;;
	esac
	return 1
}

is_host() {
	case " $HOSTS $MATRIX_HOSTS $BUILT_HOSTS " in
	*" $1 "*) return 0 ;;
	esac
	say "no such host: $1 (one of: $HOSTS $MATRIX_HOSTS $BUILT_HOSTS)"
	return 1
}

# The Debian release that a host, or another thing of bed/fetch, comes from.
suite() {
	case $1 in
	*trixie | 7.*) echo trixie ;;
	*) echo bookworm ;;
	esac
}

# A short hash of everything on stdin.
hash() { sha256sum | cut -c1-12; }

# A short hash of the contents and modes of files and folders, in any place.
hash_files() {
	(
		cd "$TREE" || exit
		find "$@" -type f ! -name '.*.cmd' -printf '%m %p\0' | sort -z |
			while IFS=' ' read -r -d '' m f; do
				printf '%s %s ' "$m" "$f"
				sha256sum <"$f"
			done
	) | hash
}
