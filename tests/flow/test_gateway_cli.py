"""`pointsman policy` and `pointsman audit` as a user runs them."""

from __future__ import annotations

import csv
import functools
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pointsman.cli.app import cli
from pointsman.cli.common import Cli
from pointsman.errors import ConfigError, NotFound, PolicyRefusal, VerificationError
from pointsman.gateway.audit import AuditLog
from pointsman.policy import layers
from tests.gateway_site import Site, sha256


@pytest.fixture
def home(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("POINTSMAN_HOME", str(site.paths.config.parent))
    monkeypatch.delenv("POINTSMAN_POLICY", raising=False)
    monkeypatch.setattr(layers, "ORGANISATION", site.repo / "no-such-organisation")
    subprocess.run(["git", "init", "--quiet", site.repo], check=True)
    return site


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], obj=Cli())


def as_json(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def test_show_names_the_layer_of_each_value(home: Site) -> None:
    found = as_json("policy", "show", home.repo / "src")
    assert found["workspace"] == str(home.repo) and found["trusted"] and found["problems"] == []
    assert found["policy"]["closed"]["endpoints"][0]["name"] == "vendor"
    assert found["layers"]["closed.endpoints.vendor"] == "user" and found["layers"]["redact.pii"] == "default"
    shown = run("policy", "show", home.repo).stdout
    assert "[user]" in shown and found["sha256"] in shown


def test_check(home: Site, tmp_path: Path) -> None:
    found = as_json("policy", "check", home.repo)
    assert found["ok"] and found["problems"] == [] and any("review.outbound" in line for line in found["warnings"])
    bad = tmp_path / "bad.toml"
    bad.write_text("version = 1\n\nbogus = 1\n")
    result = run("policy", "check", home.paths.config / "policy.toml", bad)
    assert isinstance(result.exception, ConfigError)
    assert f"{bad}:3: bogus: unknown key" in str(result.exception)
    assert result.exception.exit_code == 1
    assert isinstance(run("policy", "check", tmp_path / "absent").exception, NotFound)


def test_explain_and_trust(home: Site) -> None:
    asked = ("policy", "explain", home.repo, "--target", "closed")
    found = as_json(*asked)
    assert (found["target"], found["endpoint"], found["model"]) == ("closed", "vendor", "big-1")
    assert (found["rule"], found["layer"]) == ("closed.endpoints.vendor", "user")
    assert as_json("policy", "untrust", home.repo)["was_known"]
    assert as_json(*asked)["rule"] == "workspace.untrusted"
    assert as_json("policy", "trust", home.repo / "src")["workspace"] == str(home.repo)
    assert as_json(*asked)["target"] == "closed"
    assert as_json(*asked, "--task", "completion")["rule"] == "task.completion"
    assert "rule: target.local" in run("policy", "explain", home.repo, "--target", "local").stdout


@pytest.mark.parametrize("target", ["closed", "auto"])
def test_a_closed_model_that_was_asked_for_by_name_and_refused_is_in_the_audit_log(
    home: Site, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(Cli, "services", functools.partialmethod(Cli.services, in_process=True))
    (home.repo / "src").mkdir(exist_ok=True)
    (home.repo / "src" / "quiet.py").write_text("def unmistakable():\n    return 1\n")
    assert as_json("policy", "untrust", home.repo)["was_known"]
    result = run("refactor", f"{home.repo}/src/quiet.py:1-2", "return two", "--target", target, "--dry-run")
    if target == "auto":
        assert isinstance(result.exception, NotFound) and home.records() == [], "no model is here; local is no refusal"
        return
    assert isinstance(result.exception, PolicyRefusal) and result.exception.rule == "workspace.untrusted"
    (record,) = as_json("audit", "list")["records"]
    assert (record["kind"], record["task"], record["rule"]) == ("refused", "refactor", "workspace.untrusted")
    assert record["files"] == [sha256(b"src/quiet.py")] and record["policy_sha256"]
    assert "unmistakable" not in str(record) and "quiet" not in str(record)
    assert "workspace.untrusted" in run("audit", "list").stdout and as_json("audit", "verify")["ok"]


async def test_audit(home: Site) -> None:
    assert "nothing" in run("audit", "list").stderr
    reply = await home.gateway().send(home.request())
    listed = as_json("audit", "list")["records"]
    assert [record["kind"] for record in listed] == ["intent", "outcome"]
    assert as_json("audit", "show", reply.record_id)["records"] == listed
    assert as_json("audit", "show", "r-1")["records"] == listed[:1]
    assert isinstance(run("audit", "show", "nothing").exception, NotFound)
    assert as_json("audit", "verify") == {
        "ok": True,
        "records": 2,
        "bad_seq": None,
        "file": "",
        "line": 0,
        "why": "",
        "healed_bytes": 0,
    }
    assert [json.loads(line) for line in run("audit", "export").stdout.splitlines()] == listed
    rows = list(csv.DictReader(io.StringIO(run("audit", "export", "--format", "csv").stdout)))
    assert [row["hash"] for row in rows] == [record["hash"] for record in listed]

    (segment,) = home.paths.audit.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b"vendor", b"vendox", 1))
    result = run("audit", "verify")
    assert isinstance(result.exception, VerificationError)
    assert "record 1 does not match its hash" in str(result.exception)


async def test_a_log_that_was_written_anew_does_not_hold_against_a_head_kept_elsewhere(
    home: Site, tmp_path: Path
) -> None:
    await home.gateway().send(home.request())
    kept = tmp_path / "head.json"
    kept.write_text(run("audit", "head").stdout)
    await home.gateway().send(home.request())
    assert as_json("audit", "verify", "--against", kept)["ok"]
    for file in (*home.paths.audit.iterdir(), *home.paths.data.glob("audit-head*")):
        file.unlink()
    for _ in range(2):
        await home.gateway().send(home.request())
    assert as_json("audit", "verify")["ok"], "by itself it is whole"
    assert isinstance(run("audit", "verify", "--against", kept).exception, VerificationError)


def test_nothing_that_is_printed_drives_the_terminal(home: Site) -> None:
    AuditLog(home.paths.audit).append("refused", {"id": "=cmd()", "task": "\x1b[2J\x1b]52;c;x\x07", "rule": "[red]a"})
    for arguments in (("list",), ("show", "1"), ("export",), ("export", "--format", "csv"), ("list", "--json")):
        shown = run("audit", *arguments).stdout
        assert "\x1b" not in shown and "\x07" not in shown
    assert "[red]a" in run("audit", "list").stdout
    assert "'=cmd()" in run("audit", "export", "--format", "csv").stdout
