// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * What serves a request once the checks of resource.c have let it through: 'call' has the client,
 * the group and, for members, the node; the answer goes into call->reply.
 */
#ifndef GK_RESOURCE_H
#define GK_RESOURCE_H

#include "serve.h"

/* resource_core.c */
void gk_get_core(struct gk_call *call);

/* resource_groups.c */
void gk_fetch_groups(struct gk_call *call);

/* resource_read.c */
void gk_get_group(struct gk_call *call);
void gk_get_node(struct gk_call *call);
void gk_get_num(struct gk_call *call);
void gk_get_active(struct gk_call *call);
void gk_get_policies(struct gk_call *call);

/* resource_creds.c */
void gk_get_creds(struct gk_call *call);
void gk_fetch_creds(struct gk_call *call);
void gk_get_kdc_cred(struct gk_call *call);

/* resource_verify.c */
void gk_fetch_kdc_cred(struct gk_call *call);
void gk_get_verif_data(struct gk_call *call);

/* resource_stale.c */
void gk_fetch_stale_sids(struct gk_call *call);

/* resource_node.c */
void gk_post_node(struct gk_call *call);
void gk_delete_node(struct gk_call *call);
void gk_post_cred(struct gk_call *call);

#endif
