# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# make V=1          whole commands
# make WERROR=1     warnings are errors, as in CI
# make B=DIR        build in DIR (with the configuration of CONF, or of DIR itself)
# make SAN=LIST     under these sanitizers
# make PARTS="..."  only these folders, for a tree that is not whole
# make check T=WORD only tests whose name has WORD in it; several words: any of them

B ?= build
CONF ?= $(if $(wildcard $(B)/config.mk),$(B),build)

all:

# 'make clean' and the like work in a tree that was never configured.
unconfigured = clean cross cross-boot deb distclean format lint matrix
ifneq ($(filter-out $(unconfigured),$(or $(MAKECMDGOALS),all)),)
ifeq ($(wildcard $(CONF)/config.mk),)
$(error Run ./configure first)
endif
endif
-include $(CONF)/config.mk

# An old configuration still builds, without what configure looks for since; as the filter once was.
ifeq ($(MAKELEVEL)$(shell find configure -newer $(CONF)/config.mk 2>/dev/null),0configure)
$(info configure is newer than $(CONF)/config.mk: run it again)
endif

PARTS ?= libgroupkey netlink io gatewayd member

PROGRAMS = gatewayd gatewayctl gkmember reachmon
SOVERSION = 0

TOP := $(CURDIR)
ABS_B := $(abspath $(B))

V ?= 0
say = $(if $(filter 0,$(V)),@printf '  %-6s %s\n' "$(1)" "$(patsubst $(B)/%,%,$@)";)
Q = $(if $(filter 0,$(V)),@)

#
# Flags
#

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wvla -Wundef $(if $(WERROR),-Werror)

# FORTIFY needs optimisation and gets in the way of sanitizers. PLAIN is for tests/purity.sh, which
# looks at what our own code calls and not at what hardening adds, by whomever it was asked for.
optimised = $(filter -O1 -O2 -O3 -Os -Oz,$(CFLAGS))
given_fortify = $(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS))
fortify = $(if $(optimised),$(if $(given_fortify),,-D_FORTIFY_SOURCE=2))
plain_flags = -fno-stack-protector -U_FORTIFY_SOURCE
harden = $(if $(PLAIN),$(plain_flags),$(if $(SAN),,$(HARDEN) $(fortify)))
sanitize = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
coverage = $(if $(FUZZ),-fsanitize=fuzzer-no-link)

ALL_CFLAGS = -std=c11 $(CFLAGS) $(WARNINGS) $(harden) $(sanitize) $(coverage)
ALL_CPPFLAGS = -I. -I$(CONF) $(CPPFLAGS) -MMD -MP
ALL_LDFLAGS = $(LDFLAGS) $(LINK_HARDEN) $(sanitize)

# Only the shell around the core may know the system; the core is plain C11.
system = -D_GNU_SOURCE -DGK_SYSCONFDIR='"$(SYSCONFDIR)"'

flags_libgroupkey = $(if $(shared),-fPIC) -fvisibility=hidden $(CBOR_CFLAGS) $(WOLFSSL_CFLAGS)
flags_netlink = $(system) $(NL_CFLAGS)
flags_io = $(system) $(COAP_CFLAGS)
flags_gatewayd = $(system) $(COAP_CFLAGS) $(CONFIG_CFLAGS) $(SQLITE_CFLAGS) $(NL_CFLAGS) \
	$(SECCOMP_CFLAGS)
flags_member = $(system) $(COAP_CFLAGS)
flags_tests = $(system) -DGK_TOP='"$(TOP)"' $(CBOR_CFLAGS) $(WOLFSSL_CFLAGS) $(NL_CFLAGS) \
	$(COAP_CFLAGS) $(CONFIG_CFLAGS) $(SQLITE_CFLAGS) $(SECCOMP_CFLAGS) $(CMOCKA_CFLAGS)

LIBS = $(COAP_LIBS) $(CONFIG_LIBS) $(SQLITE_LIBS) $(NL_LIBS) $(SECCOMP_LIBS) $(CBOR_LIBS) \
	$(WOLFSSL_LIBS)

#
# Sources and what becomes of them
#

