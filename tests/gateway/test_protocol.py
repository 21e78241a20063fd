"""Protocol v1 as tables: what the client says, and what is to be done about it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.commands import AnswerMessage, PostMessage
from hub.domain.events import AnswerPosted, AnswerRefused, AnyEvent, AutoReplied, MessagePosted, Opened, Record
from hub.domain.messages import Attachment
from hub.engine.calls import Denied, Outcome, Page
from hub.gateway.codes import CODES
from hub.gateway.frames import MAX_FRAME_BYTES, text_frame
from hub.gateway.protocol import Action, Close, Enter, Fetch, Reply, Session, Signal, Submit, first_page
from hub.gateway.tokens import AgentIdentity, Expired, Identity, Invalid, Visitor
from hub.media import links
from hub.media.links import Claim
from tests.gateway.fakes import ZHANG

C = "c7-abc"
AGENT = "a3-wangfang"
VISITOR = Visitor(C, ZHANG, 2_000_000_000)
WANGFANG = AgentIdentity(AGENT, 2_000_000_000)


def read_token(token: str) -> Identity:
    """Tokens of this test are words."""
    match token:
        case "visitor":
            return VISITOR
        case "agent":
            return WANGFANG
        case "old":
            raise Expired("the token has expired")
    raise Invalid("the token was not made by this hub")


CAT = Attachment(f"{C}.abc", "cat.png", "image/png", 7)


def read_claim(text: str) -> Claim:
    """Claims of this test are words too: "<conversation> <who has uploaded the cat>"."""
    if text == "old":
        raise links.Expired("this claim has run out")
    conversation, by = text.split()
    return Claim(2_000_000_000, conversation, by, CAT)


def say(session: Session, frame: object) -> Action:
    data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    return session.receive(data, read_token, read_claim)


def visitor() -> Session:
    session = Session()
    say(session, {"t": "hello", "v": 1, "token": "visitor"})
    return session


def agent(*serving: str) -> Session:
    session = Session()
    say(session, {"t": "hello", "v": 1, "token": "agent"})
    session.serving = frozenset(serving)
    return session


def short(action: Action) -> object:
    """Close as its code, an error frame as code, what to do and id; the rest as it is."""
    if isinstance(action, Close):
        return action.code.number
    if isinstance(action, Reply):
        frame = json.loads(action.frame)
        return (frame["code"], frame["do"], frame.get("id", "")) if frame["t"] == "error" else frame
    return action


@pytest.mark.parametrize(
    ("frame", "action"),
    [
        ({"t": "hello", "v": 1, "token": "visitor"}, Enter(VISITOR, 0, 0, {})),
        ({"t": "hello", "v": 1, "token": "visitor", "epoch": 1, "seq": 57}, Enter(VISITOR, 1, 57, {})),
        ({"t": "hello", "v": 1, "token": "agent", "epoch": 2, "seen": {C: 5}}, Enter(WANGFANG, 2, 0, {C: 5})),
        ({"t": "hello", "v": 1, "token": "visitor", "new": "field"}, Enter(VISITOR, 0, 0, {})),
        ({"t": "hello", "v": 1, "token": "old"}, 4401),
        ({"t": "hello", "v": 1, "token": "forged"}, 4503),
        ({"t": "hello", "v": 1, "token": ""}, 4503),
        ({"t": "hello", "v": 2, "token": "visitor"}, 4505),
        ({"t": "hello", "v": 2, "key": ["another", "form"]}, 4505),
        ({"t": "hello", "v": "1", "token": "visitor"}, (4115, "drop", "")),
        ({"t": "hello", "v": 1}, (4115, "drop", "")),
        ({"t": "hello", "v": 1, "token": "visitor", "seq": -1}, (4115, "drop", "")),
        ({"t": "hello", "v": 1, "token": "visitor", "seq": 2**53}, (4115, "drop", "")),
        ({"t": "hello", "v": 1, "token": "visitor", "seq": True}, (4115, "drop", "")),
        ({"t": "ping"}, 4501),
        ({"t": "send", "id": "k3v9.1", "text": "hi"}, 4501),
        ({"t": "fetch"}, 4501),
    ],
)
def test_first_frame(frame: object, action: object) -> None:
    assert short(say(Session(), frame)) == action


def test_a_hello_with_a_wrong_field_can_be_said_again() -> None:
    session = Session()
    say(session, {"t": "hello", "v": 1})
    assert isinstance(say(session, {"t": "hello", "v": 1, "token": "visitor"}), Enter)


@pytest.mark.parametrize(
    ("frame", "action"),
    [
        (
            {"t": "send", "id": "k3v9.7", "text": "什么时候发货？"},
            Submit(C, PostMessage("k3v9", 7, "什么时候发货？", ZHANG), "k3v9.7"),
        ),
        (
            {"t": "send", "id": "k3v9.1", "text": "好" * 4000},
            Submit(C, PostMessage("k3v9", 1, "好" * 4000, ZHANG), "k3v9.1"),
        ),
        ({"t": "send", "id": "k3v9.1", "text": "好" * 4001}, (4113, "drop", "k3v9.1")),
        ({"t": "send", "id": "k3v9.1", "text": ""}, (4113, "drop", "k3v9.1")),
        ({"t": "send", "id": "k3v9.1", "text": " \n　"}, (4113, "drop", "k3v9.1")),
        ({"t": "send", "id": "k3v9.1", "text": None}, (4115, "drop", "k3v9.1")),
        ({"t": "send", "id": "k3v9.1", "text": ["hi"]}, (4115, "drop", "k3v9.1")),
        ({"t": "send", "id": "k3v9.1"}, (4115, "drop", "k3v9.1")),
        ({"t": "send", "id": "k3v9.0", "text": "hi"}, (4115, "drop", "")),
        ({"t": "send", "id": "k3v9.1\n", "text": "hi"}, (4115, "drop", "")),
        ({"t": "send", "id": "a3-wangfang/k3v9.1", "text": "hi"}, (4115, "drop", "")),
        ({"t": "send", "id": "k.1", "text": "hi"}, (4115, "drop", "")),
        ({"t": "send", "id": 7, "text": "hi"}, (4115, "drop", "")),
        ({"t": "range", "after": 3, "before": 58}, Fetch(C, "visitor", 3, 58)),
        ({"t": "range", "after": 3, "before": 58, "c": "c9-other"}, Fetch(C, "visitor", 3, 58)),
        ({"t": "range", "after": 3}, (4115, "drop", "")),
        ({"t": "range", "after": "3", "before": 58}, (4115, "drop", "")),
        ({"t": "range", "after": 0.5, "before": 58}, (4115, "drop", "")),
        ({"t": "typing", "on": True}, Signal(C, "agent", b'{"t":"typing","c":"c7-abc","by":"visitor","on":true}')),
        ({"t": "typing", "on": 1}, (4115, "drop", "")),
        ({"t": "read", "seq": 58}, Signal(C, "agent", b'{"t":"read","c":"c7-abc","by":"visitor","seq":58}')),
        ({"t": "ping"}, {"t": "pong"}),
        ({"t": "hello", "v": 1, "token": "visitor"}, 4501),
        ({"t": "SEND", "id": "k3v9.1", "text": "hi"}, 4501),
        ({"t": "event", "seq": 1}, 4501),
        ({"t": 7}, 4500),
        ({"text": "hi"}, 4500),
        ([], 4500),
        (b"", 4500),
        (b"\xff", 4500),
        (b"null", 4500),
        (b'{"t": "ping"', 4500),
        (b'{"t": "ping"} {"t": "ping"}', 4500),
        (b'{"t": "ping", "x": NaN}', 4500),
        (b'{"t": "ping", "x": ' + b"7" * 5000 + b"}", {"t": "pong"}),
        (b'{"t": "\xed\xa0\x80"}', 4500),
        (b"[" * MAX_FRAME_BYTES, 4500),
        (b'{"t": "ping", "x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", 4500),
        (b'{"t": "send", "id": "k3v9.1", "text": "\\ud83d"}', (4115, "drop", "k3v9.1")),
        (
            b'{"t": "send", "id": "k3v9.1", "text": "\\ud83d\\ude00"}',
            Submit(C, PostMessage("k3v9", 1, "😀", ZHANG), "k3v9.1"),
        ),
    ],
)  # fmt: skip
def test_frame_of_a_visitor(frame: object, action: object) -> None:
    assert short(say(visitor(), frame)) == action


@pytest.mark.parametrize(
    ("frame", "action"),
    [
        (
            {"t": "send", "id": "d1.1", "c": C, "text": "今天就发"},
            Submit(C, AnswerMessage(AGENT, "今天就发", "d1", 1), "d1.1"),
        ),
        (
            {"t": "send", "id": "d1.1", "c": C, "text": "今天就发", "seen": 7},
            Submit(C, AnswerMessage(AGENT, "今天就发", "d1", 1, seen=7), "d1.1"),
        ),
        (
            {"t": "send", "id": "d1.1", "c": "c9-other", "text": "今天就发"},
            Submit("c9-other", AnswerMessage(AGENT, "今天就发", "d1", 1), "d1.1"),
        ),
        ({"t": "send", "id": "d1.1", "text": "今天就发"}, (4115, "drop", "d1.1")),
        ({"t": "send", "id": "d1.1", "c": "q0-main", "text": "今天就发"}, (4115, "drop", "d1.1")),
        ({"t": "send", "id": "d1.1", "c": "c" + "9" * 5000 + "-x", "text": "今天就发"}, (4115, "drop", "d1.1")),
        ({"t": "range", "c": C, "after": 3, "before": 58}, Fetch(C, "agent", 3, 58)),
        ({"t": "range", "c": "c9-other", "after": 3, "before": 58}, (4114, "drop", "")),
        ({"t": "range", "after": 3, "before": 58}, (4114, "drop", "")),
        ({"t": "typing", "on": True, "c": "c9-other"}, (4114, "drop", "")),
        ({"t": "read", "seq": 5, "c": "q0-main"}, (4114, "drop", "")),
        ({"t": "read", "seq": 5, "c": C}, Signal(C, "visitor", b'{"t":"read","c":"c7-abc","by":"agent","seq":5}')),
    ],
)
def test_frame_of_an_agent(frame: object, action: object) -> None:
    assert short(say(agent(C), frame)) == action


def test_no_more_than_a_window_waits_for_answers() -> None:
    session = visitor()
    for n in range(1, 65):
        assert isinstance(say(session, {"t": "send", "id": f"k3v9.{n}", "text": "hi"}), Submit)
    assert short(say(session, {"t": "send", "id": "k3v9.65", "text": "hi"})) == (4100, "retry", "k3v9.65")
    assert short(say(session, {"t": "range", "after": 0, "before": 9})) == (4121, "retry", "")
    session.answered("k3v9.1", C, Outcome(denied=Denied("repeated", "", seq=2)))
    assert isinstance(say(session, {"t": "send", "id": "k3v9.65", "text": "hi"}), Submit)


# --- what the engine says --------------------------------------------------------------------------------------------


def record(seq: int, prev: int, event: AnyEvent) -> Record:
    return Record(C, seq, prev, 1000, event)


@pytest.mark.parametrize(
    ("outcome", "frame"),
    [
        (
            Outcome((record(1, 0, Opened(ZHANG)), record(2, 0, MessagePosted("k3v9.7", "hi")))),
            {"t": "ack", "id": "k3v9.7", "c": C, "seq": 2, "prev": 0, "at": 1000},
        ),
        (
            Outcome((record(9, 7, MessagePosted("k3v9.7", "hi")), record(10, 9, AutoReplied("hello")))),
            {"t": "ack", "id": "k3v9.7", "c": C, "seq": 9, "prev": 7, "at": 1000},
        ),
        (
            Outcome((record(9, 7, MessagePosted("k3v9.7", "电话***", original="电话110")),)),
            {"t": "ack", "id": "k3v9.7", "c": C, "seq": 9, "prev": 7, "at": 1000, "text": "电话***"},
        ),
        (
            Outcome((record(9, 7, MessagePosted("k3v9.7", "x", "held", original="y")),)),
            {"t": "ack", "id": "k3v9.7", "c": C, "seq": 9, "prev": 7, "at": 1000, "status": "held"},
        ),
        (
            Outcome((record(9, 7, MessagePosted("k3v9.7", "x", "blocked")),)),
            {"t": "ack", "id": "k3v9.7", "c": C, "seq": 9, "prev": 7, "at": 1000, "status": "blocked"},
        ),
        (
            Outcome((record(9, 7, AnswerPosted("k3v9.7", AGENT, "小王", "今天")),)),
            {"t": "ack", "id": "k3v9.7", "c": C, "seq": 9, "prev": 8, "at": 1000},
        ),
        (
            Outcome((record(9, 7, AnswerRefused(AGENT, 12, "今天", "it is with 小李")),)),
            {"t": "error", "code": 4114, "do": "drop", "id": "k3v9.7", "c": C, "message": "it is with 小李"},
        ),
        (
            Outcome(denied=Denied("repeated", "carried out before", seq=5)),
            {"t": "ack", "id": "k3v9.7", "c": C, "seq": 5},
        ),
        (
            Outcome(denied=Denied("repeated", "long ago")),
            {"t": "ack", "id": "k3v9.7", "c": C, "seq": 0},
        ),
        (
            Outcome(denied=Denied("resend", "a hole", resend_from=4)),
            {"t": "error", "code": 4111, "do": "resend", "id": "k3v9.7", "c": C, "from": 4, "message": "a hole"},
        ),
        (
            Outcome(denied=Denied("unknown_tab", "forgotten", seq=60)),
            {"t": "error", "code": 4112, "do": "new_tab", "id": "k3v9.7", "c": C, "seq": 60, "message": "forgotten"},
        ),
        (
            Outcome(denied=Denied("not_yours", "it is with 小李")),
            {"t": "error", "code": 4114, "do": "drop", "id": "k3v9.7", "c": C, "message": "it is with 小李"},
        ),
        (
            Outcome(denied=Denied("refused", "no")),
            {"t": "error", "code": 4115, "do": "drop", "id": "k3v9.7", "c": C, "message": "no"},
        ),
        (
            Outcome(denied=Denied("unavailable", "no owner")),
            {"t": "error", "code": 4100, "do": "retry", "id": "k3v9.7", "c": C, "message": "no owner"},
        ),
        (
            Outcome(denied=Denied("stopped", "decide failed")),
            {"t": "error", "code": 4100, "do": "retry", "id": "k3v9.7", "c": C, "message": "decide failed"},
        ),
    ],
)  # fmt: skip
def test_answer_to_a_message(outcome: Outcome, frame: dict[str, Any]) -> None:
    assert json.loads(visitor().answered("k3v9.7", C, outcome)) == frame


EVENT = msgspec.Raw(b'{"t":"event","seq":60}')


def test_welcome_of_a_visitor() -> None:
    page = Page(C, 1, 60, (EVENT,), tabs={"k3v9": 7})
    assert json.loads(visitor().welcomed(page)) == {
        "t": "welcome", "v": 1, "c": C, "epoch": 1, "seq": 60, "resumed": True,
        "events": [{"t": "event", "seq": 60}], "window": 64, "tabs": {"k3v9": 7},
    }  # fmt: skip


def test_welcome_of_an_agent() -> None:
    page = Page(AGENT, 1, 4, (), serving=(C,))
    assert json.loads(agent().welcomed(page)) == {
        "t": "welcome", "v": 1, "agent": AGENT, "epoch": 1, "window": 64, "conversations": [C]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("page", "frame"),
    [
        (
            Page(C, 1, 60, (EVENT,), more=True),
            {"t": "page", "c": C, "after": 3, "before": 58, "events": [{"t": "event", "seq": 60}], "more": True},
        ),
        (Page(C, 1, 60, ()), {"t": "page", "c": C, "after": 3, "before": 58, "events": [], "more": False}),
        (
            Denied("unavailable", "no owner"),
            {"t": "error", "code": 4121, "do": "retry", "c": C, "message": "no owner"},
        ),
    ],
)
def test_answer_to_a_range(page: Page | Denied, frame: dict[str, Any]) -> None:
    assert json.loads(visitor().paged(C, 3, 58, page)) == frame


def test_first_page_of_what_does_not_belong_to_this_log() -> None:
    frame = json.loads(first_page(Page(C, 1, 60, (EVENT,), resumed=False), 99))
    assert (frame["after"], frame["before"], frame["resumed"]) == (0, 61, False)


# --- any bytes -------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {"t": st.sampled_from(["hello", "send", "range", "typing", "read", "ping", "pong"])},
    optional={
        name: JSON | plausible
        for name, plausible in {
            "v": st.just(1),
            "token": st.sampled_from(["visitor", "agent", "old"]),
            "id": st.from_regex(r"[a-z0-9]{1,4}\.[0-9]{1,3}", fullmatch=True),
            "text": st.text(),
            "c": st.just(C),
            "seq": st.integers(0),
            "after": st.integers(0),
            "before": st.integers(0),
            "on": st.booleans(),
        }.items()
    },
)
FRAMES = st.binary(max_size=300) | (JSON | FIELDS).map(lambda value: json.dumps(value).encode())


@given(st.lists(FRAMES, max_size=8), st.sampled_from([Session, visitor, agent]))
def test_any_bytes_have_a_documented_answer(frames: list[bytes], begin: Any) -> None:
    session = begin()
    for frame in frames:
        action = say(session, frame)
        if isinstance(action, Close):
            assert action.code in CODES
            assert action.code.way == "close"
            return
        if isinstance(action, Reply):
            said = json.loads(action.frame)
            known = {code.number: code.do for code in CODES if code.way == "frame"}
            assert said["t"] == "pong" or known[said["code"]] == said["do"]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 70_000])
def test_text_frame_is_what_the_library_would_send(size: int) -> None:
    from websockets.frames import Frame, Opcode

    assert text_frame(b"x" * size) == Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "look"])
def test_a_message_brings_the_files_that_were_uploaded_for_it(text: str) -> None:
    action = say(visitor(), {"t": "send", "id": "t1.1", "text": text, "files": [f"{C} visitor"]})
    assert action == Submit(C, PostMessage("t1", 1, text, ZHANG, None, (CAT,)), "t1.1")
    action = say(agent(C), {"t": "send", "id": "t1.1", "c": C, "text": text, "files": [f"{C} {AGENT}"]})
    assert action == Submit(C, AnswerMessage(AGENT, text, "t1", 1, (CAT,)), "t1.1")


@pytest.mark.parametrize("claim", ["c9-other visitor", f"{C} {AGENT}", "old"])
def test_a_file_of_another_conversation_or_person_is_not_taken(claim: str) -> None:
    session = visitor()
    action = say(session, {"t": "send", "id": "t1.1", "text": "look", "files": [claim]})
    assert short(action) == (4115, "drop", "t1.1")
    assert session.waiting == 0


def test_a_blank_text_without_files_or_too_many_files_are_not_taken() -> None:
    assert short(say(visitor(), {"t": "send", "id": "t1.1", "text": " ", "files": []})) == (4113, "drop", "t1.1")
    files = [f"{C} visitor"] * 10
    assert short(say(visitor(), {"t": "send", "id": "t1.1", "text": "look", "files": files})) == (4115, "drop", "t1.1")
