#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# In a jail, as OpenWrt's ujail makes one: gatewayd is the first process of a namespace of its own,
# which takes no signal that it does not ask for; its root is read-only and has nothing but what it
# needs; it can gain no rights. Once started there as root, once as the user that it is to be.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

# procd kills what has not ended by then.
term_timeout_ms=5000

# What follows is mounted below it, so it is to be taken apart first.
jail=$work/jail
mount_there() { # NAME ARGUMENTS...
	[ -e "$jail/$1" ] || mkdir "$jail/$1"
	mounts="$jail/$1 $mounts"
	mount_at=$jail/$1
	shift
	mount "$@" "$mount_at" || give_up 'nothing can be mounted'
}

# A program and the libraries that it is linked with, where it looks for them.
copy_program() { # PATH
	for copied in $(ldd "$1" | sed -n 's/.*\(=> \|^[[:space:]]*\)\(\/[^ ]*\) (.*/\2/p'); do
		mkdir -p "$jail${copied%/*}"
		[ -e "$jail$copied" ] || cp "$copied" "$jail$copied"
	done
	cp "$1" "$jail/${1##*/}"
}

jail_build() {
	mkdir "$jail" "$work/state" "$work/mark" "$work/conf"
	chmod 700 "$work/state" "$work/mark"
	mount_there . -t tmpfs -o mode=755 none
	copy_program "$gatewayd"
	mkdir "$jail/etc" "$jail/dev"
	grep '^\(root\|nobody\):' /etc/passwd >"$jail/etc/passwd"
	for device in null urandom; do
		: >"$jail/dev/$device"
		mount_there "dev/$device" --bind "/dev/$device"
	done
	mount_there state --bind "$work/state"
	mount_there mark --bind "$work/mark"
	mount_there conf --bind "$work/conf"
	mount_there run -t tmpfs -o mode=755 none
	mount -o remount,ro "$jail" || give_up 'no read-only root'
}

# As the one inside sees it.
jail_configure() {
	gateway_configure
	sed "s#\"$jail/#\"/#g; s#\"$work/#\"/#g" "$work/gatewayd.conf" >"$work/conf/new"
	mv "$work/conf/new" "$work/conf/gatewayd.conf"
}

gateway_call() { # in a new process
	jail_configure
	# shellcheck disable=SC2086 # words of their own
	exec setpriv --no-new-privs -- ip netns exec "$net-gw" unshare --mount --pid --fork \
		--kill-child --root="$jail" $as -- "/${gatewayd##*/}" -c /conf/gatewayd.conf
}

children() { # PID
	cat "/proc/$1/task/$1/children"
}

jail_start() {
	gateway_start
	first=$(children "$gateway_pid" | tr -d ' ')
}

is_first() {
	[ "$(sed -n 's/^NSpid:.*\t//p' "/proc/$first/status")" = 1 ]
}

has_own_root() {
	[ ! -e "/proc/$first/root/usr/bin" ] && [ ! -e "/proc/$first/root/home" ] &&
		! touch "/proc/$first/root/file" 2>/dev/null
}

is_that_user() {
	grep -q "^Uid:	$(id -u nobody)	" "/proc/$first/status" &&
		grep -q '^CapEff:	0*$' "/proc/$first/status"
}

is_logged_times() { # COUNT WORDS
	[ "$(grep -cF -- "$2" "$work/gatewayd.log")" -eq "$1" ]
}

# Somebody else's, whose parent there has ended.
leave_orphan() {
	nsenter -t "$first" -p -- sh -c 'sleep 1 &' </dev/null >/dev/null 2>&1
	wait_for 5 has_children
}

has_children() {
	[ -n "$(children "$first")" ]
}

# ends_in_time SIGNAL: by itself, with status 0, and before it would be killed.
ends_in_time() {
	ends_from=$(now_ms)
	kill -s "$1" "$first"
	wait_for 10 has_ended "$gateway_pid" || return 1
	ends_took=$(($(now_ms) - ends_from))
	echo "# after $ends_took ms"
	forget_pid "$gateway_pid"
	wait "$gateway_pid" && [ "$ends_took" -lt "$term_timeout_ms" ]
}

# There is much to be told to those who do not answer, and to be written.
fill_outbox() {
	link_down 2
	link_down 3
	for added in 11 12 13 14; do
		node_add "$added" lights requester
	done
	ctl rekey lights
	ctl evict lights node3
}

need_root
segment_open 3
jail_build
# shellcheck disable=SC2034 # for gateway_configure
control=$jail/run/gatewayd/gatewayd.sock

as=
jail_start
check 'it is the first process' is_first
check 'in a root of its own, which nobody writes to' has_own_root
check 'started as root it is its user' is_that_user
for node in 1 2 3; do
	node_add "$node" lights requester,responder
	node_start "$node"
	check_soon 10 "node $node joins" node_said "$node" joined
done
check_soon 10 'all agree' views_agree lights 1 2 3

rekey='coalesce_ms = 300;'
jail_configure
kill -s HUP "$first"
check_soon 5 'HUP reloads' is_logged_times 1 '/conf/gatewayd.conf: in effect: groups: 1 changed'
check 'it inherits a process' leave_orphan
check_soon 5 'and buries it' not has_children
check 'there is much to do' fill_outbox
check 'TERM ends it, in time all the same' ends_in_time TERM
check 'it has removed its socket' [ ! -e "$control" ]

# As ujail does it.
as="--setuid $(id -u nobody) --setgid $(id -g nobody)"
link_up 2
jail_start
check 'started as its user it is that' is_that_user
check 'and the first again' is_first
check_soon 10 'what was stored last is there' is_no_member 3
check_soon 20 'those who stayed noticed nothing else' views_agree lights 1 2
check 'and never joined again' have_joined 1 1 2
kill -s HUP "$first"
check_soon 5 'HUP reloads' is_logged_times 1 '/conf/gatewayd.conf: nothing has changed'
check 'INT ends it' ends_in_time INT
conclude
