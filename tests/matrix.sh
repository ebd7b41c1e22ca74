#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# tests/matrix.sh [ROW...]: for each row of tests/matrix.txt, or those named, configure, build without
# warnings, run the row's unit tests. The last line counts rows; one whose libraries are not here is
# skipped, and so is one with another release (tests/releases.txt) that cannot be fetched.

set -u
cd "$(dirname "$0")/.." || exit 1
top=build-matrix
mkdir -p "$top" || exit 1

# NAME|COMPILER SWITCHES|TESTS|WHY, one row a line
rows() {
	sed '/^#/d; /^$/d' tests/matrix.txt | sed -n 'N; s/\n *|/|/; s/ *| */|/g; p'
}

# A release is found before what is installed here; and configure has to say that it was found.
configure() { # DIRECTORY [@RELEASE] COMPILER SWITCHES...
	dir=$1 packages=${PKG_CONFIG_PATH-} said=
	shift
	case $1 in
	@*)
		release=${1#@}
		tests/release.sh "$top" "$release" >"$dir.log" 2>&1 || return 1
		packages=$(pwd)/$top/$release/lib/pkgconfig:$packages
		said="^${release%-*}: ${release##*-}"
		shift
		;;
	esac
	compiler=$1
	shift
	CC=$compiler PKG_CONFIG_PATH=$packages ./configure --builddir="$dir" "$@" >"$dir.log" 2>&1 &&
		grep -q "$said" "$dir.log"
}

# Unknown to this machine, or a fault of ours? Only a package can be missing, or a release.
missing='are missing:$|built with OSCORE|^release: cannot be fetched'

build() { # DIRECTORY TESTS
	set -- "$1" "$([ "$2" = all ] || echo "$2")"
	$MAKE --no-print-directory -j"$(nproc)" B="$1" CONF="$1" WERROR=1 T="$2" all check-unit \
		>>"$1.log" 2>&1
}

run_row() { # NAME SWITCHES TESTS WHY
	dir=$top/$1
	start=$(date +%s)
	# shellcheck disable=SC2086 # words
	configure "$dir" $2
	configured=$?
	if [ $configured -ne 0 ] && grep -Eq "$missing" "$dir.log"; then
		echo "skip $1: $(grep -EA1 "$missing" "$dir.log" | tail -n 1)"
		skipped=$((skipped + 1))
	elif [ $configured -eq 0 ] && build "$dir" "$3"; then
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
# A row is not about speed, and others may compute here too.
export TEST_TIMEOUT="${TEST_TIMEOUT:-600}"
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
