#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
"""The worked example of docs/rekeying.md section 14, from the document alone.

Computes all of it with Python's standard library, and with nothing of this project's: AES-CCM
(RFC 3610), P-256 and the nonce of RFC 6979 are below. Prints the section's text; the values are
those of test_rekeying_vectors.c.
"""
import hashlib
import hmac

# ---- CBOR (RFC 8949), preferred serialization; a negative number, bytes, text, lists and dicts


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 1 << 8 * size:
            return bytes([major << 5 | info]) + n.to_bytes(size, "big")
    raise OverflowError


def cbor(item):
    if isinstance(item, int):
        return head(0, item) if item >= 0 else head(1, -1 - item)
    if isinstance(item, bytes):
        return head(2, len(item)) + item
    if isinstance(item, str):
        return head(3, len(item.encode())) + item.encode()
    if isinstance(item, list):
        return head(4, len(item)) + b"".join(map(cbor, item))
    return head(5, len(item)) + b"".join(cbor(k) + cbor(v) for k, v in item.items())


# ---- AES-128 and AES-CCM-16-64-128


def xtime(a):
    return (a << 1 ^ 0x1B) & 0xFF if a & 0x80 else a << 1


def times(a, b):
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a, b = xtime(a), b >> 1
    return product


def make_sbox():
    box = []
    for a in range(256):
        inverse = next((b for b in range(256) if times(a, b) == 1), 0)
        s = 0x63
        for shift in range(5):
            s ^= (inverse << shift | inverse >> 8 - shift) & 0xFF
        box.append(s)
    return box


SBOX = make_sbox()


def expand(key):
    words, rcon = [key[i:i + 4] for i in range(0, 16, 4)], 1
    for i in range(4, 44):
        word = words[-1]
        if i % 4 == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word, rcon = bytes([word[0] ^ rcon]) + word[1:], xtime(rcon)
        words.append(xor(words[-4], word))
    return [b"".join(words[i:i + 4]) for i in range(0, 44, 4)]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def mix(column):
    a, b, c, d = column
    return bytes(xtime(w) ^ xtime(x) ^ x ^ y ^ z
                 for w, x, y, z in ((a, b, c, d), (b, c, d, a), (c, d, a, b), (d, a, b, c)))


def aes(key, block):
    first, *rounds = expand(key)
    state = xor(block, first)
    for number, round_key in enumerate(rounds, 1):
        state = bytes(SBOX[state[5 * i % 16]] for i in range(16))
        if number < 10:
            state = b"".join(mix(state[i:i + 4]) for i in range(0, 16, 4))
        state = xor(state, round_key)
    return state


def pad(data):
    return data + bytes(-len(data) % 16)


