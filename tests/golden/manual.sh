#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What README.md, groupkey(3) and gatewayctl(8) say is what there is. The page's prototypes and
# examples are cut out and compiled with nothing but groupkey.h in sight, then run by
# manual_shell.c; the configuration in README.md is given to 'gatewayd -n'; the calls of gatewayctl,
# the names in its JSON, and its metrics, are looked up in its page.
#
# GATEWAYD  the program [$GK_BUILD/gatewayd]
# EMULATOR  a command that runs programs of another machine, if it was built for one
# CC        the compiler, with what it takes to link with $GK_BUILD/libgroupkey.a [cc]
# CORE_LIBS the libraries under libgroupkey [-lcbor -lwolfssl]

set -u
LC_ALL=C
export LC_ALL

cd "$(dirname "$0")" || exit 1
top=$(cd ../.. && pwd) || exit 1
build=${GK_BUILD:-$top/build}
gatewayd=${GATEWAYD:-$build/gatewayd}
page=$top/docs/groupkey.3
calls_page=$top/docs/gatewayctl.8
readme=$top/README.md
header=$top/libgroupkey/groupkey.h
: "${CC:=cc}" "${CORE_LIBS:=-lcbor -lwolfssl}"
flags='-std=c11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes'

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$tmp/include"
cp "$header" "$tmp/include"

count=0
failures=0

result() { # STATUS NAME
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		failures=$((failures + 1))
		echo "not ok $count - $2"
	fi
}

quietly() { # COMMAND...: its output only if it fails
	"$@" >"$tmp/output" 2>&1 </dev/null && return 0
	sed 's/^/# /' "$tmp/output"
	return 1
}

run() { # PROGRAM ARGUMENTS...: one that was built
	# shellcheck disable=SC2086 # words of their own
	${EMULATOR-} "$@"
}

compile() { # NAME: NAME.c to NAME.o
	# shellcheck disable=SC2086 # words of their own
	quietly $CC $flags -I"$tmp/include" -c "$tmp/$1.c" -o "$tmp/$1.o"
}

# each PLACE FEWEST COMMAND...: of each line of 'names', more than so many, the command is true, with
# the line behind it; else that is not in the place.
each() {
	place=$1 fewest=$2
	shift 2
	[ "$(wc -l <"$tmp/names")" -gt "$fewest" ] || return 1
	status=0
	while read -r name; do
		"$@" "$name" && continue
		echo "# $name is not in $place"
		status=1
	done <"$tmp/names"
	return $status
}

has_prototype() { # NAME WITH (
	grep -qF "$1" "$tmp/prototypes"
}

has_constant() { # NAME
	grep -qE "^\.(It )?Dv $1( |\$)" "$page"
}

has_call() { # CALL
	grep -qE "^\.It Cm $1( (Ar|Op) .*)?\$|^\.Cm $1 Ar" "$calls_page"
}

# In the section that was cut out.
has_name() { # NAME
	grep -qE "(^|[ (])$1( |,|\$)" "$tmp/page"
}

