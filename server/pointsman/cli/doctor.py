"""`pointsman doctor`: looks at everything Pointsman stands on; each problem comes with its remedy."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import click

from pointsman import __version__
from pointsman.cli.common import Cli, json_option, visible
from pointsman.cli.models import check_own
from pointsman.errors import ConfigError, PointsmanError


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    check: str
    state: Literal["ok", "note", "problem"]
    detail: str
    remedy: str = ""


@click.command()
@json_option
@click.pass_obj
def doctor(cli: Cli, as_json: bool) -> None:
    """Check environment, hardware, models, policy and editors. Exits 1 when there is a problem."""
    findings: list[Finding] = []
    for check in _CHECKS:
        # A mistake in the settings ends every check that asks for them: it is told once, by the first.
        findings += [finding for finding in _guarded(check, cli) if finding.detail not in _wrong_settings(findings)]
    if as_json:
        cli.emit({"version": __version__, "findings": [asdict(finding) for finding in findings]})
    else:
        marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "problem": "[red]problem[/]"}
        for finding in findings:
            cli.console.print(f"{marks[finding.state]:<20} {finding.check}: ", end="")
            cli.console.print(visible(finding.detail), markup=False)
            if finding.remedy:
                cli.console.print(f"{'':<9}{visible(finding.remedy)}", style="bold", markup=False)
    sys.exit(1 if any(finding.state == "problem" for finding in findings) else 0)


def _guarded(check: Callable[[Cli], Iterator[Finding]], cli: Cli) -> Iterator[Finding]:
    """A check that cannot be made is itself a finding; the others go on."""
    try:
        yield from check(cli)
    except PointsmanError as error:
        yield Finding(check=check.__name__.strip("_"), state="problem", detail=error.message, remedy=error.remedy)
    except OSError as error:  # as in a working folder that is gone
        detail = f"cannot be looked at: {error.strerror or type(error).__name__}"
        yield Finding(check=check.__name__.strip("_"), state="problem", detail=detail)


def _wrong_settings(findings: Sequence[Finding]) -> set[str]:
    return {finding.detail for finding in findings if finding.check == "settings" and finding.state == "problem"}


def _settings(cli: Cli) -> Iterator[Finding]:
    from pointsman.models.catalogue import check_names, load_catalogue

    check_names(cli.settings, load_catalogue())
    file = cli.paths.settings_file
    detail = str(file) if file.exists() else f"all as they come: {file} does not exist"
    yield Finding(check="settings", state="ok", detail=detail)


def _python(cli: Cli) -> Iterator[Finding]:
    from pointsman.models.fit import has_openmp

    detail = f"Python {sys.version.split()[0]}, pointsman {__version__}"
    yield Finding(check="environment", state="ok", detail=detail)
    for name, purpose in (("torch", "the 4-bit engine and the embedder"), ("xllamacpp", "the CPU default's engine")):
        if importlib.util.find_spec(name) is None:
            yield Finding(check=name, state="problem", detail=f"not installed: {purpose}", remedy="make install")
    if not has_openmp():
        remedy = "install the OpenMP runtime: libgomp1 on Debian, libgomp on Fedora"
        yield Finding(
            check="llama.cpp",
            state="note",
            detail="libgomp.so.1 is missing: torch completes instead, slower",
            remedy=remedy,
        )
    if shutil.which("git") is None:
        yield Finding(
            check="git",
            state="problem",
            detail="not found",
            remedy="install git: the index reads ignore rules and blob ids",
        )


def _folders(cli: Cli) -> Iterator[Finding]:
    for name in ("config", "data", "cache", "run"):
        folder: Path = getattr(cli.paths, name)
        mode = folder.stat().st_mode & 0o777
        state: Literal["ok", "problem"] = "ok" if mode == 0o700 else "problem"
        remedy = "" if state == "ok" else f"chmod 700 {folder}"
        yield Finding(check=f"{name} folder", state=state, detail=f"{folder} ({mode:o})", remedy=remedy)
    free = shutil.disk_usage(cli.paths.data).free / 2**30
    low = free < 2
    yield Finding(
        check="disk",
        state="problem" if low else "ok",
        detail=f"{free:.1f} GB free",
        remedy="models and indexes need about 2 GB" if low else "",
    )


def _hardware(cli: Cli) -> Iterator[Finding]:
    from pointsman.models.catalogue import load_catalogue
    from pointsman.models.fit import fits, hardware

    machine = hardware(device=cli.settings.device)
    devices = ", ".join(f"{d.name} ({d.total_mb} MB)" for d in machine.cuda) or "no CUDA device"
    yield Finding(
        check="hardware", state="ok", detail=f"{machine.cores} cores, {machine.total_mb} MB memory, {devices}"
    )
    names = [
        card.name
        for card in load_catalogue().cards
        if "completion" in card.roles and fits(card, machine, precision=cli.settings.precision, engine="torch").ok
    ]
    yield Finding(
        check="models that fit",
        state="ok" if names else "problem",
        detail=", ".join(names) or "none",
        remedy="" if names else "close what takes memory, or let a server of your team write (docs/policy.md)",
    )


def _models(cli: Cli) -> Iterator[Finding]:
    from pointsman.models.catalogue import check_names, defaults, load_catalogue
    from pointsman.models.store import ModelStore

    catalogue = load_catalogue()
    check_names(cli.settings, catalogue)
    store = ModelStore(cli.paths, catalogue)
    for name in defaults(cli.settings):
        if store.installed(name):
            store.verify(name)
            yield Finding(check="model", state="ok", detail=f"{name} is installed and matches its hashes")
        else:
            remedy = f"pointsman models pull {name}"
            yield Finding(check="model", state="problem", detail=f"{name} is not installed", remedy=remedy)


def _roles(cli: Cli) -> Iterator[Finding]:
    from pointsman.models.catalogue import check_names, check_roles, load_catalogue

    catalogue = load_catalogue()
    check_names(cli.settings, catalogue)
    check_roles(cli.settings, catalogue)
    answering = catalogue.get(cli.settings.answering_model)
    if "chat" not in answering.roles:
        detail = f"{answering.name} answers and refactors, and is not made for that"
        yield Finding(check="roles", state="note", detail=detail, remedy="pointsman models use NAME --for chat")


def _policy(cli: Cli) -> Iterator[Finding]:
    """Reads policy and resolves key references; asks no endpoint anything."""
    from pointsman.gateway.keys import resolve
    from pointsman.policy import layers

    policy = layers.load(cli.paths, Path.cwd())
    for problem in policy.problems:
        remedy = "the closed model is off until this is mended: pointsman policy check"
        yield Finding(check="policy", state="problem", detail=str(problem), remedy=remedy)
    if not policy.endpoints and not policy.problems:
        yield Finding(check="closed model", state="ok", detail="none: no policy lists an endpoint, so nothing leaves")
    for endpoint in policy.endpoints:
        detail = f"{endpoint.name}: {endpoint.base_url}, {endpoint.region}, {', '.join(endpoint.models)}"
        try:
            resolve(endpoint.key)
            yield Finding(check="closed model", state="ok", detail=detail)
        except PointsmanError as error:
            yield Finding(
                check="closed model", state="problem", detail=f"{detail}: {error.message}", remedy=error.remedy
            )
    for own in policy.own:
        yield Finding(check="own endpoint", state="ok", detail=f"{own.name}: {own.base_url}, {own.model}")
    if cli.settings.engine == "own":
        check_own(cli)


def _trust(cli: Cli) -> Iterator[Finding]:
    from pointsman.policy.trust import Trust

    known = Trust(cli.paths.config).load()  # which says what is wrong; `is_trusted` only trusts nothing then
    yield Finding(check="trust", state="ok", detail=f"trusted workspaces: {len(known)}")


def _quota(cli: Cli) -> Iterator[Finding]:
    from pointsman.gateway.quota import QuotaStore

    if cli.paths.quota.exists():
        used = QuotaStore(cli.paths.quota).usage().month
        yield Finding(check="quota", state="ok", detail=f"requests to a closed model this month: {used.requests}")


def _audit(cli: Cli) -> Iterator[Finding]:
    from pointsman.gateway.audit import AuditLog

    verdict = AuditLog(cli.paths.audit).verify()
    if verdict.sound:
        yield Finding(check="audit", state="ok", detail=f"{verdict.records} records, all sound")
    else:
        detail = f"record {verdict.bad_seq} {verdict.why}; nothing is sent"
        yield Finding(check="audit", state="problem", detail=detail, remedy="pointsman audit verify")


def _vectors(cli: Cli) -> Iterator[Finding]:
    """Connects to the server and says nothing to it."""
    from pointsman.gateway.keys import resolve
    from pointsman.policy import layers
    from pointsman.policy.baseurl import loopback

    settings = cli.settings
    if not settings.store_url:
        return
    if layers.load(cli.paths, Path.cwd()).nothing_out:
        yield Finding(check="store.url", state="note", detail="not used: policy keeps everything on this machine")
        return
    if settings.store_key:
        resolve(settings.store_key)
    server = urlsplit(settings.store_url)
    host = server.hostname or ""
    if server.scheme != "https" and not (server.scheme == "http" and loopback(host)):
        raise ConfigError("store.url must be https, or http on this machine", remedy="change it in settings.toml")
    try:
        socket.create_connection((host, server.port or 6333), timeout=5).close()
        yield Finding(check="store.url", state="ok", detail=f"{host} answers")
    except (OSError, ValueError) as error:
        detail = f"{host} cannot be reached ({type(error).__name__}), and without it nothing is found by meaning"
        yield Finding(check="store.url", state="problem", detail=detail, remedy="start it, or take store.url away")


def _host(cli: Cli) -> Iterator[Finding]:
    from pointsman.host.usersocket import SingleHost

    running = SingleHost(cli.paths).held()
    yield Finding(check="host", state="ok", detail="running" if running else "not running; starts when needed")


_EDITORS = {
    "nvim": "Neovim",
    "code": "VS Code",
    "codium": "VSCodium",
    "hx": "Helix",
    "emacs": "Emacs",
    "zed": "Zed",
    "subl": "Sublime Text",
}


def _editors(cli: Cli) -> Iterator[Finding]:
    found = [name for command, name in _EDITORS.items() if shutil.which(command)]
    detail = ", ".join(found) or "none on the PATH"
    yield Finding(
        check="editors",
        state="ok" if found else "note",
        detail=detail,
        remedy="" if found else "README: set up your editor",
    )


_CHECKS: tuple[Callable[[Cli], Iterator[Finding]], ...] = (
    _settings,
    _python,
    _folders,
    _hardware,
    _models,
    _roles,
    _policy,
    _trust,
    _quota,
    _audit,
    _vectors,
    _host,
    _editors,
)
