"""Policy files on disk: what is read, what is wrong with them, and what a mistake switches off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pointsman.errors import ConfigError
from pointsman.exclusion import rules_of
from pointsman.policy import layers
from pointsman.policy.effective import Effective
from pointsman.policy.route import Facts, decide
from pointsman.policy.trust import Trust
from pointsman.settings import Paths

GRANT = """version = 1

[closed]
enabled = true
tasks = ["refactor", "chat"]

[[closed.endpoints]]
name = "vendor"
base_url = "https://api.example.com/v1"
region = "eu"
models = ["big-1", "big-2"]
key = "env:VENDOR_KEY"
usd_per_mtok = { input = 1.25, output = 10 }

[[closed.endpoints]]
name = "other"
base_url = "https://api.example.org/v1"
region = "us"
models = ["large"]
key = "keyring:other"
usd_per_mtok = { input = 1, output = 2 }

[closed.quota]
requests_per_day = 200

[exclude]
paths = ["secrets/**"]

[redact]
custom = [{ name = "ticket", pattern = "ACME-[0-9]{5}" }]
"""
CLOSED = Facts(task="refactor", lines=50, files=1, target="closed", trusted=True)
LOCAL = Facts(task="refactor", lines=50, files=1, target="local", trusted=True)


class Home:
    def __init__(self, root: Path) -> None:
        self.paths = Paths(config=root / "config", data=root / "data", cache=root / "cache", run=root / "run").ensure()
        self.organisation = root / "etc" / "policy.toml"
        self.organisation.parent.mkdir()
        self.user = self.paths.config / "policy.toml"
        self.repo = root / "repo"
        (self.repo / ".pointsman").mkdir(parents=True)
        self.repository = self.repo / ".pointsman" / "policy.toml"
        self.extra = root / "extra.toml"

    def load(self, *, trusted: bool = True) -> Effective:
        if trusted:
            Trust(self.paths.config).trust(self.repo)
        env = {"POINTSMAN_POLICY": str(self.extra)} if os.path.lexists(self.extra) else {}
        return layers.load(self.paths, self.repo, organisation=self.organisation, env=env)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_no_file_grants_nothing(home: Home) -> None:
    found = home.load()
    assert found.endpoints == () and not found.enabled and found.problems == ()
    assert decide(CLOSED, found).target == "refused"
    assert decide(LOCAL, found).target == "local"


def test_the_user_s_grant(home: Home) -> None:
    home.user.write_text(GRANT)
    found = home.load()
    decision = decide(CLOSED, found)
    assert decision.endpoint is not None
    assert (decision.target, decision.endpoint.name, decision.model) == ("closed", "vendor", "big-1")
    assert found.provenance["closed.endpoints.vendor"] == "user"
    assert found.provenance["closed.quota.requests_per_day"] == "user"
    assert found.provenance["redact.pii"] == "default"


MISTAKES = [
    ("enabled = true", "enabled = 1", 4, "closed.enabled"),
    ("enabled = true", "enabled = true\nenabled = false", 5, "not TOML"),
    ("enabled = true", "enabld = true", 4, "closed.enabld: unknown key"),
    ('tasks = ["refactor", "chat"]', 'tasks = ["refactor", "completion"]', 5, "closed.tasks[1]"),
    ("version = 1", "version = 2", 1, "version"),
    ("version = 1", "", 1, "version: is missing"),
    ("https://api.example.com/v1", "http://api.example.com/v1", 9, "must be https"),
    ("https://api.example.com/v1", "https://me:pw@api.example.com/v1", 9, "user name"),
    ('region = "us"', "", 15, "closed.endpoints[1].region: is missing"),
    ('key = "keyring:other"', 'key = "sk-1234567890"', 20, "closed.endpoints[1].key"),
    ("{ input = 1, output = 2 }", "{ input = nan, output = 2 }", 21, "usd_per_mtok"),
    ("{ input = 1, output = 2 }", "{ input = -1, output = 2 }", 21, "usd_per_mtok"),
    ('name = "other"', 'name = "vendor"', 7, "names an endpoint twice"),
    ("requests_per_day = 200", "requests_per_day = 20.5", 24, "requests_per_day"),
    ("requests_per_day = 200", "requests_per_day = -1", 24, "requests_per_day"),
    ("requests_per_day = 200", "requests_pr_day = 1", 24, "unknown key"),
    ('"secrets/**"', '"!secrets/**"', 27, "no ! or #"),
    ('"secrets/**"', '"# secrets"', 27, "no ! or #"),
    ("ACME-[0-9]{5}", "ACME-(", 30, "redact.custom[0].pattern"),
    ("ACME-[0-9]{5}", "(?=a)", 30, "RE2"),
    ("[redact]", "[redakt]", 29, "redakt: unknown key"),
    ("[redact]", "[redact", 29, "not TOML"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), MISTAKES)
def test_a_mistake_switches_the_closed_model_off_and_names_its_line(
    home: Home, old: str, new: str, line: int, words: str
) -> None:
    assert old in GRANT
    home.user.write_text(GRANT.replace(old, new, 1))
    found = home.load()
    problem = found.problems[0]
    assert (problem.layer, problem.file, problem.line) == ("user", str(home.user), line)
    assert words in problem.message
    assert "1234567890" not in str(found.problems) and "me:pw" not in str(found.problems)
    assert not found.enabled and found.own == ()
    assert decide(CLOSED, found).target == "refused"
    assert decide(LOCAL, found).target == "local"


def test_a_mistake_elsewhere_lifts_no_exclusion(home: Home) -> None:
    home.user.write_text(GRANT.replace("enabled = true", "enabled = 1"))
    assert home.load().exclude == ("secrets/**",)


def test_bytes_that_are_not_text(home: Home) -> None:
    home.user.write_bytes(GRANT.encode().replace(b"eu", b"\xff\xfe"))
    (problem,) = home.load().problems
    assert (problem.line, problem.message) == (10, "is not UTF-8 text")


def bad_mode(home: Home) -> None:
    home.user.write_text(GRANT)
    home.user.chmod(0o666)


def other_group(home: Home) -> None:
    home.user.write_text(GRANT)
    if os.geteuid() != 0:
        pytest.skip("only root gives a file to another group")
    os.chown(home.user, -1, 12345)
    home.user.chmod(0o664)


def bad_folder(home: Home) -> None:
    home.user.write_text(GRANT)
    home.paths.config.chmod(0o777)


def link(home: Home) -> None:
    (home.paths.config / "real.toml").write_text(GRANT)
    home.user.symlink_to("real.toml")


def folder(home: Home) -> None:
    home.user.mkdir()


def pipe(home: Home) -> None:
    os.mkfifo(home.user)


def huge(home: Home) -> None:
    home.user.write_text(GRANT + "#" * (1 << 20))


def stranger(home: Home) -> None:
    home.user.write_text(GRANT)
    os.chown(home.user, 12345, -1)


@pytest.mark.parametrize("spoil", [bad_mode, other_group, bad_folder, link, folder, pipe, huge, stranger])
def test_a_file_in_unsafe_hands_switches_the_closed_model_off(home: Home, spoil: object) -> None:
    if spoil is stranger and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    assert callable(spoil)
    try:
        spoil(home)
    except OSError:
        if spoil is not stranger:
            raise
        pytest.skip("this root knows no other user: a namespace of its own")
    found = layers.load(home.paths, None, organisation=home.organisation, env={})
    assert not found.enabled
    (problem,) = found.problems
    assert problem.file == str(home.user)
    home.paths.config.chmod(0o700)


def test_a_bad_layer_of_any_kind_switches_off(home: Home) -> None:
    for file, layer in (
        (home.organisation, "organisation"),
        (home.repository, "repository"),
        (home.extra, "POINTSMAN_POLICY"),
    ):
        home.user.write_text(GRANT)
        file.write_text("version = 1\nbogus = 2\n")
        found = home.load()
        assert [(p.layer, p.line) for p in found.problems] == [(layer, 2)]
        assert not found.enabled
        file.unlink()


def test_a_named_policy_that_is_not_there_switches_off(home: Home) -> None:
    home.user.write_text(GRANT)
    found = layers.load(home.paths, None, organisation=home.organisation, env={"POINTSMAN_POLICY": str(home.extra)})
    assert "does not exist" in str(found.problems[0])


def test_the_organisation_bounds_the_user(home: Home) -> None:
    home.organisation.write_text(
        GRANT.replace('"big-1", "big-2"', '"big-2"').replace("requests_per_day = 200", "requests_per_day = 5")
    )
    home.user.write_text(GRANT.replace("api.example.org", "elsewhere.example.org"))
    found = home.load()
    assert [(entry.name, entry.models) for entry in found.endpoints] == [("vendor", ("big-2",))]
    assert found.quota.requests_per_day == 5
    assert found.provenance["closed.quota.requests_per_day"] == "organisation"


def test_an_organisation_that_lists_nothing_leaves_nothing(home: Home) -> None:
    home.organisation.write_text("version = 1\n")
    home.user.write_text(
        GRANT + '[[own.endpoints]]\nname="x"\nbase_url="http://127.0.0.1:1"\nkind="openai"\nmodel="m"\n'
    )
    found = home.load()
    assert found.endpoints == () and found.own == () and not found.enabled


def test_an_organisation_s_grant_needs_no_user_file(home: Home) -> None:
    home.organisation.write_text(GRANT)
    assert decide(CLOSED, home.load()).target == "closed"
    home.user.write_text("version = 1\n[closed]\nenabled = false\n")
    assert decide(CLOSED, home.load()).target == "refused"


@pytest.mark.parametrize(
    "text",
    [
        GRANT.replace("vendor", "mine"),
        GRANT.replace("api.example.com", "evil.example.com").replace("api.example.org", "evil.example.org"),
        '[closed]\nenabled = true\ntasks = ["refactor", "chat"]\n[[closed.endpoints]]\nname = "mine"\n',
        '[[own.endpoints]]\nname = "mine"\n',
        "[closed.quota]\nrequests_per_day = 100000\n[redact]\nsecrets = false\npii = false\n"
        '[review]\noutbound = "never"\n[route.closed_when]\nmin_lines = 0\n',
    ],
)
@pytest.mark.parametrize("granted", [True, False])
def test_a_repository_cannot_widen(home: Home, text: str, granted: bool) -> None:
    home.user.write_text(GRANT if granted else "version = 1\n")
    before = home.load()
    home.repository.write_text(text if text.startswith("version") else f"version = 1\n{text}")
    found = home.load()
    assert found.problems == ()
    assert {entry.base_url for entry in found.endpoints} <= {entry.base_url for entry in before.endpoints}
    assert {entry.key for entry in found.endpoints} <= {entry.key for entry in before.endpoints}
    assert found.enabled <= before.enabled and set(found.tasks) <= set(before.tasks)
    assert (found.quota.requests_per_day or 0) <= (before.quota.requests_per_day or 10**9)
    assert found.redact_secrets and found.redact_pii and found.own == ()
    assert found.review_outbound == "first" and found.closed_when is None


def test_a_repository_can_tighten(home: Home) -> None:
    home.user.write_text(GRANT)
    home.repository.write_text(
        'version = 1\n[closed]\ntasks = ["chat"]\n[[closed.endpoints]]\nname = "vendor"\nmodels = ["big-2"]\n'
        '[closed.quota]\nrequests_per_day = 3\n[exclude]\npaths = ["data/**"]\n[review]\noutbound = "always"\n'
    )
    found = home.load()
    assert found.tasks == ("chat",)
    assert [(entry.name, entry.models) for entry in found.endpoints] == [("vendor", ("big-2",))]
    assert found.exclude == ("secrets/**", "data/**")
    assert (found.quota.requests_per_day, found.review_outbound) == (3, "always")
    assert found.provenance["closed.tasks"] == "repository"


@pytest.mark.parametrize(
    "field", ['base_url = "https://elsewhere.example.com/v1"', 'region = "us"', 'api = "responses"']
)
def test_a_limit_that_means_another_endpoint_keeps_none(home: Home, field: str) -> None:
    home.user.write_text(GRANT)
    home.repository.write_text(f'version = 1\n[[closed.endpoints]]\nname = "vendor"\n{field}\n')
    assert home.load().endpoints == ()


def test_an_untrusted_workspace_is_not_read(home: Home) -> None:
    home.user.write_text(GRANT)
    home.repository.write_text("this is not even TOML")
    found = home.load(trusted=False)
    assert found.problems == () and not found.trusted
    assert decide(CLOSED, found).rule == "workspace.untrusted"


def test_a_linked_policy_folder_switches_off(home: Home, tmp_path: Path) -> None:
    home.user.write_text(GRANT)
    (home.repo / ".pointsman").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (home.repo / ".pointsman").symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in str(home.load().problems[0])


def test_the_hash_is_of_the_rules_not_of_their_spelling(home: Home) -> None:
    home.user.write_text(GRANT)
    first = home.load().sha256
    home.user.write_text("# a comment\n" + GRANT.replace("200", "2_00"))
    assert home.load().sha256 == first
    home.user.write_text(GRANT.replace("200", "201"))
    assert home.load().sha256 != first


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("[exclude]", "[exclude"), ('"secrets/**"]', '"secrets/**", "!x"]'), ("version = 1", "version = 1\nx = [")],
)
def test_a_mistake_that_may_hide_an_exclusion_lets_nothing_be_read(home: Home, wrong: str, right: str) -> None:
    home.user.write_text(GRANT.replace(wrong, right))
    with pytest.raises(ConfigError, match="what policy excludes cannot be read") as raised:
        home.load().excluded()
    assert raised.value.remedy == "pointsman policy check"
    with pytest.raises(ConfigError):
        rules_of(home.repo, home.load().excluded())


def test_a_mistake_elsewhere_leaves_exclusions_as_they_are(home: Home) -> None:
    home.user.write_text(GRANT.replace("requests_per_day = 200", "requests_per_day = -1"))
    found = home.load()
    assert found.problems and found.excluded() == ("secrets/**",)
