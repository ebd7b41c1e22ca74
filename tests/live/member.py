# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
"""member.py BUNDLE GROUP ADDRESS MULTICAST PORT: aiocoap is a member of a group.

It speaks as gkmember does: a JSON object a line on standard output, and commands on standard input,
which are 'say TEXT' to the group at MULTICAST and PORT on lowpan0, 'tell SID ADDRESS TEXT' to one
member, 'fetch' the newest key and credentials from the KDC, and 'leave'.

The contexts are aiocoap's, and it is given what the Join Response says. Where it has not got as far
as RFC 10021, it is given another algorithm or another order, and the place says which:

- what is countersigned has five elements there, as in drafts of RFC 9338: gkmember has an option;
- the algorithm of ES256 stands for itself as key agreement too, and the alg of a COSE_Key is not
  optional: see Es256 and EcdhP256;
- keys of the group mode are derived for the AEAD of the pairwise mode, which has to be there: see
  Group and NoAead.
"""

import asyncio
import json
import socket
import struct
import sys

import cbor2
from cryptography.hazmat.primitives import hashes

from peer import (
    ALG, CONTEXT_ID, CONTROL_URI, CREDS, GP_ENC_ALG, KDC_CRED, KEY, MS, NUM, PEER_IDS, SALT,
    SENDER_ID, Client, aiocoap, oscore, public_key, resource,
)

INTERFACE = "lowpan0"
NO_RESPONSE = 26  # none is of interest (RFC 7967)


class Es256(oscore.ECDSA_SHA256_P256):
    """alg (3) is optional in a COSE_Key; and a key is found to be equal to itself.

    (aiocoap compares keys as objects, which python3-cryptography can only since version 40.)
    """

    def __init__(self):
        self.keys = {}

    def from_kccs(self, ccs):
        return self.one(public_key(ccs))

    def public_from_private(self, private_key):
        return self.one(private_key.public_key())

    def one(self, key):
        return self.keys.setdefault(key.public_numbers(), key)


class EcdhP256(Es256):
    """ECDH-SS + HKDF-256, which is another algorithm than ES256 (RFC 9053 section 6.3)."""

    value = -27


class NoAead(oscore.AES_CCM_16_64_128):
    """In a group without pairwise mode its algorithm is null in what is authenticated (G 3.4)."""

    value = None


class Group(oscore.SimpleGroupContext):
    """Keys of the Common Context are for the algorithm of the group mode (G 2.3)."""

    def derive_keys(self, master_salt, master_secret):
        aead, self.alg_aead = self.alg_aead, self.alg_group_enc
        super().derive_keys(master_salt, master_secret)
        self.alg_aead = aead


def make_group(material, kdc_cred, client, peers, before):
    """The context of a Join Response; of what was before, where that had the same Gid."""
    key, ccm = material[KEY], oscore.algorithms["AES-CCM-16-64-128"]
    assert key[GP_ENC_ALG] == ccm.value
    pairwise = key.get(ALG) is not None
    group = Group(
        alg_aead=ccm if pairwise else NoAead(),
        hashfun=hashes.SHA256(),
        alg_signature=Es256(),
        alg_group_enc=ccm,
        alg_pairwise_key_agreement=EcdhP256() if pairwise else None,
        group_id=key[CONTEXT_ID],
        master_secret=key[MS],
        master_salt=key.get(SALT, b""),
        sender_id=key[SENDER_ID],
        private_key=client.key.private,
        sender_auth_cred=client.key.cred,
        peers=peers,
        group_manager_cred=kdc_cred,
    )
    if before and before.id_context == group.id_context:
        group.sender_sequence_number = before.sender_sequence_number
        group.recipient_replay_windows |= before.recipient_replay_windows
    return group


class Said(resource.Resource):
    """What others tell us alone, and what aiocoap answers."""

    def __init__(self, member):
        super().__init__()
        self.member = member

    async def render_post(self, request):
        self.member.hear_text(request.remote.security_context, "pairwise", request.payload)
        return aiocoap.Message(code=aiocoap.CHANGED, payload=b"heard " + request.payload)


