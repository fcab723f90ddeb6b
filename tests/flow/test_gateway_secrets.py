"""Secrets of many kinds in every part of a request: none reaches the server, all come back in the answer."""

from __future__ import annotations

import base64
import json
from typing import Any

from pointsman.host.api import Message
from tests.gateway_secrets import SECRETS
from tests.gateway_site import Site


async def test_no_secret_reaches_the_server_and_all_come_back(site: Site) -> None:
    texts = {kind: text for kind, (text, _) in SECRETS.items()}
    everything = "\n\n".join(texts.values())
    named = SECRETS["github-token"][1]
    site.reply = lambda body: "\n---\n".join(message["content"] for message in body["messages"])
    messages = (
        Message(role="system", content=f"Follow the rules.\n{everything}"),
        Message(role="assistant", content=f"### src/{named}.py\n{texts['password']}"),
        Message(role="user", content="\n".join(reversed(list(texts.values())))),
    )
    reply = await site.gateway().send(site.request(messages=messages, files=(f"src/{named}.py",)))

    (body,) = site.received
    for kind, (_, secret) in SECRETS.items():
        for form in (secret, json.dumps(secret)[1:-1], secret.strip().splitlines()[0]):
            assert form.encode() not in body, kind
            assert form.encode() not in site.everything_written(), kind
    assert reply.text == "\n---\n".join(message.content for message in messages)
    assert reply.redactions >= len(SECRETS) - 2
    assert site.records()[0]["redactions"] == reply.redactions


async def test_an_encoded_secret_is_found(site: Site) -> None:
    encoded = base64.b64encode(SECRETS["github-token"][0].encode()).decode()
    await site.gateway().send(site.request(f"blob = '{encoded}'"))
    assert encoded.encode() not in site.received[0]


async def test_a_forged_placeholder_in_repository_or_answer_is_left_alone(site: Site) -> None:
    forged = "POINTSMAN_SECRET_1_0011223344556677"
    site.reply = lambda body: body["messages"][1]["content"] + " " + forged.replace("_1_", "_2_")
    text = f"{forged}\n{SECRETS['stripe-key'][0]}"
    reply = await site.gateway().send(site.request(text))
    assert forged.encode() in site.received[0]
    assert reply.text == f"{text} {forged.replace('_1_', '_2_')}"


async def test_another_request_s_placeholder_tells_nothing(site: Site) -> None:
    bodies: list[Any] = []
    site.reply = lambda body: bodies.append(body) or "noted"  # type: ignore[func-returns-value]
    await site.gateway().send(site.request(SECRETS["stripe-key"][0]))
    placeholder = bodies[0]["messages"][1]["content"].split("'")[1]
    site.reply = lambda body: placeholder
    reply = await site.gateway().send(site.request("another " + SECRETS["stripe-key"][0]))
    assert reply.text == placeholder


async def test_without_secret_redaction_the_user_s_policy_is_obeyed(site: Site) -> None:
    site.policy(extra="\n[redact]\nsecrets = false\npii = false\n")
    reply = await site.gateway().send(site.request(SECRETS["stripe-key"][0]))
    assert SECRETS["stripe-key"][1].encode() in site.received[0]
    assert reply.redactions == 0
