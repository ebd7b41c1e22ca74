# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
"""What a client of the KDC needs, written from the RFCs' texts on top of aiocoap.

The CoAP and OSCORE are aiocoap's, the signatures and hashes those of python3-cryptography; nothing
here comes from libgroupkey. "R", "P", "G" and "O" are RFC 9594, its profile for Group OSCORE, RFC
10021 and RFC 9203.
"""

import asyncio
import json
import os
import sys
import types

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

# aiocoap imports these for contexts in files and for EDHOC, of which we have neither.
for absent in ("filelock", "lakers"):
    sys.modules.setdefault(absent, types.ModuleType(absent))

import aiocoap  # noqa: E402
from aiocoap import oscore, oscore_sitewrapper, resource  # noqa: E402
from aiocoap.credentials import CredentialsMap  # noqa: E402
from aiocoap.numbers import codes  # noqa: E402

# Content-Formats
ACE, CBOR, PROBLEM, GROUPCOMM = 19, 60, 257, 261

# application/ace+cbor
TOKEN, NONCE1, NONCE2, CLIENT_ID, SERVER_ID, SIGN_INFO, KDCCHALLENGE = 1, 40, 42, 43, 44, 45, 46

# application/ace-groupcomm+cbor
GID, GNAME, GURI, SCOPE, GET_CREDS, CLIENT_CRED, CNONCE, GKTY, KEY, NUM, PROFILE = range(11)
EXP, EXI, CREDS, PEER_ROLES, PEER_IDS, POLICIES, KDC_CRED, KDC_NONCE, KDC_VERIFY = range(11, 20)
CLIENT_VERIFY, CONTROL_URI, P_SIGN_INFO, STALE_IDS = 24, 26, 29, 34

# Group_OSCORE_Input_Material
MS, HKDF, ALG, SALT, CONTEXT_ID, SENDER_ID = 2, 3, 4, 5, 6, 7
CRED_FMT, GP_ENC_ALG, SIGN_ALG, SIGN_PARAMS, ECDH_ALG, ECDH_PARAMS = range(8, 14)

REQUESTER, RESPONDER, MONITOR, VERIFIER = 2, 4, 8, 16


class Bundle:
    """What 'gatewayctl client add' wrote."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.json = json.load(file)
        self.token = bytes.fromhex(self.json["token"])
        self.osc = {name: bytes.fromhex(value) for name, value in self.json["osc"].items()}
        self.base = "coap://" + self.json["kdc"]


class Association(oscore.CanProtect, oscore.CanUnprotect, oscore.SecurityContextUtils):
    """The OSCORE context of client and KDC (O 4.3); each has chosen its own Recipient ID."""

    echo_recovery = None

    def __init__(self, osc, nonce1, nonce2, client_id, server_id):
        self.alg_aead = oscore.algorithms["AES-CCM-16-64-128"]
        self.hashfun = hashes.SHA256()
        self.id_context = osc.get("contextId")
        self.sender_id, self.recipient_id = server_id, client_id
        salt = b"".join(map(cbor2.dumps, (osc.get("salt", b""), nonce1, nonce2)))
        self.derive_keys(salt, osc["ms"])
        self.sender_sequence_number = 0
        self.recipient_replay_window = oscore.ReplayWindow(32, lambda: None)
        self.recipient_replay_window.initialize_empty()

    def post_seqnoincrease(self):
        """It lives no longer than we do."""


class Key:
    """An ES256 key and its CWT Claims Set."""

    def __init__(self, name):
        self.private = ec.generate_private_key(ec.SECP256R1())
        public = self.private.public_key().public_numbers()
        cose_key = {1: 2, -1: 1, -2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
        self.cred = cbor2.dumps({2: name, 8: {1: cose_key}})

    def sign(self, data):
        """COSE's form of a signature: r and s, 32 bytes each (RFC 9053 section 2.1)."""
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def public_key(cred):
    """The P-256 key in a CWT Claims Set."""
    cose_key = cbor2.loads(cred)[8][1]
    if (cose_key[1], cose_key[-1]) != (2, 1):
        raise ValueError("no key on P-256")
    x, y = (int.from_bytes(cose_key[label], "big") for label in (-2, -3))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def verifies(cred, signature, data):
    """Is it a signature of this credential's key?"""
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        public_key(cred).verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return len(signature) == 64


