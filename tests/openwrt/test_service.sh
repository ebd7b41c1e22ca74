#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The package's files in etc/openwrt under the ash of BusyBox, with the daemon's own check of its
# configuration, and rc.common of this folder in the place of procd. No root, no OpenWrt.
#
# GATEWAYD  the program [$GK_BUILD/gatewayd]
# EMULATOR  a command that runs it, if it was built for another machine

# What stands in single quotes is expanded by scripts that are written here.
# shellcheck disable=SC2016

set -u
LC_ALL=C
export LC_ALL

cd "$(dirname "$0")" || exit 1
top=$(cd ../.. && pwd) || exit 1
here=$top/tests/openwrt
package=$top/etc/openwrt
gatewayd=${GATEWAYD:-${GK_BUILD:-$top/build}/gatewayd}

busybox=$(command -v busybox) || {
	echo "1..0 # SKIP needs BusyBox"
	exit 0
}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

mkdir "$tmp/bin"
"$busybox" --install -s "$tmp/bin"

count=0
failed=0
name=
bad=

# A test's first line; what follows reports what is wrong by 'wrong'.
rule() { # NAME
	close_rule
	name=$1
	bad=
	make_root
}

close_rule() {
	[ -n "$name" ] || return 0
	count=$((count + 1))
	if [ -n "$bad" ]; then
		failed=$((failed + 1))
		echo "not ok $count - $name"
	else
		echo "ok $count - $name"
	fi
	name=
}

wrong() {
	bad=1
	echo "# $*" | sed '2,$s/^/# /'
}

same() { # WHAT GOT WANT
	[ "$2" = "$3" ] || wrong "$1: got
$2
want
$3"
}

has() { # FILE TEXT
	grep -qF -e "$2" "$1" || wrong "no '$2' in ${1#"$ROOT"}: $(cat "$1")"
}

lacks() { # FILE TEXT
	! grep -qF -e "$2" "$1" || wrong "'$2' in ${1#"$ROOT"}: $(cat "$1")"
}

#
# A router
#

# Every path of ours below ROOT.
move() {
	sed -E "s#(^|[ =\"'(<>|*/^])/(etc|usr|var|run|sbin|lib)/#\1$ROOT/\2/#g; s#\^/\*usr#^$ROOT/usr#"
}

make_root() {
	rm -rf "$tmp/root"
	ROOT=$tmp/root
	export ROOT
	mkdir -p "$ROOT/bin" "$ROOT/etc/config" "$ROOT/etc/gatewayd" "$ROOT/etc/init.d" "$ROOT/usr/sbin" \
		"$ROOT/sbin" "$ROOT/lib/functions" "$ROOT/usr/lib"
	# What only root may do, and what belongs to the system; all else is in $tmp/bin.
	put bin/chown 'echo "$*" >>"$ROOT/owners"'
	put bin/logger 'for text; do :; done; echo "$text" >>"$ROOT/log"'
	put usr/sbin/gatewayd "PATH='$PATH' exec ${EMULATOR-} '$gatewayd' \"\$@\""
	put sbin/ujail :
	: >"$ROOT/lib/functions/network.sh"
	: >"$ROOT/log"
	: >"$ROOT/events"
	: >"$ROOT/owners"
	echo 'lowpan lowpan0' >"$ROOT/netifd"
	printf '%s\n' "config interface 'lowpan'" "option device 'lowpan0'" >"$ROOT/etc/config/network"
	printf '%s\n' "config zone 'cfg1'" "option name 'lan'" "list network 'lan'" \
		"config zone 'cfg2'" "option name 'mesh'" "list network 'thread'" "list network 'lowpan'" \
		"config zone 'cfg3'" "option name 'wan'" "list network 'wan'" "list network 'wan6'" \
		>"$ROOT/etc/config/firewall"
	# Defaults with a path are written out, to be moved.
	sed -f "$package/files/conf.sed" "$top/etc/gatewayd.conf" |
		sed 's/^#\(state_dir\|control\) = /\1 = /' | move >"$ROOT/etc/gatewayd/gatewayd.conf"
	# A comment is no option, and UCI does not keep it.
	grep -v '^#' "$package/files/gatewayd.config" | move >"$ROOT/etc/config/gatewayd"
	move <"$package/files/gatewayd.init" >"$ROOT/etc/init.d/gatewayd"
}

