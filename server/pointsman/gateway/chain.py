"""One line of the audit log, and whether it follows the one before.

A line is `{"hash":H,"record":R}`: R is canonical JSON (RFC 8785), H its SHA-256, R's `prev` the H of the line before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import rfc8785

from pointsman.gateway.signing import Head

START = Head(0, "0" * 64)
"""What the first record follows."""
NO_RECORD = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What reading a line that is no record fails with."""
_OPENING, _MIDDLE, _CLOSING = b'{"hash":"', b'","record":', b"}"
_PREFIX = len(_OPENING) + 64 + len(_MIDDLE)


def line_of(kind: str, fields: Mapping[str, Any], before: Head, time: str) -> tuple[bytes, Head]:
    """The line of a record, with its end, and the log's head once it is written."""
    seq = before.seq + 1
    record = rfc8785.dumps({**fields, "seq": seq, "prev": before.hash, "time": time, "kind": kind})
    digest = hashlib.sha256(record).hexdigest()
    return _OPENING + digest.encode() + _MIDDLE + record + _CLOSING + b"\n", Head(seq, digest)


def record_in(line: bytes) -> dict[str, Any]:
    """The record with its `hash`, unverified. Raises one of `NO_RECORD`."""
    value = json.loads(line)
    return {"hash": str(value["hash"]), **value["record"], "seq": int(value["record"]["seq"])}


def next_head(line: bytes, before: Head) -> Head:
    """The head behind a sound line."""
    return Head(before.seq + 1, line[len(_OPENING) : len(_OPENING) + 64].decode())


def unsound(line: bytes, before: Head) -> str:
    """Why a line is not the record that follows `before`; "" when it is."""
    content = line[_PREFIX : -len(_CLOSING) - 1]
    if line != _OPENING + line[len(_OPENING) : len(_OPENING) + 64] + _MIDDLE + content + _CLOSING + b"\n":
        return "is not a whole record"
    if hashlib.sha256(content).hexdigest().encode() != line[len(_OPENING) : len(_OPENING) + 64]:
        return "does not match its hash"
    try:
        record = json.loads(content)
        seq, prev = record["seq"], record["prev"]
    except NO_RECORD:
        return "is not a record"
    if seq != before.seq + 1:
        return f"is missing: record {seq} stands in its place"
    return "" if prev == before.hash else "does not follow the record before it"


def pruned_up_to(line: bytes) -> int:
    """The number of the last record that a `pruned` record speaks of; 0 for any other sound line."""
    if b'"kind":"pruned"' not in line:
        return 0
    record = json.loads(line)["record"]
    return int(record["up_to"]) if record.get("kind") == "pruned" else 0
