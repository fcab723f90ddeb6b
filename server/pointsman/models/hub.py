"""Model files from a hub that speaks Hugging Face's API: which commit, which files, and what may be kept of them.

Only weights in safetensors, configuration and tokenizers are ever asked for; pickles and Python code are not, and
configuration that points at code loses that key. Knows nothing of the lock file or of the store.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pointsman.errors import ConfigError, PointsmanError, VerificationError
from pointsman.models.download import Downloader, Refused, Remote, is_https, is_loopback
from pointsman.models.locks import write_json

_PUBLIC = "https://huggingface.co"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_INDEX = "model.safetensors.index.json"
_TEXTS = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
}
_TEXT_LIMIT = 64 * 2**20
CODE_KEYS = frozenset({"auto_map", "custom_pipelines", "trust_remote_code", "_attn_implementation_internal"})
"""Keys of a configuration by which a loader finds code of the hub. They are taken out before a file is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    path: str
    bytes: int
    """Size as the hub says, 0 when it does not."""
    sha256: str
    git_sha1: str

    @property
    def is_weights(self) -> bool:
        return self.path.endswith(".safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    revision: str
    files: tuple[HubFile, ...]
    """The files to bring, by path; never code, never a pickle."""


class Hub:
    """One hub. Raises `ConfigError` when its address is neither https nor this machine's own.

    Args:
        endpoint: base URL; "" takes HF_ENDPOINT, else the public hub.
    """

    def __init__(self, endpoint: str, downloader: Downloader) -> None:
        self._endpoint = (endpoint or os.environ.get("HF_ENDPOINT", "") or _PUBLIC).rstrip("/")
        if not (is_https(self._endpoint) or is_loopback(self._endpoint)):
            raise ConfigError("the hub's address must begin with https://", remedy="see hub_endpoint, HF_ENDPOINT")
        self._downloader = downloader
        token = os.environ.get("HF_TOKEN", "")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def listing(self, repository: str, revision: str) -> Listing:
        """The files to bring of `repository` at `revision` ("" means the newest).

        Raises `VerificationError` when the hub answers with another commit than the one asked for.
        """
        wanted = revision or "main"
        url = f"{self._endpoint}/api/models/{quote(repository)}/revision/{quote(wanted)}?blobs=true"
        try:
            reply = self._downloader.json(url, self._headers)
        except Refused as error:
            raise Refused(
                f"{error.message}; {repository} may ask for an account that has accepted its licence",
                remedy="accept it on the hub and set HF_TOKEN",
            ) from error
        try:
            commit, found = str(reply["sha"]), [_hub_file(sibling) for sibling in reply["siblings"]]
        except (KeyError, TypeError, ValueError) as error:
            raise PointsmanError(f"the hub's answer about {repository} is not understood") from error
        if not _COMMIT.fullmatch(commit):
            raise PointsmanError(f"the hub names no commit of {repository}")
        if revision and commit != revision:
            raise VerificationError(f"the hub answers with commit {commit} of {repository}, not the locked {revision}")
        return Listing(revision=commit, files=_chosen(found, repository))

    def remote(self, repository: str, listing: Listing, file: HubFile, *, weights_limit: int, sha256: str) -> Remote:
        """How to fetch `file`; `sha256` is the locked hash, "" at the first pull."""
        limit = weights_limit if file.is_weights else _TEXT_LIMIT
        return Remote(
            url=f"{self._endpoint}/{quote(repository)}/resolve/{listing.revision}/{quote(file.path)}",
            limit=min(limit, file.bytes) if file.bytes else limit,
            size=file.bytes,
            sha256=sha256 or file.sha256,
            git_sha1="" if sha256 or file.sha256 else file.git_sha1,
            headers=self._headers,
        )


def _hub_file(sibling: dict[str, Any]) -> HubFile:
    large = sibling.get("lfs") or {}
    return HubFile(
        path=str(sibling["rfilename"]),
        bytes=int(sibling.get("size") or large.get("size") or 0),
        sha256=str(large.get("sha256") or ""),
        git_sha1="" if large else str(sibling.get("blobId") or ""),
    )


def _chosen(found: Sequence[HubFile], repository: str) -> tuple[HubFile, ...]:
    """One whole set of safetensors and the texts that go with it, all from the repository's top folder."""
    by_path = {file.path: file for file in found}
    texts = _TEXTS & by_path.keys()
    if "config.json" not in texts:
        raise PointsmanError(f"{repository} has no config.json")
    if "model.safetensors" in by_path:
        paths = texts | {"model.safetensors"}
    elif _INDEX in by_path:
        shards = sorted(path for path in by_path if _SHARD.fullmatch(path))
        if shards != [f"model-{n:05}-of-{len(shards):05}.safetensors" for n in range(1, len(shards) + 1)] or not shards:
            raise PointsmanError(f"{repository} lacks some of its weights")
        paths = texts | {_INDEX, *shards}
    else:
        raise PointsmanError(f"{repository} has no safetensors; other formats can run code and are never loaded")
    return tuple(by_path[path] for path in sorted(paths))


def without_code(path: Path) -> bool:
    """Take the keys that point at code out of a JSON file; True when it had some. Raises `VerificationError`."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise VerificationError(f"{path.name} is not JSON") from error
    if not isinstance(content, dict) or not content.keys() & CODE_KEYS:
        return False
    kept = {key: value for key, value in content.items() if key not in CODE_KEYS}
    write_json(path, kept)
    return True
