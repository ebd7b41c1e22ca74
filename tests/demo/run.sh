#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The main job for a person to watch: tests/netns/story.sh with a timeline. 'make demo' runs it.

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

chapter() {
	printf '\n== %s\n\n' "$1"
}

# new_lines FILE NAME: what has come since the last time, each line with a name in front.
new_lines() {
	new_seen=$work/seen/${1##*/}
	[ -e "$1" ] || return
	new_from=$(cat "$new_seen" 2>/dev/null || echo 1)
	tail -n "+$new_from" "$1" | sed "s/^/$2 /"
	echo $(($(wc -l <"$1") + 1)) >"$new_seen"
}

all_new_lines() {
	new_lines "$work/gatewayd.log" gateway
	new_lines "$work/on_wire.wire" wire
	new_lines "$work/said" said
	for shown in $nodes; do
		new_lines "$work/node$shown.out" "node$shown"
	done
}

# What happened, and then what was expected of it.
paragraph() {
	mkdir -p "$work/seen"
	all_new_lines | LC_ALL=C awk -f "$GK_TOP/tests/demo/timeline.awk" | LC_ALL=C sort -s -k 1,1
	cat "$work/results"
	: >"$work/results"
}

report() {
	case $1 in
	ok) echo "              ok: $2" ;;
	*) echo "              FAILED: $2" ;;
	esac >>"$work/results"
}

conclude() {
	paragraph
	printf '\ndemo: %d passed, %d failed\n' $((checks - bad)) "$bad"
	[ "$bad" -eq 0 ]
	exit
}

if [ "$(id -u)" -ne 0 ]; then
	echo 'demo: network namespaces need root' >&2
	exit 1
fi
echo 'One gateway and five nodes, each in a network namespace of its own, on one IPv6-only link.'
printf '\n%-12s  %-8s %-58s %3s  %s\n' TIME WHO WHAT NUM VIA
story
conclude
