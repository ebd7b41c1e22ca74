// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The gateway as its own AS: tokens issued, with what a client is provisioned with beside them.
 */
#include "client.h"
#include "cwt.h"
#include "group.h"
#include "ledger.h"

#include <string.h>

#define OSC_SALT_LEN          8
#define OSC_MS_LEN            32
#define GROUPS_PER_CLIENT_MAX 8
#define CTI_LEN               8
#define SCOPE_ROOM            (GROUPS_PER_CLIENT_MAX * (GK_GROUP_NAME_MAX + 8) + 4)

static enum gk_err check_spec(const struct gk_kdc *kdc, const struct gk_client_spec *spec)
{
	if (spec->name.len == 0 || spec->name.len > GK_NAME_MAX || spec->group_count == 0 ||
	    spec->group_count > GROUPS_PER_CLIENT_MAX || spec->lifetime_s < 1 ||
	    spec->lifetime_s > 100 * 365 * INT64_C(86400))
		return GK_ERR_RANGE;
	for (size_t i = 0; i < spec->group_count; i++) {
		const struct gk_group *group = gk_group_find(kdc, spec->groups[i]);

		if (!group || !group->served)
			return GK_ERR_UNKNOWN;
		if (!spec->roles[i] || spec->roles[i] & ~(uint32_t)GK_ROLE_ALL)
			return GK_ERR_RANGE;
	}
	return GK_OK;
}

static void put_scope(struct gk_buf *buf, const struct gk_client_spec *spec)
{
	gk_put_array(buf, spec->group_count);
	for (size_t i = 0; i < spec->group_count; i++)
		gk_scope_put(buf, spec->groups[i], spec->roles[i]);
}

static enum gk_err draw_oscore(struct gk_kdc *kdc, struct gk_client_bundle *bundle)
{
	enum gk_err err = gk_random(&kdc->env, bundle->osc_id, sizeof(bundle->osc_id));

	if (!err)
		err = gk_random(&kdc->env, bundle->ms, sizeof(bundle->ms));
	return err ? err : gk_random(&kdc->env, bundle->salt, sizeof(bundle->salt));
}

/* A 0 in it would end the psk_identity for a TLS library that takes it for text (GnuTLS). */
static enum gk_err draw_psk(struct gk_kdc *kdc, struct gk_client_bundle *bundle)
{
	enum gk_err err = gk_random(&kdc->env, bundle->kid, sizeof(bundle->kid));

	for (size_t i = 0; i < sizeof(bundle->kid); i++)
		bundle->kid[i] = bundle->kid[i] ? bundle->kid[i] : 0xff;
	return err ? err : gk_random(&kdc->env, bundle->psk, sizeof(bundle->psk));
}

/* The client needs no secret of ours, but our key. */
static enum gk_err find_raw_key(struct gk_kdc *kdc, struct gk_client_bundle *bundle)
{
	uint8_t d[32];
	enum gk_err err = gk_kdc_own_raw_key(kdc, d, bundle->kdc_key);

	gk_wipe(d, sizeof(d));
	return err;
}

static enum gk_err draw_secrets(struct gk_kdc *kdc, enum gk_profile profile,
				struct gk_client_bundle *bundle,
				uint8_t nonce[static GK_AEAD_NONCE_MAX])
{
	static enum gk_err (*const draw[])(struct gk_kdc *, struct gk_client_bundle *) = {
		[GK_PROFILE_OSCORE] = draw_oscore,
		[GK_PROFILE_DTLS_PSK] = draw_psk,
		[GK_PROFILE_DTLS_RPK] = find_raw_key,
	};
	enum gk_err err = draw[profile](kdc, bundle);

	return err ? err : gk_random(&kdc->env, nonce, GK_AEAD_NONCE_MAX);
}

/* What the client will be called. */
static enum gk_err name_client(enum gk_profile profile, const struct gk_client_bundle *bundle,
			       const struct gk_public_key *key, struct gk_id *id)
{
	if (profile == GK_PROFILE_DTLS_PSK)
		return gk_session_name_kid(gk_span(bundle->kid, sizeof(bundle->kid)), id);
	if (profile == GK_PROFILE_DTLS_RPK)
		return gk_session_name_key(key, id);
	return gk_id_set(id, gk_span(bundle->osc_id, sizeof(bundle->osc_id)));
}

/* A counter, which outlives the store in its mark. */
static struct gk_span next_cti(const struct gk_kdc *kdc, uint8_t bytes[static CTI_LEN])
{
	struct gk_buf buf = gk_buf(bytes, CTI_LEN);

