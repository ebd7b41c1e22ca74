#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The service: what procd is told at a start and at a reload, and what it is not told.

# What stands in single quotes is expanded by scripts that are written here.
# shellcheck disable=SC2016

. "$GK_TOP/tests/openwrt/router.sh"

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
-h gatewayd:gatewayd /etc/gatewayd/state
-h gatewayd:gatewayd /usr/lib/gatewayd/mark
-h gatewayd:gatewayd /run/gatewayd
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

put_elsewhere() {
	sed -i "s#^mark = .*#mark = \"$ROOT/mnt/mark/m\";#; s#^state_dir = .*#state_dir = \"$ROOT/mnt/state\";#
		s#^control = .*#control = \"$ROOT/mnt/run/s\";#" "$ROOT/etc/gatewayd/gatewayd.conf"
}

rule "directories elsewhere that are missing are made, are the service's, and are mounted"
put_elsewhere
start
for dir in state mark run; do
	has "$ROOT/instance" "mount_rw $ROOT/mnt/$dir"
	has "$ROOT/owners" "gatewayd:gatewayd $ROOT/mnt/$dir"
	same mode "$(stat -c %a "$ROOT/mnt/$dir")" 700
done
lacks "$ROOT/instance" "$ROOT/usr/lib/gatewayd"
[ ! -e "$ROOT/usr/lib/gatewayd/mark" ] || wrong "a directory that nobody needs"

# Nobody else's becomes the service's for a slip of the pen.
rule "directories elsewhere that are there stay whose they are"
put_elsewhere
mkdir -p "$ROOT/mnt/state" "$ROOT/mnt/mark" "$ROOT/mnt/run"
chmod 755 "$ROOT/mnt"/*
: >"$ROOT/mnt/mark/passwd"
start
lacks "$ROOT/owners" "$ROOT/mnt"
same modes "$(stat -c %a "$ROOT/mnt"/* | sort -u)" 755
has "$ROOT/instance" "mount_rw $ROOT/mnt/state"

rule "no file is given to it that has another name, which could be one in /etc"
mkdir -p "$ROOT/etc/gatewayd/state"
: >"$ROOT/etc/shadow"
ln "$ROOT/etc/shadow" "$ROOT/etc/gatewayd/state/x"
: >"$ROOT/etc/gatewayd/state/single"
start
lacks "$ROOT/owners" state/x
has "$ROOT/owners" "-h gatewayd:gatewayd $ROOT/etc/gatewayd/state/single"

#
# Bad input at the start
#

rule "with bad UCI nothing is started, and the log names the option"
for port in 1023 65536; do
	uci port $port
	uci enabled 1
	service start
	happens ""
	has "$ROOT/log" "gatewayd.main.port=$port: must be range(1024,65535)"
done

# procd gives the service no right to it, so it could only end, and be started again, for ever.
rule "with a port below 1024 in the native file nothing is started or changed, and the log says why"
start
echo 'listen = "[::]:1023";' >>"$ROOT/etc/gatewayd/gatewayd.conf"
service reload
happens ""
has "$ROOT/log" "port 1023: must be 1024 to 65535"
service stop
service start
happens ""
has "$ROOT/log" "port 1023: must be 1024 to 65535"

rule "a port of 1024 is no lower one"
echo 'listen = "[::]:1024";' >>"$ROOT/etc/gatewayd/gatewayd.conf"
start

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

is_shut() { # WHY
	same data "$(cat "$ROOT/instance.data")" ""
	has "$ROOT/log" "$1"
}

rule "what faces the Internet is not opened, and the log says so"
uci network wan6
echo 'wan6 eth1' >>"$ROOT/netifd"
start
is_shut "network wan6: its zone wan faces the Internet, and is not opened"

rule "what masquerades faces the Internet, whatever its name"
for option in masq masq6; do
	for value in 1 on; do
		uci network uplink
		echo 'uplink usb0' >>"$ROOT/netifd"
		printf '%s\n' "config zone 'cfg4'" "option name 'internet'" "list network 'uplink'" \
			"option $option '$value'" >>"$ROOT/etc/config/firewall"
		start
		is_shut "network uplink: its zone internet faces the Internet, and is not opened"
		make_root
	done
done

rule "a zone that does not masquerade is opened, beside others that do"
sed -i "/'wan'$/a option masq '1'" "$ROOT/etc/config/firewall"
sed -i "/'mesh'/a option masq '0'" "$ROOT/etc/config/firewall"
uci network lowpan
start
has "$ROOT/instance.data" "src mesh"

rule "a network in no zone opens nothing, and the log says so"
sed -i "s/'lowpan'/'lowpan2'/" "$ROOT/etc/config/firewall"
uci network lowpan
start
is_shut "network lowpan: is in no zone of the firewall, and nothing is opened for it"

rule "without a firewall there is nothing to open, and nothing to say"
rm "$ROOT/etc/config/firewall"
uci network lowpan
start
same data "$(cat "$ROOT/instance.data")" ""
[ ! -s "$ROOT/log" ] || wrong "$(cat "$ROOT/log")"

rule "without a network nothing is opened"
start
same data "$(cat "$ROOT/instance.data")" ""

finish
