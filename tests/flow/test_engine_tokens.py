"""The torch engine's own loop on real weights: token for token what transformers' `generate()` gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pointsman.worker.link import generator_spec
from tests.engine_checks import ADD, GENERATOR, PROMPTS, own_tokens, reference_tokens

pytestmark = pytest.mark.model


@pytest.fixture(scope="module", params=["nf4", "full"])
def loaded(request: pytest.FixtureRequest, models_dir: Path, derived_dir: Path) -> Iterator[Any]:
    """The model itself, in this process."""
    from pointsman.worker.load import load_generator, quiet

    quiet()
    spec = generator_spec(GENERATOR, models_dir / GENERATOR.name, precision=request.param, context=2048)
    yield load_generator(spec, "cpu", derived_dir)


def test_greedy_tokens_are_those_of_transformers_generate(loaded: Any) -> None:
    for prompt in PROMPTS:
        assert own_tokens(loaded, prompt, 8) == reference_tokens(loaded, prompt, 8), prompt[:40]


def test_nf4_is_four_bit_and_its_weights_are_kept_for_the_next_start(models_dir: Path, derived_dir: Path) -> None:
    import bitsandbytes

    from pointsman.worker.load import load_generator

    spec = generator_spec(GENERATOR, models_dir / GENERATOR.name, precision="nf4", context=2048)
    first = load_generator(spec, "cpu", derived_dir)
    (kept,) = (derived_dir / "derived").glob("*.nf4-float32.*")
    made = kept.stat().st_ino
    again = load_generator(spec, "cpu", derived_dir)
    assert kept.stat().st_ino == made, "the kept weights were not usable and were made again"
    for model in (first, again):
        layer = model.model.model.layers[0].mlp.up_proj
        assert isinstance(layer, bitsandbytes.nn.Linear4bit)
        assert layer.weight.quant_state.quant_type == "nf4"
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
