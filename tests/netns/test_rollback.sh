#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A backup of state_dir is made while gatewayd runs; then one node is evicted, another one banned, the
# tokens of a third are revoked, and a fourth joins. The backup is restored, and once more. gatewayd
# says so, and hands out nothing that is in it: the groups go on above all that was used, their
# members come back with their tokens and nothing else, those who were put out for good stay out, and
# the evicted node, which has every key that it ever had and hears all that is said, reads nothing.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

old='STORE IS OLD'

restore() {
	gateway_end TERM
	rm -rf "$work/state"
	cp -a "$work/backup" "$work/state"
	gateway_start
}

is_logged_often() { # COUNT WORDS
	[ "$(grep -cF -- "$2" "$work/gatewayd.log")" -eq "$1" ]
}

gid() {
	value "$(group_line lights)" gid
}

# Has any node, or has the gateway shown it?
has_been_used() { # GID
	grep -qF "\"gid\":\"$1\"" "$work"/node*.out "$work/gids"
}

is_new_gid() { # GID
	! has_been_used "$1"
}

note_gid() {
	printf '"gid":"%s"\n' "$(gid)" >>"$work/gids"
}

# Their hourly question, at once.
let_ask() { # NODE...
	for asker in "$@"; do
		node_tell "$asker" check
	done
}

# Who is refused tries again by itself, but more and more seldom.
try_again() { # NODE
	node_end "$1" TERM
	node_start "$1"
}

is_refused() { # NODE MORE-THAN REASON
	[ "$(node_lines "$1" error | grep -c "the KDC refuses $3")" -gt "$2" ]
}

count_refused() { # NODE
	node_lines "$1" error | grep -c 'the KDC refuses'
}

# The newest that came from there.
mcast_bytes_of() { # ADDRESS NAME
	grep -F "[$1]" "$work/$2" | tail -n 1 | cut -d ' ' -f 2
}

# The thief's keys are of no use, neither to read nor to speak.
thief_gets_nothing() { # WORDS
	heard_before=$(grep -c '^\[' "$work/at_thief")
	say 1 "$1"
	check_soon 10 'the others read what is said' all_have_read "$1" 2 6
	check_soon 10 'the evicted node hears it' mcast_heard at_thief $((heard_before + 1))
	heard_before=$(grep -c '^\[' "$work/on_link")
	say 3 "let me in, $1"
	check_soon 10 'and says something under its old key' mcast_heard on_link $((heard_before + 1))
	refused_before=$(value "$(node_status 3)" refused)
	mcast_show n3 "$(mcast_bytes_of fd00::11 at_thief)"
	check_soon 10 'shown once more what was said it refuses it' has_refused 3 "$refused_before"
	check 'and has not read it' has_not_read 3 "$1"
	check 'nobody has read what it says' none_has_read "let me in, $1" 1 2 6
}

out_stay_out() {
	refusals=$(count_refused 4)
	try_again 4
	check_soon 10 'the banned one is refused' is_refused 4 "$refusals" 'the join'
	refusals=$(count_refused 5)
	try_again 5
	check_soon 10 'tokens that were revoked are, too' is_refused 5 "$refusals" 'the token'
}

after_restore() { # TIMES
	check 'the gateway says so' is_logged_often "$1" "$old"
	new_num=$(group_num lights)
	check 'num goes on above all' [ "$new_num" -gt "$last_num" ]
	check 'the Gid is one that never was' is_new_gid "$(gid)"
	note_gid
	check 'nobody is a member' [ "$(members lights | wc -l)" -eq 0 ]
	check 'the ban holds' is_banned 4
	let_ask 1 2 6
	check_soon 30 'members come back by themselves' have_joined $((1 + $1)) 1 2 6
	check_soon 10 'all agree' views_agree lights 1 2 4 5 6
	check 'with a num above all' num_is_above "$last_num"
	thief_gets_nothing "after $1"
	out_stay_out
	check 'neither is a member' views_agree lights 1 2 4 5 6
	last_num=$(group_num lights)
	note_gid
}

need_root
presence='check_interval_s = 600; evict = true;'
segment_open 6
gateway_start
: >"$work/gids"
nodes_join 1 2 3 4 5
check_soon 10 'all agree' views_agree lights 1 2 3 4 5
note_gid
cp -a "$work/state" "$work/backup"

mcast_listen at_thief n3
mcast_listen on_link gw
cut_from_gateway 3
check 'a node is evicted' quietly ctl evict lights node3
check 'another one for good' quietly ctl evict --ban lights node4
check 'the tokens of a third are revoked' quietly ctl client revoke node5
nodes_join 6
check_soon 10 'all agree' views_agree lights 1 2 4 5 6
num=$(group_num lights)
check 'there is one more key' quietly ctl rekey lights
check_soon 10 'which is there' num_is_above "$num"
check_soon 10 'and everywhere' all_have_num $((num + 1)) 1 2 6
thief_gets_nothing 'before'
out_stay_out
last_num=$(group_num lights)
note_gid
gateway_end TERM
gateway_start
check 'a restart is none of that' is_logged_often 0 "$old"
check 'the key is the same' [ "$(group_num lights)" -eq "$last_num" ]

restore
after_restore 1
gateway_end KILL
gateway_start
check 'a restart after that is none' is_logged_often 1 "$old"
check 'nobody had to join again' have_joined 2 1 2 6
restore
after_restore 2
conclude
