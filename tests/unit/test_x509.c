// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
//
// Certificates as credentials: containers, paths to trust anchors, and those that we make.

#include "libgroupkey/cred.h"
#include "libgroupkey/numbers.h"
#include "libgroupkey/x509.h"

#include "tests/lib/certs.h"
#include "tests/lib/hex.h"
#include "tests/lib/issue.h"
#include "tests/lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define NOW         1760000000 // 2025-10-09
#define CERTS_MAX   9

/** Hex is kept by hex_span() for a while only. */
static struct gk_span keep(const char *hex)
{
	struct gk_span span = hex_span(hex);
	static uint8_t bytes[16][4096];
	static size_t next;
	uint8_t *copy = bytes[next++ % 16];

	assert_true(span.len <= 4096);
	memcpy(copy, span.data, span.len);
	return gk_span(copy, span.len);
}

static struct gk_span pack(uint8_t *bytes, size_t size, const char *const *certs)
{
	struct gk_buf buf = gk_buf(bytes, size);
	size_t count = 0;

	while (certs[count])
		count++;
	gk_put_array(&buf, count);
	for (size_t i = 0; i < count; i++)
		gk_put_bytes(&buf, keep(certs[i]));
	assert_false(buf.overflow);
	return gk_buf_span(&buf);
}

static enum gk_err check(int fmt, struct gk_span bytes, const char *anchors, int crv, int alg)
{
	const struct gk_cred_rules rules = {
		.fmt = fmt, .crv = crv, .alg = alg, .issuers = keep(anchors), .now = { NOW }
	};
	struct gk_cred cred;

	return gk_cred_check(&rules, bytes, &cred);
}

#define NEED_X509()                                                                                \
	do {                                                                                       \
		if (!gk_x509_supported())                                                          \
			skip();                                                                    \
	} while (0)

static void a_certificate_is_read(void **state)
{
	struct gk_x509_cert cert;
	struct gk_key_pair node = issue_key(GK_CRV_P256, 0x31);

	(void)state;
	NEED_X509();
	assert_int_equal(gk_x509_read(keep(CERT_NODE_0), &cert), GK_OK);
	assert_int_equal(cert.key.crv, GK_CRV_P256);
	assert_memory_equal(cert.key.x, node.pub.x, 32);
	assert_memory_equal(cert.key.y, node.pub.y, 32);
	assert_int_equal(cert.not_before.s, 1577836800); // 2020-01-01
	assert_int_equal(cert.not_after.s, 4070908800);  // 2099-01-01, a GeneralizedTime
	assert_false(cert.is_ca);
	assert_int_equal(cert.usage, GK_X509_SIGNS);
	assert_hex_equal(cert.subject, "310f300d06035504030c066e6f64652030"); // node 0
	assert_hex_equal(cert.issuer, "310e300c06035504030c05696e746572");
	assert_int_equal(gk_x509_read(keep(CERT_NODE_OLD), &cert), GK_OK);
	assert_int_equal(cert.not_after.s, 1735689600); // 2025-01-01, a UTCTime
	assert_int_equal(gk_x509_read(keep(CERT_INTER), &cert), GK_OK);
	assert_true(cert.is_ca);
	assert_int_equal(cert.path_len, 0);
	assert_int_equal(gk_x509_read(keep(CERT_ROOT), &cert), GK_OK);
	assert_int_equal(cert.path_len, -1);
	assert_int_equal(cert.usage, GK_X509_ISSUES);
	assert_int_equal(gk_x509_read(keep(CERT_NODE_2), &cert), GK_OK);
	assert_int_equal(cert.usage, GK_X509_SIGNS | GK_X509_AGREES | GK_X509_ISSUES);
	assert_int_equal(gk_x509_read(keep(CERT_NODE_CRITICAL), &cert), GK_ERR_UNSUPPORTED);
}