objects = $(patsubst %.c,$(B)/obj/%.o,$(1))
sources = $(if $(filter $(firstword $(subst /, ,$(1))),$(PARTS)),$(wildcard $(1)/*.c))

# Sources with a main() of their own, which are in no archive.
mains = gatewayd/main.c gatewayd/gatewayctl.c member/main.c netlink/reachmon.c

libgroupkey_obj = $(call objects,$(call sources,libgroupkey))
netlink_obj = $(call objects,$(filter-out $(mains),$(call sources,netlink)))
io_obj = $(call objects,$(call sources,io))
gatewayd_obj = $(call objects,$(filter-out $(mains),$(call sources,gatewayd)))
member_obj = $(call objects,$(filter-out $(mains),$(call sources,member)))
testlib_obj = $(call objects,$(wildcard tests/lib/*.c) \
	$(filter-out tests/conformance/test_%,$(wildcard tests/conformance/*.c)))

has = $(if $(filter $(1),$(PARTS)),$(B)/$(2))
core = $(call has,libgroupkey,libgroupkey.a)
ARCHIVES = $(call has,gatewayd,gatewayd.a) $(call has,member,member.a) $(call has,io,io.a) \
	$(call has,netlink,netlink.a) $(core)

programs = $(call has,gatewayd,gatewayd) $(call has,gatewayd,gatewayctl) $(call has,member,gkmember) \
	$(call has,netlink,reachmon)
shared = $(if $(filter no,$(SHARED)),,$(call has,libgroupkey,libgroupkey.so))

all: $(core) $(shared) $(programs)

$(B)/libgroupkey.a: $(libgroupkey_obj)
$(B)/netlink.a: $(netlink_obj)
$(B)/io.a: $(io_obj)
$(B)/gatewayd.a: $(gatewayd_obj)
$(B)/member.a: $(member_obj)
$(B)/testlib.a: $(testlib_obj)

$(B)/gatewayd: $(call objects,gatewayd/main.c) $(B)/gatewayd.a $(B)/io.a $(B)/netlink.a $(core)
$(B)/gatewayctl: $(call objects,gatewayd/gatewayctl.c) $(B)/gatewayd.a $(B)/io.a $(B)/netlink.a $(core)
$(B)/gkmember: $(call objects,member/main.c) $(B)/member.a $(B)/io.a $(B)/netlink.a $(core)
$(B)/reachmon: $(call objects,netlink/reachmon.c) $(B)/netlink.a

# Rules apart, every link is the same: objects, then all archives as one group, then all libraries,
# of which --as-needed keeps what is used.
link = $(call say,LD)$(CC) $(ALL_CFLAGS) $(filter %.o,$^) -o $@ $(ALL_LDFLAGS) $(1) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS) $(2)

$(PROGRAMS:%=$(B)/%): | $(B)/
	$(call link)

# The list makes an archive anew when a source file went.
$(B)/%.a: $(B)/%.list
	$(call say,AR)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(B)/libgroupkey.so: $(libgroupkey_obj) | $(B)/
	$(call say,LD)$(CC) $(ALL_CFLAGS) -shared -Wl,-soname,libgroupkey.so.$(SOVERSION) \
		$(if $(SAN),,-Wl,-z,defs) $^ -o $@ $(ALL_LDFLAGS) $(CBOR_LIBS) $(WOLFSSL_LIBS)

# The folder decides the flags. Other flags than last time make everything anew.
$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC)mkdir -p $(@D) && $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) \
		$(flags_$(firstword $(subst /, ,$<))) -c $< -o $@

# All but -Werror, which changes no object.
flags_now = $(filter-out -Werror,$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(foreach f, \
	$(PARTS) tests,$(flags_$(f))))

# Write a line to a file whose date changes only with its contents.
quote = '$(subst ','\'',$(1))'
remember = @printf '%s\n' $(call quote,$(1)) | cmp -s - $@ || printf '%s\n' $(call quote,$(1)) >$@

$(B)/flags: FORCE | $(B)/
	$(call remember,$(flags_now))

$(B)/%.list: FORCE | $(B)/
	$(call remember,$($*_obj))

$(B)/:
	@mkdir -p $@

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

#
# Tests. Each is a command that speaks TAP; tests/run runs them and counts.
#

bins = $(patsubst tests/%.c,$(B)/tests/%,$(1))
wanted = $(if $(T),$(foreach t,$(1),$(if $(strip $(foreach w,$(T), \
	$(findstring $(w),$(t:$(B)/%=%)))),$(t))),$(1))

unit_bin = $(call wanted,$(call bins,$(wildcard tests/unit/test_*.c tests/vectors/test_*.c \
	tests/conformance/test_*.c)))
tool_bin = $(call bins,$(wildcard tests/tools/*.c))
sim_src = $(wildcard tests/sim/*.c)
sim_bin = $(call wanted,$(if $(sim_src),$(B)/tests/sim))
reach_src = $(wildcard tests/reach/*.c)
reach_bin = $(call wanted,$(if $(reach_src),$(B)/tests/reach))
service = $(call wanted,tests/debian/test_unit.sh)
traces = $(if $(reach_bin),$(wildcard tests/reach/traces.sh))
crash_src = $(wildcard tests/crash/*.c)
crash_bin = $(call wanted,$(if $(crash_src),$(B)/tests/crash))
bench_src = $(wildcard tests/bench/*.c)
fuzz_src = $(wildcard tests/fuzz/fuzz_*.c)
replay_bin = $(call wanted,$(call bins,$(fuzz_src)))
golden = $(call wanted,$(wildcard tests/golden/run.sh tests/golden/manual.sh tests/golden/rekeying.sh))
openwrt = $(call wanted,$(wildcard tests/openwrt/test_*.sh))
netns = $(call wanted,$(wildcard tests/netns/test_*.sh))
live = $(call wanted,$(wildcard tests/live/test_*.sh))
purity = $(if $(SAN),,$(call wanted,tests/purity.sh))
imports = $(call wanted,tests/imports.sh)
configure = $(if $(SAN)$(EMULATOR),,$(call wanted,tests/configure.sh))
# For tests in namespaces, which are not emulated.
preload = $(if $(EMULATOR),,$(patsubst tests/preload/%.c,$(B)/tests/%.so,$(wildcard tests/preload/*.c)))
# What all others have shown; so it is of no use with some of them.
secrets = $(if $(T),,tests/secrets.sh)
# Which requirement has which test; needs what they have said.
table = $(if $(T),,tests/conformance/table.sh)

test_bin = $(unit_bin) $(tool_bin) $(replay_bin)
test_libs = $(B)/testlib.a $(ARCHIVES)

# With --gc-sections and MIPS16 code the linker drops what passes numbers with a fraction between that and
# a C library of other code. Only tests have such numbers.
whole = -Wl,--no-gc-sections

# One rule per program: its object carries its name.
define program
$(1): $(1:$(B)/%=$(B)/obj/%.o) $(if $(filter $(1),$(replay_bin)),$(B)/obj/tests/fuzz/replay.o) \
		$(test_libs)
	@mkdir -p $$(@D)
	$$(call link,$$(whole),$(CMOCKA_LIBS))
endef
$(foreach p,$(test_bin),$(eval $(call program,$(p))))

$(B)/tests/sim: $(call objects,$(sim_src)) $(test_libs)
	@mkdir -p $(@D)
	$(call link,$(whole))

$(B)/tests/reach: $(call objects,$(reach_src)) $(test_libs)
	@mkdir -p $(@D)
	$(call link,$(whole))

# What stands in the place of another function says so by its name.
$(B)/tests/crash.wrap: $(call objects,$(crash_src))
	@mkdir -p $(@D)
	$(Q)$(NM) $^ | sed -n 's/.* T __wrap_/-Wl,--wrap=/p' >$@

$(B)/tests/crash: $(call objects,$(crash_src)) $(B)/tests/crash.wrap $(test_libs)
	$(call link,@$(B)/tests/crash.wrap)

$(B)/tests/bench: $(call objects,$(bench_src)) $(test_libs)
	@mkdir -p $(@D)
	$(call link)

# These come before the C library in any program, with sanitizers or without.
$(B)/tests/%.so: tests/preload/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -std=c11 $(CFLAGS) $(WARNINGS) $(system) -fPIC -shared $< -o $@

# fuzz_NAME.c goes with the inputs in tests/fuzz/corpus/NAME.
corpus = tests/fuzz/corpus/$(patsubst fuzz_%,%,$(notdir $(1)))
replay = $(foreach p,$(replay_bin),'$(p) $(call corpus,$(p))')

unit_tests = $(unit_bin) $(golden) $(openwrt) $(service) $(sim_bin) $(reach_bin) $(traces) \
	$(crash_bin) $(replay) $(purity) $(imports) $(configure)

# CC and CORE_LIBS: tests/golden/manual.sh compiles the examples of groupkey(3).
run = GK_TOP='$(TOP)' GK_BUILD='$(ABS_B)' MAKE='$(MAKE)' NM='$(NM)' EMULATOR='$(EMULATOR)' \
	CC='$(CC) $(CFLAGS) $(sanitize)' CORE_LIBS='$(CBOR_LIBS) $(WOLFSSL_LIBS) $(LDFLAGS)' \
	tests/run -l $(B)/tests/log
for_tests = $(core) $(shared) $(programs) $(unit_bin) $(tool_bin) $(preload) $(sim_bin) \
	$(reach_bin) $(crash_bin) $(replay_bin)

# All that check runs, built and not run.
build-tests: need-cmocka $(for_tests)

need-cmocka:
	$(Q)[ '$(HAVE_CMOCKA)' = 1 ] || \
		{ echo 'The tests need cmocka: ./configure --install-deps' >&2; exit 1; }

check: need-cmocka $(for_tests) $(if $(purity),plain)
	$(Q)$(run) $(unit_tests) $(netns) $(live) $(secrets) $(table)

check-unit: need-cmocka $(for_tests) $(if $(purity),plain)
	$(Q)$(run) $(unit_tests) $(secrets) $(table)

# docs/conformance.md, from what the tests of this build say.
conformance: need-cmocka $(for_tests)
	$(Q)$(run) $(filter $(B)/tests/conformance/%,$(unit_bin)) && \
		TEST_LOGS=$(B)/tests/log tests/conformance/table.sh write

check-netns: $(for_tests)
	$(Q)$(run) $(netns) $(live) $(secrets)

# The core once more with nothing added by hardening, for tests/purity.sh.
plain:
	$(Q)$(MAKE) --no-print-directory B=$(B)/plain CONF=$(CONF) PLAIN=1 SAN= $(B)/plain/libgroupkey.a

asan:
	$(Q)$(MAKE) --no-print-directory B=build-asan CONF=$(CONF) SAN=address,undefined \
		CFLAGS='-O1 -g' check-unit

# Builds of what libraries may lack, and with other releases of them, which are fetched; each with unit
# tests of it: tests/matrix.txt has them, and why. ROWS="..." only these.
matrix:
	$(Q)MAKE='$(MAKE)' tests/matrix.sh $(ROWS)

# On foreign machines, under emulation: tests/cross. The first run builds all libraries, too, and takes
# an hour or more for all targets.
cross_targets = $(shell awk '!/^\#/ { print $$1 }' tests/cross/targets)
TARGETS ?= $(cross_targets)

cross:
	$(Q)failed=0; for target in $(TARGETS); do \
		MAKE='$(MAKE)' tests/cross/run $$target || failed=1; \
	done; \
	tests/cross/sizes $(cross_targets) >docs/sizes.new || failed=1; \
	mv docs/sizes.new docs/sizes.md; exit $$failed

# What needs a kernel of that machine: minutes each.
cross-boot:
	$(Q)failed=0; for target in $(shell awk '!/^\#/ { print $$1 }' tests/cross/machines); do \
		MAKE='$(MAKE)' tests/cross/boot $$target || failed=1; \
	done; exit $$failed

FUZZ_SECONDS ?= 60
fuzzers = $(call wanted,$(fuzz_src:tests/fuzz/fuzz_%.c=%))

fuzz:
	$(Q)$(MAKE) --no-print-directory B=build-fuzz CONF=$(CONF) FUZZ=1 SAN=address,undefined \
		CC=clang CFLAGS='-O1 -g' fuzz-all

fuzz-all: $(fuzzers:%=fuzz-run-%)

fuzz-run-%: $(B)/fuzz/%
	$(Q)mkdir -p $(B)/fuzz/found/$*
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 -verbosity=0 \
		-print_final_stats=1 -artifact_prefix=$(B)/fuzz/$*- \
		$(B)/fuzz/found/$* tests/fuzz/corpus/$*

$(B)/fuzz/%: $(B)/obj/tests/fuzz/fuzz_%.o $(test_libs)
	@mkdir -p $(@D)
	$(call link,-fsanitize=fuzzer)

# The simulator's long runs: a thousand members for a week. Each takes minutes.
SIM_SEEDS = 1 2 3
SIM_LOSS = 0 0.1 0.2 0.3 0.4

sim-long: $(B)/tests/sim
	$(Q)failed=0; for seed in $(SIM_SEEDS); do for loss in $(SIM_LOSS); do \
		$< --nodes 1000 --days 7 --seed $$seed --loss $$loss || failed=1; \
	done; done; exit $$failed

# Links that come and go at their real pace; check has them do so four times as fast.
reach-long: $(for_tests)
	$(Q)FULL=1 TEST_TIMEOUT=600 $(run) tests/netns/test_reach_flap.sh

# Reachability in virtual time: a thousand nodes for a month. Takes minutes.
REACH_SEEDS = 1

reach-month: $(B)/tests/reach
	$(Q)failed=0; for seed in $(REACH_SEEDS); do \
		$< --nodes 1000 --days 30 --seed $$seed || failed=1; \
	done; exit $$failed

# The power fails at every point of a story, and at thousands of others; check runs a sample.
crash: $(B)/tests/crash
	$(Q)$< --all

bench: $(B)/tests/bench
	$(Q)$<

demo: all $(tool_bin)
	$(Q)GK_TOP='$(TOP)' GK_BUILD='$(ABS_B)' tests/demo/run.sh

#
# Installation
#

INSTALL = install
to = $(call quote,$(DESTDIR)$(1))
libname = libgroupkey.so.$(VERSION)
# Where systemd looks, besides /etc.
UNITDIR = $(PREFIX)/lib/systemd/system
adapt_conf = $(if $(filter yes,$(SYSTEMD)),sed -f etc/systemd/conf.sed,cat)

install: all
	$(Q)$(INSTALL) -d $(call to,$(SBINDIR)) $(call to,$(BINDIR)) $(call to,$(LIBDIR)/pkgconfig) \
		$(call to,$(INCLUDEDIR)) $(call to,$(SYSCONFDIR)/gatewayd)
	$(Q)$(INSTALL) -m 755 $(B)/gatewayd $(call to,$(SBINDIR))
	$(Q)$(INSTALL) -m 755 $(B)/gatewayctl $(B)/gkmember $(B)/reachmon $(call to,$(BINDIR))
	$(Q)$(INSTALL) -m 644 $(B)/libgroupkey.a $(call to,$(LIBDIR))
ifneq ($(SHARED),no)
	$(Q)$(INSTALL) -m 755 $(B)/libgroupkey.so $(call to,$(LIBDIR)/$(libname))
	$(Q)ln -sf $(libname) $(call to,$(LIBDIR)/libgroupkey.so.$(SOVERSION))
	$(Q)ln -sf libgroupkey.so.$(SOVERSION) $(call to,$(LIBDIR)/libgroupkey.so)
endif
	$(Q)$(INSTALL) -m 644 libgroupkey/groupkey.h $(call to,$(INCLUDEDIR))
	$(Q)printf '%s\n' 'libdir=$(LIBDIR)' 'includedir=$(INCLUDEDIR)' '' 'Name: libgroupkey' \
		'Description: Group key distribution for CoAP groups (RFC 9594), without I/O' \
		'Version: $(VERSION)' 'Requires.private: libcbor wolfssl' \
		'Libs: -L$${libdir} -lgroupkey' 'Cflags: -I$${includedir}' \
		>$(call to,$(LIBDIR)/pkgconfig/libgroupkey.pc)
	$(Q)for page in $(wildcard docs/*.[1-8]); do \
		dir=$(call to,$(MANDIR))/man$${page##*.}; \
		$(INSTALL) -d "$$dir" && $(INSTALL) -m 644 "$$page" "$$dir" || exit 1; \
	done
	@# What the owner wrote stays; the shipped file is for a first installation.
	$(Q)conf=$(call to,$(SYSCONFDIR)/gatewayd/gatewayd.conf); \
		[ -e "$$conf" ] || { $(adapt_conf) etc/gatewayd.conf >"$$conf" && chmod 644 "$$conf"; }
ifeq ($(SYSTEMD),yes)
	$(Q)$(INSTALL) -d $(call to,$(UNITDIR)) $(call to,$(PREFIX)/lib/sysusers.d) \
		$(call to,$(PREFIX)/lib/tmpfiles.d)
	$(Q)sed 's|=/usr/sbin/|=$(SBINDIR)/|; s|=/usr/bin/|=$(BINDIR)/|' etc/systemd/gatewayd.service \
		>$(call to,$(UNITDIR)/gatewayd.service) && chmod 644 $(call to,$(UNITDIR)/gatewayd.service)
	$(Q)$(INSTALL) -m 644 etc/systemd/sysusers.conf $(call to,$(PREFIX)/lib/sysusers.d/gatewayd.conf)
	$(Q)$(INSTALL) -m 644 etc/systemd/tmpfiles.conf $(call to,$(PREFIX)/lib/tmpfiles.d/gatewayd.conf)
endif

# What a release is packaged from: the sources as they were committed.
archive = $(B)/gatewayd-$(VERSION).tar.xz

dist: | $(B)/
	$(Q)git archive --prefix=gatewayd-$(VERSION)/ HEAD | xz -9 >$(archive)
	@sha256sum $(archive)

# The Debian packages, in build-deb. dpkg-buildpackage leaves them above the tree that it builds: so
# that is a copy, which has nothing of how this one is configured. What git does not know of does not
# get into it; without git, all does that is not of a build.
deb:
	$(Q)rm -rf build-deb && mkdir -p build-deb/gatewayd
	$(Q)if [ -e .git ] && git ls-files -z >build-deb/files; then \
		tar -c --null -T build-deb/files; \
	else \
		tar -c --exclude=./build --exclude='./build-*' --exclude=./.git .; \
	fi | tar -x -C build-deb/gatewayd
	$(Q)cd build-deb/gatewayd && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		dpkg-buildpackage -us -uc -b
	@ls build-deb/*.deb

# Installed, upgraded and purged in a Debian made for it: minutes, root, and the mirror. The tests that a
# build of the packages runs are those of check-unit, and run beside this one.
check-deb: export DEB_BUILD_OPTIONS += nocheck
check-deb: deb $(for_tests)
	$(Q)TEST_TIMEOUT=900 $(run) tests/debian/install.sh

#
# Housekeeping
#

CLANG_FORMAT = clang-format
our_files = $(shell find . -path './build*' -prune -o -path ./.git -prune -o -type f $(1) -print)
c_files = $(call our_files,-name '*.[ch]')
scripts = $(shell find . -path './build*' -prune -o -path ./.git -prune -o -type f -print | \
	xargs awk 'FNR == 1 && /^\#!.*[\/ ](ba|da)?sh( |$$)/ { print FILENAME } { nextfile }')

# Those of OpenWrt, whose shell is BusyBox ash: they use its functions, and set variables for them.
ash_scripts = $(wildcard etc/openwrt/*.sh tests/openwrt/jshn.sh tests/openwrt/rc.common) \
	$(patsubst %,etc/openwrt/files/gatewayd.%,defaults init rpcd upgrade)

format:
	$(Q)$(CLANG_FORMAT) -i $(c_files)

lint:
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(c_files)
	$(Q)shellcheck $(filter-out $(ash_scripts:%=./%),$(scripts))
	$(Q)shellcheck -s dash -e SC2034,SC3043,SC1091,SC2154 $(ash_scripts)
	$(Q)for page in $(wildcard docs/*.[1-8]); do \
		if command -v mandoc >/dev/null; then \
			mandoc -T lint -W warning "$$page"; \
		elif command -v groff >/dev/null; then \
			out=$$(groff -mandoc -ww -Tutf8 "$$page" 2>&1 >/dev/null); \
			[ -z "$$out" ] || { echo "$$out"; false; }; \
		fi || exit 1; \
	done

variants = build-asan build-clang build-deb build-fuzz build-matrix

# What configure made stays.
clean:
	$(Q)rm -rf $(variants)
	$(Q)if [ -d $(B) ]; then cd $(B) && rm -rf obj tests fuzz plain flags *.list *.a *.so $(PROGRAMS); fi

distclean:
	$(Q)rm -rf build build-ci build-cross $(variants)

FORCE:

.PHONY: all need-cmocka build-tests check check-unit conformance check-netns plain asan matrix \
	cross cross-boot fuzz fuzz-all sim-long reach-long reach-month crash bench demo install dist deb \
	check-deb format lint clean distclean FORCE
.SECONDARY:
.DELETE_ON_ERROR:
