"""Secrets that only their name or their place gives away: `password = "…"`, a user and password in a URL, `curl -u`.

A value must look like one: see the tests in `rules`.
"""

from __future__ import annotations

from collections.abc import Callable

from pointsman.gateway.rules import Rule, compiled, literal, password, random, very_random

_PASSWORD = r"(?:pass(?:word|wd|phrase|code)?|passwd|pwd|pswd)"
_NAME = (
    r"(?:pass(?:word|wd|phrase|code)|passwd|pwd|secret|token|api[_.-]?key|apikey|access[_.-]?key|auth[_.-]?key|"
    r"private[_.-]?key|signing[_.-]?key|encrypt(?:ion)?[_.-]?key|master[_.-]?key|account[_.-]?key|shared[_.-]?key|"
    r"license[_.-]?key|secret[_.-]?key|session[_.-]?key|client[_.-]?secret|credentials?|creds?|auth|bearer|salt|pepper)"
)
_WORDS = (
    "pass", "pwd", "pswd", "secret", "token", "api", "key", "auth", "cred", "bearer", "salt", "pepper",
)  # fmt: skip
# Makers whose keys have no shape: 32 letters say nothing, but `datadog_key = "…"` does.
_MAKERS = (
    *("adafruit", "adobe", "airtable", "algolia", "amplitude", "asana", "atlassian", "auth0", "beamer", "bitbucket"),
    *("bittrex", "codecov", "cohere", "coinbase", "confluence", "confluent", "contentful", "cypress", "datadog"),
    *("discord", "drone", "dropbox", "etsy", "facebook", "fastly", "finicity", "finnhub", "flickr", "freshbooks"),
    *("gitter", "grafana", "heroku", "hubspot", "intercom", "jfrog", "artifactory", "jira", "kraken", "kucoin"),
    *("launchdarkly", "linkedin", "looker", "mailchimp", "mailgun", "mattermost", "meraki", "messagebird", "mistral"),
    *("mixpanel", "netlify", "new-relic", "newrelic", "new_relic", "nytimes", "newyorktimes", "okta", "opsgenie"),
    *("pagerduty", "pendo", "plaid", "privateai", "rapidapi", "rollbar", "segment", "sendbird", "sentry", "shodan"),
    *("sidekiq", "contribsys", "snyk", "sonar", "spotify", "squarespace", "sumo", "telegram", "travis", "trello"),
    *("twitch", "twitter", "typeform", "wakatime", "yandex", "zendesk", "zoho", "deepseek", "together", "cloudflare"),
)
_ASSIGN = r"""["'`\])]{0,2}\s{0,6}(?::=|=>|->|\?=|\|\|:?|={1,3}|:|,|\()\s{0,6}[rbuRBU]{0,2}"""
_QUOTED = r"""["'`]"""
_BARE = r"[^\s\"'`\\(){}\[\]<>;,&|]"