static void a_signature_is_that_of_the_issuer(void **state)
{
	struct gk_x509_cert node, inter, root, other;

	(void)state;
	NEED_X509();
	assert_int_equal(gk_x509_read(keep(CERT_NODE_0), &node), GK_OK);
	assert_int_equal(gk_x509_read(keep(CERT_INTER), &inter), GK_OK);
	assert_int_equal(gk_x509_read(keep(CERT_ROOT), &root), GK_OK);
	assert_int_equal(gk_x509_read(keep(CERT_OTHER_ROOT), &other), GK_OK);
	assert_int_equal(gk_x509_verify(&node, &inter), GK_OK);
	assert_int_equal(gk_x509_verify(&inter, &root), GK_OK);
	assert_int_equal(gk_x509_verify(&root, &root), GK_OK);
	assert_int_equal(gk_x509_verify(&inter, &other), GK_ERR_CRYPTO);
	assert_int_equal(gk_x509_verify(&node, &root), GK_ERR_CRYPTO);
}

/* What chain, what bag; the same certificates, in the order given. */
static void a_path_leads_to_a_trust_anchor(void **state)
{
	static const struct {
		const char *certs[CERTS_MAX + 1], *anchors;
		bool chain, bag;
	} rows[] = {
		{ { CERT_NODE_2 }, CERT_ROOT, true, true },
		{ { CERT_NODE_2 }, CERT_OTHER_ROOT, false, false }, // of that name, another key
		{ { CERT_NODE_2 }, CERT_OTHER_ROOT CERT_ROOT, true, true },
		{ { CERT_NODE_0, CERT_INTER }, CERT_ROOT, true, true },
		{ { CERT_NODE_0 }, CERT_INTER, true, true }, // a CA need not be a root
		{ { CERT_NODE_0 }, CERT_ROOT, false, false },
		{ { CERT_INTER, CERT_NODE_0 }, CERT_ROOT, false, true },
		{ { CERT_ROOT, CERT_INTER, CERT_NODE_0 }, CERT_ROOT, false, true },
		{ { CERT_NODE_0, CERT_INTER, CERT_ROOT }, CERT_ROOT, true, true },
		{ { CERT_NODE_0, CERT_ROOT, CERT_INTER }, CERT_ROOT, false, true }, // out of order
		{ { CERT_NODE_0, CERT_INTER, CERT_ROOT }, CERT_OTHER_ROOT, false, false },
		{ { CERT_NODE_0, CERT_NODE_1, CERT_INTER }, CERT_ROOT, false, false }, // two nodes
		{ { CERT_INTER, CERT_ROOT }, CERT_ROOT, false, false },                // of no node
		{ { CERT_NODE_FORGED, CERT_INTER }, CERT_ROOT, false, false },
		{ { CERT_NODE_0, CERT_NO_CA }, CERT_ROOT, false, false },
		{ { CERT_NODE_0, CERT_OLD_INTER }, CERT_ROOT, false, false },
		{ { CERT_NODE_0, CERT_OLD_INTER, CERT_INTER }, CERT_ROOT, false, true },
		{ { CERT_NODE_BELOW, CERT_BELOW, CERT_INTER },
		  CERT_ROOT,
		  false,
		  false }, // path_len
		{ { CERT_NODE_BELOW, CERT_BELOW }, CERT_INTER, false, false },
		{ { CERT_NODE_BELOW }, CERT_BELOW, true, true },
		{ { CERT_NODE_OLD }, CERT_ROOT, false, false },
		{ { CERT_NODE_EARLY }, CERT_ROOT, false, false },
		{ { CERT_NODE_AGREES }, CERT_ROOT, false, false }, // its key does not sign
		{ { CERT_NODE_CRITICAL }, CERT_ROOT, false, false },
		{ { CERT_NODE_0, CERT_INTER_NAMES }, CERT_ROOT, false, false },
		{ { CERT_NODE_0, CERT_INTER_POLICY }, CERT_ROOT, false, false },
		{ { CERT_NODE_TLS }, CERT_ROOT, false, false },
	};

	(void)state;
	NEED_X509();
	for (size_t i = 0; i < ROWS(rows); i++) {
		uint8_t bytes[4096];
		struct gk_span packed = pack(bytes, sizeof(bytes), rows[i].certs);
		bool single = !rows[i].certs[1];

		for (int bag = 0; bag < 2; bag++) {
			int fmt = bag ? GK_HEADER_X5BAG : GK_HEADER_X5CHAIN;
			bool want = bag ? rows[i].bag : rows[i].chain;

			if ((check(fmt, packed, rows[i].anchors, GK_CRV_P256, GK_ALG_ES256) ==
			     GK_OK) != want)
				fail_msg("row %zu, bag %d", i, bag);
			if (single && (check(fmt, keep(rows[i].certs[0]), rows[i].anchors,
					     GK_CRV_P256, GK_ALG_ES256) == GK_OK) != want)
				fail_msg("row %zu, bag %d, alone", i, bag);
		}
	}
}

