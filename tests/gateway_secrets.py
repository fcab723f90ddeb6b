"""Planted secrets, each as (text that holds it, the part that must not leave). None was ever valid.

They are put together from halves, so that no scanner takes this file itself for a leak.
"""

from __future__ import annotations

_HEX = "9f86d081884c7d659a2feaa0c55ad015"
_MIXED = "aZ3kQ9xW7pL2mN8vB4tR6yU1cD5eF0gH"
_KEY_BODY = (
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nVJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDu\n"
)
_PRIVATE = "PRIVATE " + "KEY"


def _named(name: str, value: str) -> tuple[str, str]:
    return f"{name} = '{value}'", value


SECRETS: dict[str, tuple[str, str]] = {
    "pem-key": (f"-----BEGIN RSA {_PRIVATE}-----\n{_KEY_BODY}-----END RSA {_PRIVATE}-----", _KEY_BODY),
    "pem-key-cut-off": (f"-----BEGIN {_PRIVATE}-----\n{_KEY_BODY}", _KEY_BODY),
    "pgp-key": (f"-----BEGIN PGP {_PRIVATE} BLOCK-----\n\nlQOYBF{_MIXED}\n", _MIXED),
    "aws-access-key": _named("key", "AKIA" + "QYLPMN5HHHFPZAM2"),
    "aws-secret-key": _named("aws_secret_access_key", "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYzzzKEY12ab"),
    "github-token": _named("token", "ghp_" + _MIXED + "Ab12"),
    "github-fine-grained": _named("x", "github_pat_" + _MIXED + "_" + _MIXED),
    "gitlab-token": _named("x", "glpat-" + _MIXED[:20]),
    "slack-token": _named("x", "xoxb-" + "123456789012-1234567890123-" + _MIXED[:24]),
    "slack-webhook": _named("x", "https://hooks.slack.com/services/" + "T0123ABCD/B0123ABCD/" + _MIXED[:24]),
    "stripe-key": _named("x", "sk_live_" + _MIXED[:24]),
    "openai-key": _named("x", "sk-proj-" + _MIXED + _MIXED),
    "anthropic-key": _named("x", "sk-ant-api03-" + _MIXED + _MIXED + "-AA"),
    "google-api-key": _named("x", "AIza" + "SyA" + _MIXED),
    "google-oauth": _named("x", "GOCSPX-" + _MIXED[:28]),
    "huggingface-token": _named("x", "hf_" + _MIXED + "ab"),
    "npm-token": _named("x", "npm_" + _MIXED + "abcd"),
    "pypi-token": _named("x", "pypi-AgEIcHlwaS5vcmc" + _MIXED + _MIXED),
    "sendgrid-key": _named("x", "SG." + _MIXED[:22] + "." + _MIXED + "abcdefghijk"),
    "twilio-key": _named("x", "SK" + _HEX),
    "mailgun-key": _named("x", "key-" + _HEX),
    "digitalocean-token": _named("x", "dop_v1_" + _HEX + _HEX),
    "telegram-token": _named("x", "1234567890:AA" + _MIXED + "x"),
    "azure-account-key": (f"AccountName=me;AccountKey={_MIXED}{_MIXED}{_MIXED[:22]}==;", _MIXED + _MIXED),
    "vault-token": _named("x", "hvs." + _MIXED),
    "json-web-token": _named("x", "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0In0" + "." + _MIXED),
    "bearer": (f"curl -H 'Authorization: Bearer {_MIXED}'", _MIXED),
    "url-password": ("db = 'postgres://bob:" + "s3cretPassw0rd@db.example.com/x'", "s3cretPassw0rd"),
    "password": _named("DB_PASSWORD", "correcthorse" + "battery"),
    "api-key-by-name": ('{"client_' + f'secret": "{_MIXED}"}}', _MIXED),
    "environment-line": (f"\nexport SERVICE_TOKEN={_MIXED}\n", _MIXED),
}
PERSONAL: dict[str, tuple[str, str]] = {
    "e-mail": ("author = 'jane.doe+x@mail.example.org'", "jane.doe+x@mail.example.org"),
    "card-number": ("card = '4111 1111 1111 1111'", "4111 1111 1111 1111"),
    "bank-account": ("iban = 'DE89 3704 0044 0532 0130 00'", "DE89 3704 0044 0532 0130 00"),
    "public-address": ("host = '8.8.8.8'", "8.8.8.8"),
    "phone-number": ("call = '+49 30 1234 5678'", "+49 30 1234 5678"),
}
