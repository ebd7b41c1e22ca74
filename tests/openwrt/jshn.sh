# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
# shellcheck shell=dash
#
# What stands here for libubox's jshn.sh: objects of texts, one level deep and without quotes in them.

json_load() {
	json_text=$1
}

json_get_var() { # VARIABLE NAME
	eval "$1=\$(printf '%s\n' \"\$json_text\" | sed -n 's/.*\"$2\" *: *\"\([^\"]*\)\".*/\1/p')"
}

json_init() {
	json_text=
}

json_add_string() {
	json_text="$json_text${json_text:+,}\"$1\":\"$2\""
}

json_dump() {
	echo "{$json_text}"
}
