"""What is allowed in a policy and yet worth a second look: for those who write one for many. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pointsman.policy.effective import Effective

_LONG = 90


def warnings(policy: Effective) -> Iterator[str]:
    """Sentences, each with the key that it is about."""
    if not policy.endpoints:
        return
    if not policy.redact_secrets:
        yield "redact.secrets: secrets leave as they are"
    if not policy.redact_pii:
        yield "redact.pii: personal data leaves as it is"
    if policy.review_outbound == "never":
        yield "review.outbound: nobody looks at what leaves, not even the first time"
    limits = policy.quota
    if limits.usd_per_day is None and limits.usd_per_month is None:
        yield "closed.quota: no limit on money"
    if limits.requests_per_day is None and limits.tokens_per_day is None:
        yield "closed.quota: no limit on what leaves in a day"
    if policy.regions is None:
        yield "route.regions: any region that an endpoint states"
    if policy.keep_days < _LONG:
        yield f"audit.keep_days: receipts are forgotten after {policy.keep_days} days"
    for entry in policy.endpoints:
        key = f"closed.endpoints.{entry.name}"
        if entry.usd_per_mtok.input == 0 and entry.usd_per_mtok.output == 0 and entry.network == "public":
            yield f"{key}.usd_per_mtok: is 0, so a limit on money limits nothing"
        if entry.key.startswith("env:"):
            yield f"{key}.key: every program that the user starts can read the environment"
        if entry.base_url.startswith("http:"):
            yield f"{key}.base_url: not encrypted; this machine only"
