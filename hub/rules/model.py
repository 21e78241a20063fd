"""The shape of routing.yaml and filters.yaml: which keys there are, and which values they take."""

from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import BeforeValidator, Field, WithJsonSchema

from hub.rules.detect import Detector

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
"""Of a rule, a team or an agent."""


def _alternative(value: Any) -> list[str]:
    words = value if isinstance(value, list) else [value]
    if not words:
        raise ValueError("an empty list: name the words that must all occur, or remove it")
    for word in words:
        if not isinstance(word, str):
            kind = "nothing" if word is None else f"the {type(word).__name__} {word}"
            raise ValueError(f"a word must be text, not {kind}: put it in quotes")  # noqa: TRY004 (pydantic reports only these)
    return words


Alternative = Annotated[
    list[str],
    BeforeValidator(_alternative),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
"""One word, or a list of words that must all occur."""


class Lines(pydantic.BaseModel):
    """Base of all that stands in a file: no unknown keys, no value read as something else."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class Rule(Lines):
    """What every rule has. It matches where one of its words occurs, but for those inside a phrase of `not_in`."""

    SOURCES: ClassVar[str] = "words"
    """The keys of which a rule needs one, to match at all."""

    id: Name
    words: list[Alternative] = []
    not_in: list[str] = []


class RoutingRule(Rule):
    """Keywords that choose a team, or an automatic reply, or both. The first rule that matches counts."""

    team: str | None = None
    priority: int = Field(0, ge=0, le=100)
    """Higher is served earlier."""
    reply: str | None = Field(None, min_length=1, max_length=1000)
    choices: list[Annotated[str, Field(min_length=1, max_length=40)]] = Field([], max_length=10)
    """Answers to the reply that the visitor may pick: buttons where a channel has them, else numbered lines."""

    @pydantic.model_validator(mode="after")
    def _choices_answer_a_reply(self) -> "RoutingRule":
        if self.choices and not self.reply:
            raise ValueError("choices answer a reply: write the `reply` that asks, or remove them")
        return self


class FilterRule(Rule):
    """Words and forms that are masked, held for a person, blocked, or only flagged with the rule's id."""

    SOURCES: ClassVar[str] = "words, lexicons or detect"

    action: Literal["mask", "hold", "block", "flag"]
    lexicons: list[str] = []
    """Files in lexicons/, without .txt."""
    detect: list[Detector] = []


class Routing(Lines):
    """routing.yaml: which team gets a conversation."""

    default: str
    """The team for what no keyword has sent anywhere."""
    rules: list[RoutingRule] = []


class Filters(Lines):
    """filters.yaml: what others may not read as it was written."""

    rules: list[FilterRule] = []