put() { # PATH TEXT: a script
	printf '#!/bin/sh\n%s\n' "$2" >"$ROOT/$1"
	chmod +x "$ROOT/$1"
}

ash() { # SCRIPT ARGUMENTS...
	PATH=$ROOT/bin:$ROOT/usr/sbin:$tmp/bin LSAN_OPTIONS=detect_leaks=0 "$busybox" ash "$@"
}

service() { # ACTION
	: >"$ROOT/events"
	: >"$ROOT/log"
	ash "$here/rc.common" "$ROOT/etc/init.d/gatewayd" "$@" >"$tmp/out" 2>&1
}

uci() { # OPTION VALUE
	sed -i "/option $1 /d" "$ROOT/etc/config/gatewayd"
	echo "	option $1 '$2'" >>"$ROOT/etc/config/gatewayd"
}

happens() { # EVENTS: what the last call made procd do, besides telling the firewall
	same "what happens" "$(grep -v '^changed: firewall$\|^validation' "$ROOT/events")" "$1"
	[ -z "$bad" ] || [ ! -s "$tmp/out" ] || wrong "$(cat "$tmp/out")"
}

# The instance without hashes, and without ROOT.
instance() {
	grep -v '^[0-9a-f]\{64\} ' "$ROOT/instance" | sed "s#$ROOT##g"
}

start() {
	uci enabled 1
	service start
	happens started
}

#
# Start
#

rule "a start gives procd one instance, jailed, without rights, that reads its files again on HUP"
start
same instance "$(instance)" "command /usr/sbin/gatewayd -c /etc/gatewayd/gatewayd.conf -c /var/etc/gatewayd/uci.conf
file /etc/gatewayd/gatewayd.conf /var/etc/gatewayd/uci.conf
reload_signal HUP
respawn 3600 15 0
term_timeout 15
stderr 1
user gatewayd
group gatewayd
no_new_privs 1
capabilities /etc/capabilities/gatewayd.json
jail gatewayd log
mount /etc/gatewayd
mount /var/etc/gatewayd
mount_rw /etc/gatewayd/state
mount_rw /usr/lib/gatewayd/mark
mount_rw /run/gatewayd"

rule "without ujail there is no jail, and the user is the same"
rm "$ROOT/sbin/ujail"
start
lacks "$ROOT/instance" jail
lacks "$ROOT/instance" mount
lacks "$ROOT/instance" capabilities
has "$ROOT/instance" "user gatewayd"

rule "as shipped nothing is started"
service start
happens ""
[ ! -e "$ROOT/instance" ] || wrong "an instance"

rule "what UCI says is in a file of its own, with nothing else in it, at every start the same"
uci network lowpan
uci port 7000
uci log_level warn
start
same uci.conf "$(cat "$ROOT/var/etc/gatewayd/uci.conf")" \
	"# Made by $ROOT/etc/init.d/gatewayd from $ROOT/etc/config/gatewayd.
interface = \"lowpan0\";
listen = \"[::]:7000\";
log_level = \"warn\";"
same files "$(ls "$ROOT/var/etc/gatewayd")" "effective
error
opened
uci.conf"
cp "$ROOT/var/etc/gatewayd/uci.conf" "$tmp/before"
service start
cmp -s "$tmp/before" "$ROOT/var/etc/gatewayd/uci.conf" || wrong "another uci.conf"
happens nothing

rule "what UCI does not say is left to the native file"
start
same uci.conf "$(grep -v '^#' "$ROOT/var/etc/gatewayd/uci.conf")" ""

rule "owner and mode of our directories are set at each start, and nothing of theirs is opened to others"
mkdir -p "$ROOT/etc/gatewayd/state"
: >"$ROOT/etc/gatewayd/state/as.key"
chmod 600 "$ROOT/etc/gatewayd/state/as.key"
start
same owners "$(sed "s#$ROOT##" "$ROOT/owners")" "-h gatewayd:gatewayd /etc/gatewayd/state/as.key
gatewayd:gatewayd /etc/gatewayd/state
gatewayd:gatewayd /usr/lib/gatewayd/mark
gatewayd:gatewayd /run/gatewayd
root:gatewayd /etc/gatewayd
-h root:gatewayd /etc/gatewayd/gatewayd.conf"
same modes "$(cd "$ROOT" && stat -c '%a %n' etc/gatewayd etc/gatewayd/* etc/gatewayd/state/* \
	usr/lib/gatewayd/mark run/gatewayd)" \
	"750 etc/gatewayd
