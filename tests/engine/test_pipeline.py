"""The rules stand in front of every text that is stored, and of no other."""

import pytest

from hub.domain import agent
from hub.domain.agent import Agent
from hub.domain.commands import AnyCommand, Origin, PostMessage, ReceiveMessage, ReceiveText, Tick
from hub.domain.conversation import Conversation
from hub.domain.conversation.entity import evolve, new
from hub.domain.events import (
    AgentConfigured,
    AnswerChosen,
    AnyEvent,
    Attempted,
    AutoReplied,
    MessagePosted,
    Reached,
    Record,
    Serving,
    TransferAsked,
)
from hub.domain.messages import Judgement, Limits, Profile, Reach
from hub.domain.refusals import Jumped, NotReady, Repeated
from hub.domain.teams import AgentSettings, Team, Teams
from hub.engine.names import Names
from hub.engine.pipeline import Pipeline
from hub.rules.roster import Replies

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


WANG = AgentSettings("a1-wang", "wang", "王芳", ("sales",), 5)
LI = AgentSettings("a2-li", "li", "小李", ("sales",), 5)
NAMES = Names(
    Teams("1", "sales", (Team("sales", "售前"),), (WANG, LI)),
    Replies.model_validate({"teams": {"sales": {"稍等": "好的，请稍等。"}}}),
)


def serving() -> Agent:
    """王芳 with one conversation, of number 12."""
    state = agent.new(WANG.id)
    for event in (AgentConfigured(WANG), Serving("c7-abc", 12, "张三", "sales")):
        agent.evolve(state, Record(WANG.id, state.seq + 1, state.seq, 0, event), None)
    return state


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("转接 #12 @小李 老客户", TransferAsked("c7-abc", 12, LI.id, note="老客户")),
        ("transfer #12 @售前: urgent", TransferAsked("c7-abc", 12, team="sales", note="urgent")),
        ("#12 /稍等", AnswerChosen("c7-abc", 12, "好的，请稍等。", seen=0)),
    ],
)
def test_what_an_agents_text_names_is_looked_up_where_the_rules_are(text: str, event: AnyEvent) -> None:
    events = Pipeline(Stars(), names=NAMES).decide_agent(serving(), ReceiveText("m1", text, 0), None, 0)
    assert event in events


def test_without_names_a_text_names_nobody() -> None:
    events = Pipeline(Stars()).decide_agent(serving(), ReceiveText("m1", "转接 #12 @小李", 0), None, 0)
    assert not any(isinstance(event, TransferAsked) for event in events)


def test_an_agent_of_whom_nothing_is_known_yet_is_asked_to_write_again() -> None:
    with pytest.raises(NotReady):
        Pipeline(Stars(), names=NAMES).decide_agent(agent.new(WANG.id), ReceiveText("m1", "您好", 0), None, 0)
