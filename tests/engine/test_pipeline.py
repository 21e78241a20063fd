"""The rules stand in front of every text that is stored, and of no other."""

from collections.abc import Iterable

import pytest

from hub.domain import agent
from hub.domain.agent import Agent
from hub.domain.commands import AnyCommand, Origin, PostMessage, ReceiveMessage, ReceiveText, Tick
from hub.domain.conversation import evolve, new
from hub.domain.conversation_state import Conversation
from hub.domain.events import AnyEvent, Attempted, AutoReplied, MessagePosted, Reached, Record
from hub.domain.messages import Judgement, Limits, Profile, Reach
from hub.domain.refusals import Jumped, Repeated
from hub.domain.teams import AgentSettings, Lookup
from hub.engine.pipeline import Pipeline

ZHANG = Profile("h5", name="张三")


class Stars:
    """Rules that mask everything, and remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.who: list[tuple[str, str]] = []

    def judge(self, text: str, routed: bool, channel: str = "", who: str = "") -> Judgement:
        self.asked.append(text)
        self.who.append((channel, who))
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


# --- visitors on platforms -------------------------------------------------------------------------------------------

CHAT = "p7-telegram-k3v9"
REACH = Reach("telegram", "chat-1", Limits(max_text=1000))


def do(pipeline: Pipeline, state: Conversation, command: AnyCommand) -> list[AnyEvent]:
    events = pipeline.decide(state, command, None, 1000)
    for event in events:
        evolve(state, Record(CHAT, state.seq + 1, state.visitor_seq, 1000, event))
    return events


def test_a_message_of_a_platform_is_judged_once() -> None:
    state, rules = new(CHAT), Stars()
    command = ReceiveMessage("m1", "你好", 0, Profile("telegram"), REACH, unsupported="location")
    posted = do(Pipeline(rules), state, command)[2]
    assert isinstance(posted, MessagePosted)
    assert (posted.text, rules.asked) == ("*", ["你好\n[not supported: location]"])
    with pytest.raises(Repeated):
        do(Pipeline(rules), state, command)
    assert len(rules.asked) == 1


def test_what_waits_is_cut_to_what_the_channel_takes_now() -> None:
    state = new(CHAT)
    asked = Judgement("hi", reply="x" * 300)
    command = ReceiveMessage("m1", "hi", 0, Profile("telegram"), REACH, judgement=asked)
    assert isinstance(do(Pipeline(Stars()), state, command)[3], AutoReplied)
    pipeline = Pipeline(Stars(), {"telegram": Limits(max_text=200)})
    (reached,) = do(pipeline, state, Tick())
    assert reached == Reached(Reach("telegram", "chat-1", Limits(max_text=200)))
    (attempted,) = do(pipeline, state, Tick())
    assert isinstance(attempted, Attempted)
    assert len(attempted.text) == 200


def test_the_rules_are_told_who_wrote_by_what_nobody_can_choose_for_themselves() -> None:
    rules = Stars()
    Pipeline(rules).decide(new("c7-abc"), PostMessage("k3v9", 1, "你好", ZHANG), None, 0)
    do(Pipeline(rules), new(CHAT), ReceiveMessage("m1", "你好", 0, Profile("telegram", name="张三"), REACH))
    assert rules.who == [("h5", "c7-abc"), ("telegram", "chat-1")]


# --- agents ----------------------------------------------------------------------------------------------------------


class Knows:
    """Names that know one colleague, and remember for whom they were asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def lookup(self, text: str, teams: Iterable[str]) -> Lookup | None:
        self.asked.append((text, tuple(teams)))
        return Lookup(agent="a2-li", display="小李") if "@" in text else None


def test_what_an_agents_text_names_is_looked_up_where_the_rules_are(monkeypatch: pytest.MonkeyPatch) -> None:
    decided: list[AnyCommand] = []
    monkeypatch.setattr(agent, "decide", lambda state, command, origin, now_ms: decided.append(command) or [])
    names, state = Knows(), Agent("a1-wang")
    pipeline = Pipeline(Stars(), names=names)
    pipeline.decide_agent(state, ReceiveText("m0", "转接 @小李", 0), None, 0)  # of whom nothing is known yet
    state.settings = AgentSettings("a1-wang", "wang", "王芳", ("sales",), 5)
    for text in ("转接 @小李", "您好"):
        pipeline.decide_agent(state, ReceiveText("m1", text, 0), None, 0)
    assert names.asked == [("转接 @小李", ("sales",)), ("您好", ("sales",))]
    assert [isinstance(one, ReceiveText) and one.lookup for one in decided] == [
        None, Lookup(agent="a2-li", display="小李"), None,
    ]  # fmt: skip
