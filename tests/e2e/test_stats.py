"""`pointsman stats` as a user types it, over what the store, the audit log and the quota really wrote."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from pointsman.gateway.audit import AuditLog
from pointsman.gateway.quota import Charge, QuotaStore
from pointsman.observe.records import Answer, Suggestion
from pointsman.observe.store import Store
from pointsman.observe.tracker import Retained, Shown, Taken
from pointsman.policy.schema import Quota
from pointsman.settings import Paths
from tests.lspwire import Wire

from .conftest import Home, make_home


@pytest.fixture
def used(tmp_path: Path) -> Home:
    """A home in which two suggestions were made, one taken, and one request went to a closed model."""
    made = make_home(tmp_path / "p", None)
    paths = Paths.resolve(made.environment).ensure()
    store = Store(paths.usage)
    now = time.time()
    for id in ("one", "two"):
        store.answered(
            Answer(
                at=now,
                language="python",
                model="tiny",
                automatic=True,
                items=1,
                cache="miss",
                reason="",
                timings_ms={"decode": 30.0, "total": 40.0},
            )
        )
        store.suggested(Suggestion(id=id, at=now, language="python", model="tiny", digest="", features={}))
        store.happened(Shown(id))
    store.happened(Taken(id="one", outcome="accepted", accepted=12, typed=0))
    store.happened(Retained("one", 30, 1.0))
    store.close()
    log = AuditLog(paths.audit)
    common = {"id": "r1", "task": "chat", "endpoint": "vendor", "model": "big"}
    log.append("intent", {**common, "tokens": 900, "usd": 0.9, "status": "sending"})
    log.append("outcome", {**common, "tokens": 300, "usd": 0.3, "status": "ok"})
    log.append("refused", {"id": "r2", "task": "chat", "rule": "closed.tasks", "status": "refused"})
    QuotaStore(paths.quota).reserve("r1", Charge(tokens=300, micro_usd=300_000), Quota())
    return made


def test_json(used: Home) -> None:
    found = used.run("stats", "--json").json
    assert found["recording"] is True
    assert found["quota"]["day"] == {"requests": 1, "tokens": 300, "usd": 0.3}
    for period in found["periods"].values():
        assert (period["requests"], period["answered_share"]) == (2, 1.0)
        assert period["latency_ms"]["total"] == {"p50": 40.0, "p95": 40.0, "count": 2}
        assert period["suggestions"]["accepted"] == 1 and period["suggestions"]["accepted_share"] == 0.5
        assert period["by_model"]["tiny"]["kept"]["30"] == {"seen": 1, "share": 1.0}
        local, closed, refused = period["routes"]
        assert (local["target"], local["requests"]) == ("local", 2)
        assert (closed["endpoint"], closed["requests"], closed["tokens"], closed["usd"]) == ("vendor", 1, 300, 0.3)
        assert (refused["requests"], refused["refused"]) == (0, 1)


def test_on_the_terminal_and_as_a_page(used: Home, tmp_path: Path) -> None:
    shown = used.run("stats").out
    for words in ("Last day", "Last 30 days", "Milliseconds by stage", "python", "vendor", "0.3000", "50%"):
        assert words in shown
    page = tmp_path / "usage.html"
    assert str(page) in used.run("stats", "--html", page).out
    text = page.read_text("utf-8")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert text.startswith("<!doctype html>") and "<script" not in text and "vendor" in text
    used.run("stats", "--html", tmp_path, code=2)
    assert "cannot write" in used.run("stats", "--html", page / "below", code=1).err


def test_forgetting(used: Home, tmp_path: Path) -> None:
    used.run("stats", "--forget", "--html", tmp_path / "x.html", code=2)
    assert used.run("stats", "--forget").out == "5 records deleted\n"
    assert used.run("stats", "--forget", "--json").json == {"forgotten": 0}
    assert used.run("stats", "--json").json["periods"]["month"]["suggestions"]["offered"] == 0


def test_nothing_yet_switched_off_and_damaged(tmp_path: Path) -> None:
    home = make_home(tmp_path / "p", None)
    assert "nothing was recorded" in home.run("stats").err
    assert not (home.path / "data" / "usage.sqlite3").exists()
    (home.path / "config" / "settings.toml").write_text("record_usage = false\n")
    assert "record_usage is false" in home.run("stats").err
    assert home.run("stats", "--json").json["recording"] is False
    (home.path / "config" / "settings.toml").write_text("record_usage = 7\n")
    assert "true or false" in home.run("stats", "--json", code=1).err
    (home.path / "config" / "settings.toml").unlink()
    (home.path / "data" / "usage.sqlite3").write_bytes(b"neither rows nor pages" * 400)
    assert "pointsman stats --forget" in home.run("stats", code=1).err
    home.run("stats", "--forget")
    home.run("stats")


@pytest.mark.model
@pytest.mark.parametrize("recorded", [True, False])
async def test_what_an_editor_did_is_in_the_figures(home: Home, repository: Path, recorded: bool) -> None:
    home.run("stats", "--forget")
    environment = {**os.environ, **home.environment} | ({} if recorded else {"POINTSMAN_RECORD_USAGE": "off"})
    wire = await Wire.start([sys.executable, "-m", "pointsman", "serve"], env=environment)
    await wire.initialize(repository.as_uri())
    uri = (repository / "shop" / "cart.py").as_uri()
    text = "def subtract(a, b):\n    return "
    await wire.open(uri, text)
    (item,) = (await wire.complete(uri, 1, 11))["result"]["items"]
    change = {"range": item["range"], "text": item["insertText"]}
    await wire.notify(
        "textDocument/didChange", {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [change]}
    )
    await wire.ask("workspace/executeCommand", item["command"])
    assert await wire.leave() == 0
    await wire.close()
    found = (await asyncio.to_thread(home.run, "stats", "--json")).json["periods"]["day"]
    assert found["requests"] == found["suggestions"]["accepted"] == int(recorded)
    if recorded:
        assert found["suggestions"]["accepted_characters"] == len(item["insertText"])
        assert found["by_model"].keys() == {"smollm2-135m"}
        assert found["latency_ms"]["total"]["count"] == 1
