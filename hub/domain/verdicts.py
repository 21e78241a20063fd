"""What became of one call of a platform."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Sent:
    """The platform has it; `receipt` is its id for it."""

    receipt: str = ""


@dataclasses.dataclass(frozen=True)
class Retry:
    """Not now. The same again after `after_s` at the earliest. `everyone`: no other recipient has a chance before."""

    because: str
    after_s: float = 1.0
    everyone: bool = False


@dataclasses.dataclass(frozen=True)
class Refused:
    """Never. `because` is the sentence that a person reads; `unreachable`: this recipient cannot be reached at all."""

    because: str
    unreachable: bool = False


@dataclasses.dataclass(frozen=True)
class Unknown:
    """No answer came: it may have been delivered."""

    because: str


Verdict = Sent | Retry | Refused | Unknown
