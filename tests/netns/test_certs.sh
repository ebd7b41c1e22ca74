#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Groups whose members have credentials that others issued: X.509 certificates that openssl(1) made,
# as chains and as bags, and CWTs. Such members join, hear each other, tell each other what is for one
# alone, and get a new key when one of them leaves. Who has a credential that nobody there vouches for,
# one that has ended, one of somebody else's key, or one of another format, does not get in.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/client.sh"
. "$GK_TOP/tests/netns/story.sh"

cwt=$GK_BUILD/tests/tools/cwt
made=$work/made # in a directory of its own: what there is to read in it is keys

groups='chains bags cwts'
rekey='coalesce_ms = 200; on_join = false;'

group_options() { # GROUP
	case $1 in
	chains) echo "cred_fmt = \"x5chain\"; cred_issuers_file = \"$made/root.crt\"; mode = \"both\";" ;;
	bags) echo "cred_fmt = \"x5bag\"; cred_issuers_file = \"$made/root.crt\";" ;;
	cwts) echo "cred_fmt = \"cwt\"; cred_issuers_file = \"$made/issuer.cbor\"; mode = \"both\";" ;;
	esac
}

#
# Keys and credentials
#

# A CA's, or a member's, with what gkmember wants of it: 32 bytes in hex. SEC 1 has them behind 7 others
# (RFC 5915).
make_key() { # NAME
	openssl ecparam -name prime256v1 -genkey -noout -out "$made/$1.pem" &&
		openssl ec -in "$made/$1.pem" -outform DER 2>>"$work/openssl.log" |
		od -An -v -tx1 -j 7 -N 32 | tr -d ' \n' >"$made/$1.key"
	[ -z "$keys" ] || { cat "$made/$1.key" && echo; } >>"$keys"
}

# make_cert NAME KEY ISSUER DAYS EXTENSIONS...: NAME.crt, in PEM. One of less than 0 days has ended.
make_cert() {
	cert_name=$1 cert_key=$2 cert_issuer=$3 cert_days=$4
	shift 4
	printf '%s\n' "$@" >"$made/extensions"
	openssl req -new -key "$made/$cert_key.pem" -subj "/O=gatewayd tests/CN=$cert_name" \
		-out "$made/request" &&
		openssl x509 -req -in "$made/request" -CA "$made/$cert_issuer.crt" \
			-CAkey "$made/$cert_issuer.pem" -set_serial "0x$(random_hex 8)" -sha256 \
			-days "$cert_days" -extfile "$made/extensions" -out "$made/$cert_name.crt" \
			2>>"$work/openssl.log"
}

random_hex() { # BYTES
	od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n' | sed 's/^./4/'
}

# make_root NAME: a CA that is its own.
make_root() {
	make_key "$1" &&
		openssl req -x509 -new -key "$made/$1.pem" -subj "/O=gatewayd tests/CN=$1" -sha256 \
			-days 30 -addext 'keyUsage=critical,keyCertSign' -out "$made/$1.crt"
}

ca='basicConstraints=critical,CA:TRUE'
signs='keyUsage=critical,digitalSignature,keyAgreement'

make_intermediate() { # NAME ISSUER EXTENSIONS...
	intermediate=$1 above=$2
	shift 2
	make_key "$intermediate" &&
		make_cert "$intermediate" "$intermediate" "$above" 20 "$ca" \
			'keyUsage=critical,keyCertSign' "$@"
}

make_leaf() { # NAME ISSUER [EXTENSIONS...]
	leaf=$1 above=$2
	shift 2
	make_key "$leaf" && make_cert "$leaf" "$leaf" "$above" 10 "$signs" "$@"
}

# The file that a member has: its own certificate, then all that vouch for it, but for the root.
bundle_certs() { # NAME CERTIFICATES...
	bundled=$1
	for cert; do # the first is its own
		cat "$made/$cert.crt"
	done >"$made/$bundled.chain"
}

# So long that a chain of three is near the end of what there can be.
comment() {
	printf 'nsComment=%0210d\n' 0
}

make_certs() {
	make_root root && make_root stranger &&
		make_intermediate inter root && make_intermediate deep inter "$(comment)" || return 1
	for name in chain1 chain2 bag1 bag2 bag3; do
		make_leaf $name inter && bundle_certs $name inter || return 1
	done
	# A bag has no order.
	cat "$made/inter.crt" "$made/bag3.crt" >"$made/bag3.chain"
	make_leaf long deep "$(comment)" && bundle_certs long deep inter &&
		make_leaf foreign stranger && bundle_certs foreign && make_key ended &&
		make_cert ended ended inter -1 "$signs" && bundle_certs ended inter
}

