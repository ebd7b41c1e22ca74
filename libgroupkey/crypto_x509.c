// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
#include "crypto_x509.h"

#include "numbers.h"

#include "config.h"

#if defined(GK_HAVE_X509) && GK_HAVE_X509

#include "crypto_wolfssl.h"

#include <wolfssl/wolfcrypt/asn.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include <string.h>

#define SEQUENCE    (ASN_SEQUENCE | ASN_CONSTRUCTED)
#define VERSION     (ASN_CONTEXT_SPECIFIC | ASN_CONSTRUCTED | 0)
#define CERT_MAX    2048 /* no credential is longer */
#define SCALAR_LEN  32
#define DER_SIG_MAX 80 /* SEQUENCE of two INTEGERs of up to 33 bytes: 72 */

bool gk_x509_supported(void)
{
	return true;
}

/* structure */

/** A value in DER, with its tag and length and without. */
struct item {
	struct gk_span whole, content;
};

/* X.690 section 10.1: no length is written in more bytes than it takes. */
static size_t head_len(size_t len)
{
	return len < 0x80 ? 2 : len < 0x100 ? 3 : 4;
}

static bool take_item(struct gk_span *rest, uint8_t tag, struct item *item)
{
	const uint8_t *head = rest->data;
	size_t head_end = 2, len;

	if (rest->len < 4 || head[0] != tag)
		return false;
	len = head[1];
	if (head[1] == 0x81) {
		head_end = 3;
		len = head[2];
	} else if (head[1] == 0x82) {
		head_end = 4;
		len = (size_t)(head[2] << 8 | head[3]);
	}
	if (head_len(len) != head_end || len > rest->len - head_end)
		return false;
	item->whole = gk_span(head, head_end + len);
	item->content = gk_span(head + head_end, len);
	*rest = gk_span(head + head_end + len, rest->len - head_end - len);
	return true;
}

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue } */
struct parts {
	struct item tbs, alg, sig;
};

static bool split(struct gk_span der, struct parts *parts)
{
	struct item cert;

	return take_item(&der, SEQUENCE, &cert) && !der.len &&
	       take_item(&cert.content, SEQUENCE, &parts->tbs) &&
	       take_item(&cert.content, SEQUENCE, &parts->alg) &&
	       take_item(&cert.content, ASN_BIT_STRING, &parts->sig) && !cert.content.len &&
	       parts->sig.content.len && parts->sig.content.data[0] == 0; /* unused bits */
}

/* TBSCertificate ::= SEQUENCE { [0] version OPTIONAL, serialNumber, signature, ... } */
static bool find_signed_alg(struct gk_span tbs, struct item *alg)
{
	struct item skipped;

	take_item(&tbs, VERSION, &skipped);
	return take_item(&tbs, ASN_INTEGER, &skipped) && take_item(&tbs, SEQUENCE, alg);
}

/* What is not signed must have one encoding only, or several certificates would share a signature.
 * wolfSSL takes others: 5.5.4 ignores parameters in signatureAlgorithm, 5.7.2 its length as well,
 * and both ignore what follows the certificate. How signatureAlgorithm is written is what its
 * signed copy says (RFC 5280 section 4.1.1.2). */
static bool is_well_formed(struct gk_span der)
{
	struct item alg;
	struct parts parts;

	return der.len <= CERT_MAX && split(der, &parts) &&
	       find_signed_alg(parts.tbs.content, &alg) &&
	       gk_span_equal(parts.alg.whole, alg.whole);
}

/* times: UTCTime YYMMDDHHMMSSZ, GeneralizedTime YYYYMMDDHHMMSSZ (RFC 5280 section 4.1.2.5) */

static bool digits(const uint8_t *text, size_t len, int *value)
{
	*value = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*value = 10 * *value + (text[i] - '0');
	}
	return true;
}

