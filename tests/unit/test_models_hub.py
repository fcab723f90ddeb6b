"""Pulls from a hub: trust on first use, then exactly those bytes; no pickles, no code, no token astray."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pointsman.errors import ConfigError, PointsmanError, VerificationError
from pointsman.models.card import Card, Source
from pointsman.models.store import ModelStore
from tests.models_http import FileServer, card, serve_repository, serving, sha256, store

FIRST, SECOND = "1" * 40, "2" * 40
REPOSITORY = "owner/tiny"
CONFIG = json.dumps({"model_type": "tiny", "hidden_size": 8}).encode()
FILES = {
    "model.safetensors": b"safe weights " * 1000,
    "config.json": CONFIG,
    "tokenizer.json": b'{"version": "1.0"}',
    "README.md": b"# Tiny",
    "pytorch_model.bin": b"pickle",
    "weights.pt": b"pickle",
    "data.pkl": b"pickle",
    "modeling_tiny.py": b"raise SystemExit",
    "onnx/model.onnx": b"onnx",
    "sub/config.json": b"{}",
    "../escape.json": b"{}",
}
KEPT = {"model.safetensors", "config.json", "tokenizer.json"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving(monkeypatch) as server:
        yield server


def hub_card(**changes: Any) -> Card:
    return card(source=Source(kind="hub", location=REPOSITORY), **changes)


@pytest.fixture
def models(server: FileServer, tmp_path: Path) -> ModelStore:
    serve_repository(server, REPOSITORY, FIRST, FILES)
    return store(tmp_path, server, hub_card())


def damage(models: ModelStore) -> None:
    (models.folder("tiny") / "model.safetensors").write_bytes(b"?")


def test_the_first_pull_locks_what_came(models: ModelStore, tmp_path: Path) -> None:
    result = models.pull("tiny", accept_terms=False)
    assert result.locked is not None and result.locked.revision == FIRST
    assert result.locked.files == {name: sha256(FILES[name]) for name in KEPT}
    manifest = models.manifest("tiny")
    assert manifest is not None and manifest.first_use and manifest.revision == FIRST
    lock = tmp_path / "config" / "models.lock.json"
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600 and FIRST in lock.read_text()
    again = models.pull("tiny", accept_terms=False)
    assert not again.changed and again.locked is None


def test_only_weights_without_code_configuration_and_tokenizer_are_asked_for(
    models: ModelStore, server: FileServer
) -> None:
    models.pull("tiny", accept_terms=False)
    assert {p.name for p in models.folder("tiny").iterdir()} == KEPT | {"manifest.json"}
    asked = {seen.path.rpartition("/")[2] for seen in server.requested("/resolve/")}
    assert asked == KEPT


def test_a_repository_with_pickles_only_is_refused(server: FileServer, tmp_path: Path) -> None:
    files = {name: content for name, content in FILES.items() if name != "model.safetensors"}
    serve_repository(server, REPOSITORY, FIRST, files)
    models = store(tmp_path, server, hub_card())
    with pytest.raises(PointsmanError, match="no safetensors"):
        models.pull("tiny", accept_terms=False)
    assert server.requested("/resolve/") == [] and not models.installed("tiny")


def test_a_later_pull_stays_at_the_locked_revision(models: ModelStore, server: FileServer) -> None:
    models.pull("tiny", accept_terms=False)
    serve_repository(server, REPOSITORY, SECOND, {**FILES, "model.safetensors": b"newer"})
    damage(models)
    assert models.pull("tiny", accept_terms=False).changed
    assert (models.verified_folder("tiny") / "model.safetensors").read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize("name", sorted(KEPT))
def test_a_file_that_changed_under_the_locked_revision_is_refused(
    models: ModelStore, server: FileServer, name: str
) -> None:
    models.pull("tiny", accept_terms=False)
    before = models.folder("tiny")
    serve_repository(server, REPOSITORY, FIRST, {**FILES, name: FILES[name].replace(b"i", b"j")})
    damage(models)
    with pytest.raises(VerificationError, match=name):
        models.pull("tiny", accept_terms=False)
    assert models.folder("tiny") == before  # not replaced, and still found to be damaged
    with pytest.raises(VerificationError):
        models.verify("tiny")


def test_another_commit_than_the_locked_one_is_refused(models: ModelStore, server: FileServer) -> None:
    models.pull("tiny", accept_terms=False)
    serve_repository(server, REPOSITORY, SECOND, FILES, branch=FIRST)
    damage(models)
    with pytest.raises(VerificationError, match=SECOND):
        models.pull("tiny", accept_terms=False)


def test_a_file_that_disappeared_or_appeared_is_refused(models: ModelStore, server: FileServer) -> None:
    models.pull("tiny", accept_terms=False)
    damage(models)
    serve_repository(server, REPOSITORY, FIRST, {**FILES, "vocab.txt": b"new"})
    with pytest.raises(VerificationError, match=r"vocab\.txt"):
        models.pull("tiny", accept_terms=False)


def test_a_revision_of_the_catalogue_is_the_one_that_is_asked_for(server: FileServer, tmp_path: Path) -> None:
    serve_repository(server, REPOSITORY, FIRST, FILES)
    serve_repository(server, REPOSITORY, SECOND, {**FILES, "model.safetensors": b"newer"})
    source = Source(kind="hub", location=REPOSITORY, revision=FIRST)
    result = store(tmp_path, server, card(source=source)).pull("tiny", accept_terms=False)
    assert result.locked is not None and result.locked.revision == FIRST


def test_relocking_takes_the_newest_and_a_rollback_returns(models: ModelStore, server: FileServer) -> None:
    models.pull("tiny", accept_terms=False)
    serve_repository(server, REPOSITORY, SECOND, {**FILES, "model.safetensors": b"newer"})
    result = models.pull("tiny", accept_terms=False, relock=True)
    assert result.locked is not None and result.locked.revision == SECOND
    assert (models.verified_folder("tiny") / "model.safetensors").read_bytes() == b"newer"
    models.rollback("tiny")
    assert (models.verified_folder("tiny") / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert not models.pull("tiny", accept_terms=False).changed  # what was rolled back to is what is locked


def test_relocking_the_same_revision_changes_no_byte(models: ModelStore) -> None:
    models.pull("tiny", accept_terms=False)
    before = models.folder("tiny").stat().st_ino
    models.pull("tiny", accept_terms=False, relock=True)
    assert models.folder("tiny").stat().st_ino == before


def test_keys_that_point_at_code_are_taken_out(server: FileServer, tmp_path: Path) -> None:
    config = json.dumps({"model_type": "tiny", "auto_map": {"AutoModel": "modeling_tiny.Tiny"}, "n": 1}).encode()
    serve_repository(server, REPOSITORY, FIRST, {**FILES, "config.json": config})
    models = store(tmp_path, server, hub_card())
    result = models.pull("tiny", accept_terms=False)
    kept = json.loads((models.verified_folder("tiny") / "config.json").read_text())
    assert kept == {"model_type": "tiny", "n": 1}
    assert result.locked is not None and result.locked.served["config.json"] == sha256(config)
    manifest = models.manifest("tiny")
    assert manifest is not None and manifest.without_code == ("config.json",)
    damage(models)
    assert models.pull("tiny", accept_terms=False).changed
    models.verify("tiny")


def test_shards_come_whole(server: FileServer, tmp_path: Path) -> None:
    shards = {f"model-{n:05}-of-00002.safetensors": b"shard %d" % n for n in (1, 2)}
    texts = {"config.json": CONFIG, "model.safetensors.index.json": b"{}", "consolidated.safetensors": b"twice"}
    serve_repository(server, REPOSITORY, FIRST, {**texts, **shards})
    models = store(tmp_path, server, hub_card())
    models.pull("tiny", accept_terms=False)
    names = {p.name for p in models.folder("tiny").iterdir()}
    assert names == {*shards, "config.json", "model.safetensors.index.json", "manifest.json"}
    serve_repository(server, REPOSITORY, SECOND, {**texts, "model-00002-of-00002.safetensors": b"alone"})
    with pytest.raises(PointsmanError, match="lacks some of its weights"):
        models.pull("tiny", accept_terms=False, relock=True)


def test_bytes_that_differ_from_what_the_hub_announced_are_refused(models: ModelStore, server: FileServer) -> None:
    path = f"/{REPOSITORY}/resolve/{FIRST}/model.safetensors"
    server.files[path] = server.files[path].replace(b"safe", b"evil")
    with pytest.raises(VerificationError, match=r"model\.safetensors"):
        models.pull("tiny", accept_terms=False)
    assert not models.installed("tiny")


def test_weights_too_large_for_the_model_are_cut_off(server: FileServer, tmp_path: Path) -> None:
    serve_repository(server, REPOSITORY, FIRST, {**FILES, "model.safetensors": b"0" * 600_000})
    with pytest.raises(VerificationError, match="longer than"):
        store(tmp_path, server, hub_card(parameters_m=0.1)).pull("tiny", accept_terms=False)


def test_a_broken_connection_is_continued_file_by_file(models: ModelStore, server: FileServer) -> None:
    server.status[f"/{REPOSITORY}/resolve/{FIRST}/tokenizer.json"] = 404
    with pytest.raises(PointsmanError, match="404"):
        models.pull("tiny", accept_terms=False)
    server.status.clear()
    server.seen.clear()
    models.pull("tiny", accept_terms=False)
    assert server.requested("model.safetensors") == []  # it was here, and its hash known


def test_the_token_stays_with_the_hub(
    models: ModelStore, server: FileServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    storage = FileServer(files={"/blob": FILES["model.safetensors"]})
    stop = storage.start()
    server.redirects[f"/{REPOSITORY}/resolve/{FIRST}/model.safetensors"] = storage.url + "/blob"
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    models.pull("tiny", accept_terms=False)
    stop()
    assert all(seen.headers["authorization"] == "Bearer hf_canary" for seen in server.seen)
    assert [seen.headers.get("authorization") for seen in storage.seen] == [None]
    everything = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(b"hf_canary" in content for content in everything)


def test_a_gated_repository_says_what_to_do(models: ModelStore, server: FileServer) -> None:
    server.status[f"/api/models/{REPOSITORY}/revision/main"] = 401
    with pytest.raises(PointsmanError) as caught:
        models.pull("tiny", accept_terms=False)
    assert "HF_TOKEN" in caught.value.remedy


def test_the_endpoint_of_the_environment_is_honoured(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_repository(server, REPOSITORY, FIRST, FILES)
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
    assert store(tmp_path, None, hub_card()).pull("tiny", accept_terms=False).changed


def test_an_endpoint_without_https_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.example.invalid")
    with pytest.raises(ConfigError, match="https"):
        store(tmp_path, None, hub_card()).pull("tiny", accept_terms=False)


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"sha": "main", "siblings": []}', b'{"sha": 1, "siblings": [{}]}'])
def test_an_answer_that_is_no_listing_is_refused(models: ModelStore, server: FileServer, answer: bytes) -> None:
    server.files[f"/api/models/{REPOSITORY}/revision/main"] = answer
    with pytest.raises(PointsmanError):
        models.pull("tiny", accept_terms=False)
    assert not models.installed("tiny")
