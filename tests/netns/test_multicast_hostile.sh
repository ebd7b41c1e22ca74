#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Who is on the link without being a member hears rekeying messages, and can do nothing with them:
# forged, replayed and truncated ones change nothing at any member and are counted, and nobody
# answers the one who sent them.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

# What members of lights miss nobody tells them of, so that there is time for attacks.
groups='lights meters'
presence='check_interval_s = 600;'
victims='1 2 3'
refused_before=

group_rekey() {
	case $1 in
	lights) echo 'coalesce_ms = 100; confirm = "none"; repeat = 1;' ;;
	meters) echo 'coalesce_ms = 100; confirm = "all"; repeat = 1;' ;;
	esac
}

# The newest rekeying message that the stranger has heard.
heard() { # NUM
	wire_lines stranger "kind == \"rekeying\" && num == $1" | tail -n 1 | cut -d ' ' -f 10
}

# Bytes of a datagram in hex: the first, or all but the last; and the last.
head_of() { # HEX COUNT|-COUNT
	printf '%s\n' "$1" |
		awk -v n="$2" '{ print substr($0, 1, n < 0 ? length($0) + 2 * n : 2 * n) }'
}

tail_of() { # HEX COUNT
	printf '%s\n' "$1" | awk -v n="$2" '{ print substr($0, length($0) - 2 * n + 1) }'
}

# A bit of the byte that is so far from the end.
flip() { # HEX COUNT
	printf '%s%02x%s\n' "$(head_of "$1" "-$2")" \
		$((0x$(tail_of "$1" "$2" | cut -c 1-2) ^ 1)) "$(tail_of "$1" $(($2 - 1)))"
}

# All before the payload: the last option is Content-Format 261.
route_of() { # HEX
	printf '%s\n' "$1" | sed 's/\(120105ff\).*/\1/'
}

garbage() { # BYTES
	od -A n -t x1 -N "$1" /dev/urandom | tr -d ' \n'
}

refused_by() { # NODE
	value "$(node_status "$1" lights)" refused
}

counts() {
	for victim in $victims; do
		refused_by "$victim"
	done
}

each_refused_one() {
	# shellcheck disable=SC2086 # a list
	set -- $refused_before
	for victim in $victims; do
		[ "$(refused_by "$victim")" -eq $(($1 + 1)) ] || return 1
		shift
	done
}

num_in() { # NODE GROUP
	value "$(node_status "$1" "$2")" num
}

all_have_num_in() { # GROUP NUM
	for victim in $victims; do
		[ "$(num_in "$victim" "$1")" = "$2" ] || return 1
	done
}

# attack NAME BYTES: the members refuse it, each once, and have what they had.
attack() {
	refused_before=$(counts)
	control_show n4 "$2"
	check_soon 5 "$1: counted by each member" each_refused_one
	check "$1: nothing changes" all_have_num_in lights "$old_num"
}

close_members() {
	for victim in $victims; do
		deaf "n$victim" udp dport 5686
	done
}

open_members() {
	for victim in $victims; do
		hears_again "n$victim"
	done
}

confirmations_refused() { # COUNT
	[ "$(value "$(group_line meters)" confirmations_refused)" -eq "$1" ]
}

both=requester,responder
need_root
segment_open 4
gateway_start
wire_watch stranger n4
wire_watch gw gw
for node in $victims; do
	node_add "$node" lights $both --group meters --roles $both
	node_start "$node"
	check_soon 10 "node $node joins a group" node_said "$node" joined '"group":"lights"'
	check_soon 10 "node $node joins another" node_said "$node" joined '"group":"meters"'
done
check_soon 5 'all have the newest key' all_have_num_in lights 3
# shellcheck disable=SC2086 # a list
check_soon 10 'and in the other group agree' views_agree meters $victims

# A message that the stranger has and the members have not: each byte but one is right.
old_num=$(group_num lights)
num=$((old_num + 1))
close_members
check 'the group gets a new key' quietly ctl rekey lights
check_soon 5 'a stranger hears it' wire_has stranger "kind == \"rekeying\" && num == $num"
check 'the members do not' was_deaf n3
open_members
check 'they have the old key' all_have_num_in lights "$old_num"
real=$(heard "$num")
attack 'a bit of the MAC flipped' "$(flip "$real" 1)"
attack 'a bit of the signature flipped' "$(flip "$real" 20)"
attack 'a bit of the material flipped' "$(flip "$real" 100)"
attack 'a MAC of garbage' "$(head_of "$real" -8)$(garbage 8)"
attack 'a signature and a MAC of garbage' "$(head_of "$real" -73)$(garbage 64)48$(garbage 8)"
attack 'the last byte cut off' "$(head_of "$real" -1)"
attack 'the MAC cut off' "$(head_of "$real" -9)"
attack 'the second half cut off' "$(head_of "$real" $((${#real} / 4)))"
attack 'nothing but an array' "$(route_of "$real")83"
beacon=4482011863 # the bytes of [1, 99]
attack 'a beacon with a signature of garbage' "$(route_of "$real")82${beacon}5840$(garbage 64)"
control_show n4 "$real"
check_soon 5 'as it was they take it, whoever sends it' all_have_num_in lights "$num"
# shellcheck disable=SC2086 # a list
check 'by multicast' got_num "$num" multicast $victims

old_num=$num
refused_before=$(counts)
control_show n4 "$real"
check 'again it changes nothing' stays 1 all_have_num_in lights "$num"
# shellcheck disable=SC2086 # a list
check 'nobody takes it twice' got_num "$num" multicast $victims
old_num=$((num + 1))
check 'the group gets a new key' quietly ctl rekey lights
check_soon 5 'all have it' all_have_num_in lights "$old_num"
attack 'replayed when it is old' "$real"

# Where members confirm, what asks them to is a copy, wherever it comes from.
wire_mark stranger
wire_mark gw
old_num=$(group_num meters)
num=$((old_num + 1))
deaf n1 udp dport 5686
check 'the other group gets a new key' quietly ctl rekey meters
check_soon 5 'a stranger hears it' wire_has stranger "kind == \"rekeying\" && num == $num"
check_soon 5 'two members confirm' wire_has gw "$(confirmations)" 1
confirmation=$(wire_lines gw "$(confirmations)" | tail -n 1 | cut -d ' ' -f 10)
# It ends in slot, head of the MAC, MAC; the slot of node 1 is 0.
in_node 4 "$mcast" send lowpan0 '[fd00::1]:5686' \
	"$(head_of "$confirmation" -10)00$(tail_of "$confirmation" 9)"
check_soon 5 'a stranger who confirms for the third is counted' confirmations_refused 1
hears_again n1
check_soon 10 'and changes nothing: the third is told by unicast' is_settled meters
check_soon 5 'all have it' all_have_num_in meters "$num"
wire_mark gw
control_show n4 "$(heard "$num")"
check_soon 5 'a replay has those confirm who may' wire_has gw "$(confirmations)" 1
check 'to the gateway' wire_has_no gw "$(confirmations) && to != \"[fd00::1]:5686\""
check 'and nobody answers the stranger' wire_has_no stranger "to ~ /^.$(node_ip 4)]/"
check 'whom nobody takes for the gateway' all_have_num_in meters "$num"
conclude
