#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# In a large group nobody confirms: the gateway presumes that members have a new key until they show
# which one they have, and tells those by unicast who show an old one.
#
# Two hundred members, twenty to a namespace: they share its address and differ in their ports.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

# At first so that nobody is asked for a sign of life.
presence='check_interval_s = 600;'
rekey='coalesce_ms = 100; confirm = "implicit"; repeat = 2; repeat_ms = 500;'
spaces_used=10
count=200

node_space() { # NODE
	echo "$net-n$((($1 - 1) % spaces_used + 1))"
}

said_by() { # COUNT WORDS: have so many members said it?
	[ "$(cat "$work"/node*.out | grep -c "$2")" -ge "$1" ]
}

have_num() { # NUM
	[ "$(grep -l "\"num\":$1," "$work"/node*.out | wc -l)" -eq "$count" ]
}

got() { # NUM VIA COUNT: have exactly so many members got it this way?
	[ "$(cat "$work"/node*.out | grep '"event":"rekeyed"' | grep "\"num\":$1," |
		grep -c "\"via\":\"$2\"")" -eq "$3" ]
}

are_delivered() { # WORD COUNT
	[ "$(members lights | grep -c "\"delivery\":\"$1\"")" -eq "$2" ]
}

# Rekeying messages have some hundred bytes, probes some dozens.
large() {
	echo 'length(hex) > 300'
}

need_root
segment_open $spaces_used
gateway_start
wire_watch gw gw
for node in $(seq $count); do
	node_add "$node" lights requester,responder
	node_start "$node" --port 0
done
check_soon 60 "$count members join" said_by $count '"event":"joined"'
# Who joined while others did may have missed what they brought, which the next message tells it;
# but such messages count once in 5 s.
for try in 1 2 3 4; do
	quietly ctl rekey lights
	wait_for 7 have_num "$(group_num lights)" && break
	echo "# not all have it: $try"
done
check 'all have the newest key' have_num "$(group_num lights)"
# Who saw a gap asks a little later, although it has caught up meanwhile; that shows what it has.
check 'and nothing left to ask for' stays 6 have_num "$(group_num lights)"
check 'the gateway has as many in its list' [ "$(members lights | wc -l)" -eq $count ]
check 'nobody has confirmed any of all these keys' wire_has_no gw "$(confirmations)"

num=$(($(group_num lights) + 1))
deaf n$spaces_used udp dport 5686
wire_mark gw
check 'the group gets a new key' quietly ctl rekey lights
check_soon 10 'those who hear it have it' got "$num" multicast 180
check_soon 5 'it was sent twice' wire_has gw "$(rekeyings "$num")" 1
check 'the same each time' wire_says gw "$(rekeyings "$num")" 1
check 'nobody is to confirm it' wire_has_no gw "$(rekeyings "$num") && leisure_ms > 0"
check 'nobody does' stays 3 wire_has_no gw "$(confirmations)"
check 'nobody is told by unicast' wire_has_no gw "$(unicasts)"
check 'the gateway presumes that all have it' are_delivered multicast $count
check 'and says so of the group' [ "$(value "$(group_line lights)" presumed)" -eq "$count" ]
check 'it knows it of none' [ "$(ledger lights)" = "$count 0 0 0" ]

# What it knows it keeps. From the restart on it asks one after the other, and then more often: as
# often as the link has room for.
gateway_end TERM
wire_mark gw
gateway_start
check 'it presumes as before' wire_has_no gw "$(unicasts)"
presence='check_interval_s = 10; probes = 3; probe_wait_s = 5;'
gateway_configure
check 'it is to ask more often' quietly ctl reload
# Within the interval, and the time that the kernel has without CAP_NET_ADMIN, 8.5 s.
check_soon 25 'those who show the old key get the new one by unicast' got "$num" unicast 20
check_soon 20 'it knows of all' are_delivered confirmed $count
check 'of 180 by their answers' [ "$(ledger lights)" = "$count 180 20 0" ]
check 'no other got it by unicast' wire_says gw "$(unicasts) && $(large)" 20
check 'nobody confirmed' wire_has_no gw "$(confirmations)"
check 'nobody is gone' [ "$(members lights | wc -l)" -eq $count ]
check 'it is the same key' [ "$(group_num lights)" -eq "$num" ]
conclude
