#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Hostile and mistaken clients get the answers of RFC 9594 and its profile, and change nothing.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

groups='lights meters'

# What must not change: groups with their numbers, members with theirs.
state() {
	ctl groups --json
	members lights | sed 's/,"last_seen_s":[0-9]*//'
	members meters | sed 's/,"last_seen_s":[0-9]*//'
}

is_unchanged() { # STATE
	[ "$(state)" = "$1" ]
}

# bad NODE GROUP CASE: the answers in one line.
bad() {
	in_node 2 "$GK_BUILD/tests/tools/badclient" "$work/node$1.bundle" "$2" "$3" 2>&1 |
		tr '\n' ';'
}

# refused NAME NODE GROUP CASE ANSWERS
refused() {
	before=$(state)
	answers=$(bad "$2" "$3" "$4")
	[ "$answers" = "$5" ] || echo "# answers: $answers"
	check "$1: $5" [ "$answers" = "$5" ]
	check "$1 changes nothing" is_unchanged "$before"
}

has_expired() { # SECONDS since 1970
	[ "$(date +%s)" -ge "$1" ]
}

need_root
segment_open 2
gateway_start
node_add 1 lights requester,responder
node_start 1
check_soon 10 'an honest client joins' node_said 1 joined
node_add 2 lights requester,responder
node_add 3 meters requester
node_add 4 lights requester --expires 1s

refused 'a token for another group' 3 lights join 'token 2.01 19;join 4.03;'
refused 'more roles than the token grants' 2 lights more-roles 'token 2.01 19;join 4.03;'
refused 'a wrong proof of possession' 2 lights wrong-pop 'token 2.01 19;join 4.00 257 error 3;'
refused 'a malformed request' 2 lights malformed 'token 2.01 19;join 4.00 261 29;'
refused 'a forged request' 2 lights forgery 'token 2.01 19;join! 4.00;'
refused 'an unprotected join' 2 lights unprotected 'join! 4.01;'

expires=$(sed -n 's/.*"exp":\([0-9]*\).*/\1/p' "$work/node4.bundle")
check_soon 5 'a second goes by' has_expired "$expires"
refused 'an expired token' 4 lights join 'token 4.01;'

# This one is first accepted, and rekeys the group; its second coming does not.
num=$(group_num lights)
check 'a replayed join is told apart from the one it repeats' \
	[ "$(bad 2 lights replay)" = 'token 2.01 19;join 2.01 261;join! 4.01;' ]
check 'and only that one counted' [ "$(group_num lights)" -eq $((num + 1)) ]
check 'it is in once' [ "$(members lights | grep -c '"name":"node2"')" -eq 1 ]

# Node 2 is in with its one accepted join, and no gkmember runs on it to compare.
quietly ctl evict lights node2
check_soon 10 'the honest client is where it should be' views_agree lights 1
conclude
