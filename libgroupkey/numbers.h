// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the gatewayd authors
/**
 * Every number that comes from an RFC, a draft in the RFC Editor's queue or an IANA registry,
 * with the section that defines it. Abbreviations: R = RFC 9594, P = the Group OSCORE profile
 * (draft-ietf-ace-key-groupcomm-oscore-21, numbers assigned by IANA), G = RFC 10021, A = RFC 9200,
 * O = RFC 9203, D = RFC 9202.
 */
#ifndef GK_NUMBERS_H
#define GK_NUMBERS_H

/* CoAP codes, RFC 7252 section 12.1, RFC 8132 section 6 */
enum {
	GK_COAP_EMPTY = 0x00,
	GK_COAP_GET = 0x01,
	GK_COAP_POST = 0x02,
	GK_COAP_PUT = 0x03,
	GK_COAP_DELETE = 0x04,
	GK_COAP_FETCH = 0x05,
	GK_COAP_CREATED = 0x41,        /* 2.01 */
	GK_COAP_DELETED = 0x42,        /* 2.02 */
	GK_COAP_VALID = 0x43,          /* 2.03 */
	GK_COAP_CHANGED = 0x44,        /* 2.04 */
	GK_COAP_CONTENT = 0x45,        /* 2.05 */
	GK_COAP_CONTINUE = 0x5f,       /* 2.31, RFC 7959 section 2.9.1 */
	GK_COAP_BAD_REQUEST = 0x80,    /* 4.00 */
	GK_COAP_UNAUTHORIZED = 0x81,   /* 4.01 */
	GK_COAP_BAD_OPTION = 0x82,     /* 4.02 */
	GK_COAP_FORBIDDEN = 0x83,      /* 4.03 */
	GK_COAP_NOT_FOUND = 0x84,      /* 4.04 */
	GK_COAP_NOT_ALLOWED = 0x85,    /* 4.05 */
	GK_COAP_NOT_ACCEPTABLE = 0x86, /* 4.06 */
	GK_COAP_INCOMPLETE = 0x88,     /* 4.08, RFC 7959 section 2.9.2 */
	GK_COAP_TOO_LARGE = 0x8d,      /* 4.13 */
	GK_COAP_BAD_FORMAT = 0x8f,     /* 4.15 */
	GK_COAP_INTERNAL = 0xa0,       /* 5.00 */
	GK_COAP_TOO_MANY = 0x9d,       /* 4.29 (RFC 8516) */
	GK_COAP_UNAVAILABLE = 0xa3,    /* 5.03 */
};

/* CoAP options: RFC 7252 section 12.2 unless said otherwise */
enum {
	GK_OPT_IF_MATCH = 1,
	GK_OPT_URI_HOST = 3,
	GK_OPT_ETAG = 4,
	GK_OPT_OBSERVE = 6, /* RFC 7641 section 2 */
	GK_OPT_URI_PORT = 7,
	GK_OPT_LOCATION_PATH = 8,
	GK_OPT_OSCORE = 9, /* RFC 8613 section 2 */
	GK_OPT_URI_PATH = 11,
	GK_OPT_CONTENT_FORMAT = 12,
	GK_OPT_MAX_AGE = 14,
	GK_OPT_URI_QUERY = 15,
	GK_OPT_ACCEPT = 17,
	GK_OPT_BLOCK2 = 23, /* RFC 7959 section 2.1 */
	GK_OPT_BLOCK1 = 27, /* RFC 7959 section 2.1 */
	GK_OPT_SIZE2 = 28,  /* RFC 7959 section 4 */
	GK_OPT_PROXY_URI = 35,
	GK_OPT_PROXY_SCHEME = 39,
	GK_OPT_SIZE1 = 60,        /* RFC 7959 section 4 */
	GK_OPT_ECHO = 252,        /* RFC 9175 section 2.2 */
	GK_OPT_NO_RESPONSE = 258, /* RFC 7967 section 2 */
	GK_OPT_REQUEST_TAG = 292, /* RFC 9175 section 3.2 */
};

/* Content-Formats */
enum {
	GK_CF_ACE = 19,              /* application/ace+cbor, A 8.16 */
	GK_CF_LINK_FORMAT = 40,      /* application/link-format, RFC 6690 section 7.3 */
	GK_CF_CBOR = 60,             /* application/cbor, RFC 8949 section 9.4 */
	GK_CF_CWT = 61,              /* application/cwt, RFC 8392 section 9.2 */
	GK_CF_PROBLEM_DETAILS = 257, /* application/concise-problem-details+cbor, RFC 9290 6.3 */
	GK_CF_ACE_GROUPCOMM = 261,   /* application/ace-groupcomm+cbor, R 11.2 */
};

