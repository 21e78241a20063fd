"""Sockets and sessions together, without a network: who hears what, and what is caught up."""

import asyncio
import json
from typing import Any

import pytest

from hub.domain.commands import AnswerMessage
from hub.domain.conversation.state import TABS
from hub.gateway import codes
from tests.gateway.clients import AGENT, C, World

pytestmark = pytest.mark.asyncio


def texts(frames: list[dict[str, object]]) -> list[tuple[object, object]]:
    """(seq, text) of the events among frames, and of those inside a welcome or a page."""
    events = [e for f in frames for e in ([f] if f["t"] == "event" else f.get("events", []))]  # type: ignore[attr-defined]
    return [(event["seq"], event.get("text", event["kind"])) for event in events]


async def test_a_visitor_is_welcomed_writes_and_gets_an_ack() -> None:
    visitor = World().visitor()
    visitor.say({"t": "send", "id": "k3v9.1", "text": "hi"})
    welcome, ack = visitor.heard()
    assert (welcome["t"], welcome["c"], welcome["seq"], welcome["events"]) == ("welcome", C, 0, [])
    assert (ack["t"], ack["id"], ack["seq"], ack["prev"]) == ("ack", "k3v9.1", 2, 0)


async def test_the_sender_gets_an_ack_and_their_other_page_the_event() -> None:
    world = World()
    one, two = world.visitor(), world.visitor()
    one.heard(), two.heard()
    one.say({"t": "send", "id": "k3v9.1", "text": "my secret"})
    (ack,) = one.heard()
    assert (ack["t"], ack["text"]) == ("ack", "my ******")
    assert texts(two.heard()) == [(2, "my ******")]


async def test_nobody_hears_of_another_conversation() -> None:
    world = World()
    other = world.visitor("c7-other")
    other.heard()
    visitor = world.visitor()
    visitor.say({"t": "send", "id": "k3v9.1", "text": "hi"})
    visitor.say({"t": "typing", "on": True})
    assert other.heard() == []


async def test_a_visitor_resumes_where_they_were() -> None:
    world = World()
    for n in range(1, 4):
        world.calls.post(C, f"text {n}")
    visitor = world.visitor(epoch=1, seq=4)
    (welcome,) = visitor.heard()
    assert welcome["resumed"] is True
    assert welcome["tabs"] == {"other": 3}
    assert texts([welcome]) == [(5, "text 3")]


@pytest.mark.parametrize("hello", [{"epoch": 1, "seq": 99}, {"epoch": 7, "seq": 2}])
async def test_what_is_not_of_this_log_is_not_resumed(hello: dict[str, Any]) -> None:
    world = World()
    world.calls.post(C, "text 1")
    (welcome,) = world.visitor(**hello).heard()
    assert welcome["resumed"] is False
    assert texts([welcome]) == [(2, "text 1")]


async def test_a_forgotten_tab_is_told_up_to_where_its_messages_are_in_the_history() -> None:
    world = World()
    visitor = world.visitor()
    visitor.say({"t": "send", "id": "k3v9.1", "text": "the ack of this is lost"})
    for n in range(TABS):
        world.calls.post(C, "from elsewhere", f"tab{n}", lost=True)
    visitor.heard()
    visitor.say({"t": "send", "id": "k3v9.1", "text": "the ack of this is lost"})
    (error,) = visitor.heard()
    assert (error["code"], error["do"]) == (4112, "new_tab")
    visitor.say({"t": "range", "after": 0, "before": error["seq"] + 1})
    (page,) = visitor.heard()
    visitor.say({"t": "range", "after": 0, "before": page["events"][0]["seq"]})
    (older,) = visitor.heard()
    assert (page["events"][-1]["seq"], page["more"]) == (error["seq"], True)
    assert [each["id"] for each in older["events"]].count("k3v9.1") == 1


async def test_a_repeat_is_acknowledged_with_its_seq_only() -> None:
    visitor = World().visitor()
    for _ in range(2):
        visitor.say({"t": "send", "id": "k3v9.1", "text": "hi"})
    assert visitor.heard()[-1] == {"t": "ack", "id": "k3v9.1", "c": C, "seq": 2}


async def test_a_jump_is_told_where_to_go_on() -> None:
    visitor = World().visitor()
    visitor.say({"t": "send", "id": "k3v9.1", "text": "hi"})
    visitor.say({"t": "send", "id": "k3v9.3", "text": "hi"})
    error = visitor.heard()[-1]
    assert (error["code"], error["do"], error["from"]) == (4111, "resend", 2)


