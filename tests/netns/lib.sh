#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# A segment to play on: one gateway and some nodes, each in a network namespace of its own, on one
# IPv6-only link. The link is a bridge in the gateway's namespace, its interface 'lowpan0'; node I is
# on port 'portI' of it, its own end is 'lowpan0' too. Everything has a name of this process, and is
# gone when the script ends, however that comes about.
#
#	. "$GK_TOP/tests/netns/lib.sh"
#	segment_open 5
#	gateway_start
#	node_add 1 lights requester,responder
#	node_start 1
#	wait_for 5 node_said 1 joined
#
# Nothing waits for a time: wait_for SECONDS CONDITION... does.

: "${GK_TOP:?}" "${GK_BUILD:?}"

gatewayd=$GK_BUILD/gatewayd
gatewayctl=$GK_BUILD/gatewayctl
gkmember=$GK_BUILD/gkmember
secrets=$GK_BUILD/tests/tools/secrets
mcast=$GK_BUILD/tests/tools/mcast
wire=$GK_BUILD/tests/tools/wire
group_address='[ff03::fd]:5685'
control_address='[ff03::fd]:5686'

work=
net=gw$$
spaces=
mounts=
pids=
test_name=${0##*/}
test_name=${test_name%.sh}

#
# The end
#

# Ends what we started, and waits for it: a namespace lives as long as a process in it. What does not
# end by itself in 5 s is killed. (What goes to the background is called there without in_node and
# in_gateway: $! must be its own number and not that of a shell around it.)
end_processes() {
	for pid in $pids; do
		kill "$pid" 2>/dev/null
	done
	wait_for 5 have_ended || for pid in $pids; do
		kill -s KILL "$pid" 2>/dev/null
	done
	for pid in $pids; do
		wait "$pid" 2>/dev/null
	done
	pids=
}

have_ended() {
	for pid in $pids; do
		has_ended "$pid" || return 1
	done
}

# Has it? One that is not waited for yet is a zombie.
has_ended() { # PID
	case $(cat "/proc/$1/stat" 2>/dev/null) in
	'' | *') Z '*) ;;
	*) return 1 ;;
	esac
}

cleanup() {
	trap - EXIT
	trap '' INT TERM HUP
	end_processes
	keep_keys
	leave_outputs
	for space in $spaces; do
		[ ! -e "/run/netns/$space" ] || ip netns delete "$space"
	done
	for mount in $mounts; do
		umount "$mount"
	done
	[ -z "$work" ] || rm -rf "$work"
}

trap cleanup EXIT
trap 'cleanup; exit 129' HUP
trap 'cleanup; exit 130' INT
trap 'cleanup; exit 143' TERM

work=$(mktemp -d) || exit 1
# gatewayd is another user, who has to get through.
chmod 711 "$work"

#
# What tests/secrets.sh looks through, if it is going to
#

keys=
if [ -d "$GK_BUILD/tests/keys" ]; then
	keys=$GK_BUILD/tests/keys/$test_name.keys
fi

# preloaded WORDS... -- COMMAND...: run it with these of tests/preload, and with the one that notes the
# keys that it draws. In place of this process, so call it in a new one.
preloaded() {
	preload=
	while [ "$1" != -- ]; do
		preload="$preload $GK_BUILD/tests/$1.so"
		shift
	done
	shift
	if [ -n "$keys" ]; then
		preload="$preload $GK_BUILD/tests/random.so"
		export GK_KEYS="$keys"
	fi
	# A program with a sanitizer does not mind what comes before it then.
	ASAN_OPTIONS=verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
	LD_PRELOAD=${preload# }
	export LD_PRELOAD ASAN_OPTIONS
	exec "$@"
}

# The keys that a store holds now. A copy is read, since to open it would undo what a daemon that was
# killed has left unfinished. One that a test has damaged has none.
keep_keys() {
	[ -n "$keys" ] || return 0
	for kept in "$work"/*/gatewayd.db "$work"/gatewayd.db; do
		[ -e "$kept" ] || continue
		rm -rf "$work/.copy"
		mkdir "$work/.copy" && cp "$kept"* "$work/.copy/"
		"$secrets" collect "$work/.copy/${kept##*/}" >>"$keys" 2>/dev/null
	done
	cat "$work"/*/as.key "$work"/*/seed 2>/dev/null >>"$keys"
	sed -n 's/.*"ms":"\([0-9a-f]*\)".*/\1/p' "$work"/*.bundle 2>/dev/null >>"$keys"
}

# All that the programs said to people and to each other; what is long loses its middle. A bundle is
# the one thing that gatewayctl writes and that has a key in it, and 'client add' prints one where -o
# does not say into which file it goes: a test that wants that calls "$gatewayctl" itself.
# A test in which no program has keys leaves nothing to look through.
outputs_max=8388608
leave_outputs() {
	[ -n "$keys" ] && [ -e "$work/gatewayd.conf" ] || return 0
	mkdir -p "$GK_BUILD/tests/outputs/$test_name"
	for file in "$work"/*; do
		case $file in
		*.bundle) continue ;;
		esac
		[ -f "$file" ] || continue
		{
			head -c "$outputs_max" "$file"
			[ "$(wc -c <"$file")" -le "$outputs_max" ] || tail -c "$outputs_max" "$file"
		} >"$GK_BUILD/tests/outputs/$test_name/${file##*/}"
	done
}