/* Keys of application/ace-groupcomm+cbor: R 8, P 12 */
enum {
	GK_PARAM_GID = 0,
	GK_PARAM_GNAME = 1,
	GK_PARAM_GURI = 2,
	GK_PARAM_SCOPE = 3,
	GK_PARAM_GET_CREDS = 4,
	GK_PARAM_CLIENT_CRED = 5,
	GK_PARAM_CNONCE = 6,
	GK_PARAM_GKTY = 7,
	GK_PARAM_KEY = 8,
	GK_PARAM_NUM = 9,
	GK_PARAM_PROFILE = 10,
	GK_PARAM_EXP = 11,
	GK_PARAM_EXI = 12,
	GK_PARAM_CREDS = 13,
	GK_PARAM_PEER_ROLES = 14,
	GK_PARAM_PEER_IDENTIFIERS = 15,
	GK_PARAM_GROUP_POLICIES = 16,
	GK_PARAM_KDC_CRED = 17,
	GK_PARAM_KDC_NONCE = 18,
	GK_PARAM_KDC_CRED_VERIFY = 19,
	GK_PARAM_REKEYING_SCHEME = 20,
	GK_PARAM_GROUP_SENDER_ID = 21,
	GK_PARAM_CLIENT_CRED_VERIFY = 24,
	GK_PARAM_CREDS_REPO = 25,
	GK_PARAM_CONTROL_URI = 26,
	GK_PARAM_MGT_KEY_MATERIAL = 27,
	GK_PARAM_CONTROL_GROUP_URI = 28,
	GK_PARAM_SIGN_INFO = 29,
	GK_PARAM_KDCCHALLENGE = 30,
	GK_PARAM_ECDH_INFO = 31,
	GK_PARAM_KDC_DH_CREDS = 32,
	GK_PARAM_SIGN_ENC_KEY = 33,
	GK_PARAM_STALE_NODE_IDS = 34,
	GK_PARAM_SLEEPY = -73530, /* private use (below -65536): docs/client.md section 10 */
};

/* Keys of application/ace+cbor (OAuth parameters): A 8.10, O 9, R 11.3, P 17 */
enum {
	GK_ACE_ACCESS_TOKEN = 1,
	GK_ACE_NONCE1 = 40,
	GK_ACE_NONCE2 = 42,
	GK_ACE_CLIENT_RECIPIENTID = 43,
	GK_ACE_SERVER_RECIPIENTID = 44,
	GK_ACE_SIGN_INFO = 45,
	GK_ACE_KDCCHALLENGE = 46,
	GK_ACE_ECDH_INFO = 47,
	GK_ACE_KDC_DH_CREDS = 48,
};

/* Keys of the OSCORE security context parameters: O 9.4, P 17; inside 'key' and inside 'osc' */
enum {
	GK_OSC_ID = 0,
	GK_OSC_VERSION = 1,
	GK_OSC_MS = 2,
	GK_OSC_HKDF = 3,
	GK_OSC_ALG = 4,
	GK_OSC_SALT = 5,
	GK_OSC_CONTEXT_ID = 6,
	GK_OSC_GROUP_SENDER_ID = 7,
	GK_OSC_CRED_FMT = 8,
	GK_OSC_GP_ENC_ALG = 9,
	GK_OSC_SIGN_ALG = 10,
	GK_OSC_SIGN_PARAMS = 11,
	GK_OSC_ECDH_ALG = 12,
	GK_OSC_ECDH_PARAMS = 13,
};

/* AS Request Creation Hints: A 5.3, 8.1 */
enum {
	GK_HINT_AS = 1,
	GK_HINT_KID = 2,
	GK_HINT_AUDIENCE = 5,
	GK_HINT_SCOPE = 9,
	GK_HINT_CNONCE = 39,
};

/* CWT claims: RFC 8392 section 3.1, RFC 8747 section 7.1, A 8.14 */
enum {
	GK_CLAIM_ISS = 1,
	GK_CLAIM_SUB = 2,
	GK_CLAIM_AUD = 3,
	GK_CLAIM_EXP = 4,
	GK_CLAIM_NBF = 5,
	GK_CLAIM_IAT = 6,
	GK_CLAIM_CTI = 7,
	GK_CLAIM_CNF = 8,
	GK_CLAIM_SCOPE = 9,
	GK_CLAIM_EXI = 40,
	GK_CLAIM_SLEEPY = -73530, /* private use (below -65536): docs/client.md section 10 */
};

/* CWT confirmation methods: RFC 8747 section 7.2, O 9.5 */
enum {
	GK_CNF_COSE_KEY = 1,
	GK_CNF_KID = 3,
	GK_CNF_OSC = 4,
};

