"""Credentials made up at run time: the shapes of public rules, filled with random characters, in ordinary code.

Nothing here is a secret; a template such as `ghp_{an36}` says 36 letters and digits. `shaped` are keys that their
maker gave a form, `named` are known by the name beside them.
"""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Iterator
from dataclasses import dataclass

import re2

_SETS = {
    "an": string.ascii_letters + string.digits,
    "up": string.ascii_uppercase + string.digits,
    "lo": string.ascii_lowercase + string.digits,
    "hex": "0123456789abcdef",
    "d": string.digits,
    "id": string.ascii_letters + string.digits + "_-",
    "b": string.ascii_letters + string.digits + "+/",
}
_SLOT = re2.compile(r"\{([a-z]+)([0-9]+)\}")

SHAPED = (
    *("AKIA{up16}", "ASIA{up16}", "ghp_{an36}", "gho_{an36}", "ghs_{an36}", "ghr_{an36}", "github_pat_{an22}_{an59}"),
    *("glpat-{id20}", "glptt-{hex40}", "gldt-{an20}", "glrt-{an20}", "GR1348941{an20}", "xoxb-{d12}-{d12}-{an24}"),
    *("xoxp-{d12}-{d12}-{d12}-{hex32}", "xapp-1-A{up10}-{d13}-{hex64}", "xoxe-1-{an146}", "sk_live_{an24}"),
    *("rk_live_{an24}", "sk_test_{an30}", "whsec_{an32}", "sk-{an20}T3BlbkFJ{an20}", "sk-proj-{an74}"),
    *("sk-ant-api03-{id93}AA", "sk-ant-admin01-{id93}AA", "AIza{id35}", "GOCSPX-{an28}", "ya29.{id120}", "hf_{an34}"),
    *("api_org_{an34}", "npm_{an36}", "pypi-AgEIcHlwaS5vcmc{an70}", "SG.{an22}.{an43}", "SK{hex32}", "key-{hex32}"),
    *("{hex32}-{hex8}-{hex8}", "{hex32}-us12", "dop_v1_{hex64}", "doo_v1_{hex64}", "dor_v1_{hex64}", "{d10}:AA{id33}"),
    *("hvs.{an90}", "hvb.{an140}", "AGE-SECRET-KEY-1{up58}", "shpat_{hex32}", "shpca_{hex32}", "shppa_{hex32}"),
    *(
        "shpss_{hex32}",
        "sq0atp-{an22}",
        "sq0csp-{an43}",
        "EAAA{an60}",
        "figd_{an40}",
        "lin_api_{an40}",
        "ntn_{d11}{an35}",
    ),
    *("NRAK-{up27}", "NRJS-{hex19}", "NRII-{an32}", "glc_{an40}", "glsa_{an32}_{hex8}", "eyJrIjoi{an80}", "sl.{an140}"),
    *(
        "dp.pt.{an43}",
        "dapi{hex32}",
        "dckr_pat_{an27}",
        "EZAK{an54}",
        "EZTK{an54}",
        "fo1_{an43}",
        "FLWSECK_TEST-{hex32}-X",
    ),
    *("fio-u-{an64}", "ico-{an32}", "HRKU-AA{an58}", "{an6}_{an29}_mmk", "oy2{lo43}", "API-{up26}", "sha256~{an43}"),
    *("pplx-{an48}", "pscale_tkn_{an43}", "pscale_pw_{an43}", "PMAK-{hex24}-{hex34}", "pnu_{lo36}", "pul-{hex40}"),
    *("rdme_{lo70}", "rubygems_{hex48}", "tk-us-{an48}", "xkeysib-{hex64}-{an16}", "sntrys_{an120}", "sntryu_{hex64}"),
    *("sgp_{hex40}", "shippo_live_{hex40}", "squ_{an40}", "sqp_{an40}", "sbp_{hex40}", "tskey-auth-{an17}-{an32}"),
    *(
        "{an14}.atlasv1.{an64}",
        "tfp_{an59}",
        "AQVN{an36}",
        "duffel_test_{an43}",
        "dt0c01.{up24}.{up64}",
        "CFPAT-{an43}",
    ),
    *("4b1d{an38}", "CLOJARS_{lo60}", "v1.0-{hex24}-{hex146}", "p8e-{lo32}", "pat{an14}.{hex64}", "LTAI{an20}"),
    *(
        "AKC{an70}",
        "ATATT3{an186}",
        "ATCTT3{an186}",
        "A3-{up6}-{up11}-{up5}-{up5}-{up5}",
        "pk.{an60}.{an22}",
        "live_{hex35}",
    ),
    *("r8_{an37}", "gsk_{an52}", "xai-{an80}", "access-production-{hex8}-{hex4}-{hex4}-{hex4}-{hex12}", "endr+{an16}"),
    *("pat.{an22}.{hex24}.{an20}", "sm_aat_{an16}", "https://hooks.slack.com/services/T{up8}/B{up10}/{an24}"),
)
_NAMED = {
    "lo32": ("adafruit", "datadog", "dropbox", "finnhub", "mailgun", "messagebird", "plaid", "twitch", "sendbird"),
    "hex32": ("adobe", "algolia", "okta", "rapidapi", "trello", "mattermost", "shodan", "zendesk"),
    "hex40": ("meraki", "bitbucket", "codecov", "travis", "sonar", "cloudflare"),
    "an40": ("asana", "confluent", "fastly", "heroku", "kraken", "launchdarkly", "linkedin", "netlify", "snyk"),
    "an24": ("coinbase", "etsy", "gitter", "jira", "kucoin", "airtable", "cohere", "nytimes", "twitter"),
}
NAMED = tuple((f"{maker}_{word}", f"{{{slot}}}")
              for slot, makers in _NAMED.items() for maker in makers for word in ("api_key", "token", "secret", "access"))  # fmt: skip  # noqa: E501
