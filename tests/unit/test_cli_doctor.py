"""`pointsman doctor` sees what the closed model and search stand on; and models chosen for what they cannot do."""

from __future__ import annotations

import functools
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pointsman.cli.app import cli
from pointsman.cli.common import Cli
from pointsman.errors import ConfigError, NotFound
from pointsman.gateway.audit import AuditLog
from pointsman.models.catalogue import check_roles, defaults, load_catalogue
from pointsman.models.fit import Hardware
from pointsman.models.store import ModelStore
from pointsman.policy import layers
from pointsman.policy.trust import Trust
from pointsman.settings import Paths, Settings
from pointsman.wiring.maker import CatalogueMaker

OWN = (
    'version = 1\n[[own.endpoints]]\nname = "team"\nbase_url = "http://127.0.0.1:9/v1"\nkind = "openai"\nmodel = "m"\n'
)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("POINTSMAN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("POINTSMAN_POLICY", raising=False)
    monkeypatch.setattr(layers, "ORGANISATION", tmp_path / "none.toml")
    monkeypatch.setattr(
        "pointsman.models.fit.hardware", lambda **_: Hardware(cores=2, total_mb=8000, available_mb=6000)
    )
    return Paths.resolve().ensure()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, obj=Cli())


def found(check: str) -> list[dict[str, Any]]:
    result = run("doctor", "--json")
    assert result.exit_code == 1, "no model is installed here"
    return [one for one in json.loads(result.stdout)["findings"] if one["check"] == check]


def states(check: str) -> list[str]:
    return [one["state"] for one in found(check)]


def test_a_damaged_trust_store(paths: Paths, tmp_path: Path) -> None:
    Trust(paths.config).trust(tmp_path)
    assert states("trust") == ["ok"]
    (paths.config / "trust.json").write_text("{")
    (one,) = found("trust")
    assert one["state"] == "problem" and "trust your workspaces again" in one["remedy"]


def test_a_quota_that_cannot_be_kept(paths: Paths) -> None:
    assert states("quota") == []
    paths.quota.write_bytes(b"no database at all" * 100)
    (one,) = found("quota")
    assert one["state"] == "problem" and str(paths.quota) in one["remedy"]


def test_a_damaged_audit_log(paths: Paths) -> None:
    AuditLog(paths.audit).append("intent", {"id": "r"})
    assert states("audit") == ["ok"]
    (paths.data / "audit-head.json").unlink()
    AuditLog(paths.audit)
    (segment,) = paths.audit.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b"intent", b"intend"))
    (one,) = found("audit")
    assert one["state"] == "problem" and one["remedy"] == "pointsman audit verify"


def test_a_vector_server(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    assert states("store.url") == []
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        paths.settings_file.write_text(f'store.url = "{url}"\nstore.key = "env:NO_SUCH_KEY"\n')
        (one,) = found("vectors")
        assert one["state"] == "problem" and "env:NO_SUCH_KEY" in one["detail"] and "host stop" in one["remedy"]
        monkeypatch.setenv("NO_SUCH_KEY", "canary-key")
        assert states("store.url") == ["ok"]
    assert states("store.url") == ["problem"]
    (paths.config / "policy.toml").write_text("version = 1\nlocal_only = true\n")
    assert states("store.url") == ["note"]
    (paths.config / "policy.toml").unlink()
    paths.settings_file.write_text('store.url = "http://vectors.example"\n')
    assert states("vectors") == ["problem"]


@pytest.mark.parametrize(
    ("setting", "name"),
    [("embedder", "smollm2-135m"), ("completion_model", "code-minilm"), ("chat_model", "jina-code")],
)
def test_a_model_in_the_wrong_role(paths: Paths, setting: str, name: str) -> None:
    paths.settings_file.write_text(f'{setting} = "{name}"\n')
    (one,) = found("roles")
    assert one["state"] == "problem" and f"{setting}: {name} is for " in one["detail"]
    settings, maker = Settings.load(paths, {}), CatalogueMaker(paths)
    for use in (maker.ensure_installed, maker.grant):
        with pytest.raises(ConfigError, match=f"{setting}: {name} is for"):
            use(load_catalogue().get("smollm2-135m"), settings)


def test_a_mistake_in_the_settings_is_told_once(paths: Paths) -> None:
    paths.settings_file.write_text('enginee = "torch"\n')
    problems = [one for one in json.loads(run("doctor", "--json").stdout)["findings"] if "enginee" in one["detail"]]
    assert [one["check"] for one in problems] == ["settings"] and states("trust") == ["ok"], "the others go on"
    paths.settings_file.write_text('completion_model = "nope"\n')
    problems = [one for one in json.loads(run("doctor", "--json").stdout)["findings"] if "nope" in one["detail"]]
    (one,) = problems
    assert one["check"] == "settings" and "completion_model in settings.toml" in one["detail"]
    assert one["remedy"] == "pointsman models list shows all names", "nothing is near"
    paths.settings_file.write_text("")
    assert states("settings") == ["ok"]


@pytest.mark.parametrize("arguments", [("models", "pull"), ("search", "x", "--path", "."), ("complete", "a.py:1:5")])
def test_a_setting_that_names_no_model_is_named(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("x = \n")
    setting = "embedder" if arguments[0] == "search" else "completion_model"
    paths.settings_file.write_text(f'{setting} = "nope"\n')
    monkeypatch.setattr(Cli, "services", functools.partialmethod(Cli.services, in_process=True))
    result = run(*arguments)
    assert f"{setting} in settings.toml" in f"{result.exception} {result.stderr}"


def test_models_in_their_roles(paths: Paths) -> None:
    check_roles(Settings(), load_catalogue())
    check_roles(Settings(completion_model="unheard-of"), load_catalogue())  # which has an error of its own
    assert states("roles") == []
    paths.settings_file.write_text('completion_model = "qwen2.5-coder-0.5b"\n')
    (one,) = found("roles")
    assert one["state"] == "note" and "--for chat" in one["remedy"]


def test_with_an_own_server_no_writer_need_be_here(paths: Paths) -> None:
    assert defaults(Settings(engine="own")) == ("code-minilm",)
    paths.settings_file.write_text('engine = "own"\n')
    assert [one["detail"] for one in found("model")] == ["code-minilm is not installed"]
    (one,) = found("policy")
    assert one["state"] == "problem" and "own.endpoints" in one["remedy"]
    (paths.config / "policy.toml").write_text(OWN)
    assert states("policy") == [] and states("own endpoint") == ["ok"]


def test_in_a_folder_that_is_gone(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert states("policy") == ["problem"] and states("host") == ["ok"]


def test_use_of_an_own_server_needs_one(paths: Paths) -> None:
    refused = run("models", "use", "qwen2.5-coder-7b", "--engine", "own")
    assert isinstance(refused.exception, ConfigError) and not paths.settings_file.exists()
    (paths.config / "policy.toml").write_text(OWN)
    assert run("models", "use", "qwen2.5-coder-7b", "--engine", "own").exception is None
    assert Settings.load(paths, {}).engine == "own"
    missing = run("models", "use", "all-minilm-l6-v2", "--engine", "own")
    assert isinstance(missing.exception, NotFound), "an own server embeds nothing"


def test_use_warns_of_a_model_that_cannot_chat(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelStore, "folder", lambda *_: paths.models)
    assert "--for chat" in run("models", "use", "qwen2.5-coder-0.5b").stderr
    assert run("models", "use", "smollm2-135m").stderr == ""
    assert run("models", "use", "smollm2-135m", "--for", "chat").stderr == ""
    assert run("models", "use", "qwen2.5-coder-0.5b").stderr == ""
