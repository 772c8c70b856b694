#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# initramfs/make.sh BUSYBOX OUTPUT: makes the default initramfs from a static
# busybox, with its applets as symbolic links, and initramfs/init. Uses
# busybox's own cpio, so that nothing else has to be installed.
set -eu

busybox=$1
output=$2
here=$(dirname "$0")

[ -x "$busybox" ] || {
	echo "$0: no $busybox; install busybox-static" >&2
	exit 1
}
if "$busybox" ldd "$busybox" >/dev/null 2>&1 ||
   ldd "$busybox" 2>/dev/null | grep -q '=>'; then
	echo "$0: $busybox is not static; install busybox-static" >&2
	exit 1
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 1' INT TERM HUP

mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" \
	"$root/run" "$root/root" "$root/etc"
cp "$busybox" "$root/bin/busybox"
cp "$here/init" "$root/init"
chmod 755 "$root/init" "$root/bin/busybox"
ln -s bin "$root/sbin"
mkdir "$root/usr"
ln -s ../bin "$root/usr/bin"
ln -s ../bin "$root/usr/sbin"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
for applet in $("$busybox" --list); do
	[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done

# The same files give the same archive.
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | sort | "$busybox" cpio -o -H newc -R 0:0) \
	>"$output.tmp" 2>/dev/null
mv "$output.tmp" "$output"