class Member:
    def __init__(self, bundle, group, address, multicast, port):
        self.client = Client(bundle, group)
        self.address, self.multicast = address, (multicast, int(port))
        self.group = None
        self.message_id = 0

    def print(self, event, **more):
        line = {"event": event, "group": self.client.group, "num": self.num} | more
        print(json.dumps(line, separators=(",", ":")), flush=True)

    def hear_text(self, context, mode, text):
        sender = {"from": context.recipient_id.hex()}
        self.print("message", **sender, mode=mode, text=text.decode())

    async def join(self):
        await self.client.open()
        await self.client.post_token()
        self.client.site.add_resource(["say"], Said(self))
        uri = f"coap://[{self.address}]/control"
        joined = cbor2.loads((await self.client.join({CONTROL_URI: uri})).payload)
        if not self.client.verify_kdc(joined):
            raise ValueError("the KDC does not prove its key")
        self.kdc_cred = joined[KDC_CRED]
        self.install(joined, joined)
        self.print("joined", sid=self.group.sender_id.hex(), gid=self.group.id_context.hex())

    def install(self, material, listed):
        peers = dict(zip(listed[PEER_IDS], listed[CREDS]))
        peers.pop(material[KEY][SENDER_ID], None)
        self.group = make_group(material, self.kdc_cred, self.client, peers, self.group)
        self.num = material[NUM]
        self.client.known["group"] = self.group

    async def fetch(self, _):
        """R 4.8.1, 4.4.2: all that we need to be up to date."""
        listed = await self.client.ask("GET", self.client.in_group("/creds"))
        material = await self.client.ask("GET", self.client.node)
        self.install(cbor2.loads(material.payload), cbor2.loads(listed.payload))
        self.print("rekeyed", via="pull", gid=self.group.id_context.hex())

    # The group: a datagram is a message, unprotected and protected by aiocoap.

    def open_group(self):
        index = socket.if_nametoindex(INTERFACE)
        mreq = socket.inet_pton(socket.AF_INET6, self.multicast[0]) + struct.pack("@I", index)
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, mreq)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        self.socket.bind(self.multicast)
        self.socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self.socket, self.hear)

    def hear(self):
        try:
            message = aiocoap.Message.decode(self.socket.recv(2048))
            unprotected = oscore.verify_start(message)
            context = self.group.get_oscore_context_for(unprotected)
            if context is None:
                raise oscore.ContextUnavailable("no context for this")
            inner, _ = context.unprotect(message)
            self.hear_text(context, "group", inner.payload)
        except (oscore.ProtectionInvalid, oscore.ContextUnavailable, aiocoap.error.Error) as error:
            self.print("error", reason=repr(error))

    async def say(self, text):
        inner = aiocoap.Message(code=aiocoap.POST, uri_path=["say"], payload=text.encode(),
                                content_format=0, no_response=NO_RESPONSE)
        outer, _ = self.group.protect(inner)
        self.message_id += 1
        outer.mtype, outer.mid, outer.token = aiocoap.NON, self.message_id, b"\x01"
        self.socket.sendto(outer.encode(), (*self.multicast, 0, socket.if_nametoindex(INTERFACE)))

    async def tell(self, words):
        sid, address, text = words.split(" ", 2)
        uri = "coap://" + address
        pairwise = self.group.pairwise_for(bytes.fromhex(sid))
        self.client.context.client_credentials[uri + "/*"] = pairwise
        request = aiocoap.Message(code=aiocoap.POST, uri=uri + "/say", payload=text.encode(),
                                  content_format=0)
        answer = await asyncio.wait_for(self.client.context.request(request).response, 10)
        self.print("response", **{"from": sid}, code=answer.code.dotted)

    async def leave(self, _):
        answer = await self.client.ask("DELETE", self.client.node)
        self.print("left", code=answer.code.dotted)

    async def run(self):
        await self.join()
        self.open_group()
        commands = {"say": self.say, "tell": self.tell, "fetch": self.fetch, "leave": self.leave}
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := (await reader.readline()).decode().rstrip("\n"):
            command, _, rest = line.partition(" ")
            try:
                await commands[command](rest)
            except Exception as error:  # the test sees it, and the next command may do better
                self.print("error", reason=repr(error))


asyncio.run(Member(*sys.argv[1:]).run())
