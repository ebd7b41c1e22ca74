# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the gatewayd authors
"""kdc.py BUNDLE GROUP CTL SOCKET ADDRESS: aiocoap is a client of the KDC, from token to leaving.

Prints a line for each thing that is looked at: 'ok' or 'bad', what, and what was found instead; and
'restart it' when the daemon is to be started anew, which a line of input says is done. CTL and
SOCKET are gatewayctl and where it finds the daemon, ADDRESS our own.
"""

import asyncio
import subprocess
import sys

import cbor2

from peer import (
    ACE, CBOR, CNONCE, CONTEXT_ID, CONTROL_URI, CREDS, CRED_FMT, EXI, EXP, GET_CREDS, GID, GKTY,
    GNAME, GP_ENC_ALG, GROUPCOMM, GURI, KDCCHALLENGE, KDC_NONCE, KEY, MONITOR, MS, NONCE2, NUM,
    PEER_IDS, PEER_ROLES, POLICIES, PROFILE, P_SIGN_INFO, RESPONDER, SENDER_ID, SERVER_ID, SIGN_ALG,
    SIGN_INFO, SIGN_PARAMS, STALE_IDS, Client, Key,
)


def report(what, good, found=""):
    print("ok" if good else "bad", what, "" if good else f"({found})", flush=True)


def seen(answer):
    """Code, Content-Format and payload, as people write them."""
    form = answer.opt.content_format
    parts = [answer.code.dotted, "" if form is None else str(int(form)), answer.payload.hex()]
    return " ".join(part for part in parts if part)


def problem(error):
    return f"4.03 257 a100a100{error:02x}"


def expect(what, answer, code, form=None, test=None):
    """Is it this code, this Content-Format, and what the test says of the payload's CBOR?"""
    good = answer.code.dotted == code and answer.opt.content_format == form
    value = cbor2.loads(answer.payload) if answer.payload else None
    report(what, good and (test is None or test(value)), seen(answer))
    return value


async def token(client):
    what = "a token brings nonces, identifiers, a challenge and the group's algorithms"
    entry = [client.group, -7, [2], [2, 1], 14]

    def test(map_):
        good = map_.keys() >= {NONCE2, SERVER_ID, KDCCHALLENGE} and map_[SIGN_INFO] == [entry]
        return good and len(map_[KDCCHALLENGE]) >= 8

    expect(what, await client.post_token(), "2.01", ACE, test)


async def join(client):
    empty = await client.ask("POST", client.in_group())
    what = "an empty join tells the algorithms"
    expect(what, empty, "4.00", GROUPCOMM, lambda m: P_SIGN_INFO in m)
    answer = await client.join()
    map_ = expect("it joins", answer, "2.01", GROUPCOMM, lambda m: m[GKTY] == m[PROFILE] == 1)
    report("the KDC proves its key", client.verify_kdc(map_))
    report("nobody else is in", map_[CREDS] == map_[PEER_ROLES] == map_[PEER_IDS] == [], map_)
    key = map_[KEY]
    signature = {GP_ENC_ALG: 10, SIGN_ALG: -7, SIGN_PARAMS: [[2], [2, 1]], CRED_FMT: 14}
    report("for ES256 and CCS", signature.items() <= key.items(), signature.keys() - key.keys())
    report("which expires", 0 < map_[EXI] and map_[EXI] < map_[EXP])
    again = await client.join()
    map_ = expect("it joins again", again, "2.04", GROUPCOMM)
    report("and has another Sender ID", map_[KEY][SENDER_ID] != key[SENDER_ID])
    return map_


