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

need_root
story
conclude
