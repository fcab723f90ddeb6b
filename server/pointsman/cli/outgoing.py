"""How commands show what would leave for a closed model, and what left."""

from __future__ import annotations

from collections.abc import Sequence

from pointsman.cli.common import Cli, visible
from pointsman.errors import PolicyRefusal
from pointsman.routed import Receipt


def show_preview(cli: Cli, body: str, sha256: str, redactions: int, marks: Sequence[str]) -> None:
    """The exact body on stdout, the rest on stderr. Without a hash it is a local model's prompt."""
    cli.code(body)
    for mark in marks:
        cli.err.print(visible(f"redacted {mark}"), markup=False)
    facts = f"sha256 {sha256}, {redactions} redactions; " if sha256 else ""
    cli.err.print(f"{facts}nothing was sent", markup=False)


def show_receipt(cli: Cli, receipt: Receipt) -> None:
    redacted = f"{len(receipt.redacted)} redactions ({', '.join(sorted(set(receipt.redacted)))})"
    text = (
        f"receipt {receipt.record_id}: {', '.join(receipt.spans)} to {receipt.endpoint} by {receipt.rule}; "
        f"{redacted if receipt.redacted else 'nothing to redact'}; {receipt.input_tokens} tokens in, "
        f"{receipt.output_tokens} out, {receipt.usd:.4f} USD"
    )
    cli.err.print(visible(text), markup=False)


def unapproved(sha256: str) -> PolicyRefusal:
    return PolicyRefusal(
        "nothing was sent: policy wants this body approved first",
        rule="review.outbound",
        remedy=f"run it again with --approve {sha256}",
    )