640 etc/gatewayd/gatewayd.conf
700 etc/gatewayd/state
600 etc/gatewayd/state/as.key
700 usr/lib/gatewayd/mark
700 run/gatewayd"

rule "while it runs no directory of its own is given to it, where it could have put a link"
start
: >"$ROOT/owners"
service reload
lacks "$ROOT/owners" gatewayd:gatewayd

# Which could be a link to /etc by the time that it is gone into.
rule "no directory that it made is given to it, nor what is in there"
mkdir -p "$ROOT/etc/gatewayd/state/made"
: >"$ROOT/etc/gatewayd/state/made/file"
start
lacks "$ROOT/owners" made
! grep -q '^-[a-z]*R' "$ROOT/owners" || wrong "$(cat "$ROOT/owners")"

rule "CAP_NET_ADMIN is given only where the configuration asks for it"
echo 'net_admin = true;' >>"$ROOT/etc/gatewayd/gatewayd.conf"
start
has "$ROOT/instance" "capabilities $ROOT/etc/capabilities/gatewayd-probe.json"

rule "other directories of the state are mounted too"
mkdir -p "$ROOT/mnt/state" "$ROOT/mnt/mark"
sed -i "s#^mark = .*#mark = \"$ROOT/mnt/mark/m\";#; s#^state_dir = .*#state_dir = \"$ROOT/mnt/state\";#" \
	"$ROOT/etc/gatewayd/gatewayd.conf"
start
has "$ROOT/instance" "mount_rw $ROOT/mnt/state"
has "$ROOT/instance" "mount_rw $ROOT/mnt/mark"

#
# Bad input at the start
#

rule "with bad UCI nothing is started, and the log names the option"
uci port 70000
uci enabled 1
service start
happens ""
has "$ROOT/log" "gatewayd.main.port=70000: must be range(1,65535)"

rule "with UCI that cannot be read nothing is started, and the log says so"
echo 'this is no UCI' >"$ROOT/etc/config/gatewayd"
service start
happens ""
has "$ROOT/log" "/etc/config/gatewayd cannot be read"

rule "with a bad native file nothing is started, and the log names file and line"
echo 'colour = "red";' >>"$ROOT/etc/gatewayd/gatewayd.conf"
uci enabled 1
service start
happens ""
has "$ROOT/log" "$ROOT/etc/gatewayd/gatewayd.conf:$(wc -l <"$ROOT/etc/gatewayd/gatewayd.conf"): colour: unknown option"

rule "what is bad only together is refused too"
uci port 5686
uci enabled 1
service start
happens ""
has "$ROOT/log" "must have another port than 'listen'"

#
# Networks
#

rule "a network that is down has its device all the same"
echo 'lowpan - lowpan0' >"$ROOT/netifd"
: >"$ROOT/etc/config/network"
uci network lowpan
start
has "$ROOT/var/etc/gatewayd/uci.conf" 'interface = "lowpan0";'

rule "a network that netifd does not know has the device of its UCI section"
: >"$ROOT/netifd"
uci network lowpan
start
has "$ROOT/var/etc/gatewayd/uci.conf" 'interface = "lowpan0";'

rule "a network without a device starts nothing, and is tried again when it comes up"
: >"$ROOT/netifd"
: >"$ROOT/etc/config/network"
uci network lowpan
uci enabled 1
service start
happens ""
has "$ROOT/log" "network lowpan: has no device yet"
same triggers "$(cat "$ROOT/triggers")" "config gatewayd
interface lowpan"
echo 'lowpan wpan0' >"$ROOT/netifd"
service reload
happens started
has "$ROOT/var/etc/gatewayd/uci.conf" 'interface = "wpan0";'

rule "what runs goes on while its network has no device"
uci network lowpan
start
: >"$ROOT/netifd"
: >"$ROOT/etc/config/network"
service reload
happens ""
has "$ROOT/var/etc/gatewayd/uci.conf" 'interface = "lowpan0";'

#
# Reload
#

rule "a reload with nothing changed does nothing"
uci network lowpan
start
service reload
happens nothing
has "$ROOT/events" "validation of gatewayd"

rule "a changed port is read again"
start
uci port 7000
service reload
happens "signal HUP"
has "$ROOT/var/etc/gatewayd/uci.conf" 'listen = "[::]:7000";'

