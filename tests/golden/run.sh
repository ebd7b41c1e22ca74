#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Configurations in and out. 'gatewayd -n -v' of NAME.in must print NAME.ok, and print that again
# when it is given that; or, where there is a NAME.err, must refuse with exactly that message, which
# names the file and the line. Then the shipped example and what the manual page says.
#
# GATEWAYD  the program [$GK_BUILD/gatewayd]
# EMULATOR  a command that runs it, if it was built for another machine

set -u
LC_ALL=C
export LC_ALL

cd "$(dirname "$0")" || exit 1
top=$(cd ../.. && pwd) || exit 1
gatewayd=${GATEWAYD:-${GK_BUILD:-$top/build}/gatewayd}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# libconfig 1.5 does not free the text that it has read last when a syntax error follows.
echo leak:libconfig >"$tmp/lsan"
export LSAN_OPTIONS="suppressions=$tmp/lsan:print_suppressions=0"

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

note() { # FILE: what a reader of the log needs
	sed 's/^/# /' "$1"
}

same() { # GOT WANT
	diff -u "$2" "$1" >"$tmp/diff" && return 0
	note "$tmp/diff"
	return 1
}

run() { # ARGUMENTS...
	# shellcheck disable=SC2086 # words of their own
	${EMULATOR-} "$gatewayd" "$@"
}

effective() { # FILE OUT: what is in effect, by the program
	run -n -v -c "$1" >"$2" 2>"$tmp/stderr" && [ ! -s "$tmp/stderr" ] && return 0
	note "$tmp/stderr"
	return 1
}

accepts() { # NAME
	effective "$1.in" "$tmp/out" && same "$tmp/out" "$1.ok" &&
		effective "$1.ok" "$tmp/again" && same "$tmp/again" "$1.ok"
}

# The message is the last thing said; a log may put its own words before it.
refuses() { # NAME
	if run -n -v -c "$1.in" >"$tmp/out" 2>"$tmp/stderr"; then
		echo "# accepted"
		return 1
	fi
	if [ -s "$tmp/out" ]; then
		echo "# printed something all the same"
		return 1
	fi
	case $(cat "$tmp/stderr") in
	*"$(cat "$1.err")") return 0 ;;
	esac
	same "$tmp/stderr" "$1.err"
}

shipped=$top/etc/gatewayd.conf
page=$top/docs/gatewayd.conf.5

example_passes() {
	run -n -c "$shipped"
}

# With the '#' taken away that hides an option at its default, the same is in effect. What stands
# behind the groups is not hidden, but another choice.
example_shows_the_defaults() {
	sed '/^);/q; s/^#\([^ ]\)/\1/' "$shipped" >"$tmp/shown"
	effective "$shipped" "$tmp/hidden.out" && effective "$tmp/shown" "$tmp/shown.out" &&
		same "$tmp/shown.out" "$tmp/hidden.out"
}

# The groups behind the list are taken as they are, and the worst case of each is that of the file.
ready_groups_keep_their_bounds() {
	tab=$(printf '\t')
	{
		echo 'interface = "lowpan0"; groups = ('
		sed "1,/^);/d; s/^#$tab/$tab/; s/^$tab}\$/$tab},/" "$shipped" | sed '$s/,$//'
		echo ');'
	} >"$tmp/ready"
	effective "$tmp/ready" "$tmp/out" || return 1
	sed -n '/^# From/,$p' "$tmp/out" >"$tmp/bounds"
	same "$tmp/bounds" ready.bounds
}

keys() { # FILE: 'depth-less' names of options that are set in it
	sed -n 's/^[[:space:]]*\([a-z_]*\) = .*/\1/p' "$1" | sort -u
}

# Every option that the program prints stands in the example, at its default, and in the page.
options_are_described() {
	effective full.in "$tmp/full" || return 1
	sed 's/^#//; s/^\([[:space:]]*\)# /\1/' "$shipped" >"$tmp/all"
	status=0
	for key in $(keys "$tmp/full"); do
		if ! keys "$tmp/all" | grep -qx "$key"; then
			echo "# $key is not in $shipped"
			status=1
		fi
		if ! grep -q "^\\.It Ic $key N[so] " "$page"; then
			echo "# $key is not in $page"
			status=1
		fi
	done
	return $status
}

