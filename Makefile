# SPDX-License-Identifier: GPL-2.0
#
# Ringlet's commands. Everything is named by what it does; `make help` says what there is.
# Progress goes to stderr: stdout is for what was asked for.

PREFIX	?= /usr/local
DESTDIR	?=
KVER	?= $(shell uname -r)
KDIR	?= /lib/modules/$(KVER)/build
VERSION	:= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
UDEVDIR	?= /lib/udev/rules.d
BED	:= selftests/bed
MAKEFLAGS += --no-print-directory

# HOST: here, or one of the bed's (6.1-cloud, 6.1-full, 6.12-cloud, 6.12-full; bed/lib.sh has more).
HOST	?=
# What runs in the guest; without it, a shell.
CMD	?=
# Which tests: a regular expression.
T	?=
# How long to fuzz on each host.
MINUTES	?= 30
# Which places and operations the benchmark measures; all without it.
B	?=
# As they were typed: $$ is the guest's and the regular expression's, not make's.
export GUEST_COMMAND := $(value CMD)
export TESTS := $(value T)

all: module launcher

setup:
	@$(BED)/setup

# The module for the kernel that runs here. The test bed builds its own against stock headers.
module:
	@if [ -d "$(KDIR)" ]; then \
		$(MAKE) -C "$(KDIR)" M="$(CURDIR)/module" modules; \
	else \
		echo "no module for $(KVER): $(KDIR) is missing; install linux-headers-$(KVER)" >&2; \
	fi

launcher:
	@$(BED)/setup launcher
	@$(MAKE) -C launcher all initramfs.cpio

run: setup
	@$(BED)/run "$(HOST)" "$$GUEST_COMMAND"

check: setup
	@selftests/run "$$TESTS"

check-all: setup
	@selftests/run --all "$$TESTS"

check-strict: setup
	@selftests/run --strict "$$TESTS"

fuzz: setup
	@selftests/fuzz/run "$(MINUTES)" "$(HOST)"

bench: setup
	@selftests/bench/run $(B)

install: launcher
	$(MAKE) -C launcher PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" install
	install -Dm644 module/60-ringlet.rules "$(DESTDIR)$(UDEVDIR)/60-ringlet.rules"
	rm -rf "$(DESTDIR)/usr/src/ringlet-$(VERSION)"
	install -d "$(DESTDIR)/usr/src/ringlet-$(VERSION)"
	tar -c --exclude='*.o' --exclude='*.ko' --exclude='.*.cmd' --exclude='*.mod*' \
		dkms.conf COPYING module switcher include | \
		tar -x -C "$(DESTDIR)/usr/src/ringlet-$(VERSION)"
	@if [ -n "$(DESTDIR)" ]; then \
		echo "for the module, on the machine itself: dkms install ringlet/$(VERSION)" >&2; \
	elif command -v dkms >/dev/null; then \
		dkms install --force "ringlet/$(VERSION)"; \
	elif [ -e module/ringlet.ko ]; then \
		$(MAKE) -C "$(KDIR)" M="$(CURDIR)/module" modules_install && depmod "$(KVER)"; \
	else \
		echo "no module was installed: install dkms, or linux-headers-$(KVER) and run make first" >&2; \
	fi

uninstall:
	@if [ -z "$(DESTDIR)" ] && command -v dkms >/dev/null; then \
		dkms remove "ringlet/$(VERSION)" --all || true; \
	fi
	$(MAKE) -C launcher PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" uninstall
	rm -f "$(DESTDIR)$(UDEVDIR)/60-ringlet.rules"
	rm -rf "$(DESTDIR)/usr/src/ringlet-$(VERSION)"
	@if [ -z "$(DESTDIR)" ] && [ -d "/lib/modules/$(KVER)" ]; then \
		find "/lib/modules/$(KVER)" -name 'ringlet.ko*' \( -path '*/updates/*' -o -path '*/extra/*' \) -delete; \
		depmod "$(KVER)"; \
	fi

# Kbuild's clean needs a kernel's headers, and there may be none.
clean:
	$(MAKE) -C launcher clean
	rm -rf selftests/programs/out
	find module switcher \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' -o \
		-name '.*.cmd' -o -name 'offsets.[hs]' -o -name modules.order -o -name Module.symvers \) -delete

# The cache too: what was downloaded and built there.
distclean: clean
	. $(BED)/lib.sh && rm -rf "$$CACHE"
distclean: SHELL := /bin/bash

help:
	@echo 'make               the module for this kernel, if its headers are there, and the launcher'
	@echo 'make run           a guest with a shell, in a disposable host (HOST=here: this machine)'
	@echo 'make run CMD=WORDS run that in the guest: its output, its status'
	@echo 'make check         the tests, but for what takes hours (T=REGEX: those)'
	@echo 'make check-all     all tests at full count, on all hosts; goes on where it was stopped'
	@echo 'make check-strict  module and guest on a strict CPU: Bochs, with PCIDs, global pages, IBT'
	@echo 'make fuzz          random ioctls, hypercalls and instructions for MINUTES=30 on each host (SEED=)'
	@echo 'make bench         Ringlet beside its peers, to bench.tsv and Documentation/performance.md'
	@echo '                   (B="ringlet getpid": those places and operations; goes on where it stopped)'
	@echo 'make install       launcher, manual page, udev rule, module (PREFIX=, DESTDIR=)'
	@echo 'make uninstall     takes them away again'
	@echo 'make clean         what was built here; make distclean: the cache too'
	@echo 'HOST=              6.1-cloud 6.1-full 6.12-cloud 6.12-full 6.12-debug here, and for the matrix'
	@echo '                   6.1-rt 6.12-rt 6.12-trixie 7.3-cloud 7.3-full 7.3-rt'

.PHONY: all setup module launcher run check check-all check-strict fuzz bench install uninstall clean distclean help
