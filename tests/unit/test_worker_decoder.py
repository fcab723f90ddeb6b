"""The own forward pass beside transformers' on small random models of each family: same logits, whatever the slices."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from pointsman.worker.decoder import Decoder, suits  # noqa: E402
from pointsman.worker.generic import Generic  # noqa: E402
from pointsman.worker.linear import joined  # noqa: E402

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}


def config(family: str, **other: Any) -> Any:
    return transformers.AutoConfig.for_model(family, **(SIZES | other))


FITTING = {
    "llama": config("llama"),
    "every query its own keys": config("llama", num_key_value_heads=4),
    "biases": config("llama", attention_bias=True, mlp_bias=True),
    "wide heads": config("llama", head_dim=32),
    "rotations as in Llama 3": config("llama", rope_parameters=LLAMA3),
    "yarn": config("llama", rope_parameters=YARN),
    "mistral": config("mistral", sliding_window=None),
    "qwen2": config("qwen2"),
    "qwen3": config("qwen3", head_dim=16),
}


def model(config: Any) -> Any:
    torch.manual_seed(7)
    made = transformers.AutoModelForCausalLM.from_config(config).eval()
    for name, parameter in made.named_parameters():
        if name.endswith(("bias", "norm.weight")):
            # Zeros and ones, as they are made, would hide that they are left out.
            parameter.data = torch.randn_like(parameter) * 0.3 + 0.5
    return made


@pytest.mark.parametrize("name", FITTING)
def test_logits_are_those_of_transformers_for_any_slices(name: str) -> None:
    assert suits(FITTING[name])
    ids = torch.randint(0, 97, (700,), generator=torch.Generator().manual_seed(1)).tolist()
    theirs, ours = Generic(model(FITTING[name])), Decoder(model(FITTING[name]), context=1024)
    expected = theirs.forward(ids, theirs.new_cache(), rows=len(ids))
    cache, at = ours.new_cache(), 0
    for size in (1, 3, 200, 1, 400, 8, 87):
        got = ours.forward(ids[at : at + size], cache, rows=size)
        torch.testing.assert_close(got, expected[at : at + size], atol=2e-5, rtol=2e-4)
        at += size
    assert at == len(ids) and cache.length == len(ids)


def test_a_shortened_cache_goes_on_as_if_the_rest_had_never_been() -> None:
    decoder = Decoder(model(FITTING["llama"]), context=1024)
    straight, turned = decoder.new_cache(), decoder.new_cache()
    decoder.forward(range(40), straight)
    decoder.forward(range(30), turned)
    decoder.forward([9] * 20, turned)
    assert decoder.crop(turned, 30) and not decoder.crop(turned, 31)
    decoder.forward(range(30, 40), turned)
    torch.testing.assert_close(decoder.forward([5], turned), decoder.forward([5], straight))


def test_no_logits_are_made_where_none_are_wanted() -> None:
    decoder = Decoder(model(FITTING["llama"]), context=64)
    assert decoder.forward([1, 2, 3], decoder.new_cache(), rows=0).numel() == 0


@pytest.mark.parametrize(
    "other",
    [
        config("mistral", sliding_window=16),
        config("qwen2", use_sliding_window=True, sliding_window=16, max_window_layers=0),
        config("llama", hidden_act="gelu"),
        config("llama", rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}),
        transformers.AutoConfig.for_model("gemma3_text", **SIZES),
    ],
)
def test_what_has_another_shape_is_left_to_transformers(other: Any) -> None:
    assert not suits(other)


def test_a_layer_of_an_unknown_kind_is_refused() -> None:
    class Other(torch.nn.Linear):
        pass

    with pytest.raises(ValueError, match="not known"):
        joined([Other(4, 4)])


def test_projections_that_share_their_input_give_their_outputs_side_by_side() -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes")
    layers = [
        bitsandbytes.nn.Linear4bit(128, size, bias=False, quant_type="nf4", compress_statistics=False)
        for size in (64, 32)
    ]
    layers = [layer.to("cpu").eval() for layer in layers]
    x = torch.randn(3, 128)
    with torch.no_grad():
        # Once before they are joined: some CPUs have their weights laid out anew at the first use.
        expected = torch.cat([layer(x) for layer in layers], dim=1)
        torch.testing.assert_close(joined(layers)(x), expected)


def test_a_pass_at_positions_that_only_the_device_knows_gives_the_same() -> None:
    """What CUDA graphs capture, run as it is: padding behind the tokens and room to spare change nothing."""
    decoder = Decoder(model(FITTING["qwen3"]), context=1024)
    appended, anywhere = decoder.new_cache(), decoder.new_cache()
    for cache in (appended, anywhere):
        decoder.forward(range(60), cache)
    expected = decoder.forward([5, 6, 7], appended, rows=3)
    with torch.no_grad():
        place = decoder.anywhere(anywhere, torch.arange(60, 68))
        got = decoder.logits(decoder.hidden(torch.tensor([5, 6, 7, 0, 0, 0, 0, 0]), place))[:3]
        torch.testing.assert_close(got, expected, atol=2e-5, rtol=2e-4)
        # The next pass stands where the padding stood.
        anywhere.length = 63
        torch.testing.assert_close(decoder.forward([8], anywhere), decoder.forward([8], appended), atol=2e-5, rtol=2e-4)


class Uncapturable:
    error: RuntimeError

    def __init__(self, decoder: Decoder, cache: Any, width: int) -> None:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("operation not permitted when stream is capturing"),
        torch.AcceleratorError("CUDA error: operation not permitted when stream is capturing"),
    ],
    ids=["plain", "of CUDA"],
)
def test_where_nothing_can_be_captured_the_pass_runs_as_it_is(
    monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    monkeypatch.setattr(Uncapturable, "error", error, raising=False)
    plain, decoder = Decoder(model(FITTING["llama"]), context=64), Decoder(model(FITTING["llama"]), context=64)
    monkeypatch.setattr("pointsman.worker.decoder.Captured", Uncapturable)
    monkeypatch.setattr(decoder, "_captures", True)
    cache = decoder.new_cache()
    for token in (1, 2):
        got = decoder.forward([token], cache)
    other = plain.new_cache()
    plain.forward([1], other)
    torch.testing.assert_close(got, plain.forward([2], other))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=["memory", "device lost", "cublas"],
)
def test_a_capture_that_fails_for_good_is_told(monkeypatch: pytest.MonkeyPatch, error: RuntimeError) -> None:
    decoder = Decoder(model(FITTING["llama"]), context=64)
    monkeypatch.setattr(Uncapturable, "error", error, raising=False)
    monkeypatch.setattr("pointsman.worker.decoder.Captured", Uncapturable)
    monkeypatch.setattr(decoder, "_captures", True)
    with pytest.raises(type(error)):
        decoder.forward([1], decoder.new_cache())
