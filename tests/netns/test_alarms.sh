#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What an operator has to look at is shown as long as it lasts: a member that is absent and stays, a
# link that is down, more members lost at once than are likely to be gone; these an operator confirms.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

status_says() { # WORDS
	ctl status | grep -qF -- "$1"
}

status_json_says() { # WORDS
	ctl status --json | grep -qF -- "$1"
}

group_says() { # WORDS
	group_line lights | grep -qF -- "$1"
}

has_no_alarm() {
	! ctl status | grep -q '^alarm' && status_json_says '"alarms":[]' && group_says '"alarm":""'
}

event_says() { # EVENT WORDS
	ctl events --json | grep "\"event\":\"$1\"" | grep -qF -- "$2"
}

warned_times() { # COUNT WORDS
	[ "$(grep ' warn presence: ' "$work/gatewayd.log" | grep -cF -- "$2")" -eq "$1" ]
}

metric_is() { # NAME-AND-LABELS VALUE
	[ "$(ctl metrics | awk -v name="$1" '$1 == name { print $2 }')" = "$2" ]
}

# are_all_members NODE...: these, and no others.
are_all_members() {
	[ "$(members | grep -c '"name"')" -eq $# ] || return 1
	for wanted in "$@"; do
		is_member "$wanted" || return 1
	done
}

next_of() { # NODE
	ctl why lights "node$1" | sed -n 's/^next: //p'
}

next_says() { # NODE WORDS
	next_of "$1" | grep -qF -- "$2"
}

facts_have() { # NODE FACT
	ctl why lights "node$1" --json | grep -qF "\"fact\":\"$2\""
}

confirm_says() { # WORDS
	ctl confirm lights | grep -qF -- "$1"
}

policy='check_interval_s = 2; probes = 2; probe_wait_s = 1; grace_s = 1;'

need_root
presence="$policy evict = false;"
segment_open 6
gateway_start
nodes_join 1 2 3 4 5 6
num=$(group_num lights)
check 'all is well' has_no_alarm

# evict = false
link_down 6
check_soon 20 'who is cut off becomes absent' all_have_state absent 6
check_soon 5 'which is an alarm' status_says \
	'alarm      group lights: 1 of 6 members absent, and not removed (evict = false)'
check 'of the group too' group_says '"alarm":"absent"'
check 'for programs' status_json_says \
	'"alarms":[{"alarm":"absent","group":"lights","members":1,"of":6}]'
check 'and for monitors' metric_is 'gatewayd_alarms{alarm="absent"}' 1
check 'an event' event_says alarm '"name":"node6"'
check 'nobody removes it' next_says 6 'it stays (evict = false), and is asked again at 20'
check 'for long' stays 5 are_all_members 1 2 3 4 5 6
check 'it was said once' warned_times 1 '(node6) needs attention'
link_up 6
check_soon 20 'it is heard of again' all_have_state present 6
check_soon 5 'and the alarm is over' has_no_alarm
check 'the key is the same' [ "$(group_num lights)" -eq "$num" ]

# the link
presence="$policy evict = true;"
gateway_configure
quietly ctl reload
ip -n "$net-gw" link set lowpan0 down
check_soon 5 'a link that is down is an alarm' status_says \
	'alarm      the interface is down: no member is judged'
check 'with its reason' status_json_says '"blind":"link-down"'
check 'of the group' group_says '"blind":"link-down"'
check 'an event' event_says blind '"reason":"the interface is down"'
check 'nobody is judged' next_says 1 'nobody is judged while the gateway is blind'
ip -n "$net-gw" link set lowpan0 up
check_soon 5 'back without its address, it is another one' status_json_says '"blind":"no-address"'
interface_up "$net-gw" fd00::1
check_soon 10 'it ends when all is back' has_no_alarm
check 'which is an event' event_says sees ''
check_soon 20 'all are there' all_have_state present 1 2 3 4 5 6

# more than half of them
for node in 3 4 5 6; do
	link_down "$node"
done
check_soon 20 'many lost at once are an alarm' status_says \
	'members lost at once: none is removed until enough are heard of again'
check 'of the group' group_says '"blind":"mass-loss","alarm":"mass-loss"'
check_soon 10 'of which all are lost' status_json_says \
	'"alarms":[{"alarm":"mass-loss","group":"lights","members":4,"of":6}]'
check 'for monitors' metric_is 'gatewayd_group_blind{group="lights",reason="mass-loss"}' 1
check 'an event' event_says blind '"group":"lights"'
check 'which was said once' warned_times 1 'too many members were lost at once'
check 'why says what is waited for' next_says 4 "or 'gatewayctl confirm lights' says"
check 'nobody is removed' stays 6 are_all_members 1 2 3 4 5 6
check 'the key is the same' [ "$(group_num lights)" -eq "$num" ]
check 'another group is not confirmed' not quietly ctl confirm meters
check 'who is lost is confirmed' confirm_says 'lights: 4 removed'
check 'and removed at once' are_all_members 1 2
check_soon 10 'the others have a new key' have_newer_key "$num" lights 1 2
check 'by one rekeying' [ "$(group_num lights)" -eq $((num + 1)) ]
check 'the alarm is over' has_no_alarm
check 'why says who did it' facts_have 3 confirmed-loss
check 'nothing is left to confirm' not quietly ctl confirm lights
check 'which is a refusal' [ "$ctl_status" -eq 1 ]
conclude
