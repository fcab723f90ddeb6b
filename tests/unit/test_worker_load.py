"""What is decided before a model is loaded: how it computes, and which folder its weights come from."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from pointsman.worker import load  # noqa: E402
from pointsman.worker.messages import GeneratorSpec  # noqa: E402


@pytest.mark.parametrize(("natively", "expected"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_that_only_emulates_bf16_computes_in_fp16(
    monkeypatch: pytest.MonkeyPatch, natively: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or natively
    )
    assert load.compute_dtype("cuda", "nf4") is expected


def test_a_conversion_is_kept_and_made_again_only_when_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def convert(gguf: Path, out: Path) -> None:
        made.append(gguf)
        (out / "model.safetensors").write_bytes(b"weights")
        (out / "tokenizer.json").write_bytes(b"{}")

    monkeypatch.setattr(load, "convert_gguf", convert)
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    spec = GeneratorSpec(name="a", folder=str(tmp_path), gguf="model.gguf")
    folder, _ = load._plain_folder(spec, tmp_path)
    assert load._plain_folder(spec, tmp_path)[0] == folder
    assert len(made) == 1
    (folder / "tokenizer.json").unlink()
    assert load._plain_folder(spec, tmp_path)[0] == folder
    assert (folder / "tokenizer.json").is_file()
    (folder / "model.safetensors").write_bytes(b"WEIGHTS")
    assert load._plain_folder(spec, tmp_path)[0] == folder
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert len(made) == 3
