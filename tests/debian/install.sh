#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The packages of 'make deb' in a Debian 12 made for it, which systemd runs in a container: installed,
# started, upgraded with members attached, removed, purged. Members are nodes of tests/netns/lib.sh.
# Needs root, namespaces, debootstrap, systemd-nspawn and the mirror. 'make check-deb' runs it.
#
# Until there is a release, no other version is in use from which anybody could upgrade: so that it is
# from this very one, with an earlier version and another configuration file. What it shows is what dpkg,
# systemd and the service do; that a store of earlier sources is taken over, tests of the store do.
#
# OLD=FILE.deb  upgrade from that one instead. For the package of another commit: 'make deb' in a clone
#               of it, with an earlier version in debian/changelog, as 0.1.0~1; then, here,
#               'make check-deb OLD=.../build-deb/gatewayd_0.1.0~1_amd64.deb'

# Conditions are called by name.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
need_root

debs=$GK_TOP/build-deb
root=$work/root
conf=/etc/gatewayd/gatewayd.conf
drop_in=/etc/systemd/system/gatewayd.service.d
machine=

skip() { # WHY
	echo "1..0 # SKIP $1"
	exit 0
}

for tool in debootstrap dpkg-deb nsenter systemd-nspawn; do
	command -v "$tool" >/dev/null || skip "no $tool"
done

#
# The machine
#

# What is said is shown if it fails.
noted() { # COMMAND...
	echo "\$ $*" >>"$work/machine.log"
	"$@" >>"$work/machine.log" 2>&1 </dev/null
}

needed() { # COMMAND...
	noted "$@" || give_up "failed: $*"
}

# What it depends on is there before, so that a machine without a network can install it.
machine_make() {
	needed debootstrap --variant=minbase --include=systemd-sysv bookworm "$root" \
		"$("$GK_TOP/scripts/debian-mirror")"
	# It need not survive a power cut.
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
	mkdir "$root/debs"
	cp "$new" "$root/debs/new.deb"
	cp "$old" "$root/debs/old.deb"
	cp "$GK_TOP/debian/tests/service" "$root/debs"
	needed chroot "$root" env DEBIAN_FRONTEND=noninteractive \
		apt-get -y --no-install-recommends --download-only install /debs/new.deb
}

machine_can_start() {
	noted systemd-nspawn --quiet --register=no --keep-unit -D "$root" --as-pid2 true
}

# In the gateway's namespace, and there it stays. Of what a container may not do by default it may give
# a service CAP_NET_ADMIN, and look whether the clock is synchronised.
machine_start() {
	systemd-nspawn --quiet --register=no --keep-unit --machine="$net" -D "$root" --boot \
		--network-namespace-path="/run/netns/$net-gw" --capability=CAP_NET_ADMIN \
		--system-call-filter='adjtimex clock_adjtime' >"$work/console" 2>&1 </dev/null &
	machine=$!
	pids="$pids $machine"
	wait_for 60 machine_is_up || give_up 'the machine does not start'
}

# As README.md has them, which is there.
has_what_readme_names() {
	inside cat /usr/share/doc/gatewayd/README.md >"$work/README.md" || return
	grep -o ']([a-z][^):]*)' "$work/README.md" | tr -d ']()' | sort -u >"$work/links"
	[ -s "$work/links" ] || return
	while read -r link; do
		noted inside test -e "/usr/share/doc/gatewayd/$link" || return
	done <"$work/links"
}

machine_is_up() {
	leader=$(cat "/proc/$machine/task/$machine/children" 2>/dev/null)
	leader=${leader%% *}
	[ -n "$leader" ] && case $(inside systemctl is-system-running 2>/dev/null) in
	running | degraded) ;;
	*) false ;;
	esac
}

inside() { # COMMAND...
	nsenter -t "$leader" -a env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
		DEBIAN_FRONTEND=noninteractive "$@"
}

apt() { # WORDS...: what its owner changed stays, as with unattended-upgrades
	noted inside apt-get -y --no-install-recommends \
		-o Dpkg::Options::=--force-confold "$@"
}

# All that is on its disk, but what apt, dpkg and systemd keep for themselves.
machine_files() {
	inside find / -xdev \( -path /debs -o -path /proc -o -path /sys -o -path /dev -o -path /run \
		-o -path /tmp -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg \
		-o -path /var/log -o -path /var/lib/systemd \) -prune -o -print |
		grep -vxE '/etc/((passwd|group|g?shadow)-|\.pwd\.lock|ld\.so\.cache)' | sort
}

