"""Most restrictive wins, for any layers: what a further layer allows was allowed without it."""

from __future__ import annotations

import itertools
import os
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.policy.effective import Effective
from pointsman.policy.merge import Grant, Limit, merge
from pointsman.policy.route import Facts, decide, usable
from pointsman.policy.schema import LimitFile, PolicyFile, Quota

MANY = int(os.environ.get("POINTSMAN_TEST_POLICIES", "500"))
"""Generated policies a property; 10000 for the whole promise."""
NAMES, URLS = ("a", "b", "c"), ("https://one.example/v1", "https://two.example/v1")
REGIONS, MODELS, TASKS = ("eu", "us"), ("m1", "m2", "m3"), ("refactor", "chat")


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Dictionaries with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def some(values: tuple[str, ...], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True, min_size=least).map(tuple)


prices = st.fixed_dictionaries({"input": st.floats(0, 20), "output": st.floats(0, 20)})
quotas = optional(**{name: st.integers(0, 9) for name in Quota.model_fields if not name.startswith("usd")})
endpoints = st.fixed_dictionaries(
    {
        "name": st.sampled_from(NAMES),
        "base_url": st.sampled_from(URLS),
        "region": st.sampled_from(REGIONS),
        "models": some(MODELS, 1),
        "key": st.sampled_from(("env:A", "env:B")),
        "usd_per_mtok": prices,
    },
    optional={
        "api": st.sampled_from(("chat", "responses")),
        "network": st.sampled_from(("public", "private")),
        "proxy": st.just("http://proxy.example:3128"),
    },
)
limits = st.fixed_dictionaries(
    {"name": st.sampled_from(NAMES)},
    optional={
        "base_url": st.sampled_from(URLS),
        "models": some(MODELS),
        "key": st.just("env:C"),
        "api": st.sampled_from(("chat", "responses")),
        "network": st.sampled_from(("public", "private")),
        "proxy": st.just("http://proxy.example:3128"),
        "usd_per_mtok": prices,
    },
)


def several(entries: st.SearchStrategy[dict[str, Any]], least: int) -> st.SearchStrategy[tuple[dict[str, Any], ...]]:
    return st.lists(entries, min_size=least, max_size=3, unique_by=lambda entry: str(entry["name"])).map(tuple)


def files(closed: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"version": st.just(1), "closed": closed},
        optional={
            "route": optional(
                regions=some(REGIONS),
                closed_when=optional(min_lines=st.integers(0, 9), files=st.integers(0, 9), symbols=st.integers(0, 3)),
                local_paths=some(("x/**", "y/**")),
            ),
            "local_only": st.sampled_from((False, False, False, True)),
            "audit": optional(keep_days=st.integers(1, 400)),
            "exclude": optional(paths=some(("x/**", "y/**"))),
            "redact": optional(secrets=st.booleans(), pii=st.booleans()),
            "review": optional(
                outbound=st.sampled_from(("always", "first", "never")), edits=st.sampled_from(("protected", "always"))
            ),
            "models": optional(licences=some(("MIT", "Apache-2.0"))),
        },
    )


# Mostly layers that grant something: of those that grant nothing, nothing could be learnt.
mostly = st.sampled_from((True, True, True, False))
grants = files(
    st.fixed_dictionaries(
        {"enabled": mostly, "tasks": some(TASKS, 1), "endpoints": several(endpoints, 1)}, optional={"quota": quotas}
    )
)
restrictions = files(optional(enabled=mostly, tasks=some(TASKS), endpoints=several(limits, 0), quota=quotas))
TARGETS: tuple[Literal["auto", "closed", "local"], ...] = ("auto", "closed", "local")
ALL_FACTS = [
    Facts(task=task, lines=lines, files=count, symbols=symbols, target=target, trusted=True)
    for task, lines, count, symbols, target in itertools.product(
        (*TASKS, "completion"), (0, 9), (0, 5, 9), (0, 3), TARGETS
    )
]


def allowed(policy: Effective, *, asked_only: bool = False) -> set[tuple[object, ...]]:
    """Every (facts, endpoint, model) that may leave: any usable endpoint and model of a closed decision."""
    return {
        (facts, entry.name, entry.base_url, entry.region, entry.api, entry.network, entry.proxy, entry.ca_file, model)
        for facts in ALL_FACTS
        if not (asked_only and facts.target == "auto") and decide(facts, policy).target == "closed"
        for entry in usable(policy)
        for model in entry.models
    }


