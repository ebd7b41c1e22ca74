// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * The form of a file: the table that its records are in, and how earlier ones become the newest.
 * Only the files store_*.c use this.
 */
#ifndef GW_STORE_FORM_H
#define GW_STORE_FORM_H

#include "gatewayd/store_db.h"

enum gw_store_form {
	GW_STORE_FORM_NEWEST,
	GW_STORE_FORM_OLDER, /* its table is the newest one's, and can be read */
	GW_STORE_FORM_OTHER, /* of an earlier table */
};

/** Find out which it is. @return 0; -EPROTO: a later one; -EUCLEAN, ...: said why */
GK_MUST_CHECK int gw_store_form_check(const struct gw_store_report *report, sqlite3 *db,
				      enum gw_store_form *form);
/** In a transaction: bring it to the newest. @return 0, or said why */
GK_MUST_CHECK int gw_store_form_migrate(const struct gw_store_report *report, sqlite3 *db);
/** Give the newest one to a file in the making. @return 0, or said why */
GK_MUST_CHECK int gw_store_form_write(const struct gw_store_kind *kind,
				      const struct gw_store_report *report, sqlite3 *db);

#endif
