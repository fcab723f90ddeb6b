"""Text out of a stream of fragments, cut before the first stop string, however the fragments split it. Pure."""

from __future__ import annotations


class StopFilter:
    """Holds back as much text as could still turn into a stop string, and no more."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(s for s in stops if s)
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """The text that may go out now. Once `stopped` is set, everything after the stop string is dropped."""
        if self.stopped:
            return ""
        self._held += text
        found = [at for at in (self._held.find(s) for s in self._stops) if at >= 0]
        if found:
            self.stopped = True
            out, self._held = self._held[: min(found)], ""
            return out
        keep = max((_overlap(self._held, s) for s in self._stops), default=0)
        cut = len(self._held) - keep
        out, self._held = self._held[:cut], self._held[cut:]
        return out

    def flush(self) -> str:
        """What was held back, at the end of an answer that did not reach a stop string."""
        out, self._held = self._held, ""
        return out


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0