make_cwts() {
	for name in issuer other_issuer cwt1 cwt2 cwt3 cwt4; do
		make_key $name || return 1
	done
	"$cwt" issuer "$made/issuer.key" >"$made/issuer.cbor" || return 1
	for name in cwt1 cwt2 cwt3; do
		"$cwt" issue "$made/$name.key" "$made/issuer.key" $name >"$made/$name.cwt" || return 1
	done
	"$cwt" issue "$made/cwt4.key" "$made/other_issuer.key" cwt4 >"$made/foreign.cwt" &&
		"$cwt" issue "$made/cwt4.key" "$made/issuer.key" cwt4 1000000000 >"$made/ended.cwt"
}

#
# Members
#

nodes_of() { # GROUP
	case $1 in
	chains) echo 1 2 3 ;;
	bags) echo 4 5 6 ;;
	cwts) echo 7 8 9 ;;
	esac
}

issued_add() { # NODE GROUP
	node_add "$1" "$2" $both
}

# Each group speaks at an address of its own: what others say would be reason to ask the KDC, and that
# ever more rarely.
speaks_at() { # FORMAT
	case $1 in
	x5chain) echo '[ff03::c1]:5685' ;;
	x5bag) echo '[ff03::c2]:5685' ;;
	cwt) echo '[ff03::c3]:5685' ;;
	esac
}

# issued_start NODE FORMAT FILE KEY [ARGUMENTS...]: it is a member with this credential.
issued_start() {
	issued=$1 issued_format=$2 issued_file=$3 issued_key=$4
	shift 4
	chmod 600 "$made/$issued_key.key"
	node_start "$issued" --cred-format "$issued_format" --cred "$made/$issued_file" \
		--cred-key "$made/$issued_key.key" \
		--group-address "$(speaks_at "$issued_format")" "$@"
}

# Once is not enough: whoever does not know the speaker yet asks the KDC first.
is_heard() { # TEXT FROM GROUP NODE...
	heard_text=$1 heard_from=$2 heard_group=$3
	shift 3
	node_tell "$heard_from" "say -g $heard_group $heard_text"
	sleep 0.3
	all_have_read "$heard_text" "$@"
}

sid_of() { # NODE GROUP
	value "$(node_status "$1" "$2")" sid
}

# gets_through FROM TO GROUP TEXT: it is told, and answered; as often as it takes, too.
gets_through() {
	through_before=$(node_count "$1" response)
	node_tell "$1" "tell -g $3 $(sid_of "$2" "$3") [$(node_ip "$2")] $4"
	sleep 0.5
	node_reports "$1" response "$through_before"
}

num_of_group_is_above() { # GROUP NUM
	[ "$(group_num "$1")" -gt "$2" ]
}

all_settled() {
	for settled in $groups; do
		is_settled "$settled" || return 1
	done
}

group_of() { # NODE
	case $1 in
	10) echo chains ;;
	11) echo bags ;;
	12) echo cwts ;;
	esac
}

is_between() { # LEAST MOST NUMBER
	[ "$1" -le "$3" ] && [ "$3" -le "$2" ]
}

der_length() { # CERTIFICATES...
	for cert; do
		openssl x509 -in "$made/$cert.crt" -outform DER
	done | wc -c
}

# Of its datagrams, in bytes.
longest_from() { # NODE
	wire_lines air "way == \"in\" && from ~ /^.$(node_ip "$1")]/" |
		awk '{ print length($10) / 2 }' | sort -n | tail -n 1
}

