"""What a client has of one conversation, and what it knows to be missing (docs/protocol.md, Events and History)."""

from typing import Any

Event = dict[str, Any]


class View:
    """Pure. `solid` is the last seq up to which nothing is missing."""

    __slots__ = ("_early", "_known", "solid")

    def __init__(self) -> None:
        self.solid = 0
        self._known = 0
        self._early: dict[int, int] = {}
        """Of events behind a hole: seq to prev."""

    def expect(self, seq: int) -> None:
        """There is an event with this number."""
        self._known = max(self._known, seq)

    def merge(self, seq: int, prev: int) -> None:
        """An event came, in any order."""
        self.expect(seq)
        if seq > self.solid:
            self._early[seq] = prev
        self._close()

    def fill(self, after: int, before: int, more: bool) -> None:
        """A range was answered in full (its events are merged): but for `more`, nothing else lies in it."""
        if not more and after <= self.solid < before - 1:
            self.solid = before - 1
            self._early = {seq: prev for seq, prev in self._early.items() if seq > self.solid}
            self._close()

    def hole(self) -> tuple[int, int] | None:
        """(after, before) of what must be fetched, or None."""
        if self._known <= self.solid:
            return None
        return self.solid, min(self._early, default=self._known + 1)

    def _close(self) -> None:
        while self._early:
            first = min(self._early)
            if self._early[first] > self.solid:
                return
            self.solid = max(self.solid, first)
            del self._early[first]


class Outbox:
    """The texts of one tab id, numbered 1, 2, 3 …, each kept until it is acknowledged or can never be."""

    __slots__ = ("_flying", "n", "tab", "waiting")

    def __init__(self, tab: str) -> None:
        self.tab = tab
        self.n = 0
        self.waiting: dict[int, str] = {}
        self._flying = 0
        """Up to this n all has been handed to the present socket."""

    def add(self, text: str) -> str:
        """The id of a new text."""
        self.n += 1
        self.waiting[self.n] = text
        return f"{self.tab}.{self.n}"

    def take(self, id: str) -> str | None:
        """The text, which needs no keeping any more; None when it was taken before or is not of this tab."""
        tab, _, n = id.partition(".")
        return self.waiting.pop(int(n), None) if tab == self.tab else None

    def renumber_after(self, id: str) -> None:
        """The n of a dropped text was not consumed: the ones after it move down by one."""
        n = int(id.partition(".")[2])
        self.waiting = {k - (k > n): text for k, text in self.waiting.items()}
        self.n -= 1
        self.again(n)

    def again(self, start: int = 1) -> None:
        """Hand over again from this n on."""
        self._flying = min(self._flying, start - 1)

    def ready(self, window: int) -> list[tuple[str, str]]:
        """What is to be handed over now, in order: ids and texts."""
        due = [n for n in list(self.waiting)[:window] if n > self._flying]
        if due:
            self._flying = due[-1]
        return [(f"{self.tab}.{n}", self.waiting[n]) for n in due]