	for (int shift = 56; shift >= 0; shift -= 8)
		gk_buf_byte(&buf, (uint8_t)((kdc->high_cti + 1) >> shift));
	return gk_buf_span(&buf);
}

static enum gk_err remember(struct gk_kdc *kdc, const struct gk_client_spec *spec,
			    const struct gk_client_bundle *bundle, const struct gk_public_key *key,
			    struct gk_span scope, struct gk_now now)
{
	struct gk_issued issued = { .cti = kdc->high_cti + 1,
				    .name_len = (uint8_t)spec->name.len,
				    .exp = bundle->exp };
	enum gk_err err = name_client(spec->profile, bundle, key, &issued.client);

	memcpy(issued.name, spec->name.data, spec->name.len);
	return err ? err : gk_ledger_issue(kdc, &issued, scope, now);
}

static enum gk_err check_room(const struct gk_kdc *kdc)
{
	return kdc->storage != GK_STORAGE_GOOD || kdc->high_cti >= INT64_MAX ? GK_ERR_NO_SPACE
									     : GK_OK;
}

static enum gk_err check_profile(const struct gk_kdc *kdc, const struct gk_client_spec *spec,
				 struct gk_public_key *key)
{
	if (spec->profile == GK_PROFILE_OSCORE)
		return GK_OK;
	if (!kdc->dtls)
		return GK_ERR_UNSUPPORTED;
	return spec->profile == GK_PROFILE_DTLS_RPK ? gk_spki_read(spec->public_key, key) : GK_OK;
}

static struct gk_cwt_spec token_spec(const struct gk_kdc *kdc, const struct gk_client_spec *spec,
				     const struct gk_client_bundle *bundle,
				     const struct gk_public_key *key)
{
	struct gk_cwt_spec token = {
		.issuer = gk_blob_span(&kdc->issuer),
		.audience = gk_blob_span(&kdc->audience),
		.subject = spec->name,
		.exp = bundle->exp,
		.sleepy = spec->sleepy,
	};

	if (spec->profile == GK_PROFILE_DTLS_PSK) {
		token.kid = gk_span(bundle->kid, sizeof(bundle->kid));
		token.psk = gk_span(bundle->psk, sizeof(bundle->psk));
	} else if (spec->profile == GK_PROFILE_DTLS_RPK) {
		token.public_key = key;
	} else {
		token.osc_id = gk_span(bundle->osc_id, sizeof(bundle->osc_id));
		token.ms = gk_span(bundle->ms, OSC_MS_LEN);
		token.salt = gk_span(bundle->salt, OSC_SALT_LEN);
	}
	return token;
}

enum gk_err gk_kdc_issue(struct gk_kdc *kdc, const struct gk_client_spec *spec, struct gk_now now,
			 struct gk_client_bundle *out)
{
	uint8_t scope_bytes[SCOPE_ROOM], nonce[GK_AEAD_NONCE_MAX], cti_bytes[CTI_LEN];
	struct gk_buf scope = gk_buf(scope_bytes, sizeof(scope_bytes));
	struct gk_client_bundle bundle = { .token_len = 0 };
	struct gk_buf token = gk_buf(bundle.token, sizeof(bundle.token));
	struct gk_public_key key = { .crv = 0 };
	struct gk_cwt_spec claims;
	enum gk_err err = check_spec(kdc, spec);

	if (!err)
		err = check_profile(kdc, spec, &key);
	if (!err)
		err = check_room(kdc);
	if (!err)
		err = draw_secrets(kdc, spec->profile, &bundle, nonce);
	if (err)
		return err;
	bundle.exp.s = now.utc.s + spec->lifetime_s;
	put_scope(&scope, spec);
	claims = token_spec(kdc, spec, &bundle, &key);
	claims.scope = gk_buf_span(&scope);
	claims.iat = now.utc;
	claims.cti = next_cti(kdc, cti_bytes);
	err = gk_cwt_issue(&claims, gk_span(kdc->as_key, sizeof(kdc->as_key)),
			   gk_span(nonce, sizeof(nonce)), &token);
	if (!err)
		err = remember(kdc, spec, &bundle, &key, gk_buf_span(&scope), now);
	if (!err) {
		bundle.token_len = token.len;
		*out = bundle;
	}
	gk_wipe(&bundle, sizeof(bundle));
	return err;
}