async def test_history_is_answered() -> None:
    world = World()
    for n in range(1, 70):
        world.calls.post(C, f"text {n}")
    visitor = world.visitor(epoch=1, seq=1)
    visitor.heard()
    visitor.say({"t": "range", "after": 0, "before": 60})
    (page,) = visitor.heard()
    assert [event["seq"] for event in page["events"]] == list(range(10, 60))
    assert page["more"] is True


async def test_what_comes_before_the_welcome_waits_for_it() -> None:
    world = World()
    first = world.visitor()
    first.heard()
    world.calls.hold = True
    late = world.visitor()
    late.say({"t": "send", "id": "k3v9.1", "text": "hi"})
    world.calls.post(C, "from elsewhere")
    assert late.heard() == []
    world.calls.release()
    assert [frame["t"] for frame in late.heard()] == ["welcome", "event", "ack"]


async def test_a_welcome_that_never_comes_does_not_fill_memory() -> None:
    world = World()
    first = world.visitor()
    world.calls.hold = True
    late = world.visitor()
    for n in range(65):
        world.calls.post(C, f"text {n}")
    assert (late.closed, first.closed) == (4000, None)


async def test_an_owner_that_is_away_is_told_by_code() -> None:
    world = World()
    visitor = world.visitor()
    visitor.heard()
    world.calls.away = True
    visitor.say({"t": "send", "id": "k3v9.1", "text": "hi"})
    visitor.say({"t": "range", "after": 0, "before": 9})
    assert [frame["code"] for frame in visitor.heard()] == [4100, 4121]
    assert world.visitor().closed == 4000


# --- agents ----------------------------------------------------------------------------------------------------------


async def test_an_agent_is_welcomed_with_a_page_of_each_conversation() -> None:
    world = World()
    for conversation in (C, "c8-def"):
        world.calls.post(conversation, "hi")
        world.calls.assign(conversation, AGENT)
    agent = world.agent(epoch=1, seen={C: 2})
    welcome, one, two = agent.heard()
    assert (welcome["agent"], welcome["conversations"]) == (AGENT, [C, "c8-def"])
    assert (one["t"], one["c"], one["after"]) == ("page", C, 2)
    assert [event["kind"] for event in one["events"]] == ["queued", "assigned"]
    assert [event["kind"] for event in two["events"]] == ["opened", "message", "queued", "assigned"]


async def test_two_hundred_conversations_are_shown_a_few_at_a_time() -> None:
    world = World()
    names = [f"c7-n{n:03}" for n in range(200)]
    for name in names:
        world.calls.post(name, "hi")
        world.calls.assign(name, AGENT)
    agent = world.client()
    agent.socket.pause_writing()  # the client does not read
    agent.say({"t": "hello", "v": 1, "token": world.agent_token()})
    assert [frame["t"] for frame in agent.heard()] == ["welcome"]
    world.calls.hold = True
    agent.socket.resume_writing()
    asked = len(world.calls.asked_to_watch)
    assert asked == 1 + 8
    world.calls.hold = False
    world.calls.release()
    assert sorted(page["c"] for page in agent.heard()) == names


async def test_a_thousand_conversations_whose_owner_is_here_are_shown_in_one_go() -> None:
    world = World()
    names = [f"c7-n{n:03}" for n in range(1000)]
    for name in names:
        world.calls.post(name, "hi")
        world.calls.assign(name, AGENT)
    assert [page["c"] for page in world.agent().heard()[1:]] == names