rule "a changed native file is read again"
start
sed -i 's/^#audience/audience/' "$ROOT/etc/gatewayd/gatewayd.conf"
service reload
happens "signal HUP"

rule "another interface takes a restart"
uci network lowpan
start
echo 'lowpan wpan0' >"$ROOT/netifd"
service reload
happens "stopped
started"

rule "another interface in the native file takes a restart too"
start
sed -i 's/^interface = .*/interface = "wpan0";/' "$ROOT/etc/gatewayd/gatewayd.conf"
service reload
happens "stopped
started"

rule "a reload with bad UCI leaves what runs as it is, and the log names the option"
start
cp "$ROOT/var/etc/gatewayd/uci.conf" "$tmp/before"
uci log_level loud
service reload
happens ""
[ -e "$ROOT/instance" ] || wrong "no instance"
has "$ROOT/log" 'gatewayd.main.log_level=loud: must be or("error", "warn", "info", "debug")'
cmp -s "$tmp/before" "$ROOT/var/etc/gatewayd/uci.conf" || wrong "another uci.conf"

rule "a reload with a bad native file leaves what runs as it is, and the log names file and line"
start
echo 'colour = "red";' >>"$ROOT/etc/gatewayd/gatewayd.conf"
service reload
happens ""
[ -e "$ROOT/instance" ] || wrong "no instance"
has "$ROOT/log" "colour: unknown option"

rule "a native file that is missing is bad UCI"
start
rm "$ROOT/etc/gatewayd/gatewayd.conf"
service reload
happens ""
has "$ROOT/log" "config_file=$ROOT/etc/gatewayd/gatewayd.conf: must be file"

rule "what is switched off ends with the reload"
start
uci enabled 0
service reload
happens stopped

rule "what is stopped ends, and its port is closed"
uci network lowpan
start
service stop
happens stopped
has "$ROOT/events" "changed: firewall"

#
# Firewall
#

rule "the zone of the network is opened for requests and for answers to groups, by the instance's data"
uci network lowpan
start
has "$ROOT/events" "changed: firewall"
same data "$(cat "$ROOT/instance.data")" "array firewall
type rule
name Allow-CoAP-group-keys
src mesh
family ipv6
proto udp
dest_port 5683 5686
target ACCEPT"

rule "the ports are those of the configuration"
echo 'listen_dtls = "[::]:7001";' >>"$ROOT/etc/gatewayd/gatewayd.conf"
uci network lowpan
uci port 7000
start
has "$ROOT/instance.data" "dest_port 5686 7000 7001"

rule "another zone is no reason to disturb what runs, and the firewall is told"
uci network lowpan
start
sed -i "s/'mesh'/'radio'/" "$ROOT/etc/config/firewall"
service reload
happens data
has "$ROOT/events" "changed: firewall"

rule "the firewall is not bothered for nothing"
uci network lowpan
start
service reload
lacks "$ROOT/events" firewall
uci enabled 0
service reload
has "$ROOT/events" "changed: firewall"

rule "what faces the Internet is not opened"
uci network wan6
echo 'wan6 eth1' >>"$ROOT/netifd"
start
same data "$(cat "$ROOT/instance.data")" ""

rule "without a network nothing is opened"
start
same data "$(cat "$ROOT/instance.data")" ""

#
# State that came out of a backup
#

restore() {
	mkdir -p "$ROOT/etc/gatewayd/state"
	: >"$ROOT/etc/gatewayd/state/gatewayd.db"
}

first_boot() {
	move <"$package/files/gatewayd.defaults" >"$tmp/defaults"
	ash "$tmp/defaults" || wrong "status $?"
}

rule "a store that is there on a new overlay is adopted, until there is a mark"
restore
first_boot
start
has "$ROOT/instance" "uci.conf --adopt"
service start
happens nothing # an overlay that lost its power before there was a mark is still new
: >"$ROOT/usr/lib/gatewayd/mark/state.mark"
service restart
lacks "$ROOT/instance" --adopt
rm "$ROOT/usr/lib/gatewayd/mark/state.mark"
service restart
lacks "$ROOT/instance" --adopt

rule "a store whose mark is lost later is not adopted"
first_boot
start
restore
service restart
lacks "$ROOT/instance" --adopt

