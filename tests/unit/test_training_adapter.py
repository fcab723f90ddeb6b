"""The script that trains the adapter measures what it writes, and writes nothing worse than what was there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402
from tokenizers import Tokenizer, models  # noqa: E402
from training.retrieval import train as script  # noqa: E402

from pointsman.worker.lowrank import LowRank, attach, tensors  # noqa: E402


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    folder = tmp_path / "model"
    config = transformers.BertConfig(
        vocab_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    model = transformers.BertModel(config)
    model.save_pretrained(folder)
    Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")).save(str(folder / "tokenizer.json"))
    save_file(tensors(attach(model, 2, {})), tmp_path / "before.safetensors")
    (tmp_path / "pairs.jsonl").write_text(json.dumps({"package": "p", "query": "q", "code": "c"}) + "\n")
    files = (str(tmp_path / name) for name in ("pairs.jsonl", "out.safetensors"))
    return ["train.py", *files, "--model", str(folder), "--init", str(tmp_path / "before.safetensors")]


def learn_ones(encode: object, parameters: list[Any], *rest: object, **named: object) -> None:
    for parameter in parameters:
        parameter.data.fill_(1.0)


@pytest.mark.parametrize(("mean", "written"), [(0.8, True), (1.2, False)])
def test_the_mean_of_before_and_after_is_measured(
    mean: float,
    written: bool,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def check(model: Any, held: object) -> float:
        up = next(module.up for module in model.modules() if isinstance(module, LowRank))
        return {0.0: 1.0, 1.0: 0.9, 0.5: mean}[up.mean().item()]

    monkeypatch.setattr(script, "check", check)
    monkeypatch.setattr(script, "train", learn_ones)
    monkeypatch.setattr(sys, "argv", arguments)
    if written:
        script.main()
        assert all(value.mean() == 0.5 for name, value in load_file(arguments[2]).items() if name.endswith(".up"))
    else:
        with pytest.raises(SystemExit, match="not written"):
            script.main()
        assert not Path(arguments[2]).exists()
    told = capsys.readouterr().out
    assert "before: 1.000" in told and "after: 0.900" in told and f"mean of both: {mean:.3f}" in told


def test_a_rank_beside_an_adapter_that_has_one_is_an_error(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [*arguments, "--rank", "8"])
    with pytest.raises(SystemExit):
        script.main()
    assert "--rank goes without --init" in capsys.readouterr().err
