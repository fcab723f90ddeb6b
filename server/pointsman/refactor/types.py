"""What the refactor pipeline is asked and what it answers. Lines are 1-based and inclusive."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pointsman.routed import Receipt, RouteTaken, Target
from pointsman.session import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Lines of one document that belong to a change."""

    snapshot: Snapshot
    start_line: int
    end_line: int
    """A line beyond the last one means the last one."""
    read_only: bool = False
    """Whether the lines are only there to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefactorQuery:
    parts: tuple[Part, ...]
    """At least one, each of another document of the same root."""
    instruction: str
    creates: tuple[str, ...] = ()
    """Root-relative paths of files that the answer may make. The user names them or a rule of ours, never a model."""
    target: Target = "auto"
    dry_run: bool = False
    """Decide the route and build the outgoing body, send nothing."""
    approved_sha256: str = ""
    """Hash of the outgoing body that the user saw and approved; "" when none was shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEdit:
    path: str
    base_sha: str
    """Hash of the text that the edit was made from; an edit whose base has changed is refused. "" for a new file."""
    diff: str
    new_text: str

    @property
    def creates(self) -> bool:
        """Whether there is no file yet."""
        return not self.base_sha


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    parses: bool
    """No syntax error that was not there before."""
    in_scope: bool
    """Nothing outside the asked lines changed."""
    protected: tuple[str, ...] = ()
    """Protected paths among the edits; these need the user's approval one by one."""

    new_addresses: int = 0
    """Addresses that a configuration file had not before."""
    hidden: int = 0
    """Invisible, bidirectional and control characters that were not there before."""
    secrets: int = 0
    """Values that look like secrets and were not in the file before, or not in the request where that is more."""

    beyond: bool = False
    """Code changed where documentation or type hints alone were asked for."""

    def together(self, other: Checks) -> Checks:
        """The checks of both changes as those of one."""
        return Checks(
            parses=self.parses and other.parses,
            in_scope=self.in_scope and other.in_scope,
            protected=(*self.protected, *other.protected),
            new_addresses=self.new_addresses + other.new_addresses,
            hidden=self.hidden + other.hidden,
            secrets=self.secrets + other.secrets,
            beyond=self.beyond or other.beyond,
        )

    @property
    def sound(self) -> bool:
        """Whether the change may be offered for review."""
        return self.parses and self.in_scope and not (self.new_addresses or self.hidden or self.secrets)

    @property
    def passed(self) -> bool:
        return self.sound and not (self.protected or self.beyond)

    def failures(self) -> tuple[str, ...]:
        """What fails, in words that hold no text of a file or a model."""
        reasons = (
            "" if self.parses else "the result has new syntax errors",
            "" if self.in_scope else "it changes lines outside the range",
            f"it brings {self.new_addresses} new addresses into configuration" if self.new_addresses else "",
            f"it brings {self.hidden} invisible characters" if self.hidden else "",
            f"it holds {self.secrets} values that look like secrets" if self.secrets else "",
            "it changes code, and documentation or type hints alone were asked for" if self.beyond else "",
            f"protected: {', '.join(self.protected)}" if self.protected else "",
        )
        return tuple(reason for reason in reasons if reason)


UNTOUCHED = Checks(parses=True, in_scope=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refactoring:
    route: RouteTaken
    request_id: str
    edits: tuple[FileEdit, ...]
    diff: str
    checks: Checks
    redactions: int = 0
    marks: tuple[str, ...] = ()
    """Each placeholder of the preview, with the rule that put it there and how often it stands."""
    receipt: Receipt | None = None
    """What left, when anything did."""
    first_receipt: Receipt | None = None
    """What left for the first try, when the model was asked again."""
    applied: bool = False
    context: tuple[str, ...] = ()
    """FILE:START-END and why, of what was shown to a closed model besides the lines to change."""
    note: str = ""
    """What the user should know: a fallback, an answer without a change."""
    preview: str = ""
    """The exact outgoing body, after redaction, when `dry_run` asked for it or policy wants it shown first."""
    preview_sha256: str = ""
    timings_ms: dict[str, float] = field(default_factory=dict)

    def with_edits(self, edits: tuple[FileEdit, ...], checks: Checks) -> Refactoring:
        """With what came of it, or with a note that nothing did."""
        if not edits:
            return replace(self, note=f"{self.note} The model gave the code back unchanged.".strip())
        return replace(self, edits=edits, diff="".join(edit.diff for edit in edits), checks=checks)
