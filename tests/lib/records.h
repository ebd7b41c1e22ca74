// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/** What a KDC of a simulated world has stored, and a restart gives back. */
#ifndef TEST_RECORDS_H
#define TEST_RECORDS_H

#include "libgroupkey/groupkey.h"

/** In order of table and key. Zero-initialise. */
struct records {
	struct kept_record *record;
	size_t count, cap;
};
/** Carry out GK_EVENT_STORE. */
void records_put(struct records *records, const struct gk_record *record);
/** Give all back, in order. @return the first error */
enum gk_err records_restore(const struct records *records, struct gk_kdc *kdc, struct gk_now now);
void records_free(struct records *records);

#endif
