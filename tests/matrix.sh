#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# tests/matrix.sh [ROW...]: for each row of tests/matrix.txt, or those named, configure, build without
# warnings, run the row's unit tests. The last line counts rows; one whose libraries are not here is
# skipped.

set -u
cd "$(dirname "$0")/.." || exit 1
top=build-matrix
mkdir -p "$top" || exit 1

# NAME|COMPILER SWITCHES|TESTS|WHY, one row a line
rows() {
	sed '/^#/d; /^$/d' tests/matrix.txt | sed -n 'N; s/\n *|/|/; s/ *| */|/g; p'
}

configure() { # DIRECTORY COMPILER SWITCHES...
	dir=$1
	compiler=$2
	shift 2
	CC=$compiler ./configure --builddir="$dir" "$@" >"$dir.log" 2>&1
}

# Unknown to this machine, or a fault of ours? Only a package can be missing.
is_missing() { # DIRECTORY
	grep -q 'are missing:$' "$1.log" || grep -q 'built with OSCORE' "$1.log"
}

build() { # DIRECTORY TESTS
	set -- "$1" "$([ "$2" = all ] || echo "$2")"
	$MAKE --no-print-directory -j"$(nproc)" B="$1" CONF="$1" WERROR=1 T="$2" all check-unit \
		>>"$1.log" 2>&1
}

run_row() { # NAME SWITCHES TESTS WHY
	dir=$top/$1
	start=$(date +%s)
	# shellcheck disable=SC2086 # words
	if ! configure "$dir" $2 && is_missing "$dir"; then
		echo "skip $1: $(grep -A1 -e 'are missing:$' -e 'built with OSCORE' "$dir.log" | tail -n 1)"
		skipped=$((skipped + 1))
	elif build "$dir" "$3"; then
		echo "ok   $1: $(tail -n 1 "$dir.log") ($4; $(($(date +%s) - start)) s)"
		passed=$((passed + 1))
	else
		echo "FAIL $1 ($4): $2"
		grep -E 'error|FAIL|^configure:' "$dir.log" | head -n 20 | sed 's/^/     | /'
		failed=$((failed + 1))
	fi
}

passed=0
failed=0
skipped=0
MAKE=${MAKE:-make}
wanted=" $* "
rows >"$top/rows"
while IFS='|' read -r name switches tests why; do
	case $wanted in
	"  " | *" $name "*) run_row "$name" "$switches" "$tests" "$why" ;;
	esac
done <"$top/rows"
rm "$top/rows"
echo "$((passed + failed + skipped)) builds: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
