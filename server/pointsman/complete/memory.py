"""The records of the last completions, so that one can ask later what happened and why nothing came."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, replace

from pointsman.complete.types import Completion, CompletionQuery, Stage

_DOCUMENTS = 64
_EACH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """`line` and `column` count from 0, in code points, in the text of `version`."""

    line: int
    column: int
    version: int
    completion: Completion


class Memory:
    """The newest completions of the documents that were last completed in."""

    def __init__(self) -> None:
        self._documents: OrderedDict[str, deque[Remembered]] = OrderedDict()

    def note(self, query: CompletionQuery, completion: Completion) -> None:
        before = query.snapshot.text[: query.offset].replace("\r\n", "\n").replace("\r", "\n")
        remembered = Remembered(
            line=before.count("\n"),
            column=len(before) - before.rfind("\n") - 1,
            version=query.snapshot.version,
            completion=completion,
        )
        self._documents.setdefault(query.snapshot.uri, deque(maxlen=_EACH)).append(remembered)
        self._documents.move_to_end(query.snapshot.uri)
        if len(self._documents) > _DOCUMENTS:
            self._documents.popitem(last=False)

    def find(self, uri: str, line: int | None) -> Remembered | None:
        """The newest one on that line; where there is none, or no line is given, the newest in the document."""
        newest_first = list(reversed(self._documents.get(uri, ())))
        on_line = [remembered for remembered in newest_first if remembered.line == line]
        return next(iter(on_line or newest_first), None)

    def accepted(self, item_id: str) -> bool:
        """Add that an item was taken; False when no remembered completion holds it."""
        for remembered in self._documents.values():
            for index, one in enumerate(remembered):
                if any(item.id == item_id for item in one.completion.items):
                    remembered[index] = _with(one, Stage(stage="accepted", outcome=item_id), one.completion.reason)
                    return True
        return False

    def withheld(self, uri: str, why: str) -> None:
        """Add that the newest completion of a document did not go to the editor."""
        if remembered := self._documents.get(uri):
            remembered[-1] = _with(remembered[-1], Stage(stage="withheld", outcome=why), why)


def _with(one: Remembered, stage: Stage, reason: str | None) -> Remembered:
    completion = replace(one.completion, stages=(*one.completion.stages, stage), reason=reason)
    return replace(one, completion=completion)