async def test_an_agent_gets_a_conversation_answers_and_loses_it() -> None:
    world = World()
    visitor, agent = world.visitor(), world.agent()
    world.calls.post(C, "hi")
    visitor.heard(), agent.heard()
    world.calls.assign(C, AGENT)
    serving, page = agent.heard()
    assert serving == {"t": "serving", "c": C, "on": True}
    assert (page["t"], page["c"]) == ("page", C)

    agent.say({"t": "send", "id": "d1.1", "c": C, "text": "今天就发"})
    assert world.calls.commands[-1] == (C, AnswerMessage(AGENT, "今天就发", "d1", 1))
    (ack,) = agent.heard()
    assert (ack["t"], ack["seq"], ack["prev"]) == ("ack", 5, 4)
    (answer,) = visitor.heard()
    assert (answer["kind"], answer["text"], answer["prev"]) == ("answer", "今天就发", 2)

    world.calls.take_away(C, AGENT)
    world.calls.post(C, "are you there?")
    assert agent.heard() == [{"t": "serving", "c": C, "on": False}]
    assert (C, "agent") not in world.calls.watching
    agent.say({"t": "range", "c": C, "after": 0, "before": 9})
    agent.say({"t": "send", "id": "d1.1", "c": C, "text": "今天就发"})  # again, though it was stored
    agent.say({"t": "send", "id": "d1.1", "c": "c7-other", "text": "hello"})
    refused, repeated, other = agent.heard()
    assert (refused["code"], other["code"], other["c"]) == (4114, 4114, "c7-other")
    assert (repeated["t"], repeated["seq"]) == ("ack", 5)


async def test_a_change_of_serving_that_was_lost_is_caught_up() -> None:
    world = World()
    agent = world.agent()
    world.calls.post(C, "hi")
    world.calls.assign(C, AGENT, told=False)
    assert [frame["t"] for frame in agent.heard()] == ["welcome"]
    world.pass_s(31)
    assert [frame["t"] for frame in agent.heard()] == ["serving", "page"]


async def test_an_agent_sees_no_words_of_a_held_message() -> None:
    world = World()
    world.calls.post(C, "first")
    world.calls.assign(C, AGENT)
    agent = world.agent()
    agent.heard()
    world.calls.post(C, "hold this")
    (event,) = agent.heard()
    assert (event["status"], event.get("text")) == ("held", None)


async def test_typing_and_read_go_to_the_other_side() -> None:
    world = World()
    world.calls.post(C, "hi")
    world.calls.assign(C, AGENT)
    visitor, agent = world.visitor(), world.agent()
    visitor.heard(), agent.heard()
    visitor.say({"t": "typing", "on": True})
    agent.say({"t": "read", "c": C, "seq": 2})
    assert agent.heard() == [{"t": "typing", "c": C, "by": "visitor", "on": True}]
    assert visitor.heard() == [{"t": "read", "c": C, "by": "agent", "seq": 2}]


# --- watching --------------------------------------------------------------------------------------------------------


async def test_a_lost_push_is_caught_up_when_the_watch_is_renewed() -> None:
    world = World()
    one, two = world.visitor(), world.visitor()
    world.calls.post(C, "heard")
    world.calls.post(C, "lost", lost=True)
    assert texts(one.heard()) == texts(two.heard()) == [(2, "heard")]
    world.pass_s(31)
    assert texts(one.heard()) == texts(two.heard()) == [(4, "lost")]
    assert world.calls.asked_to_watch[-1] == (C, "visitor", 2, 1)


async def test_a_change_of_owner_renews_only_its_partition() -> None:
    world = World()
    here, there = world.visitor("c7-abc"), world.visitor("c8-def")
    world.calls.post("c7-abc", "lost", lost=True)
    world.calls.post("c8-def", "lost", lost=True)
    here.heard(), there.heard()
    world.sessions.owner_changed(7)
    world.pass_s(0.25)
    assert texts(here.heard()) == [(2, "lost")]
    assert there.heard() == []


async def test_an_owner_that_is_away_is_asked_again_soon() -> None:
    world = World()
    visitor = world.visitor()
    world.calls.post(C, "lost", lost=True)
    world.calls.away = True
    world.sessions.owner_changed(7)
    world.pass_s(0.25)
    world.calls.away = False
    visitor.heard()
    world.pass_s(1.5)
    assert texts(visitor.heard()) == [(2, "lost")]


async def test_a_conversation_that_is_gone_before_its_owner_could_be_reached_is_not_asked_for_again() -> None:
    world = World()
    agent = world.agent()
    world.calls.away = world.calls.hold = True
    world.calls.assign(C, AGENT)
    world.calls.take_away(C, AGENT)
    world.calls.away = world.calls.hold = False
    world.calls.release()
    world.calls.asked_to_watch.clear()
    world.pass_s(65)
    assert {entity for entity, *_ in world.calls.asked_to_watch} == {AGENT}
    assert (C, "agent") not in world.calls.watching
    assert agent.closed is None


