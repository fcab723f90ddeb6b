"""What must never be read: the built-in list, the repository's `.pointsmanignore`, and the caller's patterns.

A pure decision on a path; every feature asks it before it opens a file. Fails closed: a path that leaves the root is
excluded, and a pattern file that cannot be read or understood is an error, not an empty list. Patterns are gitignore
patterns, matched without regard to case and to Unicode's composed or decomposed forms, because file systems are free
to have none. No layer can take back what another excludes: `!` works within one list only.
"""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

import pathspec

from pointsman_indexer.errors import ExclusionsInvalid

IGNORE_FILE = ".pointsmanignore"
_LARGEST_IGNORE_FILE = 256 * 1024

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
        """The rule that excludes `rel_path` (relative to the root, with `/`), or None when it may be read."""
        folded = _fold(rel_path)
        if not folded or "\0" in folded or folded.startswith("/") or ".." in folded.split("/"):
            return "outside the repository"
        for name, spec, patterns in self._lists:
            found = spec.check_file(folded)
            if found.include:
                return f"{name}: {patterns[found.index].strip()}" if found.index is not None else name
        return None

    @property
    def fingerprint(self) -> str:
        """Changes whenever any pattern does."""
        digest = hashlib.sha256()
        for name, _, patterns in self._lists:
            digest.update(repr((name, patterns)).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _compile(name: str, lines: Iterable[str]) -> pathspec.GitIgnoreSpec:
    folded = [_fold(line) for line in lines]
    try:
        return pathspec.GitIgnoreSpec.from_lines(folded)
    except (ValueError, TypeError) as error:
        raise ExclusionsInvalid(f"{name} {_first_bad(folded)}: not a gitignore pattern") from error


def _first_bad(lines: Sequence[str]) -> str:
    for number, line in enumerate(lines, 1):
        try:
            pathspec.GitIgnoreSpec.from_lines([line])
        except (ValueError, TypeError):
            return f"line {number}"
    return "as a whole"


@functools.cache
def _built_in() -> pathspec.GitIgnoreSpec:
    return _compile("built-in", BUILT_IN)


def _ignore_file(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_IGNORE_FILE + 1)
        if len(data) > _LARGEST_IGNORE_FILE:
            raise ExclusionsInvalid(f"{IGNORE_FILE} is larger than {_LARGEST_IGNORE_FILE // 1024} kB")
        return data.decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ExclusionsInvalid(f"{IGNORE_FILE} cannot be read", remedy="make it a readable UTF-8 file") from error
