"""Secrets that only the name beside them gives away: `password = "…"`, `api_key: …`, `export TOKEN=…`.

A value must look like one: see the tests in `rules`. Secrets that a place gives away are in `places`.
"""

from __future__ import annotations

from collections.abc import Callable

from pointsman.gateway.rules import Rule, bare, compiled, literal, mixed, near, password, token, very_random

# ruff: noqa: E501  (a table: one rule a line)

# A name that ends in one of these is a password's; `pass` and `pw` only as words of their own.
_PASSWORD = (
    r"(?:password|passwd|passphrase|passcode|pswd|pwd|storepass|keypass|requirepass|masterauth|(?:^|[^A-Za-z0-9])(?:pass|pw)|(?-i:[a-z0-9](?:Pass|Pw|PW))"
    r"|wifi_?psk|psk|passwort|contrase[nñ]a|mot_?de_?passe|kennwort)[0-9]{0,2}"
)
_PASSWORD_WORDS = ("pass", "pw", "pswd", "psk", "kennwort", "contrase", "mot")
_LOOSE = r"(?:password|passwd|passphrase|pwd|pass_|pw_)[\w.-]+"
_SECRET = (
    r"(?:(?:secret|api[_.-]?key|apikey|access[_.-]?key|auth[_.-]?key|private[_.-]?key|signing[_.-]?key|"
    r"encrypt(?:ion)?[_.-]?key|master[_.-]?key|account[_.-]?key|shared[_.-]?key|license[_.-]?key|secret[_.-]?key|"
    r"session[_.-]?key|jwt[_.-]?key|hmac[_.-]?key|app[_.-]?key|service[_.-]?key|client[_.-]?secret|credentials?|session[_.-]?(?:id|cookie)|csrf)"
    r"[\w.-]*|tokens?(?:[_.-][\w.-]*|(?-i:[A-Z0-9])\w*|\b)|(?:\b|_)(?:creds?|auth|bearer|salt|pepper))"
)
_PLAIN_SECRET = r"(?:secret(?:[_.-]?(?:key|token|key_base))?)"
_SECRET_WORDS = ("secret", "token", "key", "auth", "cred", "bearer", "salt", "pepper", "session", "csrf")
_NAMED_KEY = r"key"
# What may stand between a name and its value: what closes the name, a type, and the sign that gives.
_CLOSE = r"(?:\[\w*\]|[\"'`\])}]){0,3}"
_TYPE = r"(?:\s?:\s?[&*]?[A-Za-z_][\w<>\[\]., |&']*?)?"
_IS = r"\s{0,8}(?::=|=>|<-|\?=|\|\|[:=]?|\?\?=?|={1,3}|!={1,2}|:|\bor\b|\bby lazy \{|[({:) ]{0,6}\breturn\b)\s{0,8}"
_BESIDE = r"(?:\s{0,8}(?:,|\(|\{|->|::)\s{0,8}|[ \t]{1,4}|\.(?:send_?keys|type|fill|set_?value|set_?text|input)\()"
_DEFAULT = r"(?:[\w.]*[({,]?\s?(?:default(?:_?value)?|value|val|initial)\s{0,3}[=:]\s{0,3})?"
_BETWEEN = rf"{_CLOSE}{_TYPE}(?:{_IS}|{_BESIDE}){_DEFAULT}"
# A parenthesis as formatters put it around a long value, a call that only wraps it, then the quote with what the
# language puts before it.
_WRAP = r"(?:[\w.: ]*(?:encoder?|encode|encrypt|hash|from|String|Some|bytes|\[\]byte|valueOf|crypt)\(\)?\.?){0,2}"
_OPEN = r"(?:\(\s{0,40})?" + _WRAP + r"[rbufRBUFL@$]{0,2}(?:\"\"\"|[\"'`]|\[\[|%[qQ]?[({\[])"
_SHUT = r"[\"'`\])}]"
_BARE = r"[^\s\"'`\\(){}\[\]<>;,&|]"
_LINE = r"(?im)^[ \t]*(?:export[ \t]+|set[ \t]+|Environment=|ENV[ \t]+|ARG[ \t]+|-[ \t]+|-e[ \t]+|\$env:|--|\#[ \t]*)?"
_END = r"[ \t]*(?:[#;][^\n]*)?\\?$"
_NEAR = (
    r"(?:password|passwd|passphrase|secret|credential|api[_.-]?key|auth[_.-]?token|access[_.-]?token|private[_.-]?key)"
)
_NEAR_WORDS = ("passw", "passphrase", "secret", "credential", "api", "token", "private")
_STRING = r"[\"'`]([^\"'`\n]*)[\"'`]"
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