# Defaults and ranges in the page are those of the program: the default is what it prints, and one
# below and above the range is refused. Options of 'presence' also have to go together; what each may
# be by itself is tried where the others leave it free.
numbers_in_page_are_true() {
	effective smallest.in "$tmp/defaults" || return 1
	sed 's/\([[:space:]]check_interval_s = \)[0-9]*/\11/
		s/\([[:space:]]sleep_max_s = \)[0-9]*/\131536000/
		s/\([[:space:]]mass_loss_percent = \)[0-9]*/\1100/
		s/\([[:space:]]evict = \)true/\1false/' "$tmp/defaults" >"$tmp/free"
	status=0
	awk '
	/^\.It Ic [a-z_]* Ns = Ns Ar number/ { key = $3; low = high = ""; next }
	/^\.It / { key = "" }
	key && match($0, /[0-9]+ to [0-9]+/) {
		split(substr($0, RSTART, RLENGTH), range, " to ")
		low = range[1]
		high = range[2]
	}
	key && /^Default: [0-9]+\.$/ {
		sub(/\.$/, "", $2)
		print key, low, high, $2
	}
	' "$page" >"$tmp/numbers"
	[ -s "$tmp/numbers" ] || return 1
	while read -r key low high default; do
		if ! grep -q "^[[:space:]]*$key = $default;" "$tmp/defaults"; then
			echo "# $key has not the default $default"
			status=1
		fi
		for value in "$low" "$high" $((low - 1)) $((high + 1)); do
			sed "s/\\([[:space:]]$key = \\)[0-9]*;/\\1$value;/" "$tmp/free" >"$tmp/one"
			accepted=no
			run -n -c "$tmp/one" >/dev/null 2>&1 && accepted=yes
			wanted=no
			[ "$value" -ge "$low" ] && [ "$value" -le "$high" ] && wanted=yes
			if [ $accepted != $wanted ]; then
				echo "# $key = $value: accepted: $accepted, page: $wanted"
				status=1
			fi
		done
	done <"$tmp/numbers"
	return $status
}

examples_in_page_pass() {
	awk -v out="$tmp/page" '
	/^\.Bd -literal/ { n++; inside = 1; next }
	/^\.Ed/ { inside = 0 }
	inside { print >(out n) }
	' "$page"
	[ -e "$tmp/page1" ] || return 1
	for file in "$tmp"/page*; do
		effective "$file" "$tmp/out" || return 1
	done
}

of_effective() { # OPTION FILE...: its line, when these are read in this order
	option=$1
	shift
	for file in "$@"; do
		shift
		set -- "$@" -c "$file"
	done
	run -n -v "$@" 2>&1 | grep "^$option = "
}

later_files_replace_what_earlier_ones_say() {
	echo 'interface = "over0";' >"$tmp/over"
	[ "$(of_effective interface smallest.in "$tmp/over")" = 'interface = "over0";' ] &&
		[ "$(of_effective interface "$tmp/over" smallest.in)" = 'interface = "lowpan0";' ] ||
		return 1
	set -- -c "$tmp/over" -c "$tmp/over" -c "$tmp/over" -c "$tmp/over" -c "$tmp/over" -c "$tmp/over" \
		-c "$tmp/over"
	run -n "$@" -c smallest.in || return 1
	run -n "$@" -c "$tmp/over" -c smallest.in 2>/dev/null
	[ $? -eq 2 ]
}

if [ ! -x "$gatewayd" ]; then
	echo "1..1"
	echo "not ok 1 - $gatewayd is missing"
	exit 1
fi

set -- *.in
extra="example_passes example_shows_the_defaults ready_groups_keep_their_bounds
	options_are_described numbers_in_page_are_true examples_in_page_pass
	later_files_replace_what_earlier_ones_say"
# shellcheck disable=SC2086
echo "1..$(($# + $(printf '%s\n' $extra | wc -l)))"
for file in "$@"; do
	name=${file%.in}
	if [ -e "$name.ok" ]; then
		accepts "$name"
	else
		refuses "$name"
	fi
	result $? "$name"
done
for check in $extra; do
	$check
	result $? "$check"
done
[ $failures -eq 0 ]