/* RFC 10021 section 2.4: chain or bag travel whole; the certificate is what is authenticated. */
static void the_end_entity_is_what_messages_are_bound_to(void **state)
{
	static const char *const chain[] = { CERT_NODE_0, CERT_INTER, NULL };
	static const char *const bag[] = { CERT_INTER, CERT_NODE_0, NULL };
	uint8_t bytes[4096];
	struct gk_cred cred;

	(void)state;
	NEED_X509();
	assert_int_equal(gk_cred_read(GK_HEADER_X5CHAIN, pack(bytes, sizeof(bytes), chain), &cred),
			 GK_OK);
	assert_hex_equal(cred.binary, CERT_NODE_0);
	assert_int_equal(gk_cred_read(GK_HEADER_X5BAG, pack(bytes, sizeof(bytes), bag), &cred),
			 GK_OK);
	assert_hex_equal(cred.binary, CERT_NODE_0);
	assert_int_equal(gk_cred_read(GK_HEADER_X5CHAIN, keep(CERT_NODE_0), &cred), GK_OK);
	assert_hex_equal(cred.binary, CERT_NODE_0);
}

static void keys_are_those_of_the_group(void **state)
{
	(void)state;
	NEED_X509();
	assert_int_equal(check(GK_HEADER_X5CHAIN, keep(CERT_NODE_AGREES), CERT_ROOT, GK_CRV_P256,
			       GK_ALG_ECDH_SS_HKDF_256),
			 GK_OK);
	assert_int_equal(check(GK_HEADER_X5CHAIN, keep(CERT_NODE_2), CERT_ROOT, GK_CRV_P256,
			       GK_ALG_ECDH_SS_HKDF_256),
			 GK_OK);
	assert_int_equal(check(GK_HEADER_X5CHAIN, keep(CERT_NODE_0), CERT_INTER, GK_CRV_P256,
			       GK_ALG_ECDH_SS_HKDF_256),
			 GK_ERR_CREDENTIAL); // its key only signs
	if (!gk_sign_curve(GK_ALG_EDDSA))
		skip();
	assert_int_equal(check(GK_HEADER_X5CHAIN, keep(CERT_ED_NODE_0), CERT_ED_ROOT,
			       GK_CRV_ED25519, GK_ALG_EDDSA),
			 GK_OK);
	assert_int_equal(check(GK_HEADER_X5CHAIN, keep(CERT_ED_NODE_1), CERT_ROOT, GK_CRV_ED25519,
			       GK_ALG_EDDSA),
			 GK_OK);
	assert_int_equal(check(GK_HEADER_X5CHAIN, keep(CERT_ED_NODE_1), CERT_ROOT, GK_CRV_P256,
			       GK_ALG_ES256),
			 GK_ERR_CREDENTIAL);
	assert_int_equal(check(GK_HEADER_X5CHAIN, keep(CERT_ED_NODE_0), CERT_ROOT, GK_CRV_ED25519,
			       GK_ALG_EDDSA),
			 GK_ERR_CREDENTIAL);
}