_RULES: tuple[tuple[str, tuple[str, ...], str, Callable[[str], bool]], ...] = (
    ("password", _PASSWORD_WORDS, rf"(?i){_PASSWORD}{_CLOSE}{_TYPE}{_IS}{_OPEN}([^\"'`\n]{{4,}}){_SHUT}", password),
    ("password-beside", _PASSWORD_WORDS, rf"(?i){_PASSWORD}{_BETWEEN}{_OPEN}([^\"'`\\\n]{{4,}}){_SHUT}", mixed),
    ("password-second", _PASSWORD_WORDS, rf"(?i)\w\s?,\s?{_PASSWORD}\s?:?=\s?{_OPEN}[^\"'`\n]*{_SHUT},\s?{_OPEN}([^\"'`\\\n]{{4,}}){_SHUT}", password),
    ("password-place", _PASSWORD_WORDS, rf"(?i)\$\{{[\w.]*{_PASSWORD}:-?([^\s\"'`{{}}]{{4,}})\}}", password),
    ("password-loose", ("pass", "pwd", "pw_"), rf"(?i){_LOOSE}{_BETWEEN}{_OPEN}([^\"'`\\\s]{{6,}}){_SHUT}", token),
    ("password-line", _PASSWORD_WORDS, rf"{_LINE}[\w./:-]*?{_PASSWORD}[\"']?[ \t]?(?:[:?+]?=|:|[ \t])[ \t]{{0,8}}({_BARE}{{4,}}){_END}", bare),
    ("password-env", ("pass", "pwd", "pw"), r"(?m)(?:^|[\s;])(?:export\s+|ENV\s+|-e\s+)?[A-Z0-9_]*(?:PASSWORD|PASSWD|PASS|PWD|PW)[A-Z0-9_]*=([^\s\"'`(){}\[\];,$<]{4,})(?:\s|$)", literal),
    ("password-pair", ("pass", "pwd", "pw"), r"(?im)(?:^|[\s?&;,=\"'(])(?:[\w.-]*(?:password|passwd|passphrase|pwd)|(?:[\w.-]*[_.-])?(?:pass|pw))=([^\s&;\"'`(){}\[\]<>,]{4,})(?:[\s&;\"']|$)", bare),
    ("password-tag", ("pass", "secret", "token", "key"), r"(?i)<(?:[\w.:-]*(?:password|passwd|pass|secret|token|apikey|api-key))(?:\s[^<>]*)?>\s*([^<>\s]{4,})\s*</", literal),
    ("plain-secret", ("secret",), rf"(?i){_PLAIN_SECRET}{_BETWEEN}{_OPEN}([^\"'`\\\n]{{6,}}){_SHUT}", mixed),
    ("plain-secret-line", ("secret",), rf"{_LINE}[\w./:-]*?{_PLAIN_SECRET}[\"']?[ \t]?[=:][ \t]?({_BARE}{{8,}}){_END}", bare),
    ("named-secret", _SECRET_WORDS, rf"(?i){_SECRET}{_BETWEEN}{_OPEN}([^\"'`\\\n]{{8,}}){_SHUT}", token),
    ("named-value", ("name",), rf"(?i)name[\"']?\s*[:=>]\s*[\"']?[\w.-]*(?:{_PASSWORD}|{_SECRET})[\"']?\s*(?:,|\n|</name>)\s*[-\"'<{{]*value[\"']?\s*[:=>]\s*[\"']?([^\s\"'<>{{}}]{{4,}})", mixed),
    # Whatever the shape of the line: a word that speaks of a secret, and a string that looks like one.
    ("near-after", _NEAR_WORDS, rf"(?i){_NEAR}[^\n\"'`]*{_STRING}(?:[^\n\"'`]*{_STRING})?(?:[^\n\"'`]*{_STRING})?", near),
    ("near-before", _NEAR_WORDS, rf"(?i){_STRING}[^\n\"'`]{{0,30}}{_NEAR}", near),
    ("named-key", ("key",), rf"(?i){_NAMED_KEY}{_BETWEEN}{_OPEN}([A-Za-z0-9+/_=.:-]{{12,}}){_SHUT}", very_random),
    ("named-line", _SECRET_WORDS, rf"{_LINE}[\w./:-]*?{_SECRET}[\"']?[ \t]?(?:[:?+]?=|:|[ \t])[ \t]{{0,8}}({_BARE}{{8,}}){_END}", token),
    ("named-bare", _SECRET_WORDS, rf"(?im)(?:^|[\s\"'{{,.-]){_SECRET}[\"']?\s?[=:]\s?([A-Za-z0-9+/_~!-]{{16,}}={{0,2}})(?:[\s;,\"'}}]|$)", very_random),
    (
        "maker-named",
        _MAKERS,
        rf"(?i)(?:{'|'.join(name.replace('-', '[ .-]') for name in _MAKERS)})[\w .\t-]*{_CLOSE}(?:{_IS}|{_BESIDE})[\"'`=\s]{{0,5}}"
        r"([A-Za-z0-9_=+/.~-]{15,})(?:[\"'`\s;,)]|\\|\z)",
        very_random,
    ),
)  # fmt: skip

CREDENTIALS = tuple(Rule(name, compiled(pattern), accept, words) for name, words, pattern, accept in _RULES)