# Every call of gatewayctl that only shows something, in both forms, and the configuration.
show_all() {
	[ -n "$keys" ] || return 0
	"$gatewayd" -n -v -c "$work/gatewayd.conf"
	for form in '' --json; do
		for call in status groups events metrics 'client list'; do
			# shellcheck disable=SC2086 # words of their own
			ctl $call $form
		done
		for name in $groups; do
			# shellcheck disable=SC2086 # none, or one word
			ctl members "$name" $form
			for shown in $(list_members "$name" | sed -n 's/.*"name":"\([^"]*\)".*/\1/p'); do
				ctl why "$name" "$shown" $form
			done
		done
	done
}

#
# Waiting
#

now_ms() {
	cut -d' ' -f1 /proc/uptime | sed 's/\.//; s/^0*//; s/$/0/'
}

# wait_for SECONDS CONDITION...: true as soon as the command is; false if it is not by then.
wait_for() {
	wait_deadline=$(($(now_ms) + $1 * 1000))
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$wait_deadline" ] || return 1
		sleep 0.05
	done
}

# stays SECONDS CONDITION...: true if the command is true all the time.
stays() {
	stays_deadline=$(($(now_ms) + $1 * 1000))
	shift
	while [ "$(now_ms)" -lt "$stays_deadline" ]; do
		"$@" || return 1
		sleep 0.1
	done
}

# of_all 'NODE...' CONDITION ARGUMENTS...: it is true of each of them, whose number comes first.
of_all() {
	all_nodes=$1 all_condition=$2
	shift 2
	for one_of_all in $all_nodes; do
		"$all_condition" "$one_of_all" "$@" || return 1
	done
}

#
# Namespaces
#

in_gateway() {
	ip netns exec "$net-gw" "$@"
}

quietly() { # COMMAND...
	"$@" >/dev/null
}

not() { # COMMAND...
	! "$@"
}

# The namespace of a node. A test with more nodes than namespaces has its own.
node_space() { # NODE
	echo "$net-n$1"
}

in_node() { # NODE COMMAND...
	in_space=$(node_space "$1")
	shift
	ip netns exec "$in_space" "$@"
}

space_open() { # SPACE
	# First: a signal may come before the next line.
	spaces="$spaces $1"
	ip netns add "$1" || exit 1
	# Duplicate address detection would keep addresses from use for a second or two, and router
	# solicitations are noise.
	# shellcheck disable=SC2016 # expanded within the namespace, whose own settings /proc shows there
	ip netns exec "$1" sh -c 'for option; do
		echo 0 >"/proc/sys/net/ipv6/conf/default/$option" || exit 1
	done' sh accept_dad dad_transmits router_solicitations || exit 1
	ip -n "$1" link set lo up
}

interface_up() { # SPACE ADDRESS
	ip -n "$1" address add "$2/64" dev lowpan0 nodad &&
		ip -n "$1" link set lowpan0 up || exit 1
}

node_open() { # NODE
	space_open "$net-n$1"
	ip -n "$net-gw" link add "port$1" type veth peer name lowpan0 netns "$net-n$1" &&
		ip -n "$net-gw" link set "port$1" master lowpan0 up || exit 1
	interface_up "$net-n$1" "$(node_ip "$1")"
}

node_ip() { # NODE
	printf 'fd00::%x\n' $((0x10 + $1))
}

