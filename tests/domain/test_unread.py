"""No message of a visitor passes as answered, or ends with its conversation, before an agent has been shown it."""

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.commands import AnyCommand
from hub.domain.events import AnyEvent
from hub.domain.ids import is_conversation
from tests.domain.hub_walk import Walk
from tests.domain.hub_world import Known

STEPS = 300


class Watched(Walk):
    """A walk that knows what agents are to read of each conversation, and what one of them has been shown."""

    def __init__(self, seed: int) -> None:
        self.unread: dict[str, set[int]] = {}
        """By conversation, the seqs that its backlog has to keep."""
        self.elsewhere: set[tuple[str, int]] = set()
        """By conversation and seq, what a page has shown, and what an agent was told that it may not have come."""
        self.kept = self.refused = 0
        super().__init__(seed)

    def check(
        self, entity: str, command: AnyCommand, events: list[AnyEvent], known: Known | None, assigned: int
    ) -> None:
        super().check(entity, command, events, known, assigned)
        if is_conversation(entity):
            self._read(entity, command, len(events))
        elif any(isinstance(event, e.AttemptRefused) and not event.again for event in events):
            tried = (record.event for record, _ in reversed(self.logs[entity]))
            self.elsewhere |= set(next(event for event in tried if isinstance(event, e.Attempted)).carries)

    def _read(self, conversation: str, command: AnyCommand, count: int) -> None:
        """What the backlog has let go of somebody has been shown."""
        unread, log = self.unread.setdefault(conversation, set()), self.logs[conversation]
        left = {line.seq for line in self.of(conversation).backlog.messages()}
        for record, origin in log[len(log) - count :]:
            match record.event:
                case e.MessagePosted(status="", automatic=False) | e.MessageEdited(status="") | e.MessageReleased():
                    unread.add(record.seq)
                case e.AnswerPosted() | e.Closed():
                    if origin is None and isinstance(command, c.AnswerMessage | c.CloseConversation):
                        self.elsewhere |= {(conversation, seq) for seq in unread if seq <= (command.seen or 0)}
                    overlooked = {(conversation, seq) for seq in unread - left} - self._shown()
                    assert not overlooked, f"nobody has read {overlooked}: {record}"
                    unread &= left
                    self.kept += isinstance(record.event, e.AnswerPosted) and bool(left)
                case e.AnswerRefused(because=because):
                    self.refused += "又写了" in because

    def _shown(self) -> set[object]:
        return set[object](self.elsewhere).union(*self.ledger.shown.values())


def test_nothing_is_taken_for_answered_that_no_agent_has_read() -> None:
    """40 × 300 steps. The check is the world's own; what stands below says that it was worth looking."""
    kept = refused = 0
    for seed in range(100, 140):
        walk = Watched(seed)
        try:
            for _ in range(STEPS):
                walk.step()
            walk.finish()
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        kept += walk.kept
        refused += walk.refused
    assert kept > 20
    assert refused > 2
