"""The catalogue: complete, honest about hashes, and strict about its own files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pointsman.errors import ConfigError, NotFound
from pointsman.models.card import Card
from pointsman.models.catalogue import defaults, load_catalogue, read_catalogue
from pointsman.settings import Settings

CARDS = load_catalogue().cards
WANTED = {
    "smollm2-135m": "Apache-2.0",
    "gemma3-270m": "LicenseRef-Gemma",
    "qwen2.5-coder-0.5b": "Apache-2.0",
    "qwen2.5-coder-1.5b": "Apache-2.0",
    "qwen2.5-coder-7b": "Apache-2.0",
    "qwen2.5-coder-14b": "Apache-2.0",
    "starcoder2-3b": "LicenseRef-BigCode-OpenRAIL-M",
    "starcoder2-7b": "LicenseRef-BigCode-OpenRAIL-M",
    "deepseek-coder-6.7b": "LicenseRef-DeepSeek",
    "granite-code-8b": "Apache-2.0",
    "seed-coder-8b": "MIT",
    "falcon3-7b": "LicenseRef-Falcon-LLM",
    "codestral-22b": "LicenseRef-MNPL",
    "all-minilm-l6-v2": "Apache-2.0",
    "code-minilm": "Apache-2.0",
    "jina-code": "Apache-2.0",
    "coderankembed": "MIT",
    "nomic-embed-code": "Apache-2.0",
}


@pytest.mark.parametrize(("name", "licence"), WANTED.items())
def test_it_has_the_model_under_its_licence(name: str, licence: str) -> None:
    assert load_catalogue().get(name).licence == licence


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_hashes_are_there_for_packages_and_never_made_up_for_hubs(card: Card) -> None:
    if card.source.kind == "hub":
        assert card.source.revision == "" and card.files == () and card.source.package_sha256 == {}
        return
    pieces = [piece for file in card.files for piece in (file, *file.parts)]
    hashes = [piece.sha256 for piece in pieces] + list(card.source.package_sha256.values())
    assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in hashes)
    assert len(set(hashes)) == len(hashes)
    assert all(piece.bytes > 0 for piece in pieces)


def test_the_defaults_need_no_hub() -> None:
    names = defaults(Settings())
    assert names == ("smollm2-135m", "code-minilm")
    assert {load_catalogue().get(name).source.kind for name in names} == {"pypi"}


def test_a_chat_model_of_its_own_is_one_of_the_defaults() -> None:
    settings = Settings(completion_model="qwen2.5-coder-0.5b", chat_model="falcon3-7b")
    assert defaults(settings) == ("qwen2.5-coder-0.5b", "falcon3-7b", "code-minilm")


def test_terms_are_asked_for_where_the_licence_wants_it() -> None:
    assert {card.name for card in CARDS if card.terms} == {
        "gemma3-270m",
        "codestral-22b",
        "code-llama-7b",
        "code-llama-13b",
    }
    assert [card.name for card in CARDS if card.non_production] == ["codestral-22b"]


def test_gemma_is_joined_from_four_parts() -> None:
    file = load_catalogue().get("gemma3-270m").files[0]
    assert len(file.parts) == 4 and sum(part.bytes for part in file.parts) == file.bytes


def test_markers_of_fill_in_the_middle_are_special_tokens() -> None:
    with_fim = {card.name: card.fim for card in CARDS if card.fim}
    assert "smollm2-135m" not in with_fim and "gemma3-270m" not in with_fim
    assert with_fim["seed-coder-8b"].order == with_fim["codestral-22b"].order == "spm"
    assert with_fim["qwen2.5-coder-7b"].order == "psm"


def test_an_unknown_name_says_what_is_near() -> None:
    with pytest.raises(NotFound, match=r"did you mean .*smollm2-135m"):
        load_catalogue().get("smolm2")


GOOD = """
[[model]]
name = "tiny"
title = "Tiny"
family = "Test"
roles = ["completion"]
parameters_m = 1.0
licence = "MIT"
licence_url = "https://example.org/"
context_length = 512
memory_mb = { full = 2 }
special_tokens = ["<a>"]
stop_tokens = ["<a>"]
source = { kind = "pypi", location = "tiny==1.0", package_sha256 = { "tiny==1.0" = "HASH" } }
[[model.files]]
name = "tiny.gguf"
sha256 = "HASH"
bytes = 3
""".replace("HASH", "a" * 64)


def write(folder: Path, text: str) -> Path:
    (folder / "test.toml").write_text(text, "utf-8")
    return folder


def test_a_good_file_is_read(tmp_path: Path) -> None:
    assert read_catalogue(write(tmp_path, GOOD)).get("tiny").context_length == 512


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('title = "Tiny"', 'title = "Tiny"\ntitel = "x"', "titel"),
        ("context_length = 512", 'context_length = "512"', "context_length"),
        ("bytes = 3", "bytes = true", "bytes"),
        ('sha256 = "' + "a" * 64, 'sha256 = "' + "A" * 64, "sha256"),
        ('sha256 = "' + "a" * 64 + '"\nbytes', 'sha256 = ""\nbytes', "sha256"),
        ('"tiny==1.0" = "' + "a" * 64, '"tiny==2.0" = "' + "a" * 64, "wheel"),
        ("tiny.gguf", "tiny.bin", "not a file that a model may have"),
        ("tiny.gguf", "modeling.py", "not a file that a model may have"),
        ("tiny.gguf", "../tiny.gguf", "not a file that a model may have"),
        ('"completion"', '"completion", "chat"', "chat format"),
        ('"completion"', '"embedding"', "dimension"),
        ('["<a>"]\nsource', '["<b>"]\nsource', "special tokens"),
        ("full = 2", "int8 = 2", "memory_mb"),
        ("full = 2", "gguf = 2", "go together"),
        ('"MIT"', '"MIT or so"', "SPDX"),
        ('name = "tiny"', 'name = "Tiny Model"', "lower-case"),
        ('kind = "pypi", location = "tiny==1.0"', 'kind = "hub", location = "a/b"', "locked at its first pull"),
        ("[[model]]", "[[models]]", "unknown table"),
    ],
)
def test_a_wrong_file_is_refused_and_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=re.escape(complaint)) as caught:
        read_catalogue(write(tmp_path, GOOD.replace(old, new, 1)))
    assert "test.toml" in caught.value.message


def test_a_hub_revision_must_be_a_commit(tmp_path: Path) -> None:
    start, _, _ = GOOD.partition("source =")
    text = start + 'source = { kind = "hub", location = "a/b", revision = "main" }\n'
    with pytest.raises(ConfigError, match="full commit"):
        read_catalogue(write(tmp_path, text))


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="more than one"):
        read_catalogue(write(tmp_path, GOOD + GOOD))
