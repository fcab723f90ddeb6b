"""What servers are asked and how their events read, shapes of older and newer servers included."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.errors import EngineError
from pointsman.gateway.dialects import Event, LlamaCpp, OpenAICompletions, Totals
from pointsman.models.base import Sampling


def test_llama_cpp_is_asked_for_exactly_the_sampling_given() -> None:
    body = LlamaCpp().body(
        [1, 2], Sampling(max_tokens=5, temperature=0.5, top_p=0.9, top_k=7, seed=-1, stop=("x",)), slot=1
    )
    assert body["prompt"] == [1, 2]
    assert (body["n_predict"], body["temperature"], body["top_p"], body["top_k"]) == (5, 0.5, 0.9, 7)
    assert (body["min_p"], body["samplers"]) == (0.0, ["temperature", "top_k", "top_p"])
    assert (body["stop"], body["id_slot"], body["seed"]) == (["x"], 1, 2**32 - 1)
    plain = LlamaCpp().body("text", Sampling())
    assert "seed" not in plain
    assert "id_slot" not in plain


def test_openai_is_asked_in_its_own_words() -> None:
    body = OpenAICompletions("m").body("text", Sampling(max_tokens=5, stop=("a", "b", "c", "d", "e"), seed=3))
    assert (body["model"], body["prompt"], body["max_tokens"], body["seed"]) == ("m", "text", 5, 3)
    assert body["stop"] == ["a", "b", "c", "d"]
    assert body["stream_options"] == {"include_usage": True}
    assert not {"top_k", "n_predict", "id_slot"} & set(body)
    assert "stop" not in OpenAICompletions("m").body("text", Sampling())


def test_llama_cpp_s_events() -> None:
    totals = Totals()
    event = {"content": " a", "tokens": [253], "stop": False, "completion_probabilities": [{"logprob": -0.5}]}
    assert LlamaCpp().read(json.dumps(event), totals) == Event(text=" a", ids=(253,), logprob=-0.5, tokens=1)
    assert totals.reason is None
    end = {
        "content": "",
        "stop_type": "eos",
        "tokens_predicted": 6,
        "tokens_evaluated": 9,
        "timings": {"cache_n": 8, "prompt_ms": 31.5, "predicted_ms": 41.0},
    }
    assert LlamaCpp().read(json.dumps(end), totals) is None
    assert totals == Totals(reason="stop", prompt_tokens=9, reused_tokens=8, tokens=6, prefill_ms=31.5, decode_ms=41.0)


@pytest.mark.parametrize(("stop_type", "reason"), [("limit", "length"), ("word", "stop"), ("eos", "stop")])
def test_llama_cpp_s_endings(stop_type: str, reason: str) -> None:
    totals = Totals()
    LlamaCpp().read(json.dumps({"content": "", "stop_type": stop_type}), totals)
    assert totals.reason == reason


@pytest.mark.parametrize(
    "logprobs",
    [{"token_logprobs": [-0.25, -0.5]}, {"content": [{"logprob": -0.25}, {"logprob": -0.5}]}],
    ids=["older", "newer"],
)
def test_openai_s_events(logprobs: dict[str, Any]) -> None:
    totals = Totals()
    event = {"choices": [{"text": "ab", "logprobs": logprobs, "finish_reason": None}]}
    assert OpenAICompletions("m").read(json.dumps(event), totals) == Event(text="ab", logprob=-0.75, tokens=2)
    end = {"choices": [{"text": "", "logprobs": None, "finish_reason": "length"}]}
    assert OpenAICompletions("m").read(json.dumps(end), totals) is None
    usage = {
        "choices": [],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}},
    }
    assert OpenAICompletions("m").read(json.dumps(usage), totals) is None
    assert totals == Totals(reason="length", prompt_tokens=9, reused_tokens=8, tokens=4)


@pytest.mark.parametrize("data", ["CANARY", "[]", "7", '{"error": {"message": "CANARY"}}', "[" * 100_000])
@pytest.mark.parametrize("dialect", [LlamaCpp(), OpenAICompletions("m")], ids=["llama.cpp", "openai"])
def test_what_is_no_event_is_an_error_that_quotes_nothing(dialect: Any, data: str) -> None:
    with pytest.raises(EngineError) as caught:
        dialect.read(data, Totals())
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    "event",
    [
        {"content": 7, "tokens": "x", "completion_probabilities": [1, {}, {"logprob": "no"}]},
        {"stop_type": "eos", "timings": [], "tokens_predicted": "six"},
        {"choices": [7]},
        {"choices": {}},
        {"choices": [{"text": None, "logprobs": [1]}]},
        {"choices": [], "usage": {"prompt_tokens": None, "prompt_tokens_details": 7}},
        {},
    ],
)
@pytest.mark.parametrize("dialect", [LlamaCpp(), OpenAICompletions("m")], ids=["llama.cpp", "openai"])
def test_fields_of_the_wrong_type_are_as_if_absent(dialect: Any, event: dict[str, Any]) -> None:
    read = dialect.read(json.dumps(event), Totals())
    assert read is None or read.text == ""