# refused NODE WHAT FORMAT FILE KEY [WHY]: it says why it is no member, and the KDC knows too.
refused() {
	refused_node=$1 refused_what=$2 refused_format=$3 refused_file=$4 refused_key=$5
	refusals_before=$(refusals)
	touch "$work/node$refused_node.out"
	errors_before=$(node_count "$refused_node" error)
	issued_start "$refused_node" "$refused_format" "$refused_file" "$refused_key"
	check_soon 10 "none is let in with one $refused_what" node_reports "$refused_node" error \
		"$errors_before"
	check 'it is told why' node_said "$refused_node" error "${6:-the KDC refuses the join}"
	if [ $# -eq 5 ]; then
		check 'so is the operator' [ "$(refusals)" -eq $((refusals_before + 1)) ]
	else
		check 'the KDC has heard of no join' [ "$(refusals)" -eq "$refusals_before" ]
	fi
	check 'and it is no member' test "$(node_count "$refused_node" joined)" -eq 0
	node_end "$refused_node" TERM
}

refusals() {
	grep -c 'refused: credential does not fit the group' "$work/gatewayd.log"
}

both=requester,responder
need_root
command -v openssl >/dev/null || skip 'needs openssl(1)'
segment_open 12
mkdir "$made"
make_cwts || give_up 'no CWTs'
make_certs || give_up "no certificates: $(cat "$work/openssl.log")"
gateway_configure
"$gatewayd" -n -c "$work/gatewayd.conf" >"$work/conf.log" 2>&1
! grep -q 'built without X.509' "$work/conf.log" || skip 'wolfSSL was built without X.509'
gateway_start
for group in $groups; do
	for node in $(nodes_of "$group"); do
		issued_add "$node" "$group"
	done
done

wire_watch air gw
issued_start 1 x5chain chain1.chain chain1
issued_start 2 x5chain chain2.chain chain2 --cred-issuers "$made/root.crt"
issued_start 3 x5chain long.chain long
issued_start 4 x5bag bag1.chain bag1
issued_start 5 x5bag bag2.chain bag2 --cred-issuers "$made/root.crt"
issued_start 6 x5bag bag3.chain bag3
issued_start 7 cwt cwt1.cwt cwt1
issued_start 8 cwt cwt2.cwt cwt2 --cred-issuers "$made/issuer.cbor"
issued_start 9 cwt cwt3.cwt cwt3
check_soon 15 'all join' have_joined 1 1 2 3 4 5 6 7 8 9
have_joined 1 1 2 3 4 5 6 7 8 9 || give_up 'nobody can be talked to who is not there'
check 'the long chain is near the end of what there can be' is_between 1700 2048 \
	"$(der_length long deep inter)"
check 'and goes in pieces' is_between 1000 1280 "$(longest_from 3)"
for group in $groups; do
	# shellcheck disable=SC2046 # a list
	set -- $(nodes_of "$group")
	check_soon 10 "all agree on $group" views_agree "$group" "$@"
	check_soon 10 "$group: one is heard" is_heard "good morning $group" "$1" "$group" "$2" "$3"
	check_soon 10 "$group: so is another" is_heard "hello $group" "$3" "$group" "$1" "$2"
done
for group in chains cwts; do
	# shellcheck disable=SC2046 # a list
	set -- $(nodes_of "$group")
	check_soon 15 "$group: one tells another" gets_through "$1" "$2" "$group" "psst $group"
	check "$group: who hears it" has_read "$2" "psst $group"
	check "$group: nobody else does" has_not_read "$3" "psst $group"
	check_soon 15 "$group: and back" gets_through "$2" "$1" "$group" "well $group"
done

#
# Who is not let in
#

check_soon 10 'nobody is waited for' all_settled
before=$(state)
node_add 10 chains $both
refused 10 'by another CA' x5chain foreign.chain foreign
refused 10 'that has ended' x5chain ended.chain ended
refused 10 'of another format' x5bag bag1.chain bag1 'of a format or algorithm that we have none of'
node_add 11 bags $both
refused 11 'by another CA, in a bag' x5bag foreign.chain foreign
node_add 12 cwts $both
refused 12 'by another issuer' cwt foreign.cwt cwt4
refused 12 'that has ended, as a CWT' cwt ended.cwt cwt4
issued_start 10 x5chain chain1.chain chain2
check_soon 5 "somebody else's certificate is of no use" grep -q 'not of its format and key' \
	"$work/node10.log"
# shellcheck disable=SC2154 # by eval
check_soon 5 'to nobody' has_ended "$node_pid_10"
for node in 10 11 12; do
	session $node <<-END
		token               | 2.01 * | the token of node $node is right
		join $(group_of $node) | $bad_cred | but a CCS is no credential there
	END
done
check 'the groups know nothing of all that' is_unchanged "$before"

#
# Who leaves
#

for group in $groups; do
	# shellcheck disable=SC2046 # a list
	set -- $(nodes_of "$group")
	num=$(group_num "$group")
	node_tell "$3" "leave -g $group"
	check_soon 10 "$group: one leaves" node_said "$3" left
	check_soon 10 "$group: there is a new key" num_of_group_is_above "$group" "$num"
	check_soon 10 "$group: those who are left have it" views_agree "$group" "$1" "$2"
	check_soon 10 "$group: and are heard" is_heard "we two of $group" "$2" "$group" "$1"
	check "$group: by nobody else" has_not_read "$3" "we two of $group"
done
conclude
