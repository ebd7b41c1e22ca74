# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# Makes rows (time, who, what, num, via) of what has been logged. Input lines begin with their source:
#
#	node3 {"time":"2026-11-21T18:54:21.267Z","event":"joined",...}       from gkmember
#	gateway 2026-11-21T18:54:21.267Z info member: group lights num 3: ...   from gatewayd
#	said 2026-11-21T18:54:21.500Z node1 good morning                     from the story
#	wire 1795287261500 out [fd00::1]:5686 [ff03::fd]:5686 NON 0.02 rekeying 6 500 5002...
#
# Output is to be sorted; each row begins with its time.

function value(name,    at, rest) {
	at = index($0, "\"" name "\":")
	if (!at)
		return ""
	rest = substr($0, at + length(name) + 3)
	if (rest ~ /^"/) {
		rest = substr(rest, 2)
		sub(/".*/, "", rest)
	} else {
		sub(/[,}].*/, "", rest)
	}
	return rest
}

function row(when, who, what, num, via) {
	sub(/^[^T]*T/, "", when)
	sub(/Z$/, "", when)
	printf "%s  %-8s %-58s %3s  %s\n", when, who, what, num, via
}

function from_node(    event, what) {
	event = value("event")
	if (event == "status")
		return
	what = words[event]
	if (event == "joined")
		what = what ", sender id " value("sid")
	if (event == "message")
		what = what " from " value("from") ": " value("text")
	if (event == "error")
		what = value("refused") ? "refuses a message" : "cannot go on"
	if (value("reason") != "")
		what = what ": " value("reason")
	row(value("time"), $1, what, value("num"), value("via"))
}

function from_gateway(    when, text, num, via) {
	when = $2
	if ($0 ~ /neighbour [0-9]+ failed/) {
		row(when, $1, "kernel: no answer from neighbour " $NF, "", "")
		return
	}
	if ($3 != "info" || $4 !~ /^(member|rekey|presence):$/)
		return
	text = $0
	sub(/^[^:]*:[^:]*:[^:]*: group [^ ]* /, "", text)
	if (text ~ /^num /) {
		num = text
		sub(/^num /, "", num)
		sub(/:.*/, "", num)
		sub(/^num [0-9]+: /, "", text)
	}
	if (match(text, /, by [a-z]+/)) {
		via = substr(text, RSTART + 5, RLENGTH - 5)
		text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
	}
	row(when, $1, text, num, via)
}

# The time of day, of milliseconds since 1970.
function clock(ms,    s) {
	s = int(ms / 1000) % 86400
	return sprintf("%02d:%02d:%02d.%03d", s / 3600, s / 60 % 60, s % 60, ms % 1000)
}

# What goes to a single node, [fd00::12] and so on, is for it alone to read; it is as long as a key.
function from_wire(    bytes) {
	bytes = length($11) / 2
	if ($3 != "out")
		return
	if ($8 == "rekeying")
		row(clock($2), "gateway", (sent[$9]++ ? "says it again" : \
			"tells the group, in " bytes " bytes"), $9, "multicast")
	else if ($7 == "0.02" && bytes > 120)
		row(clock($2), "gateway", "tells node" substr($5, index($5, "]") - 1, 1) \
			" alone, in " bytes " bytes", "", "unicast")
}

BEGIN {
	words["joined"] = "is in the group"
	words["rekeyed"] = "has the new key"
	words["recovered"] = "has caught up"
	words["message"] = "reads"
	words["evicted"] = "is out"
	words["left"] = "has left"
}

$1 == "gateway" {
	from_gateway()
}

$1 ~ /^node/ {
	from_node()
}

$1 == "wire" {
	from_wire()
}

$1 == "said" {
	when = $2
	who = $3
	sub(/^said [^ ]* [^ ]* /, "")
	row(when, who, "says: " $0, "", "multicast")
}