async def read(client, joined):
    """Each resource that a member may read, against the Join Response."""
    key = joined[KEY]
    common = {label: value for label, value in key.items() if label != SENDER_ID}

    def material(want):
        return lambda m: m[KEY] == want and m[NUM] == joined[NUM] and 0 < m[EXI] <= joined[EXI]

    answer = await client.ask("GET", client.in_group())
    expect("GET of the group", answer, "2.05", GROUPCOMM, material(common))
    answer = await client.ask("GET", client.node)
    expect("GET of its node", answer, "2.05", GROUPCOMM, material(key))
    answer = await client.ask("GET", client.in_group("/num"))
    expect("GET of num", answer, "2.05", CBOR, lambda num: num == joined[NUM])
    answer = await client.ask("GET", client.in_group("/active"))
    expect("GET of active", answer, "2.05", CBOR, lambda active: active is True)
    answer = await client.ask("GET", client.in_group("/creds"))
    own = {NUM: joined[NUM], CREDS: [client.key.cred], PEER_ROLES: [client.roles]}
    own[PEER_IDS] = [key[SENDER_ID]]
    expect("GET of creds", answer, "2.05", GROUPCOMM, lambda m: m == own)
    answer = await client.ask("GET", client.in_group("/kdc-cred"))
    map_ = expect("GET of kdc-cred", answer, "2.05", GROUPCOMM)
    report("with new evidence", client.verify_kdc(map_) and map_[KDC_NONCE] != joined[KDC_NONCE])
    answer = await client.ask("FETCH", client.in_group("/stale-sids"), joined[NUM], CBOR)
    report("stale-sids since now", seen(answer).startswith("4.00"), seen(answer))
    answer = await client.ask("GET", client.in_group("/policies"))
    expect("GET of policies", answer, "2.05", GROUPCOMM, lambda m: m == {POLICIES: {1: 3600, 2: 0}})


async def select(client, joined):
    """What is asked for with a filter, and what only verifiers are told."""
    gid, sid = joined[KEY][CONTEXT_ID], joined[KEY][SENDER_ID]
    answer = await client.ask("FETCH", "/ace-group", {GID: [b"none", gid]}, GROUPCOMM)
    named = {GID: [gid], GNAME: [client.group], GURI: [client.in_group()]}
    expect("the group of a Gid", answer, "2.05", GROUPCOMM, lambda m: m == named)
    for what, chosen, count in (
        ("by role", [True, [RESPONDER], []], 1),
        ("by a role that nobody has", [True, [MONITOR], []], 0),
        ("by Sender ID", [True, [], [sid]], 1),
        ("all but one Sender ID", [False, [], [sid]], 0),
    ):
        request = {GET_CREDS: chosen}
        answer = await client.ask("FETCH", client.in_group("/creds"), request, GROUPCOMM)
        got = cbor2.loads(answer.payload)
        good = got[CREDS] == [client.key.cred] if count else got == b""
        report(f"credentials {what}", answer.code.dotted == "2.05" and good, seen(answer))
    request = {CNONCE: b"12345678"}
    answer = await client.ask("FETCH", client.in_group("/kdc-cred"), request, GROUPCOMM)
    report("kdc-cred by FETCH is for verifiers", seen(answer) == problem(8), seen(answer))
    answer = await client.ask("GET", client.in_group("/verif-data"))
    report("verif-data is for verifiers", seen(answer) == problem(8), seen(answer))


async def change_credential(client):
    client.key = Key("another")
    answer = await client.ask("POST", client.node + "/cred", client.credential(), GROUPCOMM)
    report("another credential", seen(answer) == "2.04", seen(answer))
    answer = await client.ask("GET", client.in_group("/creds"))
    expect("is what others get", answer, "2.05", GROUPCOMM, lambda m: m[CREDS] == [client.key.cred])


async def renew(client, joined):
    answer = await client.ask("POST", client.node)
    map_ = expect("a new Sender ID", answer, "2.04", GROUPCOMM, lambda m: m.keys() == {21})
    report("is another one", map_[21] != joined[KEY][SENDER_ID])


async def watch(client, path):
    """Observe a resource. Returns the first answer, and a queue of what follows."""
    request = client.context.request(client.request("GET", path, observe=0))
    told = asyncio.Queue()
    answer = await request.response
    request.observation.register_callback(told.put_nowait)
    request.observation.register_errback(lambda error: None)  # that it ended, after the last answer
    client.watched.append(request)
    return answer, told