static void a_container_has_certificates_and_nothing_else(void **state)
{
	static const char *const none[] = { NULL };
	static const char *const nine[] = { CERT_NODE_0, CERT_ROOT, CERT_ROOT, CERT_ROOT, CERT_ROOT,
					    CERT_ROOT,   CERT_ROOT, CERT_ROOT, CERT_ROOT, NULL };
	static const char *const with_junk[] = { CERT_NODE_2, "3000", NULL };
	uint8_t bytes[4096];
	struct gk_cred cred;

	(void)state;
	NEED_X509();
	assert_int_equal(gk_cred_read(GK_HEADER_X5CHAIN, pack(bytes, sizeof(bytes), none), &cred),
			 GK_ERR_CREDENTIAL);
	assert_int_equal(gk_cred_read(GK_HEADER_X5CHAIN, pack(bytes, sizeof(bytes), nine), &cred),
			 GK_ERR_CREDENTIAL);
	assert_int_equal(
		gk_cred_read(GK_HEADER_X5CHAIN, pack(bytes, sizeof(bytes), with_junk), &cred),
		GK_ERR_CREDENTIAL);
	assert_int_equal(gk_cred_read(GK_HEADER_X5CHAIN, keep(CERT_NODE_2 "00"), &cred),
			 GK_ERR_CREDENTIAL);
	assert_int_equal(gk_cred_read(GK_HEADER_X5CHAIN, keep("590114" CERT_NODE_2), &cred),
			 GK_ERR_CREDENTIAL); // one alone is not wrapped
	assert_int_equal(gk_cred_read(GK_HEADER_X5CHAIN, keep("81 590114" CERT_NODE_2), &cred),
			 GK_OK);
	assert_int_equal(gk_cred_read(GK_HEADER_X5CHAIN, keep("81 590114" CERT_NODE_2 "00"), &cred),
			 GK_ERR_CREDENTIAL);
}

static void no_certificate_cut_short_is_one(void **state)
{
	struct gk_span whole = keep(CERT_NODE_2);
	struct gk_x509_cert cert;

	(void)state;
	NEED_X509();
	for (size_t len = 0; len < whole.len; len++) {
		uint8_t *exact = malloc(len + 1); // so that a sanitizer sees what is read beyond

		memcpy(exact, whole.data, len);
		assert_int_not_equal(gk_x509_read(gk_span(exact, len), &cert), GK_OK);
		free(exact);
	}
}

/* Of CERT_NODE_2: its head, what is signed, the algorithm, and the signature as a bit string. */
#define AT_SIGNED    4
#define AT_ALGORITHM 189
#define AT_BITS      201

static bool is_good(struct gk_span der)
{
	return check(GK_HEADER_X5CHAIN, der, CERT_ROOT, GK_CRV_P256, GK_ALG_ES256) == GK_OK;
}

static void no_byte_of_a_certificate_can_change(void **state)
{
	struct gk_span whole = keep(CERT_NODE_2);
	uint8_t bytes[512];

	(void)state;
	NEED_X509();
	memcpy(bytes, whole.data, whole.len);
	for (size_t i = 0; i < whole.len; i++) {
		bytes[i] ^= 1;
		if (is_good(gk_span(bytes, whole.len)))
			fail_msg("byte %zu", i);
		bytes[i] ^= 1;
	}
}

/* No signature covers these, so each value of each counts. */
static void no_byte_around_what_is_signed_can_change(void **state)
{
	struct gk_span whole = keep(CERT_NODE_2);
	uint8_t bytes[512];

	(void)state;
	NEED_X509();
	memcpy(bytes, whole.data, whole.len);
	for (size_t i = 0; i < AT_BITS + 8; i++) {
		if (i == AT_SIGNED)
			i = AT_ALGORITHM;
		for (unsigned other = 1; other < 256; other++) {
			bytes[i] ^= (uint8_t)other;
			if (is_good(gk_span(bytes, whole.len)))
				fail_msg("byte %zu: %02x", i, bytes[i]);
			bytes[i] ^= (uint8_t)other;
		}
	}
}