class Control(resource.Resource):
    """The resource at which the KDC tells us of rekeyings and of our eviction (R 6, P 11.1)."""

    def __init__(self):
        super().__init__()
        self.told = asyncio.Queue()

    async def render_post(self, request):
        self.told.put_nowait(request)
        return aiocoap.Message(code=aiocoap.CHANGED)

    async def render_delete(self, request):
        self.told.put_nowait(request)
        return aiocoap.Message(code=aiocoap.DELETED)


class Client:
    """One client of one KDC; where that cannot reach it, as long as it gives no control_uri."""

    def __init__(self, bundle, group):
        self.bundle, self.group = Bundle(bundle), group
        self.key = Key(self.bundle.json["name"])
        self.roles = self.bundle.json["roles"][self.bundle.json["groups"].index(group)]
        self.challenge = self.scope = self.cnonce = self.node = None
        self.control = Control()
        self.watched = []  # observations end with their requests

    async def open(self):
        self.site, self.known = resource.Site(), CredentialsMap()
        self.site.add_resource(["control"], self.control)
        self.context = await aiocoap.Context.create_server_context(
            oscore_sitewrapper.OscoreSiteWrapper(self.site, self.known),
            transports=["oscore", "udp6"],
        )
        return self

    async def told(self):
        """The next thing that the KDC tells us."""
        return await asyncio.wait_for(self.control.told.get(), 10)

    async def ask(self, method, path, payload=None, content_format=None, **options):
        """One request and its answer: inside OSCORE as soon as there is an association."""
        request = self.request(method, path, payload, content_format, **options)
        return await self.context.request(request).response

    def request(self, method, path, payload=None, content_format=None, **options):
        if content_format is not None:
            payload = cbor2.dumps(payload)
        return aiocoap.Message(
            code=getattr(codes, method),
            uri=self.bundle.base + path,
            payload=payload or b"",
            content_format=content_format,
            **options,
        )

    def in_group(self, path=""):
        return f"/ace-group/{self.group}{path}"

    async def post_token(self):
        """O 4: makes the association. Returns the answer."""
        nonce1, client_id = os.urandom(8), os.urandom(2)
        self.context.client_credentials.clear()
        request = {TOKEN: self.bundle.token, NONCE1: nonce1, CLIENT_ID: client_id, SIGN_INFO: None}
        answer = await self.ask("POST", "/authz-info", request, ACE)
        if answer.code.is_successful():
            map_ = cbor2.loads(answer.payload)
            self.challenge = map_[KDCCHALLENGE]
            association = Association(
                self.bundle.osc, nonce1, map_[NONCE2], client_id, map_[SERVER_ID]
            )
            self.context.client_credentials[self.bundle.base + "/*"] = association
            self.known["KDC"] = association
        return answer

    def credential(self):
        """Ours, a nonce, and the evidence: three byte strings of CBOR, signed (R 4.3.1)."""
        cnonce = os.urandom(8)
        signed = b"".join(map(cbor2.dumps, (self.scope, self.challenge, cnonce)))
        return {CLIENT_CRED: self.key.cred, CNONCE: cnonce, CLIENT_VERIFY: self.key.sign(signed)}

    async def join(self, changes=None):
        """Returns the answer, whose map is checked with verify_kdc(). changes: of what is asked."""
        self.scope = cbor2.dumps([self.group, self.roles])
        request = {SCOPE: self.scope, GET_CREDS: None} | self.credential() | (changes or {})
        answer = await self.ask("POST", self.in_group(), request, GROUPCOMM)
        if answer.code.is_successful():
            self.cnonce, self.node = request[CNONCE], "/" + "/".join(answer.opt.location_path)
        return answer

    def verify_kdc(self, map_):
        """P 6.4, 9.5.1: is the KDC's evidence good? It is over the nonce of our latest join."""
        signed = b"".join(map(cbor2.dumps, (self.cnonce, map_[KDC_NONCE])))
        return verifies(map_[KDC_CRED], map_[KDC_VERIFY], signed)

    async def close(self):
        await self.context.shutdown()
