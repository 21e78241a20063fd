"""The rules stand in front of every text that is stored, and of no other."""

import pytest

from hub.domain.commands import Origin, PostMessage
from hub.domain.conversation import evolve, new
from hub.domain.events import MessagePosted, Record
from hub.domain.messages import Judgement, Profile
from hub.domain.refusals import Jumped, Repeated
from hub.engine.pipeline import Pipeline

ZHANG = Profile("h5", name="张三")


class Stars:
    """Rules that mask everything, and remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def judge(self, text: str, routed: bool) -> Judgement:
        self.asked.append(text)
        return Judgement("*", original=text)


@pytest.mark.parametrize("origin", [None, Origin(3, 1, 9, 0)])
def test_what_is_stored_has_been_judged_relayed_or_not(origin: Origin | None) -> None:
    state, pipeline = new("c7-abc"), Pipeline(Stars())
    events = pipeline.decide(state, PostMessage("k3v9", 1, "你好", ZHANG), origin, 0)
    posted = [(event.text, event.original) for event in events if isinstance(event, MessagePosted)]
    assert posted == [("*", "你好")]


@pytest.mark.parametrize(("n", "refusal"), [(1, Repeated), (3, Jumped)])
def test_what_is_refused_is_not_judged(n: int, refusal: type[Exception]) -> None:
    state, rules, origin = new("c7-abc"), Stars(), Origin(3, 1, 9, 0)
    pipeline = Pipeline(rules)
    evolve(state, Record("c7-abc", 1, 0, 0, MessagePosted("k3v9.1", "你好")), origin)
    for repeated in (None, origin):
        with pytest.raises(refusal if repeated is None else Repeated):
            pipeline.decide(state, PostMessage("k3v9", n, "在吗", ZHANG), repeated, 0)
    assert rules.asked == []


def test_a_judgement_that_came_with_the_text_stands() -> None:
    rules = Stars()
    command = PostMessage("k3v9", 1, "你好", ZHANG, Judgement("你好", flags=("vip",)))
    events = Pipeline(rules).decide(new("c7-abc"), command, None, 0)
    assert [event.flags for event in events if isinstance(event, MessagePosted)] == [("vip",)]
    assert rules.asked == []
