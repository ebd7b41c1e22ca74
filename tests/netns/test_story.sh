#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
#
# The main job as assertions; see story.sh.

. "$GK_TOP/tests/netns/lib.sh"
. "$GK_TOP/tests/netns/story.sh"

chapter() {
	echo "# $1"
}

paragraph() {
	:
}

# Where there is a filter: what it does not have kills, and so would have ended the story.
is_filtered() {
	[ "$(value "$(ctl status --json)" seccomp)" = kill ] || is_logged 'seccomp: no filter'
}

need_root
story
check 'all that without rights' [ "$(value "$(ctl status --json)" user)" = nobody ]
check 'under the filter of system calls that kills' is_filtered
conclude
