"""What must never be read: the built-in list, the repository's `.pointsmanignore`, and the caller's patterns.

A pure decision on a path; every feature asks it before it opens a file. Fails closed: a path that leaves the root is
excluded, and a pattern file that cannot be read or understood is an error, not an empty list. Patterns are gitignore
patterns and mean what they mean to git: below an excluded folder nothing is taken back. They are matched without
regard to Unicode's composed or decomposed forms, and both with and without regard to case, because file systems are
free to have none: what either way excludes is excluded. No layer can take back what another excludes: `!` works within
one list only.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pointsman_indexer.errors import ExclusionsInvalid
from pointsman_indexer.files import first_bytes
from pointsman_indexer.globs import compose, fold
from pointsman_indexer.patterns import BadLine, Patterns

IGNORE_FILE = ".pointsmanignore"
_LARGEST_IGNORE_FILE = 256 * 1024
_MEANING = 2
"""Of the patterns; what was decided by another one is stale."""

BUILT_IN = (
    # version control and our own state
    *(".git/", ".hg/", ".svn/", ".jj/"),
    # environment files
    *(".env", ".env.*", ".env-*", ".env_*", "*.env", ".envrc", ".direnv/", ".flaskenv", ".dev.vars"),
    # keys and certificates
    *("*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.pkcs12", "*.jks", "*.keystore", "*.bks", "*.crt", "*.cer"),
    *("*.der", "*.csr", "*.p7b", "*.p7c", "*.spc", "*.ppk", "*.asc", "*.gpg", "*.pgp", "*.age", "*.kdb", "*.kdbx"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "ssh_host_*_key", "*.agekey", "*.mobileprovision"),
    # folders and files in which tools keep credentials
    *(".ssh/", ".gnupg/", ".aws/", ".azure/", ".gcloud/", ".password-store/", ".kube/config", "kubeconfig"),
    *("*.kubeconfig", ".docker/config.json", ".dockercfg", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".npmrc"),
    *(".yarnrc", ".pypirc", ".git-credentials", ".htpasswd", ".s3cfg", ".boto", ".vault-token", ".vault_pass*"),
    *(".terraformrc", "terraform.rc", "*.tfstate", "*.tfstate.*", "*.tfvars", "*.tfvars.json", "credentials"),
    *("credentials.json", "credentials.y*ml", "credentials.toml", "credentials.ini", "client_secret*.json"),
    *("service-account*.json", "service_account*.json", "secrets.json", "secrets.y*ml", "secrets.toml"),
    *("secrets.ini", "*.secret", "*.secrets", "auth.json", ".cargo/credentials*", "keyring.cfg", "*.ovpn"),
    # what editors and tools leave of any file, an excluded one included
    *("*~", "*.sw[a-p]", "#*#", ".#*", "*.bak", "*.orig", "*.rej"),
)


class Exclusions:
    """The exclusions of the repository at `root`, as they are now.

    Args:
        root: the repository's root; only its `.pointsmanignore` is read, once, here.
        patterns: the caller's gitignore patterns, such as a policy's.

    Raises `ExclusionsInvalid`, naming the list and the line.
    """

    def __init__(self, root: Path, patterns: Sequence[str] = ()) -> None:
        lines = _ignore_file(root / IGNORE_FILE)
        self._lists = (
            ("built-in", _built_in(), BUILT_IN),
            (IGNORE_FILE, _compile(IGNORE_FILE, lines), tuple(lines)),
            ("policy", _compile("policy", patterns), tuple(patterns)),
        )

    def excludes(self, rel_path: str) -> str | None:
        """The rule that excludes `rel_path` (relative to the root, with `/`), or None when it may be read. A `/` at its
        end says that it is a folder."""
        parts = rel_path.split("/")
        if not rel_path or "\0" in rel_path or rel_path.startswith("/") or ".." in parts:
            return "outside the repository"
        path, is_folder = "/".join(part for part in parts if part not in ("", ".")), parts[-1] in ("", ".")
        if not path.isascii():
            path = path.encode("utf-8", "replace").decode()  # a name that is no text matches what it can
        forms: dict[Callable[[str], str], str] = {form: form(path) for form in (fold, compose)}
        for name, compiled, patterns in self._lists:
            for one in compiled:
                index = one.excluding(forms[one.form], is_folder)
                if index is not None:
                    return f"{name}: {patterns[index].strip()}"
        return None

    @property
    def fingerprint(self) -> str:
        """Changes whenever any pattern does, or what patterns mean."""
        digest = hashlib.sha256(str(_MEANING).encode())
        for name, _, patterns in self._lists:
            digest.update(repr((name, patterns)).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def is_pattern(text: str) -> bool:
    """Whether `text` is a gitignore pattern that can be matched, with regard to case and without."""
    try:
        _compile("", [text])
    except ExclusionsInvalid:
        return False
    return True


def _compile(name: str, lines: Sequence[str]) -> tuple[Patterns, ...]:
    """A list without regard to case, and with, unless that adds nothing."""
    try:
        folded = Patterns(lines, fold)
        # Where nothing is taken back and no single character is asked for, what fits with case also fits without.
        if not any(sign in line for line in lines for sign in "![?"):
            return (folded,)
        return folded, Patterns(lines, compose)
    except BadLine as error:
        raise ExclusionsInvalid(f"{name} line {error.args[0] + 1}: not a gitignore pattern") from error


@functools.cache
def _built_in() -> tuple[Patterns, ...]:
    return (Patterns(BUILT_IN, fold),)  # all in lower case


def _ignore_file(path: Path) -> list[str]:
    try:
        data = first_bytes(path.parent, path.name, _LARGEST_IGNORE_FILE + 1)
        if len(data) > _LARGEST_IGNORE_FILE:
            raise ExclusionsInvalid(f"{IGNORE_FILE} is larger than {_LARGEST_IGNORE_FILE // 1024} kB")
        return data.decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ExclusionsInvalid(
            f"{IGNORE_FILE} cannot be read", remedy="make it a readable UTF-8 file, no link"
        ) from error