#
# The service
#

ctl() {
	inside gatewayctl "$@"
}

node_add() { # NODE GROUP
	(umask 077 && ctl client add "node$1" --group "$2" --roles requester,responder \
		>"$work/node$1.bundle")
}

service() { # NAME: of its properties
	inside systemctl show --value --property "$1" gatewayd
}

is_active() {
	[ "$(service ActiveState)" = active ]
}

main_pid() {
	service MainPID
}

status_of() { # NAME: in /proc/PID/status
	inside sed -n "s/^$1:[[:space:]]*//p" "/proc/$(main_pid)/status"
}

runs_with() { # NAME VALUE
	[ "$(status_of "$1")" = "$2" ]
}

runs_as() { # USER
	uid=$(inside id -u "$1") && [ "$(status_of Uid | tr -s '\t' ' ')" = "$uid $uid $uid $uid" ]
}

has_mode() { # FILE MODE-OWNER-GROUP
	[ "$(inside stat -c '%a %U %G' "$1")" = "$2" ]
}

tells() { # WORDS: status
	ctl status | grep -qF -- "$1"
}

is_another() { # PID: is it a new one, that serves?
	now_pid=$(main_pid)
	[ "${now_pid:-0}" != 0 ] && [ "$now_pid" != "$1" ] && is_active
}

# A configuration that cannot be, as long as systemctl does that.
refuses() { # COMMAND
	inside cp -p "$conf" /tmp/kept
	inside sed -i 's/"lights"/"li ghts"/' "$conf"
	noted inside systemctl "$1" gatewayd
	refusal=$?
	inside cp -p /tmp/kept "$conf"
	[ "$refusal" -ne 0 ]
}

reload_refuses() {
	refuses reload && is_active
}

has_logged() { # WORDS
	inside journalctl -u gatewayd | grep -qF -- "$1"
}

# As gatewayd.service says how.
allow_net_admin() {
	inside mkdir "$drop_in" && sed -n 's/^#\t//p' "$GK_TOP/etc/systemd/gatewayd.service" |
		inside tee "$drop_in/net_admin.conf" >>"$work/machine.log" &&
		inside sed -i 's/^#net_admin = .*/net_admin = true;/' "$conf" &&
		noted inside systemctl daemon-reload && noted inside systemctl restart gatewayd
}

# What a program for backups leaves out that is told to mind CACHEDIR.TAG.
is_left_out() { # FILE
	inside tar --exclude-caches-all -cf - -C / var/lib 2>/dev/null | tar -t >"$work/backup"
	grep -qx var/lib/gatewayd/gatewayd.db "$work/backup" && ! grep -qx "${1#/}" "$work/backup"
}

#
# Members
#

say() { # NODE TEXT
	node_tell "$1" "say $2"
}

has_read() { # NODE TEXT
	node_said "$1" message "\"text\":\"$2\""
}

# What the gateway knows that is to outlive an upgrade. (Who has confirmed a key need not outlive a kill.)
membership() {
	group_num lights
	members lights | while read -r line; do
		for name in name node sender_id state address; do
			value "$line" "$name"
		done
		roles "$line"
	done
}

is_same_membership() {
	[ "$(membership)" = "$membership" ]
}

# Events of theirs that tell of anything but talk.
notices() {
	cat "$work"/node[12].out | grep -cvE '"event":"(message|checked|status|said)"'
}

nobody_noticed() {
	[ "$(notices)" -eq "$noticed" ]
}

note_all() {
	membership=$(membership)
	noticed=$(notices)
	pid=$(main_pid)
}

# They are who they were, can ask, and are heard by each other.
goes_on() { # WHEN
	check_soon 5 "$1: the gateway knows the same members" is_same_membership
	check "$1: node 1 is answered" is_checked 1
	check "$1: node 2 is answered" is_checked 2
	say 1 "$1"
	check_soon 5 "$1: node 2 hears node 1" has_read 2 "$1"
	check "$1: under the same key" is_same_membership
	check "$1: neither has noticed anything" nobody_noticed
}

#
# The packages
#

# The present one under an earlier version, and with another configuration file than today's.
make_old() { # DIRECTORY
	dpkg-deb -R "$new" "$1/old" &&
		sed -i 's/^\(Version: .*\)/\1~old/' "$1/old/DEBIAN/control" &&
		echo '# An earlier one ended like this.' >>"$1/old$conf" &&
		dpkg-deb --root-owner-group -b "$1/old" "$1/old.deb"
}