_AROUND = (
    '{name} = "{value}"',
    "{name}: '{value}',",
    '  "{name}": "{value}",',
    "export {NAME}={value}",
    "client = Client({name}='{value}')",
    'const {name} = "{value}";',
    'String {name} = "{value}";',
    "{NAME}={value}",
    '{name} := "{value}"',
)


@dataclass(frozen=True, slots=True)
class Sample:
    kind: str
    text: str
    """A line or a few of code that holds the secret."""
    secret: str


def fill(template: str, dice: random.Random) -> str:
    parts, at = [], 0
    for match in _SLOT.finditer(template):
        letters, count = _SETS[match[1]], int(match[2])
        parts += [template[at : match.start()], "".join(dice.choice(letters) for _ in range(count))]
        at = match.end()
    return "".join((*parts, template[at:]))


def samples(seed: int, each: int = 2) -> Iterator[Sample]:
    """The same for the same seed."""
    dice = random.Random(seed)
    for template in SHAPED:
        for _ in range(each):
            name, value = dice.choice(("value", "config", "x", "my_key")), fill(template, dice)
            around = dice.choice(_AROUND)
            yield Sample(template, around.format(name=name, NAME=name.upper(), value=value), value)
    for name, template in NAMED:
        value = fill(template, dice)
        around = dice.choice(_AROUND)
        yield Sample(name, around.format(name=name, NAME=name.upper(), value=value), value)


def disguises(secret: str) -> dict[str, str]:
    """Six ways to write a secret so that a plain search misses it; each a piece of Python."""
    half = len(secret) // 2
    return {
        "zero-width": f"x = '{secret[:half]}\u200b\u2060{secret[half:]}'",
        "joined": f"x = '{secret[:6]}' + \"{secret[6:half]}\" '{secret[half:]}'",
        "hex": f"x = bytes.fromhex('{secret.encode().hex()}')",
        "base64": f"x = b64decode('{base64.b64encode(secret.encode()).decode()}')",
        "lines": f"x = ('{secret[:half]}'\n     '{secret[half:]}')",
        "escaped": "x = '"
        + "".join(f"\\u{ord(c):04x}" if i % 3 else f"%{ord(c):02X}" for i, c in enumerate(secret))
        + "'",
    }
