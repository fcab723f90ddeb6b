"""What a request can cost at the most, and what one did cost, in tokens and millionths of a dollar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.gateway.quota import Charge, micro
from pointsman.policy.schema import Endpoint

if TYPE_CHECKING:
    from pointsman.gateway.apis import Answer


def charge(endpoint: Endpoint, input_tokens: int, output_tokens: int) -> Charge:
    price = endpoint.usd_per_mtok
    usd = (input_tokens * price.input + output_tokens * price.output) / 1e6
    return Charge(tokens=input_tokens + output_tokens, micro_usd=micro(usd))


def bound(endpoint: Endpoint, body_bytes: int, max_tokens: int) -> Charge:
    """The most: no tokeniser makes more tokens of a text than it has bytes."""
    return charge(endpoint, body_bytes, max_tokens)


def used(answer: Answer, body_bytes: int, max_tokens: int) -> tuple[int, int]:
    """Tokens in and out as the endpoint says, or the most where it says nothing or more than can be."""
    used_in, used_out = answer.input_tokens, answer.output_tokens
    return (
        body_bytes if used_in is None or used_in > body_bytes else used_in,
        max_tokens if used_out is None or used_out > max_tokens else used_out,
    )
