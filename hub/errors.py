"""The family of errors that a person gets to see.

HubError
├── SettingsError        config/hub.yaml or a HUB_* variable
├── RulesError           a file under rules/
├── LogError
│   ├── Fenced           another owner writes this partition
│   ├── InDoubt          whether a batch was stored could not be found out
│   ├── LogFull          the log's fuse: max_bytes
│   ├── ChainBroken      a batch does not follow the one before it
│   ├── LogWentBack      the log is shorter than it was
│   ├── UnreadableBatch  a batch that this version cannot read
│   └── SnapshotDamaged  the image of an entity is missing or damaged
├── BusError             nats-server does not start, or NATS lets nobody in
│   ├── NoResponders     nobody serves a subject at this moment
│   ├── NoAnswer         no answer in time: whether it was carried out is not known
│   └── RequestFailed    the other side raised; its words
├── AttachmentError
│   ├── NoAttachment       nothing is kept under this key
│   ├── AttachmentTooBig   more bytes than are allowed
│   ├── AttachmentDamaged  what is kept is not what the key says
│   └── AttachmentsAway    the store cannot be reached or has no room
├── HistoryAway          the history's database cannot be read at this moment
├── SpoolFull            a callback can be kept neither in the log nor on this worker's disk
├── TokensPaused         a platform's token cannot be had just now
└── Locked               too many wrong passwords: nobody may try for a while

Every message names the place and the cure.
"""


class HubError(Exception):
    """Base of all errors the hub raises on purpose."""


class SettingsError(HubError):
    """A setting is missing, misspelt or has a wrong value; the message says file:line key."""


class RulesError(HubError):
    """A rule file is wrong; `findings` are lines of the form file:line:column: what, and the cure."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class LogError(HubError):
    """The durable log refused, or cannot be trusted."""


class Fenced(LogError):
    """Another owner has written to this partition: forget its state and step down."""


class InDoubt(LogError):
    """The server did not say within the given time whether a batch was stored."""


class LogFull(LogError):
    """The log has reached max_bytes; nothing was stored."""


class ChainBroken(LogError):
    """A batch names another predecessor than the one that stands before it."""


class LogWentBack(LogError):
    """The log ends below a point that it is known to have reached."""


class UnreadableBatch(LogError):
    """A batch of a newer version, or no batch at all: its partition is not taken, the others are not touched."""

    def __init__(self, partition: int, seq: int, why: str) -> None:
        super().__init__(
            f"LOG-{partition}, sequence {seq}: {why}. Run the version that wrote it, or put it aside:"
            f" hub log skip {partition} {seq}"
        )


class SnapshotDamaged(LogError):
    """An entity's image, or a partition's checkpoint, cannot be read: without it the state would be guessed."""


class BusError(HubError):
    """NATS does not do what the hub needs of it."""


class NoResponders(BusError):
    """Nobody serves the subject at this moment: nothing was carried out."""


class NoAnswer(BusError):
    """The answer did not come in time: it may have been carried out."""


class RequestFailed(BusError):
    """Whoever serves the subject raised an error; the message has its words."""


class AttachmentError(HubError):
    """A picture or file could not be kept or read."""


class NoAttachment(AttachmentError):
    """Nothing is kept under this key: there never was anything, or it has been deleted."""


class AttachmentTooBig(AttachmentError):
    """The content is longer than allowed; nothing of it was kept."""


class AttachmentDamaged(AttachmentError):
    """What is kept is not what was put there: a part is missing, or the digest is another."""


class AttachmentsAway(AttachmentError):
    """The store cannot be reached, or has no room: it may be tried again, and nothing is kept twice."""


class HistoryAway(HubError):
    """The history cannot be read at this moment: it is not made yet, locked, or its database is away."""


class SpoolFull(HubError):
    """Neither the log nor this worker's disk can take a callback now: the platform must send it again."""


class TokensPaused(HubError):
    """Fetching a platform's access token has failed; nobody tries again for another `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Locked(HubError):
    """Too many wrong passwords for one name: nobody may try before `until_ms` (Unix ms)."""

    def __init__(self, until_ms: int) -> None:
        super().__init__(f"too many wrong passwords: nobody may try again before {until_ms} (Unix ms)")
        self.until_ms = until_ms