# No snooping: who listens is not what is tested here.
segment_open() { # NODES
	space_open "$net-gw"
	ip -n "$net-gw" link add lowpan0 type bridge mcast_snooping 0 forward_delay 0 || exit 1
	interface_up "$net-gw" fd00::1
	for node in $(seq "$1"); do
		node_open "$node"
	done
}

# interface_replace NODES: as unplugging and plugging in again: the same name, another index.
interface_replace() {
	ip -n "$net-gw" link delete lowpan0 2>/dev/null
	ip -n "$net-gw" link add lowpan0 type bridge mcast_snooping 0 forward_delay 0 || exit 1
	interface_up "$net-gw" fd00::1
	for replaced in $(seq "$1"); do
		ip -n "$net-gw" link set "port$replaced" master lowpan0
	done
}

# cut_from_gateway NODE: of all that is between the two, and of what the gateway says to the groups,
# nothing arrives. What nodes say to each other does.
cut_from_gateway() {
	ip netns exec "$net-n$1" nft '
		add table ip6 cut
		add chain ip6 cut input { type filter hook input priority 0; }
		add chain ip6 cut output { type filter hook output priority 0; }
		add rule ip6 cut input meta l4proto udp ip6 saddr fd00::1 drop
		add rule ip6 cut input udp dport 5686 drop
		add rule ip6 cut output meta l4proto udp ip6 daddr fd00::1 drop' ||
		give_up 'no nftables: ./configure --install-deps'
}

# deaf gw|nNODE WORDS...: what comes in there by UDP and is what the words of nft(8) say gets lost.
deaf() {
	deaf_space=$1
	shift
	ip netns exec "$net-$deaf_space" nft "
		add table ip6 deaf
		add chain ip6 deaf input { type filter hook input priority 0; }
		add rule ip6 deaf input meta l4proto udp $* counter drop" ||
		give_up 'no nftables: ./configure --install-deps'
}

hears_again() { # gw|nNODE
	ip netns exec "$net-$1" nft delete table ip6 deaf
}

# was_deaf gw|nNODE: has anything been lost there?
was_deaf() {
	ip netns exec "$net-$1" nft list table ip6 deaf | grep -q 'packets [1-9]'
}

# The gateway's side of a node's link.
link_down() { # NODE
	ip -n "$net-gw" link set "port$1" down
}

link_up() { # NODE
	ip -n "$net-gw" link set "port$1" up
}

#
# The gateway
#

# Of every group; shorter than anyone would have it, so that a test needs seconds.
presence='check_interval_s = 2; probes = 2; probe_wait_s = 1; grace_s = 1; evict = true;'
rekey='coalesce_ms = 200;'
groups='lights'
log_level=debug
# As whom it serves, what it keeps of root's rights, and what becomes of a system call that it should
# not need: all tests together know them all.
user=nobody
net_admin=false
seccomp=${SECCOMP:-kill}
control=$work/run/gatewayd.sock
# What else there is to configure; how gatewayd is called; and what of tests/preload comes before it.
options=
arguments=
preloads=

# A test with groups of several kinds has its own.
group_rekey() { # GROUP
	echo "$rekey"
}

group_options() { # GROUP
	:
}

gateway_configure() {
	{
		echo 'interface = "lowpan0";'
		echo "state_dir = \"$work/state\";"
		echo "mark = \"$work/mark/gatewayd.mark\";"
		echo "control = \"$control\";"
		echo "user = \"$user\"; net_admin = $net_admin; seccomp = \"$seccomp\";"
		echo "log_level = \"$log_level\";"
		echo "$options"
		echo 'groups = ('
		separator=
		for name in $groups; do
			echo "$separator { name = \"$name\"; rekey = { $(group_rekey "$name") };"
			echo "  presence = { $presence }; $(group_options "$name") }"
			separator=,
		done
		echo ');'
	} >"$work/gatewayd.conf"
}

# What is in the variables above counts.
gateway_start() {
	gateway_begin
	wait_for 5 gateway_answers || give_up 'gatewayd does not start'
}

gateway_begin() {
	gateway_configure
	gateway_call >>"$work/gatewayd.log" 2>&1 </dev/null &
	gateway_pid=$!
	pids="$pids $gateway_pid"
}

