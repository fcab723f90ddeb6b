"""Questions made of the names of documented functions. Run: python -m bench.names SOURCES > bench/data/names.jsonl

SOURCES holds a folder for each package of `PACKAGES`, as its wheel unpacks. They are stiff ("what happens on parse
value in the parser?"), but nobody chose them and no rule was made with them: they show how far citations can be
trusted, less so how well questions are answered. At most 25 a package, by lot.
"""

from __future__ import annotations

import ast
import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGES = {
    "names": {
        "tenacity": "9.2.1",
        "watchfiles": "1.3.0",
        "portalocker": "4.4.2",
        "GitPython": "3.2.1",
        "keyring": "25.7.0",
        "cattrs": "26.2.1",
        "tomlkit": "0.15.2",
        "filelock": "4.2.12",
    },
    "names-later": {
        "anyio": "4.16.0",
        "apscheduler": "3.11.3",
        "arrow": "1.4.0",
        "boltons": "26.2.0",
        "invoke": "3.0.3",
        "jsonschema": "4.26.0",
        "mako": "1.4.3",
        "markdown": "3.11.3",
        "more_itertools": "11.2.1",
        "paramiko": "5.1.0",
        "parso": "0.8.7",
        "pexpect": "4.9.0",
        "prompt_toolkit": "3.0.53",
        "pyparsing": "3.3.3",
        "python_dateutil": "4.0.0",
        "rich": "15.0.0",
        "sqlparse": "0.6.1",
        "structlog": "26.1.0",
        "voluptuous": "0.16.0",
        "websockets": "17.4",
    },
    "names-last": {
        "beautifulsoup4": "4.15.0",
        "dnspython": "2.9.2",
        "docker": "7.2.0",
        "fabric": "3.2.3",
        "humanize": "4.17.0",
        "kombu": "5.7.0",
        "oauthlib": "4.0.1",
        "passlib": "1.7.4",
        "pika": "1.4.4",
        "pluggy": "1.7.0",
        "requests_toolbelt": "1.0.0",
        "wtforms": "3.3.2",
    },
    "names-fresh": {
        "aiosmtplib": "5.1.3",
        "cachetools": "8.0.2",
        "feedparser": "6.0.14",
        "fsspec": "2026.9.0",
        "gunicorn": "27.0.1",
        "hvac": "2.4.0",
        "icalendar": "7.3.2",
        "lark": "1.3.1",
        "ldap3": "2.9.1",
        "mido": "1.3.3",
        "natsort": "8.4.0",
        "pint": "0.25.3",
        "pypdf": "7.1.1",
        "redis": "8.1.0",
        "soupsieve": "4.1.3",
        "traitlets": "5.16.1",
        "trio": "0.35.0",
        "urwid": "5.1.0",
        "zeroconf": "0.154.0",
    },
    "names-after": {
        "astroid": "4.3.4",
        "behave": "1.3.3",
        "bottle": "0.13.4",
        "coverage": "7.17.5",
        "falcon": "4.4.0",
        "hypercorn": "0.18.0",
        "isort": "9.0.2",
        "mistune": "3.4.0",
        "netmiko": "4.8.0",
        "nornir": "3.6.0",
        "pymodbus": "3.16.1",
        "pymysql": "1.2.4",
        "pyramid": "2.1",
        "pyserial": "3.5",
        "responses": "0.26.3",
        "rope": "1.15.2",
        "simpy": "4.1.2",
        "toolz": "1.2.0",
        "tqdm": "4.70.1",
        "twine": "7.0.0",
        "vcrpy": "9.4.2",
        "webob": "1.8.11",
    },
}
"""By part."""
MOST = 25
WAYS = (
    "how does {} work{}?",
    "what happens on {}{}?",
    "what is {} good for{}?",
    "when is {} needed{}?",
    "what does {} return{}?",
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+")


def functions(node: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Documented ones whose names are of several words, with the name of the class around."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from functions(child, child.name)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            told = len((ast.get_docstring(child) or "").split()) > 5 and len(child.body) > 2
            named = "_" in child.name.strip("_") and len(child.name) > 8 and not child.name.startswith("__")
            if told and named:
                yield inside, child


def questions(root: Path, part: str, package: str, lot: random.Random) -> Iterator[dict[str, Any]]:
    found: dict[str, tuple[str, str, str, int, int]] = {}
    for file in sorted(root.rglob("*.py")):
        for inside, function in functions(ast.parse(file.read_bytes())):
            place = f" in the {' '.join(_WORD.findall(inside)).lower()}" if inside else ""
            symbol = f"{inside}.{function.name}" if inside else function.name
            words = " ".join(function.name.strip("_").split("_"))
            path, first, last = file.relative_to(root).as_posix(), function.lineno, function.end_lineno or 0
            found.setdefault(words, (place, path, symbol, first, last))
    drawn = list(found.items())
    lot.shuffle(drawn)
    for number, (words, (place, path, symbol, first, last)) in enumerate(drawn[:MOST]):
        yield {
            "package": package,
            "version": PACKAGES[part][package],
            "split": part,
            "kind": "name",
            "query": WAYS[number % len(WAYS)].format(words, place),
            "path": path,
            "symbol": symbol,
            "start_line": first,
            "end_line": last,
        }


def main() -> None:
    lot = random.Random(11)
    for part, packages in PACKAGES.items():
        for package in packages:
            for row in questions(Path(sys.argv[1]) / package, part, package, lot):
                print(json.dumps(row))


if __name__ == "__main__":
    main()