async def test_a_log_that_has_begun_anew_lets_its_sockets_go() -> None:
    world = World()
    visitor = world.visitor()
    world.calls.epoch = 2
    world.pass_s(31)
    assert visitor.closed == 4000


async def test_what_nobody_watches_is_unwatched() -> None:
    world = World()
    one, two = world.visitor(), world.visitor()
    one.leave()
    assert world.calls.watching == {(C, "visitor")}
    two.leave()
    assert world.calls.watching == set()
    assert not world.server.connections
    asked = len(world.calls.asked_to_watch)
    world.pass_s(60)
    assert len(world.calls.asked_to_watch) == asked


async def test_answers_to_a_socket_that_is_gone_go_nowhere() -> None:
    world = World()
    visitor = world.visitor()
    world.calls.hold = True
    visitor.say({"t": "send", "id": "k3v9.1", "text": "hi"})
    visitor.say({"t": "range", "after": 0, "before": 9})
    late = world.visitor("c7-late")
    visitor.leave()
    late.leave()
    visitor.transport.written.clear()
    world.calls.release()
    assert visitor.transport.written == late.transport.written == []


async def test_what_one_turn_of_the_loop_pushes_goes_out_in_one_write_to_each_socket() -> None:
    world = World()
    clients = [world.visitor() for _ in range(3)]
    for client in clients:
        client.heard()
    for seq in (2, 3):
        frame = json.dumps({"t": "event", "seq": seq, "prev": seq - 1, "kind": "reply"}).encode()
        world.sessions.push(C, "visitor", seq, frame, clients[1].socket)
    assert [len(client.transport.written) for client in clients] == [0, 0, 0]
    await asyncio.sleep(0)
    assert [len(client.transport.written) for client in clients] == [1, 0, 1]
    assert texts(clients[0].heard()) == [(2, "reply"), (3, "reply")]


async def test_what_is_sent_does_not_overtake_what_was_pushed() -> None:
    world = World()
    visitor = world.visitor()
    visitor.heard()
    world.sessions.push(
        C, "visitor", 2, json.dumps({"t": "event", "seq": 2, "prev": 0, "kind": "reply"}).encode(), None
    )
    visitor.socket.send(json.dumps({"t": "pong"}).encode())
    world.sessions.push(
        C, "visitor", 3, json.dumps({"t": "event", "seq": 3, "prev": 2, "kind": "reply"}).encode(), None
    )
    visitor.socket.close(codes.LET_GO)
    assert [frame["t"] for frame in visitor.heard()] == ["event", "pong", "event"]
    assert visitor.closed == codes.LET_GO.number


async def test_an_owner_that_notes_a_watch_after_its_end_is_told_of_the_end_again() -> None:
    world = World()
    world.calls.hold = True
    world.visitor().leave()
    world.visitor("c7-stays").leave()
    stays = world.visitor("c7-stays")
    world.calls.release()
    assert world.calls.watching == {("c7-stays", "visitor")}
    assert stays.heard()[0]["t"] == "welcome"


async def test_no_frame_is_made_where_only_the_sender_watches() -> None:
    world = World()
    visitor = world.visitor()
    watch = visitor.socket.watches[0]
    assert not world.sessions.skip("c7-other", "visitor", 5, visitor.socket)
    assert not world.sessions.skip(C, "agent", 5, visitor.socket)
    assert world.sessions.skip(C, "visitor", 5, visitor.socket)
    assert watch.seq == 5  # what is asked for after a change of owner
    world.visitor()
    assert not world.sessions.skip(C, "visitor", 6, visitor.socket)


async def test_the_desks_of_an_agent_whose_password_changes_or_who_is_removed_close_at_once() -> None:
    world, generations = World(), dict[str, int | None]()
    world.tokens.generation = lambda agent: generations.get(agent, 0)
    one, two, other, visitor = world.agent(), world.agent(), world.agent("a5-lilei"), world.visitor()
    world.sessions.end_logins()
    assert [client.closed for client in (one, two, other, visitor)] == [None, None, None, None]
    generations[AGENT] = 1
    world.sessions.end_logins()
    expired = codes.TOKEN_EXPIRED.number
    assert [client.closed for client in (one, two, other, visitor)] == [expired, expired, None, None]
    generations["a5-lilei"] = None
    world.sessions.end_logins()
    assert (other.closed, visitor.closed) == (expired, None)
    assert world.agent("a5-lilei").closed == expired
