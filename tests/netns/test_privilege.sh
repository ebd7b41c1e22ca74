#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# What is left of root's rights when gatewayd serves, by the kernel's own account; that it goes on with
# what it made as root before; that nothing of that can be turned against root; and what it can do
# later, or not.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"

nobody=$(id -u nobody)
their_group=$(id -g nobody)
none=0000000000000000
net_admin_alone=0000000000001000

# What the kernel says of it, in one line.
status_of() { # FIELD
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$gateway_pid/status" | tr -s '\t ' ' ' | sed 's/ $//'
}

is_user() { # UID GID
	[ "$(status_of Uid)" = "$1 $1 $1 $1" ] && [ "$(status_of Gid)" = "$2 $2 $2 $2" ] &&
		[ -z "$(status_of Groups)" ]
}

has_capabilities() { # MASK
	[ "$(status_of CapPrm)" = "$1" ] && [ "$(status_of CapEff)" = "$1" ] &&
		[ "$(status_of CapInh)" = "$none" ] && [ "$(status_of CapAmb)" = "$none" ]
}

is_filtered() {
	[ "$(status_of Seccomp)" = 2 ] || is_built_without_filter
}

is_sealed() { # MASK
	has_capabilities "$1" && [ "$(status_of CapBnd)" = "$none" ] &&
		[ "$(status_of NoNewPrivs)" = 1 ] && is_filtered
}

# Files of a process in /proc are root's if nobody else may look into it.
is_closed_to_its_user() {
	[ "$(stat -c %u "/proc/$gateway_pid/maps")" = 0 ]
}

is_owned() { # UID PATH...
	owned_by=$1
	shift
	for owned in "$@"; do
		[ "$(stat -c %u "$owned")" = "$owned_by" ] || return 1
	done
}

reload() {
	gateway_configure
	ctl reload >"$work/reload.out" 2>&1
}

# refused_reload WORDS...: and what was there goes on.
refused_reload() {
	! reload || return 1
	for word in "$@"; do
		grep -qF -- "$word" "$work/reload.out" || return 1
	done
	gateway_answers
}

# In place of gatewayd: what goes before it. Programs that nobody has to reach are in 'bin'.
gatewayd_by() { # WORDS...
	{
		echo '#!/bin/sh'
		echo "exec $* -- $bin/gatewayd \"\$@\""
	} >"$work/by"
	chmod 755 "$work/by"
	gatewayd=$work/by
}

as_other() { # UID COMMAND...
	other=$1
	shift
	setpriv --reuid "$other" --regid "$other" --clear-groups -- "$@"
}

listens() { # PORT
	in_gateway ss -Hlun "sport = $1" | grep -q .
}

need_root
segment_open 1
bin=$work/bin
mkdir "$bin"
cp "$gatewayd" "$gatewayctl" "$bin/"
gatewayd_by setpriv --groups 4,20

# As before there was another user.
user=root
gateway_start
node_add 1 lights requester,responder
node_start 1
check_soon 10 'node 1 joins' node_said 1 joined
check 'as root it is root' is_user 0 0
check 'without its rights' is_sealed "$none"
gateway_end TERM
check 'what it leaves is of root' is_owned 0 "$work/state" "$work/state/gatewayd.db" "$work/mark"

user=nobody
gateway_start
check 'as another user it goes on' is_member 1
check 'with what is now of that user' is_owned "$nobody" "$work/state" "$work/state/gatewayd.db" \
	"$work/state/as.key" "$work/mark" "$work/mark/gatewayd.mark" "$work/run" "$control"
check 'it is that user, and in no other group' is_user "$nobody" "$their_group"
check 'without any right, for good' is_sealed "$none"
check 'and not even that user looks into it' is_closed_to_its_user
check 'it says so at the start' is_logged 'runs as nobody, with no capability, seccomp '
check 'and when asked' [ "$(value "$(ctl status --json)" user)" = nobody ]
check 'a node notices nothing' is_checked 1
check 'root reaches it' gateway_answers
check 'so does its user' quietly as_other "$nobody" "$bin/gatewayctl" -s "$control" status
check 'nobody else does' not quietly as_other 12345 "$bin/gatewayctl" -s "$control" status