gateway_call() { # in a new process
	# shellcheck disable=SC2086 # words of their own
	preloaded $preloads -- ip netns exec "$net-gw" "$gatewayd" -c "$work/gatewayd.conf" $arguments
}

# gateway_refuses WORDS...: it ends by itself and with an error, and says each of these.
gateway_refuses() {
	gateway_configure
	(gateway_call) >"$work/refusal.log" 2>&1 </dev/null &
	refusal_pid=$!
	pids="$pids $refusal_pid"
	wait_for 5 has_ended "$refusal_pid" || return 1
	forget_pid "$refusal_pid"
	wait "$refusal_pid" && return 1
	for word in "$@"; do
		grep -qF -- "$word" "$work/refusal.log" || return 1
	done
}

gateway_answers() {
	ctl status >/dev/null 2>&1
}

gateway_end() { # SIGNAL
	kill -s "$1" "$gateway_pid"
	wait "$gateway_pid" 2>/dev/null
	forget_pid "$gateway_pid"
	keep_keys
}

# At whatever it is doing. Not even the keys are looked at, for want of time.
gateway_kill() {
	kill -s KILL "$gateway_pid"
	wait "$gateway_pid" 2>/dev/null
	forget_pid "$gateway_pid"
}

forget_pid() { # PID
	rest=
	for pid in $pids; do
		[ "$pid" = "$1" ] || rest="$rest $pid"
	done
	pids=$rest
}

# Noted for tests/secrets.sh.
ctl() {
	ctl_said=$("$gatewayctl" -s "$control" "$@")
	ctl_status=$?
	[ -z "$ctl_said" ] || printf '%s\n' "$ctl_said"
	[ -z "$keys" ] || printf '%s\n' "$ctl_said" >>"$work/ctl.said"
	return $ctl_status
}

#
# Nodes
#

# node_add NODE GROUP ROLES [ARGUMENTS...]: provision it as client 'nodeN'.
node_add() {
	add_node=$1 add_group=$2 add_roles=$3
	shift 3
	ctl client add "node$add_node" --group "$add_group" --roles "$add_roles" "$@" \
		-o "$work/node$add_node.bundle"
}

# node_start NODE [ARGUMENTS...]: into all groups of its bundle, unless the arguments say which.
node_start() {
	start_node=$1
	shift
	: >>"$work/node$start_node.out"
	[ -p "$work/node$start_node.in" ] || mkfifo "$work/node$start_node.in" || exit 1
	# Open for reading too, it never comes to an end.
	start_space=$(node_space "$start_node")
	preloaded -- ip netns exec "$start_space" "$gkmember" -b "$work/node$start_node.bundle" "$@" \
		>>"$work/node$start_node.out" 2>>"$work/node$start_node.log" \
		<>"$work/node$start_node.in" &
	eval "node_pid_$start_node=$!"
	pids="$pids $!"
}

node_end() { # NODE SIGNAL
	eval "end_pid=\$node_pid_$1"
	# shellcheck disable=SC2154 # by eval
	kill -s "$2" "$end_pid"
	wait "$end_pid" 2>/dev/null
	forget_pid "$end_pid"
}

node_tell() { # NODE LINE
	printf '%s\n' "$2" >"$work/node$1.in"
}

# The last line with an event, '{}' if there is none.
node_last() { # NODE EVENT [GROUP]
	last=$(node_lines "$1" "$2" "${3-}" | tail -n 1)
	echo "${last:-\{\}}"
}

node_lines() { # NODE EVENT [GROUP]
	grep "\"event\":\"$2\"" "$work/node$1.out" | grep "${3:+\"group\":\"$3\"}"
}

node_count() { # NODE EVENT [GROUP]
	node_lines "$@" | wc -l
}

# The value of a member of a JSON object in one line; ours have neither quotes nor commas in them.
value() { # LINE NAME
	printf '%s\n' "$1" | sed -n "s/.*\"$2\":\"\\{0,1\\}\\([^\",}]*\\).*/\\1/p"
}

# node_said NODE EVENT [WORDS]: is there such a line, that contains these words?
node_said() {
	node_lines "$1" "$2" | grep -qF -- "${3-}"
}

# node_reports NODE EVENT COUNT: is there more than that many?
node_reports() {
	[ "$(node_count "$1" "$2")" -gt "$3" ]
}