rule "a store with its mark is not adopted by a package that is installed again"
restore
mkdir -p "$ROOT/usr/lib/gatewayd/mark"
: >"$ROOT/usr/lib/gatewayd/mark/state.mark"
first_boot
first_boot
[ ! -e "$ROOT/usr/lib/gatewayd/adopt" ] || wrong "the flag is there"
start
lacks "$ROOT/instance" --adopt

rule "the owner can say that what is there came out of a backup"
start
: >"$ROOT/usr/lib/gatewayd/mark/state.mark"
service adopt
happens "stopped
started"
has "$ROOT/instance" "uci.conf --adopt"
[ ! -e "$ROOT/usr/lib/gatewayd/mark/state.mark" ] || wrong "the mark is there"

rule "no backup has the mark, and only a real upgrade stops the service"
printf '%s\n' "$ROOT/etc/gatewayd/state/gatewayd.db" "$ROOT/usr/lib/gatewayd/mark/state.mark" \
	"$ROOT/usr/lib/gatewayd/adopt" "$ROOT/etc/config/gatewayd" >"$tmp/list"
put etc/init.d/gatewayd 'echo "$1" >>"$ROOT/events"'
move <"$package/files/gatewayd.upgrade" >"$tmp/upgrade"
cat >"$tmp/sysupgrade" <<'EOF'
sysupgrade_init_conffiles=first
. "$1"
[ "$sysupgrade_init_conffiles" = "first gatewayd_leave_mark" ] || exit 1
gatewayd_leave_mark "$2"
EOF
for how in CONF_BACKUP=/tmp/x CONF_BACKUP_LIST=1; do
	(
		export "${how?}"
		ash "$tmp/sysupgrade" "$tmp/upgrade" "$tmp/list"
	) || wrong "$how: status $?"
done
happens ""
same list "$(sed "s#$ROOT##" "$tmp/list")" "/etc/gatewayd/state/gatewayd.db
/etc/config/gatewayd"
CONF_BACKUP='' CONF_BACKUP_LIST=0 ash "$tmp/sysupgrade" "$tmp/upgrade" "$tmp/list"
happens stop

rule "whoever is gatewayd cannot have root write through a link"
start
service adopt
[ -f "$ROOT/usr/lib/gatewayd/adopt" ] || wrong "the flag is in a directory of its own"

#
# The package
#

# What the build makes of it: one $ for two.
postinst() { # ENVIRONMENT...
	sed -n '/^define Package\/gatewayd\/postinst$/,/^endef$/p' "$package/Makefile" | sed '1d; $d; s/\$\$/$/g' |
		move >"$tmp/postinst"
	: >"$ROOT/events"
	(
		for each in "$@"; do
			export "${each?}"
		done
		ash "$tmp/postinst"
	) || wrong "status $?"
}

fake_service() { # is it RUNNING?
	put etc/init.d/gatewayd "[ \"\$1\" != running ] || exit $1; echo \"\$1\" >>\"\$ROOT/events\""
}

rule "an upgrade restarts what runs"
fake_service 0
postinst PKG_UPGRADE=1
happens restart

rule "an upgrade starts nothing that does not run"
fake_service 1
postinst PKG_UPGRADE=1
happens ""

rule "a first installation restarts nothing"
fake_service 0
postinst PKG_UPGRADE=
happens ""

rule "an image that is being made is left alone"
fake_service 0
postinst PKG_UPGRADE=1 IPKG_INSTROOT=/image
happens ""

rule "the shipped configuration is good, its mark in no backup, its state in all of them"
sed -f "$package/files/conf.sed" "$top/etc/gatewayd.conf" >"$tmp/conf"
${EMULATOR-} "$gatewayd" -n -v -c "$tmp/conf" >"$tmp/shipped" 2>&1 || wrong "$(cat "$tmp/shipped")"
has "$tmp/shipped" 'mark = "/usr/lib/gatewayd/mark/state.mark";'
has "$tmp/shipped" 'state_dir = "/etc/gatewayd/state";'
has "$tmp/shipped" 'control = "/run/gatewayd/gatewayd.sock";'
has "$tmp/shipped" 'log = "syslog";'
has "$tmp/shipped" 'user = "gatewayd";'

rule "the version is that of the sources, and what the package installs is there"
same version "$(sed -n 's/^PKG_VERSION:=//p' "$package/Makefile")" \
	"$(sed -n 's/^version=//p' "$top/configure")"