shipped() { # PACKAGE: its configuration file
	dpkg-deb --fsys-tarfile "$1" | tar -xO ".$conf"
}

is_quiet() { # COMMAND...: and says nothing
	said=$("$@" 2>&1) && [ -z "$said" ]
}

set -- "$debs"/gatewayd_*.deb
[ -e "$1" ] || skip "no packages: 'make deb' first"
new=$1
old=${OLD-}
if [ -z "$old" ]; then
	noted make_old "$work" || give_up 'no earlier package'
	old=$work/old.deb
fi
mkdir "$work/member"
dpkg-deb -x "$debs"/gkmember_*.deb "$work/member" || give_up 'no package gkmember'
gkmember=$work/member/usr/bin/gkmember

if command -v lintian >/dev/null; then
	check 'lintian finds no fault' is_quiet lintian --allow-root --fail-on error,warning \
		"$debs"/*.changes
fi

machine_make
machine_can_start || skip 'no container can be started here'
space_open "$net-gw"
machine_start
machine_files >"$work/before"

# Installed
apt install /debs/old.deb || give_up 'it does not install'
check 'it runs, though there is no interface yet' is_active
check 'and says so' tells 'lowpan0 (the interface is gone)'
check 'as its own user' runs_as gatewayd
check 'with no capability' runs_with CapEff 0000000000000000
check 'that it could get' runs_with CapBnd 0000000000000000
check 'with no way to more' runs_with NoNewPrivs 1
check 'and with few system calls' runs_with Seccomp 2
check 'it may ask whether the clock is right' not has_logged 'the kernel cannot be asked'
check 'its group alone may look at the configuration' has_mode /etc/gatewayd '750 root gatewayd'
check 'nobody else at the state' has_mode /var/lib/gatewayd '700 gatewayd gatewayd'
check 'nor at the mark' has_mode /var/lib/gatewayd-mark '700 gatewayd gatewayd'
check 'which backups can leave out' is_left_out /var/lib/gatewayd-mark/gatewayd.mark
check 'and nobody else calls it' has_mode /run/gatewayd/gatewayd.sock '600 gatewayd gatewayd'

# In use
interface_replace 0
for node in 1 2; do
	node_open $node
	node_add $node lights
	node_start $node
	check_soon 10 "node $node joins" node_said $node joined
done
check_soon 10 'both have the newest key' is_settled lights
say 1 'installed'
check_soon 5 'they talk' has_read 2 'installed'
inside sed -i 's/^#log_level = .*/log_level = "debug";/' "$conf"
check 'a change is put into effect' noted inside systemctl reload gatewayd
check 'one that cannot be taken is refused' reload_refuses
pid=$(main_pid)
# shellcheck disable=SC2016 # for sh inside
inside sh -c 'kill -s KILL "$1"' sh "$pid"
check_soon 20 'who is killed comes again' is_another "$pid"
note_all
goes_on 'killed'

# Upgraded
check 'it is upgraded' apt install /debs/new.deb
check 'the new one runs' is_another "$pid"
check 'and says with which rights' tells 'gatewayd (no capability, seccomp deny)'
check 'what its owner configured stays' inside grep -q '^log_level = "debug";' "$conf"
if [ "$(shipped "$old")" = "$(shipped "$new")" ]; then
	check_not 'and what is new lies beside it' 'OLD has the same configuration file'
else
	check 'and what is new lies beside it' inside test -e "$conf.dpkg-dist"
fi
goes_on 'upgraded'

check 'its own test passes' noted inside /debs/service
check 'what README.md names is there' has_what_readme_names

# Removed, and installed again
check 'it is removed' apt remove gatewayd
check 'it runs no more' not is_active
check 'nothing is left in /run' is_quiet inside find /run -name 'gatewayd*'
check 'it is installed again' apt install /debs/new.deb
check 'it runs again' is_active
check 'it is configured as before' inside grep -q '^log_level = "debug";' "$conf"
goes_on 'installed again'
check 'who starts it is told that it cannot' refuses restart
check_soon 20 'it tries again by itself' is_active

check 'it can be allowed more' allow_net_admin
check 'which it keeps' tells 'gatewayd (CAP_NET_ADMIN, seccomp deny)'
check 'and nothing else' runs_with CapEff 0000000000001000
inside rm -r "$drop_in"

# Purged
check 'it is purged' apt purge --autoremove gatewayd
machine_files >"$work/after"
check 'nothing of it is left' is_quiet diff "$work/before" "$work/after"
check 'nothing in /run either' is_quiet inside find /run -name 'gatewayd*'
conclude
