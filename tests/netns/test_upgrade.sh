#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Stores that earlier versions left (tests/data/store) are opened, and everybody in them is known;
# from then on there is a mark.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

stores=$GK_TOP/tests/data/store
mark=$work/mark/gatewayd.mark

put_store() { # NAME
	rm -rf "$work/state" "$work/mark"
	mkdir -m 700 "$work/state"
	cp "$stores/$1.db" "$work/state/gatewayd.db"
	cp "$stores/$1.key" "$work/state/as.key"
	chmod 600 "$work/state"/*
}

names() {
	members lights | sed 's/.*"name":"\([^"]*\)".*/\1/' | sort | tr '\n' ' '
}

has_names() { # NAMES
	[ "$(names)" = "$1" ]
}

need_root
presence='check_interval_s = 600; evict = true;'
segment_open 6
joiner=4
for name in v1-first v1 v2; do
	put_store "$name"
	gateway_start
	check "the store $name is opened" gateway_answers
	check 'its members are known' has_names 'node1 node2 node3 '
	num=$(group_num lights)
	check 'their group has its key' [ "$num" -ge 2 ]
	check 'there is a mark' [ -s "$mark" ]
	node_add "$joiner" lights requester,responder
	node_start "$joiner"
	check_soon 10 'another one joins' node_said "$joiner" joined
	check_soon 10 'with a new key' num_is_above "$num"
	num=$(group_num lights)

	gateway_end KILL
	gateway_start
	check 'the next start finds all of them' has_names "node1 node2 node3 node$joiner "
	check 'and the same key' [ "$(group_num lights)" -eq "$num" ]
	check 'nothing was old' not is_logged 'STORE IS'
	node_end "$joiner" TERM

	gateway_end TERM
	rm "$mark"*
	check 'without its mark it is refused now' gateway_refuses "$mark" --adopt --fresh
	joiner=$((joiner + 1))
done
conclude
