#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What we call of a library is in the oldest release, and in the smallest build of it, that we are
# meant for, whatever the one installed here has besides. Proved on our own objects: each symbol of
# theirs that one of these wants is in tests/imports.txt.
#
# tests/imports.sh [BUILD]
#
# Variables in single quotes are awk's.
# shellcheck disable=SC2016

set -eu
LC_ALL=C
export LC_ALL

build=${1:-${GK_BUILD:-build}}
list=$(dirname "$0")/imports.txt
config=$build/config.h
[ -e "$config" ] || config=$(dirname "$0")/../build/config.h

wanted=$(mktemp)
trap 'rm -f "$wanted"' EXIT
find "$build" -maxdepth 1 -name '*.a' ! -name testlib.a -exec "${NM:-nm}" --undefined-only --format=posix {} + |
	awk 'NF >= 2 { print $1 }' | sort -u >"$wanted"

# Names in a section of the list: its title is a line of its own, names are indented.
names() { # TITLE
	awk -v title="$1" '/^[^ \t#]/ { here = $0 == title }
		here && /^[ \t]/ { for (i = 1; i <= NF; i++) print $i }' "$list"
}

# wolfSSL's features have a section each, which counts where configure has found the feature.
features() {
	sed -n 's/^wolfSSL with \(GK_[A-Z0-9_]*\)$/\1/p' "$list" | while read -r macro; do
		! grep -q "^#define $macro 1\$" "$config" || names "wolfSSL with $macro"
	done
}

verdict() { # NUMBER NAME PREFIXES NAMES-THAT-MAY-BE-CALLED
	calls=$(grep -E "^($3)" "$wanted" || true)
	offenders=$(printf '%s\n' "$calls" | grep -vxF "$4" || true)
	# That nothing is called would say that nothing was looked at.
	[ -n "$calls" ] || offenders='nothing is called'
	if [ -z "$offenders" ]; then
		echo "ok $1 - $2"
	else
		echo "not ok $1 - $2"
		printf '%s\n' "$offenders" | sed 's/^/# not in imports.txt for this build: /'
		failures=1
	fi
}

failures=0
echo 1..3
verdict 1 what_is_called_of_libcoap_is_in_4_3_0 'coap_' "$(names libcoap)"
verdict 2 what_is_called_of_libnl_is_in_libnl_tiny_too 'nl_|nla_|nlmsg_|genl_|rtnl_' "$(names libnl)"
verdict 3 what_is_called_of_wolfssl_is_in_every_build_or_was_found 'wc_|wolf|sp_|mp_' \
	"$(names wolfSSL)
$(features)"

exit "$failures"
