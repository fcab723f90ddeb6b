"""`pointsman policy` where something beside the policy is wrong, and keys that are not there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pointsman.cli.app import cli
from pointsman.cli.common import Cli
from pointsman.errors import ConfigError
from pointsman.gateway.keys import resolve
from pointsman.policy import layers
from pointsman.policy.trust import Trust
from pointsman.settings import Paths


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("POINTSMAN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("POINTSMAN_POLICY", raising=False)
    monkeypatch.setattr(layers, "ORGANISATION", tmp_path / "none.toml")
    return Paths.resolve().ensure()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["policy", *map(str, arguments)], obj=Cli())


def test_a_policy_is_shown_also_without_its_quota(paths: Paths, tmp_path: Path) -> None:
    assert json.loads(run("show", tmp_path, "--json").stdout)["used"]["month"]["requests"] == 0
    for file in paths.data.glob("quota*"):
        file.unlink()
    paths.quota.write_bytes(b"no database at all" * 100)
    result = run("show", tmp_path, "--json")
    assert result.exception is None and json.loads(result.stdout)["used"] is None
    assert "the quota cannot be kept" in result.stderr and str(paths.quota) in result.stderr
    result = run("show", tmp_path)
    assert result.exception is None and "sha256" in result.stdout and "used this" not in result.stdout


def test_what_is_printed_is_as_sound_as_what_is_written(paths: Paths, tmp_path: Path) -> None:
    entry = ("add-endpoint", "mistral", "--model", "m", "--price", "1", "1", "--print")
    assert 'name = "mistral"' in run(*entry).stdout
    refused = run(*entry, "--key", "sk-in-the-open")
    assert isinstance(refused.exception, ConfigError) and refused.stdout == ""
    refused = run(*entry[:-1], "--file", "~nobody-of-this-name/policy.toml")
    assert isinstance(refused.exception, ConfigError)


@pytest.mark.parametrize(
    ("reference", "remedy"),
    [("env:NO_SUCH_KEY", "pointsman host stop"), ("file:/nonexistent/key", "chmod 600 /nonexistent/key")],
)
def test_a_key_that_is_not_there_comes_with_a_way_to_give_it(reference: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(reference, {})
    assert remedy in caught.value.remedy


def test_a_key_in_the_home_of_nobody() -> None:
    with pytest.raises(ConfigError, match="absolute"):
        resolve("file:~nobody-of-this-name/key")


def test_what_was_trusted_is_untrusted_wherever_it_lies_by_now(paths: Paths, tmp_path: Path) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    assert run("trust", inner).exit_code == 0
    subprocess.run(["git", "init", "-q", str(outer)], check=True)
    assert json.loads(run("untrust", inner, "--json").stdout)["was_known"] is True
    assert not Trust(paths.config).is_trusted(inner)
    assert run("trust", outer).exit_code == 0
    inner.rmdir()
    outer.rename(tmp_path / "renamed")
    assert json.loads(run("untrust", outer, "--json").stdout)["was_known"] is True
