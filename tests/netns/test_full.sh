#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The file system of state_dir fills up, before a join, a leave, an eviction and a rekeying, then to
# the last byte of the reserve, and becomes read-only: who is new waits, who leaves is let go as long
# as that can be written, and everything goes on by itself when there is room.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

flash=$work/state

flash_open() {
	mkdir -m 700 "$flash"
	mounts="$mounts $flash"
	mount -t tmpfs -o size=2m,mode=700 none "$flash" || give_up 'no tmpfs'
}

fill() {
	dd if=/dev/zero bs=1k of="$flash/filler$((fillers += 1))" 2>/dev/null
}
fillers=0

make_room() {
	rm -f "$flash"/filler*
}

# To the last byte: what was reserved is used up by somebody else.
fill_reserve() {
	fill
	rm -f "$flash/reserve"
	fill
}

# The kernel refuses that to people while a file there is open for writing, and does it by itself when
# the medium fails. So gatewayd, which has mounts of its own under ip-netns(8), gets another view.
in_gateway_mounts() {
	nsenter -t "$gateway_pid" -m "$@"
}

make_read_only() {
	in_gateway_mounts mount --bind "$flash" "$flash" || give_up 'no bind mount'
	in_gateway_mounts mount -o remount,ro,bind "$flash" || give_up 'no read-only mount'
}

make_writable() {
	in_gateway_mounts umount "$flash"
}

storage_is() { # WORD
	[ "$(value "$(ctl status --json)" storage)" = "$1" ]
}

count_logged() { # WORDS
	grep -cF -- "$1" "$work/gatewayd.log"
}

is_logged_often() { # COUNT WORDS
	[ "$(count_logged "$2")" -eq "$1" ]
}

# The answer may be unprotected: a client that is not known yet has no association.
is_told_to_wait() { # NODE
	wire_has on_wire "way == \"out\" && code == \"5.03\" && to ~ /^.$(node_ip "$1")]/"
}

waits() { # NODE
	wire_mark on_wire
	node_start "$1"
	check_soon 10 "node $1 is told to come later" is_told_to_wait "$1"
	check 'and is not in' is_no_member "$1"
}

is_let_go() { # NODE
	node_tell "$1" leave
	wait_for 5 node_said "$1" left
}

# Once, whatever went on.
scarce_text='full; new clients and members get 5.03'
none_text='full, or read-only'
good_text='there is room again'
levels() {
	echo "$(count_logged "$scarce_text") $(count_logged "$none_text") $(count_logged "$good_text")"
}

fills=0
rooms=0
fills_up() {
	fills=$((fills + 1))
	fill
	check_soon 5 'the file system fills up' storage_is scarce
	check 'which is logged once' [ "$(levels)" = "$fills 0 $rooms" ]
}

has_room() {
	rooms=$((rooms + 1))
	make_room
	check_soon 5 'there is room again' storage_is good
	check 'which is logged, and nothing was said twice' [ "$(levels)" = "$fills 0 $rooms" ]
}

need_root
presence='check_interval_s = 600; evict = true;'
segment_open 8
flash_open
gateway_start
wire_watch on_wire gw
check 'there is room' storage_is good
nodes_join 1 2 3 4 5
check_soon 10 'all agree' views_agree lights 1 2 3 4 5
for node in 6 7 8; do
	node_add "$node" lights requester,responder
done

# Before a join.
fills_up
waits 6
check 'no token is issued' not node_add 9 lights requester
check 'members get answers' is_checked 1
has_room
check_soon 40 'who waited gets in by itself' node_said 6 joined
check_soon 10 'all agree' views_agree lights 1 2 3 4 5 6

# Before a leave.
num=$(group_num lights)
fills_up
check 'who leaves is let go' is_let_go 5
check_soon 10 'there is a new key' num_is_above "$num"
check_soon 10 'which the others have' views_agree lights 1 2 3 4 5 6
has_room

# Before an eviction.
num=$(group_num lights)
fills_up
check 'who is evicted is out' quietly ctl evict --ban lights node4
check_soon 10 'there is a new key' num_is_above "$num"
check_soon 10 'which the others have' views_agree lights 1 2 3 4 5 6
has_room

# Before a rekeying, and a restart.
num=$(group_num lights)
fills_up
check 'the operator gets a new key' quietly ctl rekey lights
check_soon 10 'it is there' num_is_above "$num"
check_soon 10 'and all have it' views_agree lights 1 2 3 4 5 6
gateway_end KILL
gateway_start
check_soon 5 'all is as before' views_agree lights 1 2 3 4 5 6
fills=$(count_logged "$scarce_text")
has_room
# With a block of sequence numbers from now on, of which the rest of this test lives.
check 'members get answers' is_checked 1

# Not even what was reserved.
fill_reserve
check_soon 5 'the reserve is used up' storage_is none
waits 7
num=$(group_num lights)
check 'nobody is let go without it being written' not is_let_go 3
check 'so it still is a member' is_member 3
check 'nor is anybody evicted' not quietly ctl evict lights node3
check 'nor is there a new key' [ "$(group_num lights)" -eq "$num" ]
check 'members get answers' is_checked 1
say 1 'no room'
check_soon 10 'and talk' all_have_read 'no room' 2 3 6
check 'it was logged once' is_logged_often 1 "$none_text"
make_room
check_soon 5 'there is room again' storage_is good
check 'who asks again is let go' is_let_go 3
check_soon 10 'there is a new key' num_is_above "$num"
check_soon 40 'who waited gets in' node_said 7 joined
check_soon 10 'all agree' views_agree lights 1 2 3 6 7

make_read_only
check_soon 5 'the file system is read-only' storage_is none
num=$(group_num lights)
waits 8
check 'nobody is let go without it being written' not is_let_go 2
check 'so it still is a member' is_member 2
check 'members get answers' is_checked 1
check 'it was logged once more' is_logged_often 2 "$none_text"
make_writable
check_soon 5 'it can be written again' storage_is good
check 'who asks again is let go' is_let_go 2
check_soon 10 'there is a new key' num_is_above "$num"
check_soon 40 'who waited gets in' node_said 8 joined
check_soon 10 'all agree' views_agree lights 1 2 3 6 7 8
check 'nobody had to join twice' have_joined 1 1 6 7 8
conclude
