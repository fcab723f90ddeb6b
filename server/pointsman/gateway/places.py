"""Secrets that only their place gives away: in a URL, a header, a connection string, the call or command that logs in."""

from __future__ import annotations

from collections.abc import Callable

from pointsman.gateway.rules import Rule, bare, compiled, literal, mixed, password, random, token

# ruff: noqa: E501  (a table: one rule a line)

_S = r"[bru@$]{0,2}[\"'`]"
_ARG = rf"(?:Some\(|new String\()?{_S}([^\"'`\\\n]+)[\"'`]"
_SKIP = rf"(?:{_S}[^\"'`\n]*[\"'`]|[$\w.\[\]>-]+)"
_LOGS_IN = (
    r"(?:auth(?:entication|enticate|token)?|login|log_in|logon|sign_?in|credentials?|creds|key_?store\.load|connect\w*|get_?connection|"
    r"create_?(?:super)?user|pdo|wifi\.begin|addap|set_?basic_?auth|basic_?auth|bind|sql\.open|mysqli)"
)

_RULES: tuple[tuple[str, tuple[str, ...], str, Callable[[str], bool]], ...] = (
    (
        "aws-secret-key",
        ("aws", "amz", "secret"),
        r"(?i:aws|amz|secret)[\w\s'\"`:=>(.-]*?['\"`=:\s]([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|\z)",
        random,
    ),
    ("azure-account-key", ("accountkey", "sharedaccess"), r"(?i:AccountKey|SharedAccess(?:Key|Signature))=([A-Za-z0-9+/]{40,}={0,2})", random),
    # headers
    ("authorization-header", ("bearer", "basic", "token", "apikey"), r"(?i)\b(?:bearer|basic|token|apikey)[ :=]+([A-Za-z0-9._~+/=-]{12,})", random),
    ("header-key", ("x-", "api-key"), r"(?i)\b(?:x-[\w-]*(?:key|token|secret|auth)|api-key)[\"'`]?\s{0,3}[:=,\]]{1,2}\s{0,4}=?\s{0,2}[\"'`]?([A-Za-z0-9._~+/=-]{12,})", random),
    ("cookie", ("sess", "sid", "csrf", "token", "jwt"), r"(?i)\bcookie[^\n]*?\b(?:[\w-]*(?:sess|sid|auth|token|jwt))[\w-]{0,10}=([A-Za-z0-9%._~-]{16,})", random),
    # URLs and connection strings
    ("url-password", ("://",), r"\b[A-Za-z][A-Za-z0-9+.-]+://[^\s/:@'\"`<>\\]*:([^\s/@'\"`<>\\]{2,})@", literal),
    ("dsn-password", ("@tcp(", "@unix("), r"\b[\w.-]+:([^\s:@/\"'`]{3,})@(?:tcp|unix)\(", literal),
    ("oracle-connect", ("oracle", "sqlplus", "connect"), r"(?i)(?:jdbc:oracle:\w+:|\bsqlplus\s+(?:-\w+\s+)*|connect\w*\(\s*['\"])[\w$#.-]+/([^\s/@'\"]{4,})@", literal),
    ("network-device", ("password", "secret", "community", "username"), r"(?im)^\s*(?:enable|line\s.*|username\s+\S+.*?)\s(?:password|secret)\s+(?:[0-9]\s+)?([^\s\"'()=:{}]{4,})\s*$|^\s*snmp-server\s+community\s+([^\s\"'`]{4,})", literal),
    ("url-parameter", ("=",), r"(?i)[?&][\w.-]*(?:key|token|secret|sig|signature|password|passwd|pwd|auth)=([A-Za-z0-9._~%+/-]{8,})", token),
    ("connection-string", ("pwd", "password"), r"(?i);\s?(?:pwd|password)\s?=\s?([^;\"'\s]{4,})", literal),
    ("netrc", ("password",), r"(?m)\blogin\s+\S+\s+password\s+([^\s\"'`]{4,})", literal),
    # commands
    ("password-option", ("-p", "-a ", "pass"), r"(?:\bmysql\w*|\bmariadb\w*|\bsshpass|\bredis-cli|\bmongo\w*|\bpsql|\bdocker login|\bpodman login|\bhelm registry|\baz login|\bsqlcmd)\b[^\n]*?\s(?:-p ?|-P |-a |--password[= ]|--pass[= ])['\"]?([^\s'\"$-][^\s'\"]{3,})", literal),
    ("long-option", ("-pass", "pass", "--secret", "--token", "--api-key", "--pw"), r"--?(?:[\w-]*(?:password|passwd|passphrase|pass|secret|token|api-key|pw))[= ]['\"]?([^\s'\"$<>{}\[\](),-][^\s'\"<>,)]{3,})", mixed),
    ("curl-user", ("curl", "http"), r"\b(?:curl|http|https)\b[^\n]*?\s(?:-u|--user|-a|--auth|--proxy-user|-U)[ =]?['\"]?[^\s:'\"]+:([^\s'\"]{4,})", literal),
    ("command-secret", ("htpasswd", "openssl", "chpasswd", "passwd", "requirepass", "masterauth", "vncpasswd", "rabbitmqctl", "zip", "mosquitto", "7z", "-u", "xfreerdp"), r"(?m)\bhtpasswd\s+-\w*b\w*\s+\S+\s+\S+\s+([^\s\"'`]{4,})|\bopenssl\b[^\n]*\bpass:([^\s\"'`]{4,})|\becho\s+-?\w{0,2}\s?['\"]?(?:[\w.-]+:)?([^\s'\":|]{4,})['\"]?\s*\|\s*(?:sudo\s+)?(?:ch)?passwd\b|^\s*(?:requirepass|masterauth)\s+([^\s\"'`]{4,})|\bvncpasswd\s*<<<\s*['\"]?([^\s'\"]{4,})|\brabbitmqctl\s+(?:add_user|change_password)\s+\S+\s+([^\s\"'`]{4,})|\b(?:zip|unzip|mosquitto_\w+)\b[^\n]*?\s-P\s?([^\s\"'`]{4,})|\b7z\w?\b[^\n]*?\s-p([^\s\"'`]{4,})|\blftp\b[^\n]*?\s-u\s?[\w.-]+,([^\s\"'`]{4,})|\bxfreerdp\b[^\n]*?\s/p:([^\s\"'`]{4,})|\b(?:smbclient|rpcclient|net)\b[^\n]*?-U\s?[\w.\\-]+%([^\s\"'`]{4,})", literal),
    ("sql-user", ("identified", "with password", "encrypted password", "set password", "password '"), r"(?i)\bidentified\s+(?:with\s+\w+\s+)?(?:by|as)\s+(?:password\s+)?['\"]([^'\"\n]{4,})['\"]|\bpassword\s*(?:=\s*)?(?:\(\s*)?'([^'\n]{4,})'", password),
    ("sql-insert", ("insert",), rf"(?i)\binsert\s+into\b[^\n;]*?pass\w*[^\n;]*?\bvalues\s*\((?:\w+,\s*)?{_ARG}(?:,\s*{_ARG})?(?:,\s*{_ARG})?(?:,\s*{_ARG})?", mixed),
    ("secure-string", ("convertto-securestring",), r"(?i)ConvertTo-SecureString\s+(?:-String\s+)?['\"]([^'\"\n]{4,})['\"]", literal),
    ("package-index", ("_auth", "_password"), r"(?im)(?:^|[:\s])_(?:auth|authtoken|password)\s?=\s?\"?([A-Za-z0-9+/=_-]{8,})", literal),
    # calls that log in or sign
    ("login-call", ("auth", "login", "log", "sign", "cred", "connect", "user", "pdo", "wifi", "addap", "bind", "sql.", "store", "mysqli"), rf"(?i)\b\w*{_LOGS_IN}(?:\.\w+)?\s?(?:=\s?)?[( ]\s*(?:{_SKIP},\s*){{1,3}}?{_ARG}(?:,\s*{_ARG})?(?:,\s*{_ARG})?", mixed),
    ("login-table", ("credentials", "passwords", "users", "accounts", "logins"), rf"(?i)(?:credentials|passwords|users|accounts|logins)[\w \]]*[:=]+\s*\{{\s*{_SKIP}\s*(?::|=>)\s*{_ARG}(?:,\s*{_SKIP}\s*(?::|=>)\s*{_ARG})?(?:,\s*{_SKIP}\s*(?::|=>)\s*{_ARG})?", mixed),
    ("signing-call", ("jwt", "hmac", "fernet", "secretkeyspec", "signer", "serializer", "aes", "cipher", "bcrypt", "hashpw", "checkpw", "password", "verify", "sign"), rf"(?i)\b(?:jwt\.\w+|jsonwebtoken\.\w+|hmac\.new|createhmac|create_?cipher\w*|fernet|secretkeyspec|urlsafe\w*serializer|timestampsigner|signer|\w*(?:aes|cipher|fernet)\w*(?:\.new)?|signwith|bcrypt\.\w+|hashpw|checkpw|\w*password_hash|(?:make|check|verify|set|hash|encode)_?password\w*|hmac(?:256|512)?)\s?\(\s*(?:{_SKIP},\s*)?{_ARG}", mixed),
    # words
    ("told", ("pass", "pw", "pin", "secret", "token", "key"), r"(?i)\b(?:password|passwd|passphrase|passcode|pwd|pw|pass|secret|token|api key)\s(?:is|was|=|:|to)\s{0,2}:?\s?[\"'`]?([^\s\"'`<>(){},;]{5,})", bare),
    ("told-login", ("login", "log in", "cred", "sign in", "account"), r"(?i)\b(?:log ?in|credentials?|creds|sign in|account)\b[^\n\"'=()]*?\b(?:admin|root|user|test|guest|demo|[\w.]{2,})\s?[/:]\s?([^\s\"'`<>(){},;/:]{5,})", token),
)  # fmt: skip

PLACES = tuple(Rule(name, compiled(pattern), accept, words) for name, words, pattern, accept in _RULES)
