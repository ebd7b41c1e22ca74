#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A store without its mark, with the mark of another one, or with flipped bytes is refused, by name
# and with the ways out, and nothing is changed. --adopt and --fresh are those ways, and do nothing
# where there is nothing to refuse; and where a store is gone, gatewayd does not begin in silence.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

store=$work/state/gatewayd.db
mark=$work/mark/gatewayd.mark
unknown_jump=1048576

is_logged_since() { # LINE WORDS
	tail -n "+$(($1 + 1))" "$work/gatewayd.log" | grep -qF -- "$2"
}

log_mark() {
	logged=$(wc -l <"$work/gatewayd.log")
}

# refused NAME WORDS...: nothing is served, all of this is said, and nothing is changed.
refused() {
	refused_name=$1
	shift
	before=$(fingerprint "$work/state" "$work/mark")
	check "$refused_name is refused, and the message says which way is out" gateway_refuses "$@"
	check 'nothing was changed' is_same "$before" "$work/state" "$work/mark"
	check 'and nobody served' not gateway_answers
}

start_with() { # ARGUMENTS
	arguments=$1
	gateway_start
	arguments=
}

# The last 64 bytes of each 512, where SQLite begins to fill a page.
flip_bytes() { # FILE
	flip_at=15
	while [ "$flip_at" -lt $(($(wc -c <"$1") / 64)) ]; do
		dd if="$1" bs=64 skip="$flip_at" count=1 status=none | tr '\000-\377' '\001-\377\000' |
			dd of="$1" bs=64 seek="$flip_at" conv=notrunc status=none
		flip_at=$((flip_at + 8))
	done
}

count_refused() { # NODE
	node_lines "$1" error | grep -c 'the KDC refuses the join'
}

is_refused() { # NODE MORE-THAN
	[ "$(count_refused "$1")" -gt "$2" ]
}

# The members of the store that was come back into one that distributes nothing of it.
begins_again() { # TIMES ABOVE
	check 'num goes on above all' num_is_above "$2"
	check 'nobody is a member' [ "$(members lights | wc -l)" -eq 0 ]
	node_tell 1 check
	node_tell 2 check
	check_soon 30 'members come back by themselves' have_joined "$1" 1 2
	check_soon 10 'all agree' views_agree lights 1 2 3
	check 'the ban holds' is_banned 3
	refusals=$(count_refused 3)
	node_end 3 TERM
	node_start 3
	check_soon 10 'and keeps out whom it is for' is_refused 3 "$refusals"
}

serves_on() { # NUM
	check 'the key is the same' [ "$(group_num lights)" -eq "$1" ]
	check_soon 5 'members are members' views_agree lights 1 2 3
}

need_root
presence='check_interval_s = 600; evict = true;'
segment_open 3
gateway_start
nodes_join 1 2 3
num=$(group_num lights)
check 'one is banned' quietly ctl evict --ban lights node3
check_soon 10 'there is a new key' num_is_above "$num"
check_soon 10 'all agree' views_agree lights 1 2 3
num=$(group_num lights)

# Nothing to refuse: neither --adopt nor --fresh does anything.
for word in --adopt --fresh; do
	gateway_end TERM
	log_mark
	start_with "$word"
	check "$word leaves a store alone that is not refused" not is_logged_since "$logged" 'STORE IS'
	serves_on "$num"
done

gateway_end TERM
rm "$mark"*
refused 'a store without its mark' "$mark" --adopt --fresh
log_mark
start_with --adopt
check '--adopt takes it, and says so' is_logged_since "$logged" 'STORE IS ADOPTED'
begins_again 2 $((num + unknown_jump - 1))
num=$(group_num lights)
gateway_end TERM
log_mark
gateway_start
check 'the next start is like any other' not is_logged_since "$logged" 'STORE IS'
serves_on "$num"

# Another one, with a mark of its own.
gateway_end TERM
mv "$work/state" "$work/state.ours"
mv "$work/mark" "$work/mark.ours"
gateway_start
gateway_end TERM
mv "$work/state" "$work/state.another"
cp -a "$work/state.ours" "$work/state"
refused 'a store with the mark of another one' "$store" --adopt --fresh
rm -rf "$work/mark" "$work/state"
mv "$work/mark.ours" "$work/mark"
mv "$work/state.another" "$work/state"
refused 'another store with our mark' "$store" --adopt --fresh
rm -rf "$work/state"
mv "$work/state.ours" "$work/state"
log_mark
gateway_start
check 'together they are as before' not is_logged_since "$logged" 'STORE IS'
serves_on "$num"

gateway_end TERM
mkdir "$work/whole"
cp -a "$store" "$work/whole/store"
flip_bytes "$store"
refused 'a store with flipped bytes' "$store" backup --fresh
arguments=--adopt
refused 'even with --adopt it' "$store" --fresh
arguments=
cp -a "$mark" "$work/whole/mark"
cp -a "$work/whole/store" "$store"
flip_bytes "$mark"
refused 'a mark with flipped bytes' "$mark" --adopt --fresh
cp -a "$work/whole/mark" "$mark"
flip_bytes "$store"
log_mark
start_with --fresh
check '--fresh begins anew, and says so' is_logged_since "$logged" 'STORE IS BEGUN ANEW'
check 'what was damaged is still there' [ -n "$(find "$work/state" -name '*.old')" ]
begins_again 3 "$num"
num=$(group_num lights)

# Neither wish nor damage: someone has deleted it.
gateway_end TERM
rm "$store"*
log_mark
gateway_start
check 'where a store is gone, the gateway says so' is_logged_since "$logged" 'STORE IS OLD'
begins_again 4 "$num"
conclude
