#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Members that are no servers and observe: they learn of new keys by notifications, over a link that
# loses some of them too, of their eviction and of the end of their group by a last one; and they
# register again with a gateway that was killed.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

both=requester,responder

rekeyed() { # the num that is the newest then
	before=$(group_num lights)
	ctl rekey lights >/dev/null || return 1
	wait_for 10 num_is_above "$before" && newest=$(group_num lights)
}

observes() { # NODE
	[ "$(value "$(member "$1")" observes)" = true ]
}

# No socket of its own has one of the ports of a member that is a server: for requests, and for what
# the gateway says to groups.
is_no_server() { # NODE
	not grep -qE ':(1633|1636) ' "/proc/$1/net/udp6"
}

pid_of() { # NODE
	eval "echo \"\$node_pid_$1\""
}

# lossy gw|nNODE: of what comes in there the first packet gets lost, and then each fourth.
lossy() {
	deaf "$1" 'numgen inc mod 4 < 1'
}

need_root
presence='check_interval_s = 60; evict = true;'
segment_open 3
gateway_start
! grep -q 'no member can observe' "$work/gatewayd.log" || skip 'this libcoap keeps FETCH to itself'
for node in 1 2 3; do
	node_add "$node" lights $both
done
node_start 1 --observe
node_start 2
node_start 3 --observe
for node in 1 2 3; do
	check_soon 10 "node $node joins" node_said "$node" joined
done
check_soon 5 'two of them observe' observes 1
check_soon 5 'and so does the other' observes 3
check 'one does not' not observes 2
check 'who observes is no server' is_no_server "$(pid_of 1)"
check_soon 10 'all have one key' all_have_num "$(group_num lights)" 1 2 3

check 'the group gets a new key' rekeyed
check_soon 10 'observers get it by a notification' got_num "$newest" observe 1 3
check_soon 10 'the other one by multicast' got_num "$newest" multicast 2
check_soon 5 'it counts as presumed' has_delivery 1 observe
say 1 'hello'
check_soon 10 'what an observer says is read' all_have_read hello 2 3
say 2 'hi'
check_soon 10 'and it reads what others say' all_have_read hi 1 3

# One notification gets lost.
deaf n1 ''
check 'the group gets a new key' rekeyed
check_soon 10 'a notification gets lost' was_deaf n1
check 'its observer does not have the key' not node_has_num 1 "$newest"
hears_again n1
check_soon 30 'it gets the next one' got_num "$newest" observe 1

# Many do, and acknowledgements too.
lossy n1
lossy gw
for round in 1 2 3 4 5; do
	check "rekeying $round over a lossy link" rekeyed
	check_soon 60 'all have the new key' all_have_num "$newest" 1 2 3
done
check 'something was lost' was_deaf n1
hears_again n1
hears_again gw

# Killed, the gateway knows no observers any more.
gateway_end KILL
gateway_start
check 'the group gets a new key' rekeyed
check 'its observers are not told' not observes 1
check 'who hears of the restart' is_checked 1
check_soon 10 'catches up' node_has_num 1 "$newest"
check_soon 10 'and observes again' observes 1
check 'so does the other' is_checked 3
check_soon 10 'too' observes 3
check 'the group gets a new key' rekeyed
check_soon 10 'they get it by a notification' got_num "$newest" observe 1 3

check 'an observer is evicted' quietly ctl evict lights node1
check_soon 5 'it is told' node_said 1 evicted 'notice of the KDC'
check_soon 10 'the rest gets a new key' num_is_above "$newest"
check_soon 30 'not being banned, it comes back' node_reports 1 joined 1
check_soon 5 'and observes' observes 1

node_tell 3 leave
check_soon 5 'an observer leaves' node_said 3 left
check 'it is out' is_no_member 3

groups=meters
gateway_configure
check 'the group is deleted' quietly ctl reload
check_soon 5 'its observer is told' node_said 1 evicted 'the group was deleted'
check_soon 5 'and so is the other one' node_said 2 evicted
conclude