/* Days from 1970-01-01, counted from March, so that a leap day is the last of its year. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool read_time(const uint8_t *item, int len, struct gk_utc *time)
{
	static const struct {
		int min, max;
	} bounds[5] = { { 1, 12 }, { 1, 31 }, { 0, 23 }, { 0, 59 }, { 0, 60 } };
	size_t year_len = item && len > 0 && item[0] == ASN_GENERALIZED_TIME ? 4 : 2;
	const uint8_t *text = item ? item + 2 : NULL;
	int year, part[5];

	if (!item || (size_t)len != 2 + year_len + 11 || item[1] != year_len + 11 ||
	    (item[0] != ASN_UTC_TIME && item[0] != ASN_GENERALIZED_TIME) ||
	    text[year_len + 10] != 'Z' || !digits(text, year_len, &year))
		return false;
	for (size_t i = 0; i < 5; i++) {
		if (!digits(text + year_len + 2 * i, 2, &part[i]) || part[i] < bounds[i].min ||
		    part[i] > bounds[i].max)
			return false;
	}
	if (year_len == 2)
		year += year < 50 ? 2000 : 1900;
	time->s = 86400 * days_of(year, part[0], part[1]) + 3600 * part[2] + 60 * part[3] + part[4];
	return true;
}

/* keys */

/* wolfSSL gives the whole SubjectPublicKeyInfo of an EC key, the point last; of others the key. */
static void take_key(const DecodedCert *decoded, struct gk_public_key *key)
{
	const uint8_t *end = decoded->publicKey + decoded->pubKeySize;

	if (decoded->keyOID == ECDSAk && decoded->pkCurveOID == ECC_SECP256R1_OID &&
	    decoded->pubKeySize >= 65 && end[-65] == 4) {
		key->crv = GK_CRV_P256;
		memcpy(key->x, end - 64, 32);
		memcpy(key->y, end - 32, 32);
	} else if (decoded->keyOID == ED25519k && decoded->pubKeySize == 32) {
		key->crv = GK_CRV_ED25519;
		memcpy(key->x, decoded->publicKey, 32);
	}
}

static unsigned usage_of(const DecodedCert *decoded)
{
	unsigned bits = decoded->extKeyUsage;

	if (!decoded->extKeyUsageSet)
		return GK_X509_SIGNS | GK_X509_AGREES | GK_X509_ISSUES;
	return (bits & KEYUSE_DIGITAL_SIG ? GK_X509_SIGNS : 0) |
	       (bits & KEYUSE_KEY_AGREE ? GK_X509_AGREES : 0) |
	       (bits & KEYUSE_KEY_CERT_SIGN ? GK_X509_ISSUES : 0);
}

/* wolfSSL knows these extensions and leaves them to a path validation that we do not use; names and
 * policies are nothing here that could be held against them (RFC 5280 sections 4.2.1.10, 4.2.1.11).
 * That it is for other purposes counts where it is critical. */
static bool is_constrained(const DecodedCert *decoded)
{
	bool by_names = false;

#ifndef IGNORE_NAME_CONSTRAINTS
	by_names = decoded->extNameConstraintSet;
#endif
	return by_names || decoded->extPolicyConstCrit ||
	       (decoded->extExtKeyUsageCrit && !(decoded->extExtKeyUsage & EXTKEYUSE_ANY));
}

static enum gk_err take(const DecodedCert *decoded, struct gk_x509_cert *cert)
{
	if (is_constrained(decoded))
		return GK_ERR_UNSUPPORTED;
	if (!decoded->subjectRaw || !decoded->issuerRaw || !decoded->publicKey ||
	    decoded->subjectRawLen <= 0 || decoded->issuerRawLen <= 0 ||
	    !read_time(decoded->beforeDate, decoded->beforeDateLen, &cert->not_before) ||
	    !read_time(decoded->afterDate, decoded->afterDateLen, &cert->not_after))
		return GK_ERR_MALFORMED;
	cert->subject = gk_span(decoded->subjectRaw, (size_t)decoded->subjectRawLen);
	cert->issuer = gk_span(decoded->issuerRaw, (size_t)decoded->issuerRawLen);
	cert->is_ca = decoded->isCA;
	cert->path_len = decoded->pathLengthSet ? decoded->pathLength : -1;
	cert->usage = usage_of(decoded);
	take_key(decoded, &cert->key);
	return GK_OK;
}

/* NO_VERIFY: neither signature nor dates, so that no clock is asked. */
static int parse(DecodedCert *decoded, struct gk_span der)
{
	wc_InitDecodedCert(decoded, der.data, (word32)der.len, NULL);
	return wc_ParseCert(decoded, CERT_TYPE, NO_VERIFY, NULL);
}

