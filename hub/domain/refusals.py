"""How `decide` says no. A refusal changes nothing and is logged nowhere; whoever asked is told."""


class Refusal(Exception):
    """A command that cannot be carried out. `code` is for programs, the message for people."""

    code = "refused"


class Repeated(Refusal):
    """The command was carried out before; `seq` is the number its event got then (0: it needed none)."""

    code = "repeated"

    def __init__(self, seq: int) -> None:
        super().__init__(f"carried out before, as event {seq}")
        self.seq = seq


class Jumped(Refusal):
    """A client's numbers have a hole: it must send again from `resend_from`. The refused number is not consumed."""

    code = "resend"

    def __init__(self, resend_from: int) -> None:
        super().__init__(f"messages are missing: send again from {resend_from}")
        self.resend_from = resend_from


class UnknownTab(Refusal):
    """A tab id that was forgotten (a conversation keeps 64) continues: compare with the history, take a new id.

    `seq` is the last event that the client may see: what is stored under the tab id is in the history up to there.
    """

    code = "unknown_tab"

    def __init__(self, tab: str, seq: int) -> None:
        super().__init__(f"tab {tab} is not known here any more: compare with the history and take a new tab id")
        self.seq = seq


class NotYours(Refusal):
    """Somebody else has the conversation: what people call them, and since when (Unix ms); or nobody has."""

    code = "not_yours"

    def __init__(self, because: str, by: str = "", since_ms: int = 0) -> None:
        super().__init__(because)
        self.by, self.since_ms = by, since_ms


class Taken(Refusal):
    """Another agent has the conversation: `by` is their display, `since_ms` when they got it (Unix ms)."""

    code = "taken"

    def __init__(self, no: int, by: str, since_ms: int) -> None:
        super().__init__(f"#{no} is with {by}")
        self.by, self.since_ms = by, since_ms


class NotFound(Refusal):
    """The conversation, message or agent named does not exist."""

    code = "not_found"


class NotHeld(Refusal):
    """The message is not held: posted, blocked, or already decided on."""

    code = "not_held"


class Unchangeable(Refusal):
    """What was written can be neither taken back nor corrected (any more); the message says why, for its writer."""

    code = "unchangeable"


class Unread(Refusal):
    """Whoever ends the conversation has not seen what the visitor has written, or that an answer failed; `seq`: it."""

    code = "unread"

    def __init__(self, because: str, seq: int) -> None:
        super().__init__(because)
        self.seq = seq


class NotReady(Refusal):
    """The agent has not been told of rules/teams.yaml yet, a moment after the very first start: ask again."""

    code = "not_ready"