static void what_is_not_signed_has_one_encoding(void **state)
{
#define OID   "06082a8648ce3d040302"
#define OTHER "06082a8648ce3d040303"
	static const struct {
		size_t at, cut;
		const char *put, *append;
		bool good;
	} rows[] = {
		{ 0, 0, "", "", true },
		{ AT_ALGORITHM, 12, "300a" OID, "", true },
		{ AT_ALGORITHM, 12, "30810a" OID, "", false },
		{ AT_ALGORITHM, 12, "3082000a" OID, "", false },
		{ AT_ALGORITHM, 12, "3080" OID "0000", "", false }, // indefinite length: BER
		{ AT_ALGORITHM, 12, "300c" OID "0500", "", false }, // parameters: NULL
		{ AT_ALGORITHM, 12, "300a" OTHER, "", false },
		{ AT_ALGORITHM, 12, "300a" OID "300a" OID, "", false },
		{ AT_ALGORITHM, 12, "", "", false },
		{ AT_BITS, 3, "03814900", "", false },
		{ AT_BITS, 3, "034901", "", false },            // one bit less
		{ AT_BITS, 3, "034900", "0500", false },        // something behind it
		{ AT_BITS, 3, "034b00", "0500", false },        // and in it
		{ AT_BITS, 5, "034b003048", "0500", false },    // and in the pair of numbers
		{ AT_BITS, 5, "034a00308146", "", false },      // a length in two bytes
		{ AT_BITS, 7, "034a0030470222 00", "", false }, // a number with a zero in front
		{ AT_BITS, 75, "0300", "", false },
		{ AT_BITS, 75, "", "", false },
	};

	(void)state;
	NEED_X509();
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct gk_span whole = keep(CERT_NODE_2);
		uint8_t bytes[512];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

		gk_buf_add(&buf, gk_span_sub(whole, 0, rows[i].at));
		gk_buf_add(&buf, hex_span(rows[i].put));
		gk_buf_add(&buf, gk_span_sub(whole, rows[i].at + rows[i].cut, SIZE_MAX));
		gk_buf_add(&buf, hex_span(rows[i].append));
		bytes[2] = (uint8_t)((buf.len - 4) >> 8);
		bytes[3] = (uint8_t)(buf.len - 4);
		if (is_good(gk_buf_span(&buf)) != rows[i].good)
			fail_msg("row %zu: %s", i, rows[i].put);
	}
#undef OID
#undef OTHER
}

static void a_length_is_as_short_as_can_be(void **state)
{
	static const char *const heads[] = { "3083000110", "30820110", "30840000 0110", "3080" };
	struct gk_span rest = gk_span_sub(keep(CERT_NODE_2), AT_SIGNED, SIZE_MAX);

	(void)state;
	NEED_X509();
	for (size_t i = 0; i < ROWS(heads); i++) {
		uint8_t bytes[512];
		struct gk_buf buf = gk_buf(bytes, sizeof(bytes));

		gk_buf_add(&buf, hex_span(heads[i]));
		gk_buf_add(&buf, rest);
		if (is_good(gk_buf_span(&buf)) != (i == 1))
			fail_msg("%s", heads[i]);
	}
}

static void trust_anchors_are_cas(void **state)
{
	static const struct {
		const char *anchors;
		bool fine;
	} rows[] = {
		{ CERT_ROOT, true },
		{ CERT_ROOT CERT_ED_ROOT CERT_INTER, true },
		{ CERT_NODE_2, false },
		{ CERT_ROOT CERT_NODE_2, false },
		{ CERT_NO_CA, false },
		{ CERT_ROOT "00", false },
		{ CERT_ROOT "3082", false },
		{ "308201", false },
		{ "a0", false },
	};

	(void)state;
	NEED_X509();
	for (size_t i = 0; i < ROWS(rows); i++) {
		if (!gk_sign_curve(GK_ALG_EDDSA) && i == 1)
			continue;
		if ((gk_cred_check_issuers(GK_HEADER_X5BAG, keep(rows[i].anchors)) == GK_OK) !=
		    rows[i].fine)
			fail_msg("row %zu", i);
	}
	assert_int_equal(gk_cred_check_issuers(GK_HEADER_X5BAG, gk_span(NULL, 0)), GK_ERR_MISSING);
}

