#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Members tell each other what is for one alone, in a group that has nothing but the pairwise mode and
# in one that has both; before and after a rekeying. Who was evicted can tell nobody, nor be told.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

groups='pairs lights'
presence='check_interval_s = 60; evict = true;'

group_options() { # GROUP
	case $1 in
	pairs) echo 'mode = "pairwise";' ;;
	lights) echo 'mode = "both";' ;;
	esac
}

sid_of() { # NODE GROUP
	value "$(node_status "$1" "$2")" sid
}

# tells FROM TO GROUP TEXT [SID]: whatever comes of it.
tells() {
	node_tell "$1" "tell -g $3 ${5:-$(sid_of "$2" "$3")} [$(node_ip "$2")] $4"
}

# gets_through FROM TO GROUP TEXT: it is answered.
gets_through() {
	through_before=$(node_count "$1" response)
	tells "$@"
	wait_for 3 node_reports "$1" response "$through_before"
}

# has_heard NODE MODE TEXT
has_heard() {
	node_lines "$1" message | grep -F "\"mode\":\"$2\"" | grep -qF "\"text\":\"$3\""
}

# is_answered_by FROM TO GROUP: as the newest answer.
is_answered_by() {
	answer=$(node_last "$1" response "$3")
	[ "$(value "$answer" from)" = "$(sid_of "$2" "$3")" ] &&
		[ "$(value "$answer" code)" = 2.04 ] &&
		[ "$(value "$answer" mode)" = pairwise ]
}

num_of_group_is_above() { # GROUP NUM
	[ "$(group_num "$1")" -gt "$2" ]
}

both=requester,responder
need_root
segment_open 3
gateway_start
for node in 1 2 3; do
	node_add $node pairs $both --group lights --roles $both
	node_start $node
	check_soon 10 "node $node joins both groups" have_joined 2 $node
done
for group in pairs lights; do
	check_soon 10 "all agree on $group" views_agree $group 1 2 3
	check_soon 20 "$group: one tells another" gets_through 1 2 $group "psst $group"
	check "$group: who hears it, and that it was meant" has_heard 2 pairwise "psst $group"
	check "$group: and answers" is_answered_by 1 2 $group
	check "$group: nobody else hears it" has_not_read 3 "psst $group"
	check_soon 20 "$group: and back" gets_through 2 1 $group "well $group"
	check "$group: heard" has_heard 1 pairwise "well $group"
done

node_tell 1 'say -g lights all of you'
check_soon 10 'with both modes, all can be spoken to as well' has_heard 2 group 'all of you'
check_soon 10 'and everybody hears it' has_heard 3 group 'all of you'
node_tell 1 'say -g pairs all of you'
check_soon 5 'in pairwise mode alone that cannot be' node_said 1 error '"group":"pairs"'

old_sid=$(sid_of 3 lights)
for group in pairs lights; do
	num=$(group_num $group)
	check "$group gets a new key" quietly ctl rekey $group
	check_soon 10 "$group: it is there" num_of_group_is_above $group "$num"
	check_soon 10 "$group: all have it" views_agree $group 1 2 3
	check_soon 20 "$group: one tells another with it" gets_through 3 1 $group "again $group"
	check "$group: who hears it" has_heard 1 pairwise "again $group"
done

unanswered=$(node_count 1 unanswered)
node_tell 1 "tell -g lights $(sid_of 2 lights) [fd00::99] anybody"
check_soon 15 'where nobody is, nobody answers' node_reports 1 unanswered "$unanswered"
tells 1 3 lights 'not for you' "$(sid_of 2 lights)"
check_soon 15 'nor does another member' node_reports 1 unanswered $((unanswered + 1))
check 'who cannot read it' has_not_read 3 'not for you'
node_tell 1 'tell -g lights 0102030405 [fd00::99] x'
check_soon 5 'a Sender ID that nobody has' node_said 1 error '"group":"lights"'

for group in pairs lights; do
	num=$(group_num $group)
	check "a member is banned from $group" quietly ctl evict $group node3 --ban
	check_soon 10 "it is told" node_said 3 evicted "\"group\":\"$group\""
	check_soon 10 "$group: there is a new key" num_of_group_is_above $group "$num"
	check_soon 10 "the others agree on $group" views_agree $group 1 2
done
errors=$(node_count 3 error)
node_tell 3 "tell -g lights $(sid_of 1 lights) [$(node_ip 1)] let me in"
check_soon 5 'it can tell nobody any more' node_reports 3 error "$errors"
errors=$(node_count 1 error)
tells 1 3 lights 'are you there' "$old_sid"
check_soon 5 'nor be told' node_reports 1 error "$errors"
check 'nothing of that was heard' none_has_read 'let me in' 1 2
check 'nor that' has_not_read 3 'are you there'
check_soon 20 'those who are left tell each other' gets_through 1 2 lights 'we two'

# As other implementations countersign: all of a group alike.
node_end 1 TERM
node_end 2 TERM
node_start 1 --sign-protected
check_soon 20 'one that is started anew is in again' have_joined 4 1
# In this order: who comes is told who is there, but who is there is not told of a new credential.
node_start 2 --sign-protected
check_soon 20 'and so is another' have_joined 4 2
check_soon 10 'all agree' views_agree lights 1 2
node_tell 1 'say -g lights signed alike'
check_soon 10 'it understands what the other signs' has_heard 2 group 'signed alike'
conclude
