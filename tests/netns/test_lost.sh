#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Of what a member asks the KDC three transmissions get lost, and the fourth is answered, soon enough
# for one that asks every second to wait for less than 10 s.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

asked='way == "in" && type == "CON" && code == "0.02"'

# How long after the first transmission that one was, in ms.
after_first() { # WHICH
	wire_lines gw "$asked" | sed -n "1p; ${1}p" | awk 'NR == 1 { first = $1 } END { print $1 - first }'
}

has_asked() { # TIMES
	wire_has gw "$asked" $(($1 - 1))
}

need_root
# Nobody asks it anything meanwhile.
presence='check_interval_s = 600; evict = true;'
segment_open 1
gateway_start
wire_watch gw gw
nodes_join 1

wire_mark gw
deaf gw udp dport 5683
answers=$(node_count 1 checked)
node_tell 1 check
check_soon 5 'it asks again' has_asked 2
check_soon 10 'a third time' has_asked 3
hears_again gw
check_soon 10 'and is answered' node_reports 1 checked "$answers"
check 'to the fourth transmission' [ "$(wire_count gw "$asked")" -ge 4 ]
echo "# ms after the first: $(after_first 2) $(after_first 3) $(after_first 4)"
check 'a new exchange began in less than 7 s' [ "$(after_first 3)" -lt 7000 ]
check 'its second transmission came in less than 9 s' [ "$(after_first 4)" -lt 9000 ]
conclude