def build(upper: list[dict[str, Any]], lower: list[dict[str, Any]]) -> Effective:
    return merge(
        [Grant(f"grant {number}", PolicyFile.model_validate(file)) for number, file in enumerate(upper)],
        [Limit(f"limit {number}", LimitFile.model_validate(file)) for number, file in enumerate(lower)],
        trusted=True,
    )


def no_laxer(lower: Effective, upper: Effective) -> None:
    """All that is not a route: quotas, exclusions, redaction, review, licences."""
    for name in Quota.model_fields:
        before, now = getattr(upper.quota, name), getattr(lower.quota, name)
        assert before is None or (now is not None and now <= before)
    assert set(upper.exclude) <= set(lower.exclude)
    assert lower.redact_secrets >= upper.redact_secrets and lower.redact_pii >= upper.redact_pii
    assert not (upper.review_outbound == "always" and lower.review_outbound != "always")
    assert not (upper.review_outbound == "first" and lower.review_outbound == "never")
    assert not (upper.review_edits == "always" and lower.review_edits == "protected")
    assert upper.licences is None or set(lower.licences or ()) <= set(upper.licences)
    assert lower.local_only >= upper.local_only and set(upper.local_paths) <= set(lower.local_paths)
    assert lower.bodies_key == upper.bodies_key
    # Only what an upper layer said binds; the default does not.
    assert lower.keep_days >= upper.keep_days or upper.provenance["audit.keep_days"] == "default"
    prices = {entry.name: entry.usd_per_mtok for entry in upper.endpoints}
    for entry in lower.endpoints:
        assert entry.usd_per_mtok.input >= prices[entry.name].input
        assert entry.usd_per_mtok.output >= prices[entry.name].output


@settings(max_examples=MANY, deadline=None)
@given(st.lists(grants, min_size=1, max_size=2), restrictions, restrictions)
def test_a_repository_and_the_environment_only_take_away(
    upper: list[dict[str, Any]], repository: dict[str, Any], extra: dict[str, Any]
) -> None:
    base, once = build(upper, []), build(upper, [repository])
    twice = build(upper, [repository, extra])
    assert allowed(twice) <= allowed(once) <= allowed(base)
    no_laxer(once, base)
    no_laxer(twice, once)
    assert {entry.key for entry in twice.endpoints} <= {entry.key for entry in base.endpoints}


@settings(max_examples=MANY, deadline=None)
@given(grants, grants)
def test_the_user_stays_within_the_organisation(organisation: dict[str, Any], user: dict[str, Any]) -> None:
    upper, both = build([organisation], []), build([organisation, user], [])
    assert allowed(both, asked_only=True) <= allowed(upper, asked_only=True)
    # What the user did not list stays off, whatever the organisation grants.
    alone = build([user], [])
    assert {row[1:] for row in allowed(both)} <= {row[1:] for row in allowed(alone, asked_only=True)}


@settings(max_examples=300, deadline=None)
@given(st.lists(grants, max_size=2), st.lists(restrictions, max_size=2))
def test_a_layer_twice_is_a_layer_once(upper: list[dict[str, Any]], lower: list[dict[str, Any]]) -> None:
    once = build(upper, lower)
    again = build(upper, [*lower, *lower])
    assert once.sha256 == again.sha256


def test_the_generated_layers_do_allow_something() -> None:
    """Otherwise the properties above would hold of nothing."""
    entry: dict[str, Any] = {"name": "a", "base_url": URLS[0], "region": "eu", "models": ("m1", "m2"), "key": "env:A"}
    entry["usd_per_mtok"] = {"input": 1.0, "output": 1.0}
    grant = {"version": 1, "closed": {"enabled": True, "tasks": TASKS, "endpoints": (entry,)}}
    limit = {"version": 1, "closed": {"endpoints": ({"name": "a", "models": ("m2",)},)}}
    assert len(allowed(build([grant], []))) == 2 * len(allowed(build([grant, grant], [limit]))) > 0
