"""`pointsman policy` and `pointsman audit` for those who write a policy for many: presets, checks, kept bodies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pointsman.cli.audit import audit
from pointsman.cli.common import Cli
from pointsman.cli.models import models
from pointsman.cli.policy import policy
from pointsman.errors import ConfigError, GatewayError, NotFound, PolicyRefusal, UsageError
from pointsman.gateway.bodies import SealedBodies, new_key, read_key
from pointsman.policy import layers, presets
from pointsman.policy.parse import parse
from pointsman.policy.schema import PolicyFile

FILL = {"base_url": "https://mine.example/v1", "region": "eu"}
GOOD = """version = 1
[closed]
enabled = true
tasks = ["refactor"]
{entry}
[closed.quota]
requests_per_day = 100
usd_per_month = 10.0
[route]
regions = ["eu"]
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POINTSMAN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("POINTSMAN_POLICY", raising=False)
    monkeypatch.setattr(layers, "ORGANISATION", tmp_path / "none.toml")
    return tmp_path / "home"


def run(group: Any, *arguments: str) -> Result:
    return CliRunner().invoke(group, arguments, obj=Cli(), catch_exceptions=True)


@pytest.mark.parametrize("name", presets.all_presets())
def test_every_preset_is_a_sound_entry_with_dated_sources(name: str) -> None:
    preset = presets.get(name)
    text = presets.entry(preset, models=("m",), prices=(1.0, 2.0), **FILL)
    file, problems = parse(f"version = 1\n{text}".encode(), PolicyFile, layer="user", file="x")
    assert problems == () and file.closed is not None
    (entry,) = file.closed.endpoints
    assert (entry.name, entry.models, entry.region) == (name, ("m",), "eu")
    assert all(source.startswith("https://") and source in text for source in preset.sources)
    assert preset.read in text and all(fact in text for fact in preset.facts)
    assert any(fact.startswith("Region") for fact in preset.facts) and "etention" in " ".join(preset.facts)


def test_what_only_the_user_knows_must_be_said() -> None:
    with pytest.raises(UsageError, match="base_url"):
        presets.entry(presets.get("azure-openai"), models=("m",), prices=(1.0, 1.0))
    with pytest.raises(NotFound):
        presets.get("nobody")


def test_an_entry_is_added_to_what_is_there_and_grants_nothing_by_itself(home: Path) -> None:
    added = run(policy, "add-endpoint", "mistral", "--model", "codestral", "--price", "0.3", "0.9")
    assert added.exit_code == 0, added.output
    assert not layers.check(home / "config" / "policy.toml").enabled
    again = run(policy, "add-endpoint", "deepseek", "--model", "chat", "--price", "0.3", "0.9")
    assert again.exit_code == 0
    found = layers.check(home / "config" / "policy.toml")
    assert [entry.name for entry in found.endpoints] == ["mistral", "deepseek"] and found.problems == ()


def test_a_second_entry_of_the_same_name_is_not_written(home: Path) -> None:
    arguments = ("add-endpoint", "mistral", "--model", "m", "--price", "1", "1")
    run(policy, *arguments)
    before = (home / "config" / "policy.toml").read_bytes()
    assert isinstance(run(policy, *arguments).exception, ConfigError)
    assert isinstance(run(policy, *arguments, "--name", "b", "--key", "sk-in-the-open").exception, ConfigError)
    assert (home / "config" / "policy.toml").read_bytes() == before


def test_models_and_prices_are_asked_for(home: Path) -> None:
    assert isinstance(run(policy, "add-endpoint", "openai").exception, UsageError)
    assert "OpenAI" in run(policy, "add-endpoint").output


def test_check_reads_a_file_as_the_layer_that_it_will_be(home: Path, tmp_path: Path) -> None:
    entry = presets.entry(presets.get("mistral"), models=("m",), prices=(1.0, 1.0))
    file = tmp_path / "policy.toml"
    file.write_text(GOOD.format(entry=entry))
    assert run(policy, "check", "--layer", "organisation", "--strict", str(file)).exit_code == 0
    as_repository = json.loads(run(policy, "check", "--layer", "repository", "--json", str(file)).output)
    assert as_repository["ok"], "an endpoint that a repository lists only narrows"
    file.write_text(file.read_text() + "\n[review]\noutbound = 'never'\n")
    assert run(policy, "check", str(file)).exit_code == 0
    strict = run(policy, "check", "--strict", "--json", str(file))
    assert strict.exit_code == 1 and any("review.outbound" in line for line in json.loads(strict.output)["warnings"])
    file.write_text(file.read_text() + "surprise = 1\n")
    wrong = run(policy, "check", "--json", str(file))
    assert wrong.exit_code == 1 and json.loads(wrong.output)["problems"][0]["line"] > 1


def test_check_with_the_organisations_file_of_a_checkout(home: Path, tmp_path: Path) -> None:
    (home / "config").mkdir(parents=True)
    file = tmp_path / "organisation.toml"
    file.write_text("version = 1\nlocal_only = 3\n")
    assert "organisation.toml:2" in str(run(policy, "check", "--organisation", str(file), str(tmp_path)).exception)


