"""A real VS Code workbench with the extension in it: code-server on loopback, driven in Chromium by a script."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .workbench_install import Workbench

HERE = Path(__file__).parent
SECONDS = 420
_SETTINGS: dict[str, Any] = {
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "window.autoDetectColorScheme": True,
    "workbench.preferredLightColorTheme": "Light Modern",
    "workbench.preferredDarkColorTheme": "Dark Modern",
    "telemetry.telemetryLevel": "off",
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "update.mode": "none",
    "chat.disableAIFeatures": True,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "editor.quickSuggestions": {"other": "off"},
    "editor.minimap.enabled": False,
    "security.workspace.trust.startupPrompt": "never",
    "git.enabled": False,
}


@dataclass(frozen=True)
class Site:
    """A running code-server. `profile` is its user-data folder."""

    url: str
    profile: Path
    log: Path


@contextlib.contextmanager
def serve(
    at: Workbench,
    vsix: Path | None,
    profile: Path,
    environment: dict[str, str],
    *,
    trusting: bool = True,
    machine: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    more: Sequence[Path] = (),
) -> Iterator[Site]:
    """A clean profile with the extension installed, if there is one, and `more` packed ones. `trusting=False` leaves
    workspace trust to the user; `machine` are settings of machine scope, `user` those that are not as usual."""
    (profile / "Machine").mkdir(parents=True)
    (profile / "Machine" / "settings.json").write_text(json.dumps(machine or {}))
    (profile / "User").mkdir(parents=True)
    settings = _SETTINGS | {"security.workspace.trust.enabled": not trusting} | (user or {})
    (profile / "User" / "settings.json").write_text(json.dumps(settings))
    common = ["--user-data-dir", str(profile), "--extensions-dir", str(profile / "x"), "--config", str(profile / "c")]
    path = f"{at.node.parent}{os.pathsep}{environment['PATH']}"
    env = environment | {"PATH": path, "EXTENSIONS_GALLERY": '{"serviceUrl": ""}'}
    log = profile / "code-server.log"
    with log.open("w") as out:
        command = [*at.code_server, *common]
        for packed in filter(None, (vsix, *more)):
            install = [*command, "--install-extension", str(packed), "--force"]
            subprocess.run(install, env=env, stdout=out, stderr=out, check=True, timeout=120)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        options = ["--auth", "none", "--bind-addr", address, "--disable-telemetry", "--disable-update-check"]
        options += ["--disable-getting-started-override", "--reconnection-grace-time", "1"]
        options += ["--disable-workspace-trust"] if trusting else []
        process = subprocess.Popen([*command, *options], env=env, stdout=out, stderr=out, start_new_session=True)
        try:
            _wait_for(address, process)
            yield Site(f"http://{address}", profile, log)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def drive(at: Workbench, script: str, plan: dict[str, Any], shots: Path) -> dict[str, Any]:
    """Run a driver to its end. What each step saw, by its name; a step that failed has `error`."""
    shots.mkdir(parents=True, exist_ok=True)
    plan = plan | {"playwright": str(at.playwright), "chromium": at.chromium, "shots": str(shots)}
    done = subprocess.run(
        [str(at.node), str(HERE / script), json.dumps(plan)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, f"the driver said nothing: {done.stderr[-2000:]}"
    return {line["step"]: line for line in lines}


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    host, port = address.split(":")
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(0.1)
    raise AssertionError(f"code-server did not listen on {address}")
