#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# For tests in shell of what needs no gateway: TAP, and a directory of their own. The last command of
# such a test is 'conclude'.

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
checks=0
bad=0

check() { # NAME CONDITION...: what it says is shown if it does not hold
	check_name=$1
	shift
	checks=$((checks + 1))
	if "$@" >"$work/said" 2>&1; then
		echo "ok $checks - $check_name"
	else
		bad=$((bad + 1))
		echo "not ok $checks - $check_name"
		sed 's/^/#    /' "$work/said"
	fi
}

skip() { # NAME WHY
	checks=$((checks + 1))
	echo "ok $checks - $1 # SKIP $2"
}

conclude() {
	echo "1..$checks"
	[ "$bad" -eq 0 ]
}