static void a_certificate_of_our_own_is_one_and_the_same_each_time(void **state)
{
	static const int curves[] = { GK_CRV_P256, GK_CRV_ED25519 };
	static const char longest[] =
		"0123456789012345678901234567890123456789012345678901234567890123";

	(void)state;
	NEED_X509();
	for (size_t i = 0; i < ROWS(curves); i++) {
		for (int dh = 0; dh < 2; dh++) {
			uint8_t bytes[2][GK_CRED_MAX];
			struct gk_buf buf[2];
			struct gk_key_pair key, signer;
			struct gk_x509_cert cert, self;

			if (!gk_curve_supported(curves[i]))
				continue;
			key = issue_key(curves[i], 0x22);
			signer = dh ? issue_key(GK_CRV_P256, 0x23) : key;
			for (size_t k = 0; k < 2; k++) {
				buf[k] = gk_buf(bytes[k], sizeof(bytes[k]));
				assert_int_equal(gk_cred_put(&buf[k], GK_HEADER_X5CHAIN,
							     gk_span_str(longest), &key.pub, dh,
							     &signer),
						 GK_OK);
			}
			assert_int_equal(buf[0].len, buf[1].len);
			assert_memory_equal(bytes[0], bytes[1], buf[0].len);
			assert_int_equal(gk_x509_read(gk_buf_span(&buf[0]), &cert), GK_OK);
			assert_int_equal(cert.usage, dh ? GK_X509_AGREES : GK_X509_SIGNS);
			assert_true(gk_span_equal(cert.subject, cert.issuer));
			assert_memory_equal(cert.key.x, key.pub.x, 32);
			assert_int_equal(cert.not_before.s, 1767225600);  // 2026-01-01
			assert_int_equal(cert.not_after.s, 253402300799); // no end
			self = cert;
			self.key = signer.pub;
			assert_int_equal(gk_x509_verify(&cert, &self), GK_OK);
		}
	}
}

static void where_there_is_no_x509_there_is_no_such_format(void **state)
{
	(void)state;
	assert_int_equal(gk_cred_slot(GK_HEADER_X5CHAIN) < GK_CRED_FORMATS, gk_x509_supported());
	assert_int_equal(gk_cred_slot(GK_HEADER_X5BAG) < GK_CRED_FORMATS, gk_x509_supported());
	assert_false(gk_cred_has_curve(GK_HEADER_X5CHAIN, GK_CRV_X25519));
	assert_true(gk_cred_has_curve(GK_HEADER_KCWT, GK_CRV_X25519));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_read),
		cmocka_unit_test(a_signature_is_that_of_the_issuer),
		cmocka_unit_test(a_path_leads_to_a_trust_anchor),
		cmocka_unit_test(the_end_entity_is_what_messages_are_bound_to),
		cmocka_unit_test(keys_are_those_of_the_group),
		cmocka_unit_test(a_container_has_certificates_and_nothing_else),
		cmocka_unit_test(no_certificate_cut_short_is_one),
		cmocka_unit_test(no_byte_of_a_certificate_can_change),
		cmocka_unit_test(no_byte_around_what_is_signed_can_change),
		cmocka_unit_test(what_is_not_signed_has_one_encoding),
		cmocka_unit_test(a_length_is_as_short_as_can_be),
		cmocka_unit_test(trust_anchors_are_cas),
		cmocka_unit_test(a_certificate_of_our_own_is_one_and_the_same_each_time),
		cmocka_unit_test(where_there_is_no_x509_there_is_no_such_format),
	};

	return cmocka_run_group_tests(tests, core_start, core_stop);
}