async def observe(client, words):
    """Who has no control_uri is told of new keys and its eviction by notifications (R 6, 4.8.1)."""
    map_ = expect("it joins without a control_uri", await client.join(), "2.04", GROUPCOMM)
    first, group = await watch(client, client.in_group())
    expect("it observes the group", first, "2.05", GROUPCOMM, lambda m: m[NUM] == map_[NUM])
    report("which the KDC allows", first.opt.observe is not None, first)
    first, node = await watch(client, client.node)
    expect("it observes its node", first, "2.05", GROUPCOMM, lambda m: m[NUM] == map_[NUM])
    ctl(words[:2], "rekey", client.group)
    answer = await asyncio.wait_for(group.get(), 10)
    new = expect("a rekeying is notified", answer, "2.05", GROUPCOMM)
    report("with the next num, there", new[NUM] == map_[NUM] + 1, new[NUM])
    report("with another key", new[KEY].keys() >= {MS, CONTEXT_ID} and not same(new, map_))
    ctl(words[:2], "evict", client.group, client.bundle.json["name"])
    answer = await next_failure(node)
    report("an eviction ends the observation", seen(answer) == "4.04 257 a100a10005", seen(answer))
    expect("it joins once more", await client.join(), "2.01", GROUPCOMM)


async def next_failure(told):
    """The first that is no success."""
    while True:
        answer = await asyncio.wait_for(told.get(), 10)
        if not answer.code.is_successful():
            return answer


def ctl(words, command, *arguments):
    subprocess.run([*words[:1], "-s", *words[1:], command, *arguments], check=True, stdout=2)


async def obey(client, words):
    """What the KDC tells by requests of its own, for which aiocoap is the server."""
    uri = f"coap://[{words[2]}]/control"
    answer = await client.join({CONTROL_URI: uri})
    map_ = expect("it gives a control_uri", answer, "2.04", GROUPCOMM)
    ctl(words[:2], "rekey", client.group)
    request = await client.told()
    new = cbor2.loads(request.payload)
    report("a rekeying comes there", request.opt.content_format == GROUPCOMM, request)
    report("with the next num", new[NUM] == map_[NUM] + 1, new[NUM])
    required = {GKTY, KEY, NUM, PROFILE, EXI, STALE_IDS}
    report("with all that it has to have", new.keys() >= required, new.keys())
    report("with another key", new[KEY].keys() >= {MS, CONTEXT_ID} and not same(new, map_))
    answer = await client.ask("GET", client.in_group())
    expect("which is that of the group", answer, "2.05", GROUPCOMM, lambda m: same(m, new))
    ctl(words[:2], "evict", client.group, client.bundle.json["name"])
    request = await client.told()
    good = request.code.name == "DELETE" and not request.payload
    report("an eviction comes there", good, request)


def same(one, other):
    """Is one of the secrets the same?"""
    return any(one[KEY].get(label) == other[KEY].get(label) for label in (MS, CONTEXT_ID))


async def leave(client):
    await client.join()
    answer = await client.ask("DELETE", client.node)
    report("it leaves", seen(answer) == "2.02", seen(answer))
    answer = await client.ask("GET", client.in_group("/num"))
    report("and is no member any more", seen(answer) == problem(0), seen(answer))
    again = await client.join()
    expect("and joins with the same token", again, "2.01", GROUPCOMM)


async def survive_restart(client):
    """A KDC that has been restarted asks back what is fresh (RFC 8613 appendix B.1.2)."""
    print("restart it", flush=True)
    sys.stdin.readline()
    answer = await client.ask("GET", client.in_group("/num"))
    report("a KDC that began anew knows it", seen(answer).startswith("2.05"), seen(answer))


async def main(bundle, group, *words):
    client = await Client(bundle, group).open()
    await token(client)
    joined = await join(client)
    await read(client, joined)
    await select(client, joined)
    await change_credential(client)
    await renew(client, joined)
    await observe(client, words)
    await obey(client, words)
    await leave(client)
    await survive_restart(client)
    await client.close()


asyncio.run(main(*sys.argv[1:]))
