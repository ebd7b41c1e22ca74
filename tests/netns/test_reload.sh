#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The configuration changes while gatewayd runs: one that is wrong changes nothing, and the line is
# named; groups are added, made inactive, deleted and brought back, the port changes and changes
# back, and no member of any other group has to join again.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

both=requester,responder
groups='lights meters'
active=true

group_options() { # GROUP
	[ "$1" != doors ] || echo "active = $active;"
}

# What is there to be seen of the configuration, and who is in.
state() {
	ctl groups --json | sed 's/"rekeying":{[^}]*}//g'
	for name in lights meters; do
		members "$name" | sed 's/,"last_seen_s":[0-9]*//; s/,"since_s":[0-9]*//'
	done
}

is_state() { # STATE
	[ "$(state)" = "$1" ]
}

reload() {
	gateway_configure
	ctl reload >"$work/reload.out" 2>&1
}

# It takes place when the process comes to it, which the log shows.
reload_by_signal() {
	gateway_configure
	hangups=$(grep -c ' conf: ' "$work/gatewayd.log")
	kill -s HUP "$gateway_pid"
	wait_for 5 has_reloaded "$hangups"
}

has_reloaded() { # MORE-THAN
	[ "$(grep -c ' conf: ' "$work/gatewayd.log")" -gt "$1" ]
}

# refused NAME OPTION: what is wrong with the option in the file is said with its line, by either
# way, and nothing is changed.
refused() {
	before=$(state)
	check "$1 is refused" not reload
	line=$(grep -n "$2 = " "$work/gatewayd.conf" | cut -d : -f 1)
	check 'with its line and name' grep -qF "$work/gatewayd.conf:$line: $2" "$work/reload.out"
	check 'nothing is changed' is_state "$before"
	check 'by a signal it is, too' reload_by_signal
	check 'which is logged so' is_logged "$work/gatewayd.conf:$line: $2"
	check 'nothing is changed' is_state "$before"
}

is_told() { # NODE EVENT GROUP
	node_lines "$1" "$2" "$3" | grep -q .
}

is_refused() { # NODE MORE-THAN
	[ "$(node_lines "$1" error | grep -c 'the KDC refuses the join')" -gt "$2" ]
}

# has_read_in NODE GROUP TEXT
has_read_in() {
	node_lines "$1" message "$2" | grep -qF "\"text\":\"$3\""
}

joined_times() { # NODE GROUP TIMES
	[ "$(node_count "$1" joined "$2")" -eq "$3" ]
}

has_active() { # GROUP true|false
	[ "$(value "$(group_line "$1")" active)" = "$2" ]
}

has_group() { # GROUP
	[ -n "$(group_line "$1")" ]
}

num_of_group_is_above() { # GROUP NUM
	[ "$(group_num "$1")" -gt "$2" ]
}

need_root
presence='check_interval_s = 600; evict = true;'
segment_open 6
gateway_start
node_add 1 lights $both --group meters --roles $both
node_add 2 lights $both
node_add 3 meters $both
for node in 1 2 3; do
	node_start "$node"
	check_soon 10 "node $node joins" node_said "$node" joined
done
check_soon 10 'and the other group' is_told 1 joined meters
check_soon 10 'all agree' views_agree lights 1 2
check_soon 10 'all agree' views_agree meters 1 3
check_soon 10 'nobody is waited for' is_settled lights
check_soon 10 'nobody is waited for' is_settled meters

options='listen = "nowhere";'
refused 'an address that is none' listen
options='listne = "[::]:5683";'
refused 'an option that is unknown' listne
options='audience = "another";'
refused 'what cannot change' audience
options=
before=$(state)
check 'what was there before is in effect' reload
check 'and nothing has changed' is_state "$before"

groups='lights meters doors'
check 'a group is added' reload
check 'it is there' has_group doors
for node in 4 5; do
	node_add "$node" doors $both
done
node_start 4
check_soon 10 'a node joins it' is_told 4 joined doors

active=false
check 'it is made inactive, by a signal' reload_by_signal
check_soon 5 'which is shown' has_active doors false
node_start 5
check_soon 10 'nobody joins' is_refused 5 0
check 'nobody has joined' [ "$(node_count 5 joined)" -eq 0 ]
check 'its member is one' views_agree doors 4
check 'and gets answers' is_checked 4 doors
check 'other groups are active' has_active lights true
active=true
check 'it is made active' reload
check_soon 40 'who was to wait gets in' is_told 5 joined doors
check_soon 10 'all agree' views_agree doors 4 5
node_tell 4 'say knock'
check_soon 10 'and talk' has_read_in 5 doors knock

meters=$(group_num meters)
groups='lights doors'
check 'a group is deleted' reload
check 'it is gone' not has_group meters
check_soon 10 'its members are told' is_told 3 evicted meters
check_soon 10 'all of them' is_told 1 evicted meters
check 'who is in another group stays in that' views_agree lights 1 2
groups='lights meters doors'
check 'it is brought back' reload
check 'its num goes on above' num_of_group_is_above meters "$meters"
check_soon 40 'its members come back with their tokens' have_joined 2 3
check_soon 10 'all of them' joined_times 1 meters 2
check_soon 10 'all agree' views_agree meters 1 3

options='listen = "[::]:5684";'
check 'the port changes' reload
node_add 6 lights $both
node_start 6
check_soon 10 'a node joins there' node_said 6 joined
node_tell 6 leave
check_soon 10 'and leaves' node_said 6 left
options=
check 'the port changes back' reload
check 'members get answers' is_checked 2

log_level=info
check 'less is to be logged' reload
debugs=$(grep -c ' debug ' "$work/gatewayd.log")
num=$(group_num lights)
check 'there is a new key' quietly ctl rekey lights
check_soon 10 'it is there' num_is_above "$num"
check_soon 10 'all have it' is_settled lights
check 'less is logged' [ "$(grep -c ' debug ' "$work/gatewayd.log")" -eq "$debugs" ]

check_soon 10 'all agree' views_agree lights 1 2 6
check_soon 10 'all agree' views_agree doors 4 5
check 'nobody had to join again' have_joined 1 2 4 5
check 'nor the one that is in two groups' joined_times 1 lights 1
check 'it is the same process' kill -0 "$gateway_pid"
conclude