# have_joined TIMES NODE...: each of them, so often since it was provisioned.
have_joined() {
	join_times=$1
	shift
	for joiner in "$@"; do
		[ "$(node_count "$joiner" joined)" -eq "$join_times" ] || return 1
	done
}

# is_checked NODE [GROUP]: it asks the gateway something, and gets an answer.
is_checked() {
	checks_before=$(node_count "$1" checked "${2-}")
	node_tell "$1" "check${2:+ -g $2}"
	wait_for 5 node_is_checked_again "$1" "${2-}" "$checks_before"
}

node_is_checked_again() { # NODE GROUP MORE-THAN
	[ "$(node_count "$1" checked "$2")" -gt "$3" ]
}

# got_num NUM VIA NODE...: each of them says that it got this num, once, and by this way.
got_num() {
	got_num=$1 got_via=$2
	shift 2
	for getter in "$@"; do
		[ "$(vias "$getter" "$got_num")" = "$got_via" ] || return 1
	done
}

vias() { # NODE NUM
	sed -n "/\"event\":\"re\(keyed\|covered\)\".*\"num\":$2,/"'s/.*"via":"\([a-z]*\)".*/\1/p' \
		"$work/node$1.out"
}

# What the node itself says of a group, fresh.
node_status() { # NODE [GROUP]
	status_before=$(node_count "$1" status)
	node_tell "$1" "status${2:+ -g $2}"
	wait_for 5 node_reports "$1" status "$status_before" || return 1
	node_last "$1" status "${2-}"
}

node_num() { # NODE
	value "$(node_status "$1")" num
}

node_has_num() { # NODE NUM
	[ "$(node_num "$1")" = "$2" ]
}

#
# The gateway's view
#

# A line for each, and for each that is kept out.
list_members() { # GROUP
	ctl members "$1" --json | sed 's/^\[//; s/\]$//; s/},{/}\n{/g'
}

members() { # GROUP
	list_members "${1:-lights}" | grep -v '"state":"banned"'
}

is_banned() { # NODE [GROUP]
	list_members "${2:-lights}" | grep "\"name\":\"node$1\"" | grep -q '"state":"banned"'
}

member() { # NODE [GROUP]
	members "${2:-lights}" | grep "\"name\":\"node$1\""
}

is_member() { # NODE
	[ -n "$(member "$1")" ]
}

is_no_member() { # NODE
	! is_member "$1"
}

are_members() { # NODE...
	members lights >"$work/.members"
	for wanted in "$@"; do
		grep -q "\"name\":\"node$wanted\"" "$work/.members" || return 1
	done
}

are_no_members() { # NODE...
	members lights >"$work/.members"
	for unwanted in "$@"; do
		! grep -q "\"name\":\"node$unwanted\"" "$work/.members" || return 1
	done
}

member_state() { # NODE
	value "$(member "$1")" state
}

has_state() { # NODE WORD
	[ "$(member_state "$1")" = "$2" ]
}

# all_have_state WORD NODE...
all_have_state() {
	state_word=$1
	shift
	members lights >"$work/.members"
	for holder in "$@"; do
		grep "\"name\":\"node$holder\"" "$work/.members" |
			grep -q "\"state\":\"$state_word\"" || return 1
	done
}

is_logged() { # WORDS
	grep -qF -- "$1" "$work/gatewayd.log"
}

is_logged_at_least() { # COUNT WORDS
	[ "$(grep -cF -- "$2" "$work/gatewayd.log")" -ge "$1" ]
}

# Another reason to have no filter of system calls is a fault.
is_built_without_filter() {
	is_logged 'seccomp: no filter of system calls: this gatewayd was built without'
}

group_num() { # GROUP
	value "$(group_line "$1")" num
}

group_line() { # GROUP
	ctl groups --json | sed 's/},{/}\n{/g' | grep "\"name\":\"$1\""
}

# Of its newest rekeying.
rekeying_value() { # GROUP NAME
	value "$(group_line "$1" | sed 's/.*"rekeying":{\([^}]*\)}.*/\1/')" "$2"
}

# How many were to get it, have confirmed it, were told by unicast, and are given up for now.
ledger() { # GROUP
	for ledger_name in members confirmed unicast parked; do
		rekeying_value "$1" "$ledger_name"
	done | tr '\n' ' ' | sed 's/ $//'
}

# Nobody is waited for.
is_settled() { # GROUP
	[ "$(rekeying_value "$1" duration_ms)" -ge 0 ] 2>/dev/null
}