enum gk_err gk_x509_read(struct gk_span der, struct gk_x509_cert *cert)
{
	struct gk_x509_cert found = { .der = der };
	DecodedCert decoded;
	enum gk_err err;
	int ret;

	if (!is_well_formed(der))
		return GK_ERR_MALFORMED;
	ret = parse(&decoded, der);
	err = ret == 0                ? take(&decoded, &found)
	      : ret == ASN_CRIT_EXT_E ? GK_ERR_UNSUPPORTED
				      : GK_ERR_MALFORMED;
	wc_FreeDecodedCert(&decoded);
	if (!err)
		*cert = found;
	return err;
}

/* signatures */

/* Each number as 32 bytes: longer ones are out of range, and of shorter ones the zeros are back. */
static bool place(const uint8_t *number, word32 len, uint8_t out[static SCALAR_LEN])
{
	if (len > SCALAR_LEN)
		return false;
	memset(out, 0, SCALAR_LEN);
	memcpy(out + SCALAR_LEN - len, number, len);
	return true;
}

/* Written again, they must be the same: wolfSSL 5.7.2 takes more than the two numbers. */
static bool raw_of(struct gk_span der, uint8_t sig[static GK_SIG_LEN])
{
	uint8_t r[DER_SIG_MAX], s[DER_SIG_MAX], bytes[DER_SIG_MAX];
	word32 r_len = sizeof(r), s_len = sizeof(s);
	struct gk_buf again = gk_buf(bytes, sizeof(bytes));

	if (der.len > DER_SIG_MAX ||
	    wc_ecc_sig_to_rs(der.data, (word32)der.len, r, &r_len, s, &s_len) != 0 ||
	    !place(r, r_len, sig) || !place(s, s_len, sig + SCALAR_LEN))
		return false;
	gk_x509_put_ecdsa(&again, sig);
	return gk_span_equal(gk_buf_span(&again), der);
}

static enum gk_err verify(int algorithm, const struct parts *parts, const struct gk_public_key *key)
{
	struct gk_span sig = gk_span_sub(parts->sig.content, 1, SIZE_MAX);
	uint8_t raw[GK_SIG_LEN];

	if (algorithm == CTC_SHA256wECDSA && key->crv == GK_CRV_P256)
		return raw_of(sig, raw)
			       ? gk_verify(key, parts->tbs.whole, gk_span(raw, sizeof(raw)))
			       : GK_ERR_CRYPTO;
	if (algorithm == CTC_ED25519 && key->crv == GK_CRV_ED25519)
		return gk_verify(key, parts->tbs.whole, sig);
	return GK_ERR_UNSUPPORTED;
}

enum gk_err gk_x509_verify(const struct gk_x509_cert *cert, const struct gk_x509_cert *issuer)
{
	struct parts parts;
	DecodedCert decoded;
	enum gk_err err = GK_ERR_CRYPTO;

	if (gk_public_key_check(&issuer->key))
		return issuer->key.crv ? GK_ERR_CRYPTO : GK_ERR_UNSUPPORTED;
	if (parse(&decoded, cert->der) == 0 && split(cert->der, &parts))
		err = verify((int)decoded.signatureOID, &parts, &issuer->key);
	wc_FreeDecodedCert(&decoded);
	return err;
}

void gk_x509_put_ecdsa(struct gk_buf *buf, const uint8_t sig[static GK_SIG_LEN])
{
	uint8_t der[DER_SIG_MAX];
	word32 len = sizeof(der);

	if (wc_ecc_rs_raw_to_sig(sig, SCALAR_LEN, sig + SCALAR_LEN, SCALAR_LEN, der, &len))
		buf->overflow = true;
	else
		gk_buf_add(buf, gk_span(der, len));
}

#else

bool gk_x509_supported(void)
{
	return false;
}

enum gk_err gk_x509_read(struct gk_span der, struct gk_x509_cert *cert)
{
	(void)der;
	(void)cert;
	return GK_ERR_UNSUPPORTED;
}

enum gk_err gk_x509_verify(const struct gk_x509_cert *cert, const struct gk_x509_cert *issuer)
{
	(void)cert;
	(void)issuer;
	return GK_ERR_UNSUPPORTED;
}

void gk_x509_put_ecdsa(struct gk_buf *buf, const uint8_t sig[static GK_SIG_LEN])
{
	(void)sig;
	buf->overflow = true;
}

#endif
