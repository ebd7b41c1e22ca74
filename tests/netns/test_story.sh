#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The main job as assertions; see story.sh.
#
# Conditions are called by name, which shellcheck takes for dead code.
# shellcheck disable=SC2317

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

chapter() {
	echo "# $1"
}

paragraph() {
	:
}

# What it does not have kills, and so would have ended the story.
is_filtered() {
	[ "$(value "$(ctl status --json)" seccomp)" = kill ]
}

need_root
story
check 'all that without rights' [ "$(value "$(ctl status --json)" user)" = nobody ]
if [ "$seccomp" = off ] || is_built_without_filter; then
	check_not 'under the filter of system calls that kills' 'there is none'
else
	check 'under the filter of system calls that kills' is_filtered
fi
conclude