# How the newest material got to a node, as far as the gateway knows.
delivery() { # NODE [GROUP]
	value "$(member "$@")" delivery
}

has_delivery() { # NODE WORD
	[ "$(delivery "$1")" = "$2" ]
}

# Every member that the gateway knows says of itself what the gateway says of it, and no other node
# of the list says that it is one.
views_agree() { # GROUP NODE...
	agree_group=$1
	shift
	members "$agree_group" >"$work/members"
	agreed=0
	for agree_node in "$@"; do
		node_agrees "$agree_node" "$agree_group" || return 1
	done
	# and nobody else is in the gateway's list
	[ "$(grep -c '"name"' "$work/members")" -eq "$agreed" ]
}

# have_newer_key NUM GROUP NODE...: all agree, on a later version. Who is removed is in no list before
# the others have another key, since departures are gathered.
have_newer_key() {
	newer_than=$1
	shift
	[ "$(group_num "$1")" -gt "$newer_than" ] && views_agree "$@"
}

roles() { # LINE
	printf '%s\n' "$1" | sed -n 's/.*"roles":\[\([^]]*\)\].*/\1/p'
}

node_agrees() { # NODE GROUP; the gateway's view is in the file 'members'
	there=$(grep "\"name\":\"node$1\"" "$work/members")
	here=$(node_status "$1" "$2")
	if [ -z "$there" ]; then
		[ "$(value "$here" joined)" = false ]
		return
	fi
	agreed=$((agreed + 1))
	[ "$(value "$here" joined)" = true ] && [ "$(roles "$here")" = "$(roles "$there")" ] &&
		[ "$(value "$here" sid)" = "$(value "$there" sender_id)" ] &&
		[ "$(value "$here" node)" = "$(value "$there" node)" ] &&
		[ "$(value "$here" num)" = "$(value "$there" num)" ] &&
		[ "$(value "$here" gid)" = "$(value "$(group_line "$2")" gid)" ] &&
		[ "[$(node_ip "$1")]:5683" = "$(value "$there" address)" ]
}

#
# What is on the air
#

# mcast_listen NAME gw|nNODE: collect what is said there in the file NAME.
mcast_listen() {
	ip netns exec "$net-$2" "$mcast" listen lowpan0 "$group_address" >"$work/$1" 2>&1 &
	pids="$pids $!"
	wait_for 5 grep -q listening "$work/$1" || give_up "no listener: $(cat "$work/$1")"
}

# mcast_heard NAME COUNT: have so many datagrams been collected?
mcast_heard() {
	[ "$(grep -c '^\[' "$work/$1")" -ge "$2" ]
}

# The bytes of the newest.
mcast_bytes() { # NAME
	tail -n 1 "$work/$1" | cut -d ' ' -f 2
}

mcast_show() { # gw|nNODE BYTES
	ip netns exec "$net-$1" "$mcast" send lowpan0 "$group_address" "$2"
}

# The same with what the KDC says, from its port.
control_show() { # gw|nNODE BYTES
	ip netns exec "$net-$1" "$mcast" send lowpan0 "$control_address" "$2"
}

# wire_watch NAME gw|nNODE [INTERFACE]: collect all CoAP that passes there under this name.
wire_watch() {
	ip netns exec "$net-$2" "$wire" "${3:-lowpan0}" >"$work/$1.wire" 2>&1 &
	pids="$pids $!"
	wait_for 5 grep -q watching "$work/$1.wire" || give_up "$(cat "$work/$1.wire")"
	wire_mark "$1"
}

# Only what comes from now on counts.
wire_mark() { # NAME
	wc -l <"$work/$1.wire" >"$work/$1.mark"
}

# wire_lines NAME CONDITION: those for which it holds, in awk, with the names below.
wire_lines() {
	awk -v mark="$(cat "$work/$1.mark")" '{
		ms = $1; way = $2; from = $3; to = $4; type = $5; code = $6
		kind = $7; num = $8; leisure_ms = $9; hex = $10
	}
	NR > mark && ('"$2"')' "$work/$1.wire"
}

wire_count() { # NAME CONDITION
	wire_lines "$@" | wc -l
}

# Is there more than that many?
wire_has() { # NAME CONDITION [MORE-THAN]
	[ "$(wire_count "$1" "$2")" -gt "${3:-0}" ]
}

