// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/*
 * The KDC's own keys, made when a group first needs one, and its credentials with them.
 */
#include "kdc.h"

#include <string.h>

static size_t key_slot(int sign_alg)
{
	return sign_alg == GK_ALG_EDDSA;
}

const struct gk_key_pair *gk_kdc_sign_key(const struct gk_kdc *kdc, int sign_alg)
{
	return &kdc->sign_key[key_slot(sign_alg)];
}

struct gk_span gk_kdc_cred(const struct gk_kdc *kdc, int sign_alg, int cred_fmt)
{
	size_t fmt = gk_cred_slot(cred_fmt);

	return fmt < GK_CRED_FORMATS ? gk_blob_span(&kdc->sign_cred[fmt][key_slot(sign_alg)])
				     : gk_span(NULL, 0);
}

const struct gk_key_pair *gk_kdc_dh_key(const struct gk_kdc *kdc, int sign_alg)
{
	return &kdc->dh_key[key_slot(sign_alg)];
}

struct gk_span gk_kdc_dh_cred(const struct gk_kdc *kdc, int sign_alg, int cred_fmt)
{
	size_t fmt = gk_cred_slot(cred_fmt);

	return fmt < GK_CRED_FORMATS ? gk_blob_span(&kdc->dh_cred[fmt][key_slot(sign_alg)])
				     : gk_span(NULL, 0);
}

static enum gk_err need_key(struct gk_kdc *kdc, int crv, struct gk_key_pair *key)
{
	enum gk_err err;

	if (!crv)
		return GK_ERR_UNSUPPORTED;
	if (key->pub.crv)
		return GK_OK;
	err = gk_key_generate(&kdc->env, crv, key);
	if (!err)
		gk_record_kdc(kdc);
	return err;
}

static enum gk_err need_cred(struct gk_kdc *kdc, const struct gk_group_config *config, bool dh)
{
	size_t fmt = gk_cred_slot(config->cred_fmt), i = key_slot(config->sign_alg);
	const struct gk_key_pair *key = dh ? &kdc->dh_key[i] : &kdc->sign_key[i];
	struct gk_blob *cred;
	uint8_t bytes[GK_CRED_MAX];
	struct gk_buf buf = gk_buf(bytes, sizeof(bytes));
	enum gk_err err;

	if (fmt >= GK_CRED_FORMATS)
		return GK_ERR_UNSUPPORTED;
	cred = dh ? &kdc->dh_cred[fmt][i] : &kdc->sign_cred[fmt][i];
	if (cred->data)
		return GK_OK;
	err = gk_cred_put(&buf, config->cred_fmt, gk_blob_span(&kdc->audience), &key->pub, dh,
			  &kdc->sign_key[i]);
	return err ? err : gk_blob_set(&kdc->env, cred, gk_buf_span(&buf));
}

bool gk_kdc_has_keys(const struct gk_kdc *kdc, const struct gk_group_config *config)
{
	size_t i = key_slot(config->sign_alg);

	return kdc->sign_key[i].pub.crv &&
	       (config->mode != GK_MODE_PAIRWISE || kdc->dh_key[i].pub.crv);
}

enum gk_err gk_kdc_need_keys(struct gk_kdc *kdc, const struct gk_group_config *config)
{
	size_t i = key_slot(config->sign_alg);
	enum gk_err err = need_key(kdc, gk_sign_curve(config->sign_alg), &kdc->sign_key[i]);

	if (!err)
		err = need_cred(kdc, config, false);
	if (err || config->mode != GK_MODE_PAIRWISE)
		return err;
	err = need_key(kdc, gk_dh_curve(config->sign_alg), &kdc->dh_key[i]);
	return err ? err : need_cred(kdc, config, true);
}

enum gk_err gk_kdc_own_raw_key(struct gk_kdc *kdc, uint8_t d[32], uint8_t xy[64])
{
	struct gk_key_pair *key = &kdc->raw_key;
	enum gk_err err = need_key(kdc, GK_CRV_P256, key);

	if (err)
		return err;
	memcpy(d, key->d, 32);
	memcpy(xy, key->pub.x, 32);
	memcpy(xy + 32, key->pub.y, 32);
	return gk_queue_err(&kdc->queue);
}
