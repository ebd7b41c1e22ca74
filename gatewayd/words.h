// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * One word each for what programs are told of: in JSON, in tables, as labels of metrics. They are
 * stable; sentences for people are elsewhere. All are static, and never NULL.
 */
#ifndef GW_WORDS_H
#define GW_WORDS_H

#include "libgroupkey/groupkey.h"

/** "good" ... */
const char *gw_word_of_storage(enum gk_storage storage);
/** "present" ... */
const char *gw_word_of_presence(enum gk_presence presence);
/** "link-down" ...; "" for GK_BLIND_NOT */
const char *gw_word_of_blindness(enum gk_blindness why);
/** "kernel-failed" ...; "" for GK_FACT_NONE */
const char *gw_word_of_fact(enum gk_fact fact);

#endif
