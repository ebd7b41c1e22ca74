#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Plays tests/data/traces/*.trace, each of which says what comes of it; and shows that a run is the
# same each time, and that what it records can be played.

set -u
LC_ALL=C
export LC_ALL

: "${GK_TOP:?}" "${GK_BUILD:?}"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
number=0

play() { # OPTIONS...
	# shellcheck disable=SC2086 # a command and its options
	${EMULATOR-} "$GK_BUILD/tests/reach" "$@"
}

tell() { # STATUS NAME
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		sed 's/^/# /' "$tmp/out"
		echo "not ok $number - $2"
	fi
}

for trace in "$GK_TOP"/tests/data/traces/*.trace; do
	play --terse --trace "$trace" >"$tmp/out" 2>&1
	status=$?
	play --terse --trace "$trace" >"$tmp/again" 2>&1
	cmp -s "$tmp/out" "$tmp/again" || status=1
	name=${trace##*/}
	tell $status "what_comes_of_${name%.trace}_is_what_it_says"
done

run() { # NAME
	play --terse --nodes 20 --days 0.2 --record "$tmp/$1.trace" >"$tmp/$1.out" 2>&1
}
run one
run two
cp "$tmp/one.out" "$tmp/out"
cmp -s "$tmp/one.out" "$tmp/two.out" && cmp -s "$tmp/one.trace" "$tmp/two.trace"
tell $? a_seed_gives_the_same_run_each_time

play --terse --seed 5 --trace "$tmp/one.trace" >"$tmp/out" 2>&1
[ "$(grep -c '^not ok' "$tmp/out")" = "$(grep -c '^not ok.*what a trace says' "$tmp/out")" ] &&
	[ "$(wc -l <"$tmp/one.trace")" -gt 20 ] && grep -q '^ok' "$tmp/out"
tell $? what_a_run_recorded_can_be_played
echo "1..$number"
