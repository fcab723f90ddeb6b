"""kill -9 of anything at any moment: the next request works or says what is happening, nothing is left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import Home

pytestmark = pytest.mark.model


def gone(processes: Iterable[psutil.Process], seconds: float = 5) -> bool:
    _, alive = psutil.wait_procs(list(processes), timeout=seconds)
    return not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


def test_a_killed_host_leaves_nothing_and_the_next_command_works(
    fresh_home: Callable[..., Home], repository: Path
) -> None:
    home = fresh_home()
    place = f"{repository / 'shop' / 'cart.py'}:43:12"
    home.run("complete", place)
    home.run("search", "cart", "--path", repository)
    host, children = psutil.Process(home.host_pid()), home.children()
    assert len(children) >= 2, "one child completes, another embeds"
    os.kill(host.pid, signal.SIGKILL)
    assert gone([host, *children])
    home.run("complete", place)
    assert home.host_pid() != host.pid


def test_killed_engines_are_started_again(fresh_home: Callable[..., Home], repository: Path) -> None:
    home = fresh_home()
    place = f"{repository / 'shop' / 'cart.py'}:43:12"
    first = home.run("complete", place, "--json").json
    home.run("search", "cart", "--path", repository)
    host = home.host_pid()
    killed = home.children()
    for child in killed:
        child.kill()
    assert home.run("complete", place, "--json").json["items"] == first["items"]
    assert home.run("search", "apply_discount", "--path", repository, "--json").json["hits"]
    assert home.host_pid() == host
    assert gone(killed)


def test_an_index_killed_at_any_moment_ends_equal_to_one_that_was_not(
    fresh_home: Callable[..., Home], repository: Path
) -> None:
    spared, struck = fresh_home(), fresh_home()
    expected = spared.run("index", repository, "--json").json
    moments = random.Random(7)
    for _ in range(4):
        running = subprocess.Popen(
            [sys.executable, "-m", "pointsman", "index", str(repository)],
            env=struck.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moments.uniform(0.5, 6))
        state = struck.run("host", "status", "--json").json
        if state["running"]:
            os.kill(state["pid"], signal.SIGKILL)
        running.wait(timeout=60)
    healed = struck.run("index", repository, "--json").json
    assert (healed["files"], healed["chunks"]) == (expected["files"], expected["chunks"])
    for query in ("apply_discount", "render the cart as a table", "stock"):
        whole, healed_hits = (
            sorted(h.run("search", query, "--path", repository, "--json").json["hits"], key=_place)
            for h in (spared, struck)
        )
        # A text's vector depends a little on the texts that share its batch (in bf16 by up to 1e-3), which a kill
        # changes; all else is equal.
        scores = [[hit.pop("score") for hit in hits] for hits in (whole, healed_hits)]
        assert healed_hits == whole
        assert scores[1] == pytest.approx(scores[0], abs=0.1)


def _place(hit: dict[str, Any]) -> tuple[str, int]:
    return hit["path"], hit["start_line"]


def test_commands_at_once_share_one_host_and_one_model(fresh_home: Callable[..., Home], repository: Path) -> None:
    home = fresh_home()
    cart = repository / "shop" / "cart.py"
    with ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(home.run, "complete", f"{cart}:43:12", "--json"),
            pool.submit(home.run, "search", "discount", "--path", repository, "--json"),
            pool.submit(home.run, "complete", f"{cart}:36:16", "--json"),
            pool.submit(home.run, "index", repository, "--json"),
        ]
        assert all(job.result().code == 0 for job in jobs)
    status = home.run("host", "status", "--json").json
    assert len([engine for engine in status["engines"] if engine["model"] == "smollm2-135m"]) == 1
    assert len(hosts_of(home)) == 1


def hosts_of(home: Home) -> list[psutil.Process]:
    """Every host process that serves this home."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if process.info["cmdline"] and "pointsman.host" in process.info["cmdline"]:
            try:
                if process.environ().get("POINTSMAN_HOME") == str(home.path):
                    found.append(process)
            except psutil.Error:
                continue
    return found


def test_no_log_holds_source_text(fresh_home: Callable[..., Home], repository: Path) -> None:
    home = fresh_home()
    canary = "canary_5f0e2c_in_source"
    (repository / "shop" / "canary.py").write_text(f"def {canary}():\n    return '{canary}'\n")
    home.run("index", repository)
    home.run("complete", f"{repository / 'shop' / 'canary.py'}:2:12")
    home.run("ask", f"What does {canary} return?", "--path", repository)
    home.run("refactor", f"{repository / 'shop' / 'canary.py'}:1-2", f"rename {canary}", code=None)
    home.run("host", "stop")
    logs = [log for log in (home.path / "cache" / "log").rglob("*") if log.is_file()]
    assert any(log.stat().st_size for log in logs), "the host keeps a log"
    assert not [log for log in logs if canary in log.read_text("utf-8", "replace")]