/* Groupcomm Errors: R 11.7, P 17 */
enum {
	GK_ACE_ERROR_NOT_MEMBER = 0,
	GK_ACE_ERROR_ROLES = 1,
	GK_ACE_ERROR_CREDENTIAL = 2,
	GK_ACE_ERROR_POP = 3,
	GK_ACE_ERROR_NO_INDIVIDUAL = 4,
	GK_ACE_ERROR_TERMINATED = 5,
	GK_ACE_ERROR_GROUP_DELETED = 6,
	GK_ACE_ERROR_NO_SIGNATURES = 7,
	GK_ACE_ERROR_VERIFIERS_ONLY = 8,
	GK_ACE_ERROR_INACTIVE = 9,
};

enum {
	GK_PROBLEM_ACE_GROUPCOMM_ERROR = 0, /* custom problem detail key, R 11.6 */
	GK_PROBLEM_ERROR_ID = 0,            /* inside it, R 4.1.2 */
	GK_GKTY_GROUP_OSCORE = 1,           /* Group_OSCORE_Input_Material, P 17 */
	GK_PROFILE_GROUP_OSCORE = 1,        /* coap_group_oscore_app, P 17 */
	GK_SCHEME_POINT_TO_POINT = 0,       /* rekeying scheme, R 11.13 */
	GK_SCHEME_TREE = -73529,            /* private use (below -65536): docs/rekeying.md */
	GK_POLICY_KEY_CHECK_INTERVAL = 1,   /* seconds, R 8.1 */
	GK_POLICY_EXPIRATION_DELTA = 2,     /* seconds, R 8.1 */
};

/* Roles as bits of Tperm: P 3, table of Group OSCORE Roles */
enum {
	GK_ROLE_REQUESTER = 1 << 1,
	GK_ROLE_RESPONDER = 1 << 2,
	GK_ROLE_MONITOR = 1 << 3,
	GK_ROLE_VERIFIER = 1 << 4,
	GK_ROLE_ALL = GK_ROLE_REQUESTER | GK_ROLE_RESPONDER | GK_ROLE_MONITOR | GK_ROLE_VERIFIER,
};

/* COSE algorithms: RFC 9053, RFC 8152 registry */
enum {
	GK_ALG_AES_CCM_16_64_128 = 10, /* RFC 9053 section 4.2: nonce 13, tag 8 */
	GK_ALG_AES_CCM_64_64_128 = 12, /* nonce 7, tag 8 */
	GK_ALG_AES_CCM_16_128_128 = 30,
	GK_ALG_AES_CCM_64_128_128 = 32,
	GK_ALG_HMAC_256 = 5, /* as an OSCORE hkdf: HKDF SHA-256 */
	GK_ALG_ES256 = -7,   /* RFC 9053 section 2.1 */
	GK_ALG_EDDSA = -8,   /* RFC 9053 section 2.2 */
	GK_ALG_ECDH_SS_HKDF_256 = -27,
};

/* COSE header parameters, keys and structures: RFC 9052, RFC 9338, RFC 9528 */
enum {
	GK_HEADER_ALG = 1,
	GK_HEADER_CRIT = 2,
	GK_HEADER_KID = 4,
	GK_HEADER_IV = 5,
	GK_HEADER_PARTIAL_IV = 6,
	/* RFC 9528 section 10.6, RFC 9360 section 2: as 'cred_fmt', formats of credentials (P 4) */
	GK_HEADER_KCWT = 13,
	GK_HEADER_KCCS = 14, /* default, P 14 */
	GK_HEADER_X5BAG = 32,
	GK_HEADER_X5CHAIN = 33,
	GK_COSE_KTY = 1,
	GK_COSE_KID = 2,
	GK_COSE_KEY_ALG = 3,
	GK_COSE_CRV = -1,
	GK_COSE_K = -1, /* of a symmetric key: the key */
	GK_COSE_X = -2,
	GK_COSE_Y = -3,
	GK_COSE_D = -4,
	GK_KTY_OKP = 1,
	GK_KTY_EC2 = 2,
	GK_KTY_SYMMETRIC = 4,
	GK_CRV_P256 = 1,
	GK_CRV_X25519 = 4,
	GK_CRV_ED25519 = 6,
	GK_TAG_COSE_ENCRYPT0 = 16,
	GK_TAG_COSE_SIGN1 = 18,
	GK_TAG_CWT = 61, /* RFC 8392 section 6 */
};

/* CBOR tag that marks an extended scope of this profile: R 7, from Content-Format 297 */
#define GK_TAG_SCOPE 1668547115u

/* OSCORE option flag byte: RFC 8613 section 6.1, G 4.1 */
enum {
	GK_OSCORE_FLAG_PIV = 0x07,
	GK_OSCORE_FLAG_KID = 0x08,
	GK_OSCORE_FLAG_KID_CONTEXT = 0x10,
	GK_OSCORE_FLAG_GROUP = 0x20,
	GK_OSCORE_FLAG_RESERVED = 0xc0,
};

/* Largest Partial IV: RFC 8613 section 7.2.1 */
#define GK_OSCORE_PIV_MAX ((UINT64_C(1) << 40) - 1)

#endif
