"""The torch engine's own loop on real weights: token for token what transformers' `generate()` gives.

`POINTSMAN_PROMPTS=500` asks for more prompts than a run of all tests has the time for.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pointsman.models.base import Sampling
from pointsman.worker.engine import End, Generation, PrefixCache, Text
from pointsman.worker.link import generator_spec
from tests.engine_checks import ADD, GENERATOR, PROMPTS, own_tokens, plain_model, reference_tokens

pytestmark = pytest.mark.model


@pytest.fixture(scope="module", params=["nf4", "full"])
def precision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def loaded(precision: Any, models_dir: Path, derived_dir: Path) -> Iterator[Any]:
    """The model itself, in this process."""
    from pointsman.worker.load import load_generator, quiet

    quiet()
    spec = generator_spec(GENERATOR, models_dir / GENERATOR.name, precision=precision, context=2048)
    yield load_generator(spec, "cpu", derived_dir)


def test_greedy_tokens_are_those_of_transformers_generate(
    loaded: Any, precision: Any, models_dir: Path, derived_dir: Path
) -> None:
    spec = generator_spec(GENERATOR, models_dir / GENERATOR.name, precision=precision, context=2048)
    theirs = plain_model(spec, "cpu", derived_dir)
    other = [p for p in PROMPTS if own_tokens(loaded, p, 8) != reference_tokens(theirs, loaded, p, 8)]
    # 16 bits, which NF4 computes in, leave ties that another order of the same sums breaks another way.
    assert len(other) <= (3 if precision == "nf4" else 0), other


def excerpts(count: int) -> list[str]:
    """Beginnings of this Python's own modules, 300 characters before a random place."""
    draw = random.Random(5)
    texts = [f.read_text() for f in sorted(Path(json.__file__).parents[1].glob("*.py")) if f.stat().st_size > 5_000]
    places = ((text, draw.randrange(2_000, len(text))) for text in draw.choices(texts, k=count))
    return [text[at - 300 : at] for text, at in places]


def answer(model: Any, prefix: PrefixCache, prompt: str) -> tuple[str, End]:
    job, text = Generation(model, prefix, prompt, Sampling(max_tokens=12)), ""
    while True:
        for part in job.step():
            if isinstance(part, Text):
                text += part.text
            else:
                return text, part


@pytest.mark.parametrize("precision", ["full"], indirect=True)
def test_greedy_answers_are_the_same_with_and_without_prefix_cache_and_drafts(
    loaded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, reused = PrefixCache(), 0
    for prompt in excerpts(int(os.environ.get("POINTSMAN_PROMPTS", "5"))):
        monkeypatch.setattr(loaded, "drafts", 0)
        expected, _ = answer(loaded, PrefixCache(), prompt)
        monkeypatch.setattr(loaded, "drafts", 7)
        # As while typing: a little earlier first, whose answer stays in the cache.
        answer(loaded, kept, prompt[:-5])
        text, end = answer(loaded, kept, prompt)
        assert text == expected
        reused += end.reused_tokens > end.prompt_tokens // 2
    assert reused


def test_nf4_is_four_bit_and_its_weights_are_kept_for_the_next_start(models_dir: Path, derived_dir: Path) -> None:
    import bitsandbytes

    from pointsman.worker.load import load_generator

    spec = generator_spec(GENERATOR, models_dir / GENERATOR.name, precision="nf4", context=2048)
    first = load_generator(spec, "cpu", derived_dir)
    (kept,) = (derived_dir / "derived").glob("*.nf4-*")
    made = kept.stat().st_ino
    again = load_generator(spec, "cpu", derived_dir)
    assert kept.stat().st_ino == made, "the kept weights were not usable and were made again"
    for layer in plain_model(spec, "cpu", derived_dir).model.layers:
        assert isinstance(layer.mlp.up_proj, bitsandbytes.nn.Linear4bit)
        assert layer.mlp.up_proj.weight.quant_state.quant_type == "nf4"
    assert own_tokens(first, ADD, 6) == own_tokens(again, ADD, 6)
    # A file of its own: the models above still have the old one mapped.
    (kept / "model.safetensors").unlink()
    (kept / "model.safetensors").write_bytes(b"damaged")
    assert own_tokens(load_generator(spec, "cpu", derived_dir), ADD, 6) == own_tokens(first, ADD, 6)


def test_the_engine_s_tokens_are_those_of_the_model_s_own_tokenizer(loaded: Any) -> None:
    """Stop tokens and hidden tokens are known by id."""
    assert loaded.decode(sorted(loaded.stop_ids)).count("<|") == len(loaded.stop_ids) >= 2
    assert loaded.stop_ids <= loaded.hidden_ids
    assert loaded.encode("<|im_start|>") == [loaded.tokenizer.token_to_id("<|im_start|>")]
