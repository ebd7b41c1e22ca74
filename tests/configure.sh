#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Who insists on the filter of system calls gets it, or is told what to install; who does not, builds
# without. What else configure is asked for is in tests/matrix.txt, with tests of what it builds.

: "${GK_TOP:?}"
. "$GK_TOP/tests/lib/check.sh"

# It knows all that the real one knows, but libseccomp.
cat >"$work/without" <<'EOF'
#!/bin/sh
case " $* " in
*" libseccomp "*) exit 1 ;;
esac
exec pkg-config "$@"
EOF
chmod +x "$work/without"

configure() { # ARGUMENTS...
	rm -rf "$work/build"
	"$GK_TOP/configure" --builddir="$work/build" "$@"
}

has_filter() { # 0-OR-1 ARGUMENTS...
	expected=$1
	shift
	configure "$@" && grep -xF "#define GK_HAVE_SECCOMP $expected" "$work/build/config.h"
}

# With a name for apt-get, and nothing that make could go on with.
is_told() { # DEBIAN-PACKAGE ARGUMENTS...
	package=$1
	shift
	! configure "$@" >"$work/told" 2>&1 && cat "$work/told" &&
		grep -qx " *$package" "$work/told" && [ ! -e "$work/build/config.mk" ]
}

# Where it was told of a library or a tool by arguments, it cannot do without them.
configure --without-seccomp >"$work/said" 2>&1 || {
	echo "1..0 # SKIP ./configure without arguments: $(tail -n 1 "$work/said")"
	exit 0
}

check 'without libseccomp there is no filter' has_filter 0 PKG_CONFIG="$work/without"
check 'who insists on it is told what to install' \
	is_told libseccomp-dev --with-seccomp PKG_CONFIG="$work/without"
if pkg-config --exists libseccomp; then
	check 'or gets it' has_filter 1 --with-seccomp
	check 'who wants none gets none' has_filter 0 --without-seccomp
else
	skip 'or gets it' 'no libseccomp here'
	skip 'who wants none gets none' 'no libseccomp here'
fi
conclude
