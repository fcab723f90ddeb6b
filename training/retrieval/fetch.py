"""Fetch the packages of the manifest: `python -m training.retrieval.fetch ARCHIVES`.

pip, npm and apt fetch, from wherever they are set up to; no code of a package is run. An archive is kept when its
checksum is the manifest's and the licence in its own metadata is permissive. What a registry no longer has is named and
left out. `--pin` names packages (`npm:name@1.2.3`, `debian:name`) to fetch and prints manifest entries for them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from training.retrieval.archives import licence, npm_name, permissive
from training.retrieval.manifest import Package, read_manifest, sha256


def fetch(packages: Sequence[Package], folder: Path) -> Iterator[tuple[Package, str]]:
    """Bring what is missing into `folder`; yields each package that is not there in the end, and why."""
    missing = [one for one in packages if one.archive(folder) is None]
    with tempfile.TemporaryDirectory(prefix="pointsman-fetch-") as scratch:
        for registry in sorted({one.registry for one in missing}):
            target = Path(scratch, registry)
            target.mkdir()
            wanted = [one for one in missing if one.registry == registry]
            _download(registry, [(one.name, one.version) for one in wanted], target)
            arrived = {sha256(path): path for path in target.iterdir()}
            for one in wanted:
                if (path := arrived.get(one.sha256)) is None:
                    yield one, "not to be had with this checksum"
                elif not permissive(stated := licence(path)):
                    yield one, f"licence {stated or 'not stated'}"
                else:
                    _keep(path, registry, folder)


def pin(names: Iterable[str], folder: Path) -> Iterator[str]:
    """Fetch packages anew and yield a manifest entry for each whose licence is permissive."""
    wanted: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        registry, _, rest = name.partition(":")
        at = rest.rfind("@", 1)
        wanted.setdefault(registry, []).append((rest[:at], rest[at + 1 :]) if at > 0 else (rest, ""))
    with tempfile.TemporaryDirectory(prefix="pointsman-fetch-") as scratch:
        for registry, packages in wanted.items():
            target = Path(scratch, registry)
            target.mkdir()
            _download(registry, packages, target)
            for path in sorted(target.iterdir()):
                if permissive(stated := licence(path)):
                    name, version = _name(registry, path)
                    values = {"registry": registry, "name": name, "version": version}
                    values |= {"sha256": sha256(path), "licence": stated}
                    _keep(path, registry, folder)
                    yield "  { " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in values.items()) + " },"


def _download(registry: str, packages: Sequence[tuple[str, str]], target: Path) -> None:
    """One call of the registry's client for all; one for each when that fails, as it does over a single absent one."""
    separator = {"pypi": "==", "npm": "@", "debian": "="}[registry]
    wheels = ("--no-deps", "--only-binary=:all:", "--quiet", "--dest", str(target))
    command = {
        "pypi": (sys.executable, "-m", "pip", "download", *wheels),
        "npm": ("npm", "pack", "--silent", "--ignore-scripts"),
        "debian": ("apt-get", "download", "-qq"),
    }[registry]
    names = [f"{name}{separator}{version}" if version else name for name, version in packages]
    if not _run([*command, *names], target) and len(names) > 1:
        for name in names:
            _run([*command, name], target)


def _run(command: Sequence[str], folder: Path) -> bool:
    quiet = subprocess.DEVNULL
    return not subprocess.run(command, cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet, check=False).returncode


def _name(registry: str, path: Path) -> tuple[str, str]:
    if registry == "debian":
        name, version, _ = path.name.split("_")
        return name, version.replace("%3a", ":")
    if registry == "npm":
        return npm_name(path)
    name, version, *_ = path.name.split("-")
    return name.lower().replace("_", "-").replace(".", "-"), version


def _keep(path: Path, registry: str, folder: Path) -> None:
    (folder / registry).mkdir(parents=True, exist_ok=True)
    shutil.move(path, folder / registry / f"{sha256(path)[:16]}-{path.name}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("archives", type=Path)
    parser.add_argument("--pin", nargs="+", metavar="REGISTRY:NAME[@VERSION]")
    options = parser.parse_args(arguments)
    if options.pin:
        for entry in pin(options.pin, options.archives):
            sys.stdout.write(entry + "\n")
        return 0
    packages = read_manifest()
    absent = list(fetch(packages, options.archives))
    for one, reason in absent:
        sys.stderr.write(f"{one.registry}:{one.name} {one.version}: {reason}\n")
    sys.stdout.write(f"{len(packages) - len(absent)} of {len(packages)} packages in {options.archives}\n")
    return 1 if absent else 0


if __name__ == "__main__":
    sys.exit(main())
