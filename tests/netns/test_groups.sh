#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Several groups at once, and a client in several groups: what happens in one stays there.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

groups='lights meters doors'
presence='check_interval_s = 60; evict = true;'

# has_read_in NODE GROUP TEXT
has_read_in() {
	node_lines "$1" message "$2" | grep -qF "\"text\":\"$3\""
}

num_of_group_is_above() { # GROUP NUM
	[ "$(group_num "$1")" -gt "$2" ]
}

# has_joined NODE GROUP [TIMES]
has_joined() {
	[ "$(node_count "$1" joined "$2")" -ge "${3:-1}" ]
}

both=requester,responder
need_root
segment_open 4
gateway_start
node_add 1 lights $both --group meters --roles $both
node_add 2 lights $both
node_add 3 meters $both --group doors --roles $both
node_add 4 lights monitor --group meters --roles $both
node_start 1
node_start 2
node_start 3
node_start 4 -g lights
check_soon 10 'a client joins two groups' has_joined 1 lights
check_soon 10 'both of them' has_joined 1 meters
check_soon 10 'another one joins' has_joined 2 lights
check_soon 10 'and another' has_joined 3 meters
check_soon 10 'in two groups as well' has_joined 3 doors
check_soon 10 'a monitor joins the one group it was told to' has_joined 4 lights
check_soon 10 'all agree on lights' views_agree lights 1 2 4
check_soon 10 'and on meters' views_agree meters 1 3
check_soon 10 'and on doors' views_agree doors 3
check 'nobody is where it does not belong' \
	[ "$(members lights | wc -l) $(members meters | wc -l) $(members doors | wc -l)" = '3 2 1' ]

node_tell 1 'say -g lights shine'
check_soon 10 'a member of the group reads it' has_read_in 2 lights shine
check_soon 10 'so does the monitor' has_read_in 4 lights shine
node_tell 1 'say -g meters count'
check_soon 10 'in the other group another one does' has_read_in 3 meters count
check 'and nobody else' none_has_read count 2 4
check 'nor that in the first' has_not_read 3 shine

node_tell 1 'say which'
check_soon 5 'in two groups one has to say which' node_said 1 error 'several groups'
node_tell 4 'say psst'
check_soon 5 'a monitor is silent' node_said 4 error '"group":"lights"'

lights=$(group_num lights) meters=$(group_num meters)
check 'one group gets a new key' quietly ctl rekey lights
check_soon 10 'the new key is there' num_of_group_is_above lights "$lights"
check_soon 10 'its members have it' views_agree lights 1 2 4
check 'the other group has not changed' [ "$(group_num meters)" -eq "$meters" ]

lights=$(group_num lights)
node_tell 1 'leave -g meters'
check_soon 10 'a client leaves one group' node_said 1 left '"group":"meters"'
check_soon 10 'which gets a new key' num_of_group_is_above meters "$meters"
check_soon 10 'all agree' views_agree meters 1 3
check 'it stays in the other' [ "$(member 1 lights | wc -l)" -eq 1 ]
check 'which has not changed' [ "$(group_num lights)" -eq "$lights" ]
check_soon 10 'all agree there too' views_agree lights 1 2 4

check 'an operator evicts a client from one group' quietly ctl evict doors node3
check_soon 10 'it is told' node_said 3 evicted '"group":"doors"'
check 'it stays in the other' [ "$(member 3 meters | wc -l)" -eq 1 ]
check_soon 30 'not being banned, it comes back' has_joined 3 doors 2
check_soon 10 'all agree' views_agree doors 3
conclude
