"""`pointsman eval policy`: what redaction would find in a repository, how fast, and whether policy decides as expected.

Names places and rules, never values. Sends nothing and asks no model.
"""

from __future__ import annotations

import collections
import json
import statistics
import time
from pathlib import Path
from typing import Any

import click

from pointsman.cli.common import Cli, existing, json_option, visible
from pointsman.errors import ConfigError, UsageError

_BLOCK = 8 * 1024
_SHOWN = 20


@click.command()
@click.option("--path", default=".", help="A path in the repository; the current folder by default.")
@click.option("--tasks", "cases_file", default="", help='Decisions to check: {"task", "lines", … "expect"} a line.')
@click.option("--limit", default=2000, type=click.IntRange(1, 100_000), show_default=True, help="Files at most.")
@json_option
@click.pass_obj
def policy(cli: Cli, path: str, cases_file: str, limit: int, as_json: bool) -> None:
    """What redaction would replace in this repository, and whether policy decides as you expect.

    A line of --tasks holds facts (task, lines, files, symbols, difficulty, target, trusted) and "expect": local,
    closed or refused; optionally "rule". Exit 1 when a decision differs.
    """
    from pointsman.policy import layers
    from pointsman_indexer.files import find_root

    root = find_root(existing(path).resolve())
    found = layers.load(cli.paths, root)
    cases = _cases(existing(cases_file)) if cases_file else []
    report = {"root": str(root), "policy_sha256": found.sha256, **_redaction(cli, root, found, limit)}
    report["decisions"] = [_judged(case, found) for case in cases]
    wrong = [case for case in report["decisions"] if not case["as_expected"]]
    if as_json:
        cli.emit(report)
    else:
        _show(cli, report)
    if wrong:
        raise ConfigError(f"{len(wrong)} of {len(cases)} decisions differ", remedy="pointsman policy explain")


def _redaction(cli: Cli, root: Path, found: Any, limit: int) -> dict[str, Any]:
    from pointsman.exclusion import rules_of
    from pointsman.gateway.finder import Finder, Kingfisher
    from pointsman_indexer.files import read
    from pointsman_indexer.listing import walk

    finder = Finder(
        Kingfisher(cli.paths.cache),
        secrets=found.redact_secrets,
        personal=found.redact_pii,
        custom=found.redact_custom,
    )
    finder.find("loaded before it is timed")
    walked = walk(root, rules_of(root, found.excluded()))
    rules, places, times = collections.Counter[str](), [], []
    lines = files = 0
    skipped = collections.Counter(walked.skipped)
    for entry in walked.files[:limit]:
        try:
            data = read(root, entry.path)
        except OSError:
            data = None
        if data is None:  # gone meanwhile, or not ours to read
            skipped["unreadable"] += 1
            continue
        text = data.data.decode("utf-8", "replace")
        files, lines = files + 1, lines + text.count("\n") + 1
        begun = time.perf_counter()
        spans = {(start, end): rule for start, end, rule in finder.find(text)}
        times.append((time.perf_counter() - begun) * 1e3 * _BLOCK / max(len(text), _BLOCK // 4))
        rules.update(spans.values())
        places += [f"{entry.path}:{text.count(chr(10), 0, start) + 1} {rule}" for (start, _), rule in spans.items()]
    return {
        "files": files,
        "lines": lines,
        "skipped": dict(skipped),
        "found": sum(rules.values()),
        "found_per_1000_lines": round(sum(rules.values()) / max(lines, 1) * 1000, 3),
        "rules": dict(rules.most_common()),
        "places": places,
        "median_ms_per_8_kb": round(statistics.median(times), 2) if times else 0.0,
    }


def _cases(file: Path) -> list[dict[str, Any]]:
    try:
        lines = file.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file.name} cannot be read as UTF-8 text") from error
    cases = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = json.loads(line)
            if not isinstance(case, dict) or case.get("expect") not in ("local", "closed", "refused"):
                raise ValueError
        except ValueError:
            raise UsageError(
                f"{file.name}:{number} is no decision", remedy='{"task": "refactor", "expect": "local"}'
            ) from None
        cases.append(case)
    return cases


def _judged(case: dict[str, Any], found: Any) -> dict[str, Any]:
    from dataclasses import replace

    from pointsman.policy.route import Facts, decide

    facts = {name: value for name, value in case.items() if name not in ("expect", "rule")}
    # A case describes the workspace as well: whether this one is trusted now is not what it asks.
    trusted = bool(facts.setdefault("trusted", True))
    try:
        decision = decide(Facts(**facts), replace(found, trusted=trusted))
    except TypeError:
        raise UsageError("a decision has facts that are not known", remedy="pointsman eval policy --help") from None
    right = decision.target == case["expect"] and case.get("rule", decision.rule) == decision.rule
    return {**case, "target": decision.target, "decided_by": decision.rule, "as_expected": right}


def _show(cli: Cli, report: dict[str, Any]) -> None:
    cli.console.print(
        f"{report['found']} values in {report['lines']} lines of {report['files']} files "
        f"({report['found_per_1000_lines']} per 1,000), {report['median_ms_per_8_kb']} ms for 8 kB",
        markup=False,
    )
    for rule, count in report["rules"].items():
        cli.console.print(f"  {count:>5}  {visible(rule)}", markup=False)
    for place in report["places"][:_SHOWN]:
        cli.console.print(f"  {visible(place)}", markup=False)
    if len(report["places"]) > _SHOWN:
        cli.console.print(f"  and {len(report['places']) - _SHOWN} more: --json")
    for case in report["decisions"]:
        mark = "as expected" if case["as_expected"] else f"expected {case['expect']} {case.get('rule', '')}".rstrip()
        cli.console.print(f"{case['target']} by {case['decided_by']}: {visible(mark)}", markup=False)
