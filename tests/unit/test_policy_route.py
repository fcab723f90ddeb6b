"""Routing: default deny, the first obstacle decides, and every decision names its rule."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pointsman.policy import explain
from pointsman.policy.effective import Effective
from pointsman.policy.parse import Problem
from pointsman.policy.route import Facts, decide, preferring
from pointsman.policy.schema import ClosedWhen, Endpoint, Price


def endpoint(**changes: Any) -> Endpoint:
    values: dict[str, Any] = {
        "name": "vendor",
        "base_url": "https://api.example.com/v1",
        "region": "eu",
        "models": ("big-1", "big-2"),
        "key": "env:K",
        "usd_per_mtok": Price(input=1, output=1),
    }
    return Endpoint.model_validate(values | changes)


OPEN = Effective(
    enabled=True,
    endpoints=(endpoint(), endpoint(name="second", region="us")),
    tasks=("refactor", "chat"),
    closed_when=ClosedWhen(min_lines=40, files=2),
    trusted=True,
)
ASKED = Facts(task="refactor", lines=1, files=1, target="closed", trusted=True)


@pytest.mark.parametrize(
    ("choice", "policy", "target", "rule"),
    [
        ("local", OPEN, "local", "settings.target"),
        ("closed", OPEN, "closed", "closed.endpoints.vendor"),
        ("closed", dataclasses.replace(OPEN, enabled=False), "local", "closed.enabled"),
        ("auto", OPEN, "local", "route.closed_when"),
    ],
)
def test_a_setting_prefers_and_never_refuses(choice: Any, policy: Effective, target: str, rule: str) -> None:
    found = preferring(choice, dataclasses.replace(ASKED, target="auto"), policy)
    assert (found.target, found.rule) == (target, rule)
    if choice != "auto":  # What the request itself says goes before any setting.
        asked = preferring(choice, dataclasses.replace(ASKED, target="local"), policy)
        assert (asked.target, asked.rule) == ("local", "target.local")


@pytest.mark.parametrize("name", ["symbols", "difficulty"])
def test_measured_difficulty_counts(name: str) -> None:
    policy = dataclasses.replace(OPEN, closed_when=ClosedWhen.model_validate({name: 5}))
    easy = dataclasses.replace(ASKED, target="auto", **{name: 4})
    hard = dataclasses.replace(easy, **{name: 5})
    assert decide(easy, policy).target == "local"
    assert (decide(hard, policy).target, decide(hard, policy).rule) == ("closed", f"route.closed_when.{name}")


def test_the_next_endpoint_serves_while_the_first_rests() -> None:
    found = decide(dataclasses.replace(ASKED, down=frozenset(("vendor",))), OPEN)
    assert found.endpoint is not None and found.endpoint.name == "second"


def test_asked_for_and_listed() -> None:
    decision = decide(ASKED, OPEN)
    assert decision.endpoint is not None
    assert (decision.target, decision.endpoint.name, decision.model) == ("closed", "vendor", "big-1")
    assert decision.rule == "closed.endpoints.vendor"


PROBLEM = Problem(layer="user", file="policy.toml", line=3, message="unknown key")


@pytest.mark.parametrize(
    ("facts", "policy", "rule"),
    [
        ({"task": "completion"}, {}, "task.completion"),
        ({"task": "other"}, {}, "closed.tasks"),
        ({"lines": -1}, {}, "policy.facts"),
        ({"target": "cloud"}, {}, "policy.facts"),
        ({"trusted": False}, {}, "workspace.untrusted"),
        ({}, {"trusted": False}, "workspace.untrusted"),
        ({"quota_left": False}, {}, "closed.quota"),
        ({}, {"problems": (PROBLEM,)}, "policy.problem"),
        ({}, {"endpoints": ()}, "closed"),
        ({}, {"enabled": False}, "closed.enabled"),
        ({}, {"tasks": ("chat",)}, "closed.tasks"),
        ({}, {"regions": ()}, "route.regions"),
        ({}, {"regions": ("ch",)}, "route.regions"),
        ({}, {"local_only": True}, "local_only"),
        ({"local_data": True}, {}, "route.local_paths"),
        ({"symbols": -1}, {}, "policy.facts"),
        ({"down": frozenset(("vendor", "second"))}, {}, "endpoint.down"),
    ],
)
def test_each_obstacle_refuses_what_was_asked_and_keeps_the_rest_local(
    facts: dict[str, Any], policy: dict[str, Any], rule: str
) -> None:
    asked, found = dataclasses.replace(ASKED, **facts), dataclasses.replace(OPEN, **policy)
    decision = decide(asked, found)
    assert (decision.target, decision.rule, decision.endpoint, decision.model) == ("refused", rule, None, "")
    assert decision.reason
    if asked.target == "closed":
        hard = dataclasses.replace(asked, target="auto", lines=asked.lines * 1000)
        assert (decide(hard, found).target, decide(hard, found).rule) == ("local", rule)
        assert decide(dataclasses.replace(asked, target="local"), found).target == "local"


@pytest.mark.parametrize(
    ("lines", "files", "target", "rule"),
    [
        (39, 1, "local", "route.closed_when"),
        (40, 1, "closed", "route.closed_when.min_lines"),
        (1, 2, "closed", "route.closed_when.files"),
        (0, 0, "local", "route.closed_when"),
    ],
)
def test_hard_work_goes_out_by_itself_and_easy_work_stays(lines: int, files: int, target: str, rule: str) -> None:
    decision = decide(Facts(task="chat", lines=lines, files=files, trusted=True), OPEN)
    assert (decision.target, decision.rule) == (target, rule)


def test_without_a_threshold_nothing_goes_out_by_itself() -> None:
    quiet = dataclasses.replace(OPEN, closed_when=None)
    assert decide(Facts(task="chat", lines=10**6, files=99, trusted=True), quiet).target == "local"


def test_regions_choose_among_endpoints() -> None:
    decision = decide(ASKED, dataclasses.replace(OPEN, regions=("us",)))
    assert decision.endpoint is not None and decision.endpoint.name == "second"


def test_what_is_left_out_counts_against_leaving() -> None:
    assert decide(Facts(task="refactor", target="closed"), OPEN).target == "refused"
    assert decide(ASKED, Effective()).target == "refused"


def test_every_rule_in_words() -> None:
    from pointsman.policy.merge import merge

    rows = {key: value for key, value, _ in explain.rows(merge([], [], trusted=False))}
    assert rows["closed.enabled"] == "no"
    assert rows["closed.quota.usd_per_month"] == "no limit"
    assert rows["route.closed_when"] == "only when asked for"