_RULES: tuple[tuple[str, tuple[str, ...], str, Callable[[str], bool]], ...] = (
    (
        "aws-secret-key",
        ("aws", "amz", "secret"),
        r"(?i:aws|amz|secret)[\w\s'\"`:=>.-]{0,40}?['\"`=:\s]([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|\z)",
        random,
    ),
    ("azure-account-key", ("accountkey", "sharedaccess"), r"(?i:AccountKey|SharedAccess(?:Key|Signature))=([A-Za-z0-9+/]{40,100}={0,2})", random),  # noqa: E501
    ("authorization-header", ("bearer", "basic", "token", "apikey"), r"(?i)\b(?:bearer|basic|token|apikey)[ :=]+([A-Za-z0-9._~+/=-]{16,})", random),  # noqa: E501
    ("url-password", ("://",), r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@'\"`<>\\]{0,200}:([^\s/@'\"`<>\\]{2,200})@", literal),  # noqa: E501
    ("url-parameter", ("=",), r"(?i)[?&][\w.-]{0,30}(?:key|token|secret|sig|signature|password|passwd|pwd|auth)=([A-Za-z0-9._~%+/-]{12,300})", random),  # noqa: E501
    ("password", ("pass", "pwd", "pswd"), rf"(?i){_PASSWORD}[\w.-]{{0,30}}{_ASSIGN}{_QUOTED}([^\s\"'`\\]{{6,200}}){_QUOTED}", password),  # noqa: E501
    ("passphrase", ("passphrase", "pass_phrase"), rf"(?i)pass_?phrase[\w.-]{{0,30}}{_ASSIGN}{_QUOTED}([^\"'`\\\n]{{12,200}}){_QUOTED}", literal),  # noqa: E501
    ("password-bare", ("pass", "pwd", "pswd"), rf"(?im)(?:^|[\s;?&-]){_PASSWORD}[\w.-]{{0,30}}\s?[=:]\s?({_BARE}{{6,200}})(?:[\s;&\"']|$)", very_random),  # noqa: E501
    ("password-env", ("pass", "pwd"), r"(?m)^\s{0,20}(?:export\s+|ENV\s+|-e\s+)?[A-Z0-9_]{0,60}(?:PASSWORD|PASSWD|PASS|PWD)[A-Z0-9_]{0,20}=([^\s\"'`(){}\[\];,$<]{6,200})\s*$", literal),  # noqa: E501
    ("password-tag", ("pass", "secret", "token", "key"), r"(?i)<(?:[\w.:-]{0,30}(?:password|passwd|secret|token|apikey))>([^<>\s]{6,300})</", literal),  # noqa: E501
    ("password-option", ("-p", "pass"), r"(?:\bmysql\w*|\bsshpass|\bredis-cli|\bmongo\w*|\bpsql)\b[^\n]{0,120}?\s(?:-p|-a |--password[= ]|--pass[= ])['\"]?([^\s'\"-][^\s'\"]{5,100})", literal),  # noqa: E501
    ("curl-user", ("curl",), r"\bcurl\b[^\n]{0,200}?\s(?:-u|--user)[ =]?['\"]?[^\s:'\"]{1,100}:([^\s'\"]{4,200})", literal),  # noqa: E501
    ("netrc", ("password",), r"(?m)\blogin\s+\S{1,100}\s+password\s+(\S{4,200})", literal),
    ("connection-string", ("pwd", "password"), r"(?i);\s?(?:pwd|password)\s?=\s?([^;\"'\s]{4,200})", literal),
    ("user-and-password", ("auth", "login"), r"(?i)(?:auth\s?=\s?\(|basicauth\(|login\()\s?['\"][^'\"\s]{1,100}['\"],\s?['\"]([^'\"\s]{6,200})['\"]", password),  # noqa: E501
    ("named-secret", _WORDS, rf"(?i){_NAME}[\w.-]{{0,30}}{_ASSIGN}{_QUOTED}([^\s\"'`\\]{{8,500}}){_QUOTED}", very_random),  # noqa: E501
    ("named-key", ("key",), rf"(?i)\b[\w.-]{{0,40}}key{_ASSIGN}{_QUOTED}([A-Za-z0-9+/_=.-]{{16,500}}){_QUOTED}", very_random),  # noqa: E501
    ("named-bare", _WORDS, rf"(?im)(?:^|[\s\"'{{,.]){_NAME}[\w.-]{{0,30}}[\"']?\s?[=:]\s?([A-Za-z0-9+/_~!-]{{16,500}}={{0,2}})(?:[\s;,\"'}}]|$)", very_random),  # noqa: E501
    (
        "environment-line",
        ("password", "passwd", "secret", "token", "key", "auth", "cred"),
        r"(?m)^\s{0,20}(?:export\s+|ENV\s+|-\s+)?[A-Z0-9_]{0,60}(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|_KEY|AUTH|CREDENTIALS?)"
        r"[A-Z0-9_]{0,40}\s?[=:]\s?([^\s\"'`(){}\[\];,]{8,500})\s*$",
        random,
    ),
    (
        "maker-named",
        _MAKERS,
        rf"(?i)(?:{'|'.join(name.replace('-', '[ .-]') for name in _MAKERS)})[\w .\t-]{{0,40}}{_ASSIGN}[\"'`=\s]{{0,5}}"
        r"([A-Za-z0-9_=+/.~-]{15,200})(?:[\"'`\s;,)]|\\|\z)",
        very_random,
    ),
)  # fmt: skip

CREDENTIALS = tuple(Rule(name, compiled(pattern), accept, words) for name, words, pattern, accept in _RULES)