# What a reload can do by then, and what not.
rekey='coalesce_ms = 300;'
check 'a reload takes effect' reload
check 'as that user' is_user "$nobody" "$their_group"
check 'who has got no right by it' is_sealed "$none"
options='listen = "[::]:683";'
check 'a port below 1024 is refused by then' refused_reload 'listen: ' 'a port below 1024'
options=
user=root
check 'so is another user' refused_reload 'user: cannot change without a restart'
user=nobody
net_admin=true
check 'a capability' refused_reload 'net_admin: cannot change without a restart'
net_admin=false
former=$seccomp
seccomp=off
check 'and another filter' refused_reload 'seccomp: cannot change without a restart'
seccomp=$former
chmod 600 "$work/gatewayd.conf"
check 'a file that it cannot read is refused, by name' \
	refused_reload "$work/gatewayd.conf: Permission denied"
gateway_end TERM

# At the start all that can be opened.
options='listen = "[::]:683";'
gateway_configure
chmod 600 "$work/gatewayd.conf"
gateway_start
check 'at the start a port below 1024 can be had' listens 683
check 'with nothing left of what that takes' is_sealed "$none"
check 'what no reload will be able to read is said' is_logged "$work/gatewayd.conf: no reload can read it"
chmod 644 "$work/gatewayd.conf"
gateway_end TERM
options=

net_admin=true
gateway_start
check 'CAP_NET_ADMIN is kept if that is wanted, alone' is_sealed $net_admin_alone
check 'which is said' is_logged 'runs as nobody, with CAP_NET_ADMIN, seccomp '
gateway_end TERM

# By a service manager that has done all of it: with more than is wanted.
# (It could not note its keys as that user.)
gatewayd_by env -u LD_PRELOAD setpriv --reuid "$nobody" --regid "$their_group" --clear-groups \
	--inh-caps +net_admin,+net_raw --ambient-caps +net_admin,+net_raw
user=nonesuch
gateway_start
check 'who is not root stays who it is' is_user "$nobody" "$their_group"
check 'and keeps what is wanted, alone' has_capabilities $net_admin_alone
gateway_end TERM
net_admin=false
gatewayd_by setpriv --groups 4,20

check 'a user that there is not is refused' gateway_refuses 'no "nonesuch"' 'useradd --system'
user=nobody

# That user, as an enemy by now, of the root that starts it again.
echo secret >"$work/secret"
chmod 600 "$work/secret"
mv "$work/state/as.key" "$work/as.key"
ln -s "$work/secret" "$work/state/as.key"
chown -h nobody "$work/state/as.key"
mkdir "$work/kept" && mv "$work/state/reserve" "$work/kept/"
ln "$work/secret" "$work/state/reserve"
check 'a link in the place of a key opens nothing' gateway_refuses "$work/state/as.key: Permission denied"
check 'and gives nothing away' is_owned 0 "$work/secret"
rm "$work/state/as.key" "$work/state/reserve"
mv "$work/as.key" "$work/state/"

# What root has put back.
cp "$work/state/gatewayd.db" "$work/copy" && mv "$work/copy" "$work/state/gatewayd.db"
check 'a copy by root is of root' is_owned 0 "$work/state/gatewayd.db"
gateway_start
check 'and is gone on with' is_checked 1
gateway_end TERM

# Where it could do harm.
former=$control
control=$work/gatewayd.sock
check 'no directory is given away that is for more' gateway_refuses 'control: ' "$work is root's"
check 'which stays so' is_owned 0 "$work"
control=$former

rm -rf "$work/run"
chmod 644 "$work/gatewayd.conf"
user=nonesuch
gateway_configure
check 'anybody can check a configuration' as_other 12345 "$bin/gatewayd" -n -c "$work/gatewayd.conf"
check 'so can root' "$bin/gatewayd" -n -c "$work/gatewayd.conf"
check 'which makes nothing' [ ! -e "$work/run" ]
conclude
