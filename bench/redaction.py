"""How well and how fast redaction works: `python -m bench.redaction [FOLDER]`, from the root of the repository.

Recall on made-up credentials in ordinary code and in six disguises; findings per 1,000 lines of the standard library
(or FOLDER), which are taken for false; share of masked Python files that parse and come back exactly; milliseconds per
8 kB for finding and replacing. One line a figure.
"""

from __future__ import annotations

import argparse
import ast
import collections
import random
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.credentials_in_code import CREDENTIALS_IN_CODE, ORDINARY_CODE
from tests.secret_samples import SHAPED, disguises, fill, samples

from pointsman.errors import GatewayError
from pointsman.gateway.finder import Finder, Kingfisher
from pointsman.gateway.redact import Redactor, nonce

_BLOCK = 8 * 1024
_TESTS = ("test", "tests", "idle_test", "site-packages", "lib2to3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(sysconfig.get_paths()["stdlib"]))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--most", type=int, default=10_000, help="files at most")
    parser.add_argument("-v", "--verbose", action="store_true", help="name what was missed or wrongly found")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        finder = Finder(Kingfisher(Path(cache)), secrets=True, personal=False)
        finder.find("warm up")
        recall(finder, options.seed, verbose=options.verbose)
        folder(finder, list(_files(options.folder))[: options.most], verbose=options.verbose)


def recall(finder: Finder, seed: int, *, verbose: bool) -> None:
    found = total = 0
    for sample in samples(seed):
        clean = _masked(finder, sample.text)
        total, found = total + 1, found + (sample.secret not in clean)
        if verbose and sample.secret in clean:
            print("missed", sample.kind, sample.text)
    print(f"recall, generated: {found / total:.3f} of {total}")
    kept = [text for text, secret in CREDENTIALS_IN_CODE if secret in _masked(finder, text)]
    changed = [text for text in ORDINARY_CODE if _masked(finder, text) != text]
    share = 1 - len(kept) / len(CREDENTIALS_IN_CODE)
    print(f"recall, ordinary credentials in code: {share:.3f} of {len(CREDENTIALS_IN_CODE)}")
    print(f"harmless lines that were changed: {len(changed)} of {len(ORDINARY_CODE)}")
    if verbose:
        print(*(f"missed {text!r}" for text in kept), *(f"changed {text!r}" for text in changed), sep="\n")
    dice, hits = random.Random(seed), collections.Counter[str]()
    for template in SHAPED:
        secret = fill(template, dice)
        for name, text in disguises(secret).items():
            hits[name] += bool(finder.find(text))
    print("recall, disguised: " + ", ".join(f"{name} {n / len(SHAPED):.3f}" for name, n in hits.items()))


def _masked(finder: Finder, text: str) -> str:
    (clean,) = Redactor(finder, nonce(b"bench", text.encode())).redact([text])
    return clean


def folder(finder: Finder, files: list[Path], *, verbose: bool) -> None:
    lines = findings = parsed = parseable = exact = 0
    times, busy, rules = [], [], collections.Counter[str]()
    for path in files:
        text = path.read_text("utf-8", "replace")
        for at in range(0, len(text), _BLOCK):
            scale = 1e3 * _BLOCK / max(_BLOCK // 2, len(text[at : at + _BLOCK]))
            started, worked = time.perf_counter(), time.thread_time()
            Redactor(finder, nonce(b"bench", b"block")).redact([text[at : at + _BLOCK]])
            times.append((time.perf_counter() - started) * scale)
            busy.append((time.thread_time() - worked) * scale)
        redactor = Redactor(finder, nonce(b"bench", text.encode()))
        try:
            (clean,) = redactor.redact([text])
        except GatewayError as error:
            print("refused", path, error.message)
            continue
        lines, findings = lines + text.count("\n"), findings + redactor.count
        rules.update(redactor.rules)
        if verbose and redactor.count:
            for start, end, rule in finder.find(text):
                print(f"found {path}:{text.count(chr(10), 0, start) + 1} {rule} {text[start:end][:80]!r}")
        exact += redactor.restore(clean) == text
        if _parses(text):
            parseable, parsed = parseable + 1, parsed + _parses(clean)
    print(f"findings: {findings} in {lines} lines, {findings / lines * 1000:.3f} per 1,000: {dict(rules)}")
    print(f"masked files that parse: {parsed} of {parseable}; that come back exactly: {exact} of {len(files)}")
    for what, measured in (("by the clock", times), ("of processor time", busy)):
        print(f"ms per 8 kB {what}: median {statistics.median(measured):.2f}, p95 {_p95(measured):.2f}")


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*.py")):
        if not set(path.relative_to(root).parts) & set(_TESTS):
            yield path


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
