"""Keys and tokens that their makers gave a shape of their own: the prefix, what follows it, and how much of it.

Facts from the makers' documentation and from tokens in their examples; one line for each.
"""

from __future__ import annotations

from pointsman.gateway.pem import PRIVATE_KEYS
from pointsman.gateway.rules import Rule, always, compiled, random, varied

_AN = "[A-Za-z0-9]"
_ID = "[A-Za-z0-9_-]"
_UUID = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

# (name, words that are always in it, pattern). A match starts at a word boundary, or where another word ends in "_".
_SHAPED: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("1password", ("a3-",), r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}"),
    ("1password-service", ("ops_ey",), r"ops_eyJ[A-Za-z0-9+/=_-]{60,}"),
    ("adobe", ("p8e-",), rf"p8e-{_AN}{{32}}"),
    ("age", ("age-secret",), r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    ("airtable", ("pat",), rf"pat{_AN}{{14}}\.[a-f0-9]{{64}}"),
    ("alibaba", ("ltai",), rf"LTAI{_AN}{{12,24}}"),
    ("anthropic", ("sk-ant-",), rf"sk-ant-[a-z0-9]{{2,10}}-{_ID}{{20,}}"),
    ("artifactory", ("akc",), rf"AKC{_AN}{{64,80}}"),
    ("artifactory-reference", ("cmvmdgtu",), rf"cmVmdGtu{_AN}{{50,}}"),
    ("atlassian", ("atatt3", "atctt3", "atbb"), rf"(?:AT[AC]TT3[A-Za-z0-9_=-]{{60,}}|ATBB{_AN}{{24,40}})"),
    (
        "authress",
        ("sc_", "ext_", "scauth_", "authress_"),
        r"(?:sc|ext|scauth|authress)_[a-z0-9]{5,30}\.[a-z0-9]{4,6}\.acc[_-][a-z0-9-]{10,32}\.[A-Za-z0-9+/_=-]{30,120}",
    ),
    ("aws-access-key", ("akia", "asia", "abia", "acca", "a3t"), r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}"),
    (
        "aws-bedrock",
        ("absk", "bedrock-api-key-"),
        r"(?:ABSK[A-Za-z0-9+/]{100,}={0,2}|bedrock-api-key-[A-Za-z0-9+/=]{20,})",
    ),
    ("azure-ad", ("q~",), r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    ("clickhouse", ("4b1d",), rf"4b1d{_AN}{{38}}"),
    ("clojars", ("clojars_",), r"(?i:CLOJARS_)[A-Za-z0-9]{60}"),
    ("cloudflare-origin", ("v1.0-",), r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}"),
    ("contentful", ("cfpat-",), rf"CFPAT-{_ID}{{43}}"),
    ("databricks", ("dapi",), r"dapi[a-f0-9]{32}(?:-\d)?"),
    ("digitalocean", ("_v1_",), r"do[opr]_v1_[a-f0-9]{64}"),
    ("discord-bot", (".",), rf"[MNO]{_ID}{{23,27}}\.{_ID}{{6}}\.{_ID}{{27,40}}"),
    (
        "discord-webhook",
        ("/api/webhooks/",),
        r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/[0-9]{15,22}/[A-Za-z0-9_-]{50,80}",
    ),
    ("docker", ("dckr_",), rf"dckr_(?:pat|oat)_{_ID}{{20,}}"),
    ("doppler", ("dp.",), rf"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{{2,35}}\.)?{_AN}{{40,44}}"),
    ("dropbox", ("sl.",), r"sl\.(?:u\.)?[A-Za-z0-9_=-]{120,}"),
    ("duffel", ("duffel_",), r"duffel_(?:test|live)_[A-Za-z0-9_=-]{40,50}"),
    ("dynatrace", ("dt0",), r"dt0[a-z][0-9]{2}\.[A-Z0-9]{8,24}\.[A-Z0-9]{64}"),
    ("easypost", ("ezak", "eztk"), rf"EZ[AT]K{_AN}{{54}}"),
    ("endor", ("endr+",), rf"endr\+{_AN}{{16}}"),
    ("facebook", ("eaa",), rf"EAA[MC]?{_AN}{{80,}}"),
    ("figma", ("figd_", "figo_", "figor_"), rf"fig(?:d|o|or)_{_ID}{{38,}}"),
    ("flutterwave", ("flw",), r"FLW(?:PUB|SEC)K_TEST-[A-Za-z0-9]{12,32}(?:-X)?"),
    ("flutterwave-key", ("flwseck_",), r"FLWSECK_TEST[A-Za-z0-9]{12}"),
    (
        "fly",
        ("fo1_", "fm1", "fm2_"),
        r"(?:fo1_[A-Za-z0-9_-]{43}|fm1[ar]_[A-Za-z0-9+/]{100,}={0,3}|fm2_[A-Za-z0-9+/]{100,}={0,3})",
    ),
    ("frameio", ("fio-u-",), r"fio-u-[A-Za-z0-9_=-]{64}"),
    ("freemius", ("sk_",), r"sk_[A-Za-z0-9~!@#$%^&*()_+?-]{29}\b"),
    (
        "github",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})",
    ),
    (
        "gitlab",
        ("gl", "gr1348941", "_gitlab_session"),
        r"(?:gl(?:pat|dt|rt|ptt|cbt|agent|oas|soat|imt|ft|ffct|rtr|wt)-[A-Za-z0-9_.=-]{20,300}"
        r"|GR1348941[A-Za-z0-9_-]{20}|_gitlab_session=[0-9a-z]{32})",
    ),
    ("google-api", ("aiza",), r"AIza[0-9A-Za-z_-]{35}"),
    ("google-oauth", ("ya29.", "gocspx-"), r"(?:ya29\.|GOCSPX-)[0-9A-Za-z_-]{20,250}"),
    ("gocardless", ("live_",), r"live_[A-Za-z0-9_=-]{40}"),
    (
        "grafana",
        ("glc_", "glsa_", "eyjrijoi"),
        r"(?:glc_[A-Za-z0-9+/]{32,400}={0,3}|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|eyJrIjoi[A-Za-z0-9]{60,400}={0,3})",
    ),
    ("groq", ("gsk_",), rf"gsk_{_AN}{{40,60}}"),
    ("harness", ("pat.", "sat."), r"[ps]at\.[A-Za-z0-9_-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}"),
    ("hashicorp", (".atlasv1.",), r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}"),
    ("heroku", ("hrku-",), rf"HRKU-(?:{_UUID}|AA{_ID}{{58}})"),
    ("huggingface", ("hf_", "api_org_"), r"(?:hf|api_org)_[A-Za-z0-9]{30,60}"),
    ("infracost", ("ico-",), rf"ico-{_AN}{{32}}"),
    ("intra42", ("s-s4t2",), r"s-s4t2(?:ud|af)-[a-f0-9]{64}"),
    ("json-web-token", ("eyj",), r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    ("json-web-token-encoded", ("zxlk",), r"ZXlK[A-Za-z0-9+/_-]{40,}={0,2}"),
    ("linear", ("lin_",), rf"lin_(?:api|oauth)_{_AN}{{40}}"),
    ("lob", ("live_", "test_"), r"(?:live|test)_(?:pub_)?[a-f0-9]{31,35}"),
    ("mailchimp", ("-us",), r"[a-f0-9]{32}-us[0-9]{1,2}"),
    ("mailgun", ("key-", "pubkey-"), r"(?:pub)?key-[a-f0-9]{32}"),
    ("mailgun-signing", ("-",), r"[a-h0-9]{32}-[a-h0-9]{8}-[a-h0-9]{8}"),
    ("mapbox", ("pk.", "sk."), r"[ps]k\.[A-Za-z0-9]{60,}\.[A-Za-z0-9_-]{22}"),
    ("maxmind", ("_mmk",), r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk"),
    ("newrelic", ("nrak-", "nrjs-", "nrii-", "nriq-", "nral"), r"NR(?:AK|JS|II|IQ|RA|AL)-[A-Za-z0-9_-]{19,42}"),
    ("notion", ("ntn_", "secret_"), r"(?:ntn_[0-9]{11}[A-Za-z0-9]{32,40}|secret_[A-Za-z0-9]{43})"),
    ("npm", ("npm_",), r"npm_[A-Za-z0-9]{36}"),
    ("nuget", ("oy2",), r"oy2[a-z0-9]{43}"),
    ("octopus", ("api-",), r"API-[A-Z0-9]{26}"),
    ("openai", ("sk-",), r"sk-(?:proj-|svcacct-|admin-|or-v1-|lf-)?[A-Za-z0-9_-]{20,250}"),
    ("openshift", ("sha256~",), r"sha256~[A-Za-z0-9_-]{43}"),
    ("perplexity", ("pplx-",), r"pplx-[A-Za-z0-9]{40,60}"),
    ("plaid", ("access-",), rf"access-(?:sandbox|development|production)-{_UUID}"),
    ("planetscale", ("pscale_",), r"pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_.=-]{32,64}"),
    ("polar", ("polar_",), r"polar_[a-z]{2,4}_[A-Za-z0-9_-]{32,64}"),
    ("posthog", ("phc_", "phx_"), r"ph[cx]_[A-Za-z0-9]{40,50}"),
    ("postman", ("pmak-",), r"PMAK-[A-Fa-f0-9]{24}-[A-Fa-f0-9]{34}"),
    ("prefect", ("pnu_",), r"pnu_[A-Za-z0-9]{36}"),
    ("pulumi", ("pul-",), r"pul-[a-f0-9]{40}"),
    ("pypi", ("pypi-",), r"pypi-[A-Za-z0-9_-]{50,1000}"),
    ("readme", ("rdme_",), r"rdme_[a-z0-9]{70}"),
    ("replicate", ("r8_",), r"r8_[A-Za-z0-9]{37}"),
    ("resend", ("re_",), r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}"),
    ("rubygems", ("rubygems_",), r"rubygems_[a-f0-9]{48}"),
    ("scalingo", ("tk-us-",), rf"tk-us-{_ID}{{48}}"),
    ("sendgrid", ("sg.",), r"SG\.[A-Za-z0-9_=.-]{60,80}"),
    ("sendinblue", ("xkeysib-", "xsmtpsib-"), r"x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    ("sentry", ("sntrys_", "sntryu_"), r"(?:sntrys_[A-Za-z0-9+/=]{40,}(?:_[A-Za-z0-9+/]{43})?|sntryu_[a-f0-9]{64})"),
    ("sentry-dsn", ("https://",), r"https://([a-f0-9]{32})(?::[a-f0-9]{32})?@[\w.-]+/\d+"),
    ("settlemint", ("sm_",), r"sm_(?:aat|pat|sat)_[A-Za-z0-9]{16}"),
    ("shippo", ("shippo_",), r"shippo_(?:live|test)_[A-Fa-f0-9]{40}"),
    ("shopify", ("shp",), r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
    ("sidekiq-url", ("contribsys.com",), r"https?://[a-f0-9]{8}:[a-f0-9]{8}@(?:gems|enterprise)\.contribsys\.com"),
    ("slack", ("xox", "xapp"), r"(?:xoxe\.)?(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,250}"),
    (
        "slack-webhook",
        ("hooks.slack.com",),
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{20,100}",
    ),
    ("sonarqube", ("squ_", "sqp_", "sqa_"), r"sq[upa]_[A-Za-z0-9]{40}"),
    ("sourcegraph", ("sgp_", "slk_"), r"(?:sgp_(?:[A-Fa-f0-9]{16}_|local_)?[A-Fa-f0-9]{40}|slk_[a-f0-9]{64})"),
    ("square", ("sq0", "eaaa"), r"(?:sq0[a-z]{3}-[A-Za-z0-9_-]{22,43}|EAAA[A-Za-z0-9_-]{56,60})"),
    (
        "stripe",
        ("k_live_", "k_test_", "k_prod_", "whsec_"),
        r"(?:[prs]k_(?:live|test|prod)|whsec)_[A-Za-z0-9+/=]{10,250}",
    ),
    ("supabase", ("sbp_", "sb_secret_"), r"(?:sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{31})"),
    ("tailscale", ("tskey-",), r"tskey-[a-z]{2,10}-[A-Za-z0-9_-]{10,60}"),
    ("teams-webhook", (".webhook.office.com",), r"[a-z0-9]+\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{60,200}"),
    ("telegram", (":aa",), r"[0-9]{5,16}:AA?[A-Za-z0-9_-]{33,34}"),
    ("twilio", ("sk", "ac"), r"(?:SK|AC)[0-9a-fA-F]{32}"),
    ("twitter-bearer", ("aaaaaaaaaaaaaaaaaaaaaa",), r"A{22}[A-Za-z0-9%]{80,100}"),
    ("typeform", ("tfp_",), r"tfp_[A-Za-z0-9_.=-]{59}"),
    ("vault", ("hvs.", "hvb.", "hvr."), r"hv[sbr]\.[A-Za-z0-9_-]{24,300}"),
    ("vault-old", ("s.",), r"s\.[A-Za-z0-9]{24}"),
    ("vercel", ("vcp_", "vck_"), r"vc[pk]_[A-Za-z0-9]{40,64}"),
    ("xai", ("xai-",), r"xai-[A-Za-z0-9]{70,90}"),
    (
        "yandex",
        ("aqvn", "t1.", "ycaj", "ycnm"),
        r"(?:AQVN[A-Za-z0-9_-]{35,38}|t1\.[A-Z0-9a-z_-]+={0,2}\.[A-Z0-9a-z_-]{86}={0,2}|YC[AN][A-Za-z0-9_-]{38})",
    ),
)
_CHECKED = dict.fromkeys(
    ("openai", "alibaba", "vault-old", "freemius", "gocardless", "stripe", "telegram", "azure-ad"), random
) | {"aws-access-key": varied}
"""Shapes that a name or a sentence could take: these must look random as well. One AWS id in thirty has no digit."""

CRYPT_HASH = Rule(
    "crypt-hash",
    compiled(r"\$(?:1|2[aby]|5|6|7|y|gy|apr1|argon2(?:id|i|d)|pbkdf2-\w+)\$[./A-Za-z0-9$=,+]{20,200}"),
    keywords=("$",),
    shaped=True,
)
FORMATS = (
    *PRIVATE_KEYS,
    CRYPT_HASH,
    *(
        Rule(
            f"{name}-key",
            compiled(rf"(?:\b|_)({pattern})"),
            _CHECKED.get(name, always),
            words,
            shaped=True,
        )
        for name, words, pattern in _SHAPED
    ),
)