# .Ft TYPE, then .Fn NAME ARGUMENTS on one line or .Fo NAME, .Fa ARGUMENT ... .Fc on several.
prototypes() {
	awk '
	function unquote(s) {
		gsub(/"/, "", s)
		return s
	}
	/^\.Ft / { sub(/^\.Ft /, ""); type = unquote($0) }
	/^\.Fn / && type {
		sub(/^\.Fn /, "")
		name = $1
		sub(/^[^ ]* /, "")
		gsub(/" "/, ", ")
		print type " " name "(" unquote($0) ");"
		type = ""
	}
	/^\.Fo / { name = $2; arguments = "" }
	/^\.Fa / && name {
		sub(/^\.Fa /, "")
		arguments = arguments (arguments ? ", " : "") unquote($0)
	}
	/^\.Fc/ { print type " " name "(" arguments ");"; type = name = "" }
	/^\.Sh DESCRIPTION/ { exit }
	' "$page"
}

# A prototype unlike the one in the header does not compile.
prototypes_are_those_of_the_header() {
	{
		echo '#include <groupkey.h>'
		prototypes
	} >"$tmp/prototypes.c"
	compile prototypes
}

# Each name once: functions with their prototype, constants anywhere in the text.
names_are_in_the_page() {
	prototypes >"$tmp/prototypes"
	sed -n '/^GK_API/{ N; s/\n/ /; s/.*[ *]\(gk_[a-z_]*\)(.*/\1(/p; }' "$header" >"$tmp/names"
	each "$page" 20 has_prototype || return 1
	grep -oE '\bGK_(ERR|EVENT|NOTE|STORAGE)_[A-Z_]+ =' "$header" | sed 's/ =//; /GK_EVENT_NONE/d' \
		>"$tmp/names"
	each "$page" 20 has_constant
}

# The displays of the page, as text: example1.c, example2.c ...
cut_examples() {
	awk -v out="$tmp/example" '
	/^\.Bd -literal/ { n++; inside = 1; next }
	/^\.Ed/ { inside = 0 }
	inside {
		sub(/^\\&/, "")
		gsub(/\\e/, "\\")
		print >(out n ".c")
	}
	' "$page"
	[ -e "$tmp/example1.c" ] && [ -e "$tmp/example2.c" ] && [ ! -e "$tmp/example3.c" ]
}

examples_compile() {
	cut_examples && compile example1 && compile example2
}

# The shell is ours and may use what the system has; only the examples are held to C11.
examples_link() {
	# shellcheck disable=SC2086
	quietly $CC $flags -D_GNU_SOURCE -I"$tmp/include" manual_shell.c "$tmp/example1.o" \
		"$tmp/example2.o" "$build/libgroupkey.a" $CORE_LIBS -o "$tmp/examples"
}

readme_configuration_passes() {
	awk '/^```/ { inside = /^```conf/; next } inside' "$readme" >"$tmp/readme.conf"
	[ -s "$tmp/readme.conf" ] && quietly run "$gatewayd" -n -c "$tmp/readme.conf"
}

# Each command that README.md shows of ours is one that the program knows: a misspelt one exits with
# 2 (usage), and without a daemon at that socket the others exit with 3.
# shellcheck disable=SC2016 # the quotes are Markdown's
readme_calls_are_known() {
	sed -n '/^```sh/,/^```/s/^\(.*[[:space:]]\)\{0,1\}gatewayctl /gatewayctl /p' "$readme" |
		sed 's/ *#.*//' >"$tmp/calls"
	[ -s "$tmp/calls" ] || return 1
	status=0
	while read -r _ call; do
		# shellcheck disable=SC2086
		run "$build/gatewayctl" -s "$tmp/none" $call >"$tmp/output" 2>&1 </dev/null
		[ $? -eq 3 ] && continue
		echo "# gatewayctl $call: $(head -n 1 "$tmp/output")"
		status=1
	done <"$tmp/calls"
	return $status
}

# 'gatewayctl --help' has each call on a line that is indented by two.
calls_are_in_their_page() {
	run "$build/gatewayctl" --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\).*/\1/p' >"$tmp/names"
	each "$calls_page" 9 has_call
}

# The names of members and the words for events, as the sources have them.
json_names_are_in_their_page() {
	sed -n '/^\.Ss JSON/,/^\.Ss/p' "$calls_page" >"$tmp/page"
	{
		for source in calls clients show notes status why alarm; do
			grep -oE '(json,|= {) "[a-z_]+"' "$top/gatewayd/$source.c"
		done
		grep -oE '= "[a-z-]+"' "$top/gatewayd/words.c"
	} | sed 's/.*"\(.*\)"/\1/' | sort -u >"$tmp/names"
	each "$calls_page" 90 has_name
}

metrics_are_in_their_page() {
	sed -n '/^\.Ss Metrics/,/^\.Ss/p' "$calls_page" >"$tmp/page"
	sed -n 's/.*GAUGES\{0,1\}("\([a-z_]*\)",.*/gatewayd_\1/p
		s/.*COUNTERS\{0,1\}("\([a-z_]*\)",.*/gatewayd_\1_total/p
		s/.*\.name = "\(gatewayd_[a-z_]*\)",.*/\1/p' "$top/gatewayd/metrics.c" >"$tmp/names"
	each "$calls_page" 35 has_name
}

checks="prototypes_are_those_of_the_header names_are_in_the_page examples_compile examples_link
	readme_configuration_passes readme_calls_are_known calls_are_in_their_page
	json_names_are_in_their_page metrics_are_in_their_page"
for check in $checks; do
	$check
	result $? "$check"
done
# It goes on where this script's numbers end.
if [ -x "$tmp/examples" ]; then
	run "$tmp/examples" "$count" || failures=$((failures + 1))
else
	echo "not ok $((count + 1)) - examples run"
	failures=$((failures + 1))
fi
echo "1..$((count + 8))"
[ $failures -eq 0 ]