def ccm(key, nonce, aad, plaintext):
    blocks = bytes([0x40 | 3 << 3 | 1]) + nonce + len(plaintext).to_bytes(2, "big")
    blocks += pad(len(aad).to_bytes(2, "big") + aad) + pad(plaintext)
    tag = bytes(16)
    for i in range(0, len(blocks), 16):
        tag = aes(key, xor(tag, blocks[i:i + 16]))
    stream = b"".join(aes(key, b"\x01" + nonce + i.to_bytes(2, "big"))
                      for i in range(1 + (len(plaintext) + 15) // 16))
    return xor(plaintext, stream[16:]) + xor(tag, stream)[:8]


# ---- ES256 with the nonce of RFC 6979

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BASE = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


def add(a, b):
    if a is None or b is None:
        return a or b
    (ax, ay), (bx, by) = a, b
    if ax == bx and (ay + by) % P == 0:
        return None
    slope = ((3 * ax * ax - 3) * pow(2 * ay, -1, P) if a == b
             else (by - ay) * pow(bx - ax, -1, P)) % P
    x = (slope * slope - ax - bx) % P
    return x, (slope * (ax - x) - ay) % P


def multiply(k, point):
    total = None
    while k:
        total = add(total, point) if k & 1 else total
        point, k = add(point, point), k >> 1
    return total


def sha256(data):
    return hashlib.sha256(data).digest()


def mac256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def nonces(d, digest):
    k, v = bytes(32), b"\x01" * 32
    seed = d + (int.from_bytes(digest, "big") % ORDER).to_bytes(32, "big")
    for tag in (b"\x00", b"\x01"):
        k = mac256(k, v + tag + seed)
        v = mac256(k, v)
    while True:
        v = mac256(k, v)
        yield int.from_bytes(v, "big")
        k = mac256(k, v + b"\x00")
        v = mac256(k, v)


def sign(d, message):
    digest = sha256(message)
    e, secret = int.from_bytes(digest, "big"), int.from_bytes(d, "big")
    k = next(n for n in nonces(d, digest) if 0 < n < ORDER)
    r = multiply(k, BASE)[0] % ORDER
    s = pow(k, -1, ORDER) * (e + r * secret) % ORDER
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


# ---- docs/rekeying.md


def kdf(key, label, n=0):
    prk = mac256(bytes(32), key)
    return mac256(prk, cbor([label, n]) + b"\x01")[:16]


def nonce_of(num):
    return xor(BASE_IV, bytes(2) + num.to_bytes(11, "big"))


def entry(level, index, key, version, seed):
    name = level.to_bytes(1, "big") + index.to_bytes(2, "big") + version.to_bytes(4, "big")
    aad = cbor(["wrap", GROUP, level, index, version, NUM])
    return name + ccm(kdf(key, "wrap"), nonce_of(NUM), aad, seed)


def path_of(keys, slot):
    nodes = [keys[level, slot >> level] for level in range(3)]
    return b"".join(version.to_bytes(4, "big") + key for version, key in nodes)


# ---- the example

GROUP, OLD_NUM, NUM = "lights", 7, 8
BASE_IV = bytes(range(0xA0, 0xAD))
SECRET = bytes(range(0x40, 0x60))
SIGN_KEY = bytes(range(0x01, 0x21))
GID = bytes.fromhex("6c6700000008")

# Slots 0 and 1 joined with num 1 and 2, a refresh, slot 2 with 4, two refreshes, slot 3 with 7.
VERSIONS = {(0, 0): 1, (0, 1): 2, (0, 2): 4, (0, 3): 7, (1, 0): 3, (1, 1): 7, (2, 0): 7}
BEFORE = {node: (version, bytes([node[0] << 4 | node[1]]) + bytes(range(0x81, 0x90)))
          for node, version in VERSIONS.items()}

MAP = {7: 1, 8: {2: bytes(range(0xC0, 0xD0)), 6: GID}, 9: NUM, 10: 1, 11: 1893456000, 12: 86400,
       34: [b"\x02"]}


def compute():
    v = {"before": {slot: path_of(BEFORE, slot) for slot in range(4)}}
    v["seed11"] = kdf(SECRET, "fresh", 1 << 16 | 1)
    v["key11"] = kdf(v["seed11"], "key")
    v["seed20"] = kdf(v["seed11"], "up")
    root = v["key20"] = kdf(v["seed20"], "key")
    v["wrap03"] = kdf(BEFORE[0, 3][1], "wrap")
    v["wrap10"] = kdf(BEFORE[1, 0][1], "wrap")
    v["nonce"] = nonce_of(NUM)
    v["entry03"] = entry(0, 3, BEFORE[0, 3][1], 7, v["seed11"])
    v["entry10"] = entry(1, 0, BEFORE[1, 0][1], 3, v["seed20"])
    entries = v["entry03"] + v["entry10"]

    v["map"] = cbor(MAP)
    v["group_aad"] = cbor(["group", GROUP, OLD_NUM, NUM])
    v["group"] = kdf(root, "group")
    v["material"] = ccm(v["group"], v["nonce"], v["group_aad"], v["map"])
    v["content"] = cbor([0, OLD_NUM, NUM, 0, 0, 500, 2, [], entries, v["material"]])
    v["public"] = b"".join(n.to_bytes(32, "big")
                           for n in multiply(int.from_bytes(SIGN_KEY, "big"), BASE))
    v["signed"] = cbor(["ACE group rekeying tree", -73529, GROUP, v["content"]])
    v["signature"] = sign(SIGN_KEY, v["signed"])
    v["mac_key"] = kdf(BEFORE[2, 0][1], "mac")
    v["mac"] = mac256(v["mac_key"], cbor(["rekeying", GROUP, v["content"], v["signature"]]))[:8]
    v["payload"] = cbor([v["content"], v["signature"], v["mac"]])

    after = dict(BEFORE)
    after[1, 1], after[2, 0] = (NUM, v["key11"]), (NUM, root)
    v["after"] = {slot: path_of(after, slot) for slot in (0, 1, 3)}
    v["hash"] = sha256(v["material"])
    v["confirmed"], v["confirmation"] = {}, {}
    for slot in (0, 1, 3):
        covered = cbor(["confirmation", GROUP, NUM, slot, v["hash"], root])
        mac = mac256(kdf(BEFORE[0, slot][1], "mac"), covered)[:8]
        v["confirmed"][slot], v["confirmation"][slot] = covered, cbor([GID, slot, mac])
    v["management"] = cbor([3, 2, BASE_IV, v["after"][3]])
    v["beacon"] = cbor([1, NUM])
    v["beacon_signature"] = sign(SIGN_KEY, cbor(["ACE group rekeying tree", -73529, GROUP,
                                                 v["beacon"]]))
    v["beacon_payload"] = cbor([v["beacon"], v["beacon_signature"]])
    return v


# ---- as text


def show(*lines):
    """Lines of (label, bytes), 32 bytes each, in one block."""
    width = max(len(label) for label, _ in lines)
    print("```")
    for label, data in lines:
        for at in range(0, len(data), 32):
            print(f"{'' if at else label:{width}}  {data[at:at + 32].hex()}")
    print("```\n")


def tell(v):
    print("""### 14.1 One departure

The group "lights" has N = 4 leaf slots (H = 2), all of them taken. Its num is V = 7. Slot 2 leaves:
V' = 8.

```
          (2,0)*              seed(1,1)  fresh                    entry for (0,3)
         /      \\             seed(2,0)  = KDF(seed(1,1), "up")   entry for (1,0)
    (1,0)      (1,1)*
    /   \\      /   \\         2 entries = log2 4. Slots 0 and 1 open the one for (1,0); slot 3
   0     1    -     3         opens the one for (0,3) and follows the chain.
```

Bytes are in hexadecimal, 32 in a line. The keys before, the Base IV and the secret of the rekeying
are chosen so that they are easy to tell apart:
""")
    show(("Base IV", BASE_IV), ("secret", SECRET))
    print("Paths before: version and key of leaf, (1, i >> 1) and root, 20 bytes each.\n")
    show(*((f"slot {slot}", path) for slot, path in v["before"].items()))
    print("""The fresh seed is KDF(secret, "fresh", 1 * 65536 + 1), with info
`82 65 66 72 65 73 68 1a 00 01 00 01`. The chain, and the new keys:
""")
    show(("seed(1,1)", v["seed11"]), ("key(1,1)", v["key11"]), ("seed(2,0)", v["seed20"]),
         ("key(2,0)", v["key20"]))
    print("""The entries. The one for (0,3) holds seed(1,1), under version 7 of that leaf's key; the one for
(1,0) holds seed(2,0), under version 3.
""")
    show(("nonce", v["nonce"]),
         ('KDF(key(0,3), "wrap")', v["wrap03"]),
         ("aad", cbor(["wrap", GROUP, 0, 3, 7, NUM])),
         ("entry for (0,3)", v["entry03"]),
         ('KDF(key(1,0), "wrap")', v["wrap10"]),
         ("aad", cbor(["wrap", GROUP, 1, 0, 3, NUM])),
         ("entry for (1,0)", v["entry10"]))
    print("""The group's material: gkty 1, a Master Secret, the Gid 6c6700000008, num 8, profile 1, exp
1893456000, exi 86400, and one stale Sender ID, 02. It is encrypted under the new root.
""")
    show(("plaintext", v["map"]), ('KDF(key(2,0), "group")', v["group"]), ("aad", v["group_aad"]),
         ("material", v["material"]))
    print("""The content says old_num 7, num 8, part 0 of 0, leisure 500 ms, height 2, no slots joined.
""")
    show(("content", v["content"]))
    print("""The KDC's key is on P-256 (ES256). With the nonce of RFC 6979, the signature is always this one;
any other that verifies is as good.
""")
    show(("private key", SIGN_KEY), ("public x", v["public"][:32]), ("public y", v["public"][32:]),
         ("signed", v["signed"]), ("signature", v["signature"]))
    print("The MAC is under the old root, version 7:\n")
    show(('KDF(key(2,0), "mac")', v["mac_key"]), ("mac", v["mac"]))
    print(f"The payload, {len(v['payload'])} bytes:\n")
    show(("message", v["payload"]))
    print("Paths after:\n")
    show(*((f"slot {slot}", path) for slot, path in v["after"].items()))
    print("""Confirmations: what the MAC of slot 3's covers, under KDF(key(0,3), "mac"), and the payloads of
all three.
""")
    show(("SHA-256(material)", v["hash"]), ("covered", v["confirmed"][3]),
         *((f"slot {slot}", c) for slot, c in v["confirmation"].items()))
    print("""### 14.2 mgt_key_material

What slot 3 is told by unicast with num 8, if each message is sent twice; this is the content of the
byte string.
""")
    show(("management", v["management"]))
    print("### 14.3 A beacon\n\nOf num 8, in the same group and with the same key.\n")
    show(("content", v["beacon"]), ("signature", v["beacon_signature"]),
         ("message", v["beacon_payload"]))


if __name__ == "__main__":
    tell(compute())