def test_explain_names_the_rule_for_what_is_described(home: Path, tmp_path: Path) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "policy.toml").write_text("version = 1\nlocal_only = true\n")
    shown = json.loads(run(policy, "explain", str(tmp_path), "--target", "closed", "--json").output)
    assert (shown["target"], shown["rule"], shown["layer"]) == ("refused", "local_only", "user")


def test_local_only_downloads_no_model(home: Path) -> None:
    (home / "config").mkdir(parents=True)
    (home / "config" / "policy.toml").write_text("version = 1\nlocal_only = true\n")
    error = run(models, "pull", "smollm2-135m").exception
    assert isinstance(error, PolicyRefusal) and error.rule == "local_only"


def test_kept_bodies_open_with_the_private_half_alone(home: Path, tmp_path: Path) -> None:
    made = run(audit, "keygen", str(tmp_path / "key"))
    public = made.output.strip()
    store = SealedBodies(home / "data" / "audit-bodies")
    fields = store.keep("abc1", "request", "naïve body".encode(), public)
    (file,) = (home / "data" / "audit-bodies").iterdir()
    assert b"body" not in file.read_bytes() and file.stat().st_mode & 0o077 == 0 and "sealed_request_sha256" in fields
    assert run(audit, "body", "abc1", "--key", str(tmp_path / "key")).output == "naïve body"
    assert store.keep("abc2", "request", b"x", None) == {}
    new_key(tmp_path / "other")
    with pytest.raises(GatewayError, match="does not open"):
        store.open("abc1", "request", read_key(tmp_path / "other"))
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    file.write_bytes(changed)
    with pytest.raises(GatewayError, match="was changed"):
        store.open("abc1", "request", read_key(tmp_path / "key"))
    with pytest.raises(NotFound):
        store.open("../abc1", "request", read_key(tmp_path / "key"))
    with pytest.raises(ConfigError):
        new_key(tmp_path / "key")


def test_settings_take_a_preference(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pointsman.settings import Paths, Settings

    assert Settings.load(Paths.resolve(), {"POINTSMAN_TARGET": "local"}).target == "local"
    with pytest.raises(ConfigError):
        Settings.load(Paths.resolve(), {"POINTSMAN_TARGET": "cloud"})


ROOT = Path(__file__).parents[2]


def documented(name: str) -> list[str]:
    """The policies in a document."""
    blocks = (ROOT / name).read_text().split("```toml\n")[1:]
    return [text for text in (block.split("```")[0] for block in blocks) if "version = 1" in text]


@pytest.mark.parametrize(("name", "count"), [("docs/policy.md", 4), ("README.md", 1)])
def test_every_policy_in_the_documents_is_sound(name: str, count: int) -> None:
    found = documented(name)
    assert len(found) == count
    for text in found:
        assert parse(text.encode(), PolicyFile, layer="user", file=name)[1] == ()


def test_the_company_s_policy_passes_the_strict_check(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(documented("docs/policy.md")[2])
    checked = run(policy, "check", "--layer", "organisation", "--strict", str(file))
    assert checked.exit_code == 0, checked.output


def test_every_test_that_the_security_page_names_is_there() -> None:
    """By its path, or by its name alone."""
    import re2

    page = (ROOT / "docs" / "security.md").read_text()
    named = re2.findall(r"`(?:(tests/[\w/]+/))?(test_\w+\.py)", page)
    assert len(named) >= 40
    for folder, name in named:
        found = [ROOT / folder / name] if folder else [*(ROOT / "tests").rglob(name)]
        assert found and all(path.is_file() for path in found), name


def test_eval_policy_names_places_and_checks_decisions(home: Path, tmp_path: Path) -> None:
    from pointsman.cli.eval import eval as group

    repo = tmp_path / "repo"
    (repo / ".git").mkdir(parents=True)
    secret = "ghp_" + "Zx9Qw8Er7Ty6Ui5Op4As3Df2Gh1Jk0LzXcVb"
    (repo / "a.py").write_text(f"x = 1\nkey = '{secret}'\n")
    (repo / ".env").write_text(f"KEY={secret}\n")
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"task": "refactor", "target": "closed", "expect": "refused", "rule": "closed"}\n')
    shown = run(group, "policy", "--path", str(repo), "--tasks", str(cases), "--json")
    assert shown.exit_code == 0, shown.output
    report = json.loads(shown.output)
    assert report["files"] == 1 and any(place.startswith("a.py:2 ") for place in report["places"])
    assert report["decisions"][0]["as_expected"] and secret not in shown.output
    cases.write_text('{"task": "completion", "target": "closed", "expect": "closed"}\n')
    assert isinstance(run(group, "policy", "--path", str(repo), "--tasks", str(cases)).exception, ConfigError)
    cases.write_text('{"surprise": 1, "expect": "local"}\n')
    assert isinstance(run(group, "policy", "--path", str(repo), "--tasks", str(cases)).exception, UsageError)
