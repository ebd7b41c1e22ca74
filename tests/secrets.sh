#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Nothing that the programs say holds a key: after all other tests, what they left is searched for
# every key that any of them made, as bytes, in hex and in base64.
#
# keys/     what programs under test drew by chance in the length of a key (tests/lib/env.c for unit
#           tests; tests/preload/random.c and the stores themselves for those in network namespaces)
# outputs/  what they said: logs, JSON, answers of gatewayctl, and all that was on the air; see
#           leave_outputs in tests/netns/lib.sh. Not the bundles, which exist to hold a key
#
# tests/run makes both directories before the first test, and calls this after the last one.

set -u
: "${GK_BUILD:?}" "${TEST_LOGS:=$GK_BUILD/tests/log}"
secrets=$GK_BUILD/tests/tools/secrets
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

bad=0
report() { # STATUS NUMBER NAME
	if [ "$1" -eq 0 ]; then
		echo "ok $2 - $3"
	else
		bad=$((bad + 1))
		echo "not ok $2 - $3"
	fi
}

# A key of which every form is known, in files of their own.
plant() {
	mkdir "$work/keys" "$work/outputs"
	echo fbeffeff0123456789abcdef10325476 >"$work/keys/planted.keys"
	cd "$work/outputs" || exit 1
	printf 'x\373\357\376\377\001\043\105\147\211\253\315\357\020\062\124\166' >bytes
	echo '"ms":"fbeffeff0123456789abcdef10325476"' >hex
	echo 'ms FBEFFEFF0123456789ABCDEF10325476' >hex-upper
	echo '++/+/wEjRWeJq83vEDJUdg==' >base64
	echo '--_-_wEjRWeJq83vEDJUdg' >base64url
	echo '"blob":"avvv/v8BI0VniavN7xAyVHZh"' >base64-within
	echo 'fbeffeff0123456789abcdef10325477' >another
	cd - >/dev/null || exit 1
}

finds_all() {
	"$secrets" search "$work/keys" "$work/outputs" >"$work/found"
	[ $? -eq 1 ] || return 1
	for form in bytes hex hex-upper base64 base64url base64-within; do
		grep -q "/$form: byte" "$work/found" || return 1
	done
	! grep -q '/another:' "$work/found"
}

plant
finds_all
report $? 1 'a key is found in whatever form it is shown'

# Our own log is not complete yet.
set -- "$GK_BUILD/tests/outputs"
for log in "$TEST_LOGS"/*.log; do
	case $log in
	*/secrets.log) ;;
	*) set -- "$@" "$log" ;;
	esac
done
"$secrets" search "$GK_BUILD/tests/keys" "$@" >"$work/found" 2>&1
status=$?
sed '$!s/^/# /; $d' "$work/found"
report $status 2 "no key is shown: $(tail -n 1 "$work/found")"

# A daemon cannot start without drawing keys; so where none were noted, none were looked for.
lacking=
for outputs in "$GK_BUILD"/tests/outputs/*; do
	[ ! -d "$outputs" ] || [ -s "$GK_BUILD/tests/keys/${outputs##*/}.keys" ] ||
		lacking="$lacking ${outputs##*/}"
done
[ -z "$lacking" ] || echo "# without keys:$lacking"
[ -z "$lacking" ]
report $? 3 'all tests that run the programs have left their keys'
echo 1..3
exit $((bad > 0))