sed -n 's#.* \./files/\([a-z.-]*\).*#\1#p' "$package/Makefile" >"$tmp/files"
while read -r file; do
	[ -f "$package/files/$file" ] || wrong "no $file"
done <"$tmp/files"
for file in "$package"/files/*; do
	has "$package/Makefile" "./files/${file##*/}"
done

rule "conffiles and scripts in the Makefile have no blanks before a line"
sed -n '/conffiles$/,/^endef/p; /postinst$/,/^endef/p' "$package/Makefile" >"$tmp/blocks"
! grep -q '^[[:space:]]' "$tmp/blocks" || wrong "$(cat "$tmp/blocks")"

rule "the feed's test takes the package, and not another version of it"
mkdir -p "$ROOT/usr/bin"
put usr/sbin/gatewayd "[ \"\$1\" = -n ] && set -- -n -c '$tmp/conf'; PATH='$PATH' exec ${EMULATOR-} '$gatewayd' \"\$@\""
put bin/gatewayctl "PATH='$PATH' exec ${EMULATOR-} '${gatewayd%/*}/gatewayctl' \"\$@\""
version=$(sed -n 's/^version=//p' "$top/configure")
ash "$package/test.sh" gatewayd "$version" >/dev/null || wrong "status $?"
! ash "$package/test.sh" gatewayd 9.9 >/dev/null || wrong "9.9 is taken"

#
# rpcd
#

rpcd() { # ARGUMENTS...
	move <"$package/files/gatewayd.rpcd" >"$tmp/rpcd"
	mkdir -p "$ROOT/usr/share/libubox"
	cp "$here/jshn.sh" "$ROOT/usr/share/libubox"
	ash "$tmp/rpcd" "$@" 2>&1
}

gatewayctl() { # TEXT STATUS: what it answers
	put bin/gatewayctl "echo \"\$*\" >>\"\$ROOT/events\"; echo '$1'; exit $2"
}

rule "ubus: what gatewayctl answers is answered as an object"
gatewayctl '{"version":"1"}' 0
same status "$(rpcd call status </dev/null)" '{"version":"1"}'
gatewayctl '[{"name":"a"}]' 0
same groups "$(rpcd call groups </dev/null)" '{ "groups": [{"name":"a"}] }'
same members "$(echo '{"group":"lights"}' | rpcd call members)" '{ "members": [{"name":"a"}] }'
happens "--json status
--json groups
--json members lights"

rule "ubus: a rekeying needs a name, and no option passes for one"
gatewayctl '{}' 0
same none "$(echo '{}' | rpcd call rekey)" '{ "error": "group: a name is needed" }'
same option "$(echo '{"group":"-o"}' | rpcd call rekey)" '{ "error": "group: a name is needed" }'
happens ""
same rekey "$(echo '{"group":"lights"}' | rpcd call rekey)" '{}'
happens "--json rekey lights"

rule "ubus: why it is refused is an answer too"
gatewayctl 'no such group' 1
same refusal "$(echo '{"group":"x"}' | rpcd call rekey)" '{"error":"no such group"}'

rule "ubus: every method is allowed by exactly one of read and write, and what changes something by write"
same methods "$(rpcd list | grep -o '"[a-z]*": {' | tr -d '":{ ' | sort | xargs)" \
	"groups members rekey status"
if command -v python3 >/dev/null 2>&1; then
	same acl "$(python3 -c '
import json, sys
acl = json.load(open(sys.argv[1]))["gatewayd"]
print(*sorted(acl["read"]["ubus"]["gatewayd"]), "-", *sorted(acl["write"]["ubus"]["gatewayd"]))
' "$package/files/acl.json" 2>&1)" "groups members status - rekey"
fi

rule "capabilities: none, or the one to probe with; in all five sets"
if command -v python3 >/dev/null 2>&1; then
	same capabilities "$(cd "$package/files" && python3 -c '
import json
for name in "capabilities.json", "capabilities-probe.json":
    sets = json.load(open(name))
    print(*sorted(sets), *sorted({cap for caps in sets.values() for cap in caps}))
' 2>&1)" "ambient bounding effective inheritable permitted
ambient bounding effective inheritable permitted CAP_NET_ADMIN"
fi

close_rule
echo "1..$count"
[ "$failed" -eq 0 ]
