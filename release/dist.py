"""Makes what is released, into `dist/`: the server's wheel, the VS Code extension with that wheel in it, and the
Neovim plugin. All carry the version of `server/pointsman/__init__.py`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from runtime_lock import runtime_lock

import pointsman

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
VSCODE = ROOT / "clients" / "vscode"
NVIM = ROOT / "clients" / "nvim"


def main() -> None:
    DIST.mkdir(exist_ok=True)
    made = [wheel()]
    made.append(extension(made[0]))
    if NVIM.is_dir():
        made.append(plugin())
    for path in made:
        sys.stdout.write(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1e6:.1f} MB\n")


def wheel() -> Path:
    for old in DIST.glob("pointsman-*.whl"):
        old.unlink()
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # setuptools would pack files that are gone
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(DIST), str(ROOT))
    return next(DIST.glob(f"pointsman-{pointsman.__version__}-*.whl"))


def extension(server: Path) -> Path:
    """The `.vsix`: a user without a server gets one from it, checked against the lock that lies beside the wheel."""
    if shutil.which("npm") is None:
        raise SystemExit("npm is not installed: install Node 20 or newer, then run `make dist` again")
    carried = VSCODE / "server"
    shutil.rmtree(carried, ignore_errors=True)
    carried.mkdir()
    shutil.copy(server, carried)
    shutil.copy(ROOT / "requirements-torch.lock", carried)
    (carried / "requirements.lock").write_text(runtime_lock((ROOT / "requirements.lock").read_text()))
    shutil.copy(ROOT / "LICENSE", VSCODE)
    made = DIST / f"pointsman-{pointsman.__version__}.vsix"
    try:
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", cwd=VSCODE)
        same = ("--no-git-tag-version", "--allow-same-version", "--silent")
        run("npm", "version", pointsman.__version__, *same, cwd=VSCODE)
        run("npm", "run", "--silent", "build", cwd=VSCODE)
        run("npm", "run", "--silent", "package", "--", "--out", str(made), cwd=VSCODE)
    finally:
        shutil.rmtree(carried)  # a build for the tests carries no server
    return made


def plugin() -> Path:
    """An archive to unpack into a folder `pack/*/start` of Neovim's."""
    made = DIST / f"pointsman.nvim-{pointsman.__version__}.tar.gz"
    with tarfile.open(made, "w:gz") as archive:
        for path in sorted(NVIM.rglob("*")):
            if path.is_file() and path.name != "tags":
                archive.add(path, Path("pointsman.nvim") / path.relative_to(NVIM))
    return made


def run(*command: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{done.stdout[-3000:]}")


if __name__ == "__main__":
    main()