wire_has_no() { # NAME CONDITION
	! wire_has "$@"
}

# When the first, and the last, of those passed: in ms.
wire_first() { # NAME CONDITION
	wire_lines "$@" | sed 's/ .*//; q'
}

wire_last() { # NAME CONDITION
	wire_lines "$@" | sed -n '$s/ .*//p'
}

# Conditions, at the gateway: its messages to all groups (what it asks one member by multicast is
# none), and those with a new key; its requests to single nodes, and to one of them; their
# confirmations.
multicasts() {
	echo 'way == "out" && to ~ /^.ff/ && kind != "-"'
}

rekeyings() { # NUM
	echo "way == \"out\" && kind == \"rekeying\" && num == $1"
}

unicasts() {
	echo 'way == "out" && code ~ /^0.0[1-9]/ && to !~ /^.ff/'
}

unicasts_to() { # NODE
	echo "$(unicasts) && to ~ /^.$(node_ip "$1")]/"
}

unicasts_but_to() { # NODE
	echo "$(unicasts) && to !~ /^.$(node_ip "$1")]/"
}

confirmations() {
	echo 'way == "in" && code == "2.04" && type == "NON"'
}

# From how many addresses?
wire_sources() { # NAME CONDITION
	wire_lines "$@" | cut -d ' ' -f 3 | sort -u | wc -l
}

# Their num, and what they say; each once: copies differ in the message ID.
wire_contents() { # NAME CONDITION
	wire_lines "$@" | awk '{ print $8, substr($10, 1, 4) substr($10, 9) }' | sort -u
}

# Do they say so many different things?
wire_says() { # NAME CONDITION COUNT
	[ "$(wire_contents "$1" "$2" | wc -l)" -eq "$3" ]
}

#
# Results
#

checks=0
bad=0

# The tests' way to say it; the demo has its own.
report() { # ok|not\ ok NAME
	echo "$1 $checks - $2"
}

# check NAME CONDITION...
check() {
	check_name=$1
	shift
	checks=$((checks + 1))
	if "$@"; then
		report ok "$check_name"
	else
		bad=$((bad + 1))
		report 'not ok' "$check_name"
		show_state "$*"
	fi
}

# check_not NAME WHY: what cannot be seen here.
check_not() {
	checks=$((checks + 1))
	report ok "$1 # SKIP $2"
}

# check_soon SECONDS NAME CONDITION...: it has so long to become true.
check_soon() {
	soon_s=$1 soon_name=$2
	shift 2
	check "$soon_name" wait_for "$soon_s" "$@"
}

# fingerprint FILES...: of what is in these files, or under these directories.
fingerprint() {
	find "$@" -type f -exec sha256sum {} + | sort -k 2 | sha256sum
}

is_same() { # FINGERPRINT FILES...
	same_before=$1
	shift
	[ "$(fingerprint "$@")" = "$same_before" ]
}

# What a person needs who was not there.
show_state() { # CONDITION
	echo "# was false: $1"
	for file in "$work"/*.log "$work"/*.out; do
		[ -e "$file" ] || continue
		echo "# -- ${file##*/}"
		tail -n 25 "$file" | sed 's/^/#    /'
	done
	ctl members lights 2>&1 | sed 's/^/#    /'
}

# give_up WHY: without this there is no point in going on.
give_up() {
	checks=$((checks + 1))
	bad=$((bad + 1))
	report 'not ok' "$1"
	show_state "$1"
	conclude
}

# The end of a test.
conclude() {
	show_all >"$work/all.shown" 2>&1
	echo "1..$checks"
	[ "$bad" -eq 0 ]
	exit
}

# nodes_join NODE...: into lights, one after the other, until all have the newest key.
nodes_join() {
	for joiner in "$@"; do
		node_add "$joiner" lights requester,responder
		node_start "$joiner"
		check_soon 10 "node $joiner joins" node_said "$joiner" joined
	done
	check_soon 10 'all have the newest key' is_settled lights
}

# What is to be tested cannot be had here. Before the first check.
skip() { # WHY
	echo "1..0 # SKIP $1"
	exit 0
}

# Without root the tests say so; tests/run knows it too, and does not even start them.
need_root() {
	{ [ "$(id -u)" -eq 0 ] && unshare -n true 2>/dev/null; } || skip 'needs root and network namespaces'
}
