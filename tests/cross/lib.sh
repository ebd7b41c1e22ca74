#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What 'run' and 'boot' share. They are at the top of the source tree; of a target they set 'target',
# 'dir', where all of it is, and 'log'; and 'install'.
# shellcheck disable=SC2034,SC2154

set -eu
LC_ALL=C
export LC_ALL

top=$(pwd)
here=$top/tests/cross
all=$top/build-cross

say() {
	printf '%s\n' "$*"
}

die() {
	printf 'cross: %s\n' "$*" >&2
	exit 1
}

table() { # FILE: its lines, without comments
	grep -v '^#' "$here/$1"
}

row() { # FILE NAME: the line of that name, which has to be there
	table "$1" | awk -v name="$2" '$1 == name' | grep . ||
		die "no $2 in tests/cross/$1; there are: $(table "$1" | awk '{ print $1 }' | xargs)"
}

# Run a command with its output in the log of the target only.
quietly() {
	printf '$ %s\n' "$*" >>"$log"
	"$@" >>"$log" 2>&1 </dev/null || {
		tail -n 25 "$log" >&2
		die "$target: '$1' failed; all of it is in $log"
	}
}

once() { # NAME COMMAND...: in a directory of its own
	name=$1
	shift
	[ ! -f "$dir/$name.done" ] || return 0
	say "$target: $name"
	rm -rf "${dir:?}/$name"
	mkdir "$dir/$name"
	cd "$dir/$name"
	"$@"
	cd "$top"
	rm -rf "${dir:?}/$name"
	: >"$dir/$name.done"
}

missing() { # PACKAGES...: which of them are not installed
	for package in "$@"; do
		# shellcheck disable=SC2016 # dpkg-query's own variable
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' ||
			printf ' %s' "$package"
	done
}

# Installs what is missing, if that is wanted.
need() { # PACKAGES...
	lacking=$(missing "$@")
	[ -n "$lacking" ] || return 0
	[ "$install" = yes ] || die "missing here: apt-get install$lacking"
	# shellcheck disable=SC2086 # a list of words
	DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $lacking
}
