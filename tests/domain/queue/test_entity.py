"""The queue: single decisions as a table of stories. What it promises at all times: test_queue_machine.py."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import queue
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Limits, Wait
from hub.domain.queue.arranging import PART, TEAMS_BYTES
from hub.domain.queue.draft import AT_ONCE
from hub.domain.queue.entity import AGAIN_MS
from hub.domain.queue.numbers import REST_MS
from hub.domain.queue.tell import PAUSE_MS
from hub.domain.refusals import NotFound, Repeated, Taken
from hub.domain.teams import AgentSettings, Hours, Overflow, Patience, Pick, Span, Team, Teams
from tests.domain.queue.world import DAY_MS, SECOND_MS, Desk, restored


def agent(
    name: str, teams: str, capacity: int = 2, channel: str = "", languages: Sequence[str] = (), shift: str = ""
) -> AgentSettings:
    return AgentSettings(
        f"a1-{name}", name, name.title(), tuple(teams.split()), capacity, channel, languages=tuple(languages),
        shift=shift,
    )  # fmt: skip


def teams(*agents: AgentSettings, names: str = "sales service", version: str = "1") -> Teams:
    named = tuple(Team(name, name.title()) for name in names.split())
    return Teams(version, named[0].name, named, agents)


def with_team(named: Teams, name: str, **changes: object) -> Teams:
    """The teams with this one changed."""
    changed = [msgspec.structs.replace(team, **changes) if team.name == name else team for team in named.teams]
    return msgspec.structs.replace(named, teams=tuple(changed))


WANG, LI = agent("wang", "sales"), agent("li", "sales service", capacity=1, channel="wecom")


def enqueue(
    name: str, team: str = "sales", priority: int = 0, agent: str = "", avoid: str = "", **more: Any
) -> c.Enqueue:
    command = c.Enqueue(f"c0-{name}", team, priority, agent and f"a1-{agent}", avoid and f"a1-{avoid}")
    return msgspec.structs.replace(command, **more)


def named(name: str) -> c.Enqueue:
    return msgspec.structs.replace(enqueue(name), name=name.upper())


def leave(name: str) -> c.Leave:
    return c.Leave(f"c0-{name}")


def on(name: str) -> c.SetDuty:
    return c.SetDuty(f"a1-{name}", True)


def off(name: str) -> c.SetDuty:
    return c.SetDuty(f"a1-{name}", False)


def take(name: str, no: int = 0, conversation: str = "") -> c.Take:
    return c.Take(f"a1-{name}", no, conversation and f"c0-{conversation}")


def brief(events: list[AnyEvent]) -> list[str]:
    """Who got what: "a>wang" chosen, "a:2" told position 2 ("!": somebody is on duty), "a+b" overflowed to b."""
    words = []
    for event in events:
        match event:
            case e.Chosen(conversation=conversation, agent=agent):
                words.append(f"{conversation[3:]}>{agent[3:]}")
            case e.Told(conversation=conversation, position=position, on_duty=on_duty):
                words.append(f"{conversation[3:]}:{position}{'!' if on_duty else ''}")
            case e.Overflowed(conversation=conversation, team=team):
                words.append(f"{conversation[3:]}+{team}")
    return words


BOTH = c.ChangeTeams(teams(WANG, LI))
FULL: list[AnyCommand] = [BOTH, on("wang"), on("li"), enqueue("b"), enqueue("a"), enqueue("x")]
"""Wang has a and x, Li has b, and both are at capacity."""


@pytest.mark.parametrize(
    ("before", "command", "said"),
    [
        # joining
        ([], enqueue("a"), ["a:1"]),
        ([BOTH], enqueue("a"), ["a:1"]),
        ([BOTH, on("wang")], enqueue("a"), ["a>wang"]),
        ([BOTH, on("wang"), off("wang")], enqueue("a"), ["a:1"]),
        ([BOTH, on("wang")], enqueue("a", "service"), ["a:1"]),
        ([BOTH, on("wang")], enqueue("a", "no such team"), ["a>wang"]),
        ([BOTH, on("wang")], enqueue("a", ""), ["a>wang"]),
        (FULL, enqueue("c"), ["c:1!"]),
        ([*FULL, enqueue("c")], enqueue("d"), ["d:2!"]),
        ([*FULL, enqueue("c")], enqueue("d", priority=1), ["d:1!"]),
        # the least loaded; then who was chosen longest ago; then the name
        ([BOTH, on("wang"), on("li")], enqueue("a"), ["a>li"]),
        ([BOTH, on("wang"), on("li"), enqueue("a")], enqueue("b"), ["b>wang"]),
        ([BOTH, on("wang"), on("li"), enqueue("a"), c.Leave("c0-a")], enqueue("b"), ["b>wang"]),
        # joining again
        ([*FULL, enqueue("c")], enqueue("c", "service"), ["c:1!"]),
        ([*FULL, enqueue("c"), enqueue("d")], enqueue("c", "service"), ["c:1!", "d:1!"]),
        ([*FULL, enqueue("c"), enqueue("d")], enqueue("d", priority=1), ["d:1!"]),
        # a transfer to a person, who must be on duty and have room, else it waits for the team
        (FULL, enqueue("c", agent="li"), ["c:1!"]),
        ([BOTH, on("wang"), on("li")], enqueue("c", "service", agent="wang"), ["c>wang"]),
        ([*FULL, enqueue("c")], enqueue("a", agent="wang"), ["a>wang"]),
        ([*FULL, enqueue("c")], enqueue("a", agent="li"), ["c>wang", "a:1!"]),
        ([*FULL, leave("a"), enqueue("c", "service")], enqueue("b", agent="wang"), ["b>wang", "c>li"]),
        ([BOTH, on("wang")], enqueue("a", agent="li"), ["a>wang"]),
        ([BOTH, on("wang")], enqueue("a", agent="nobody"), ["a>wang"]),
        # a transfer to the team: who waited for the agent comes first, and they get it back only if nobody else can
        ([BOTH, on("wang"), on("li"), enqueue("a")], enqueue("a", avoid="li"), ["a>wang"]),
        ([BOTH, on("wang"), enqueue("a")], enqueue("a", avoid="wang"), ["a>wang"]),
        ([*FULL, enqueue("c"), enqueue("d")], enqueue("b", avoid="li"), ["c>li", "b:1!"]),
        ([*FULL, enqueue("c"), enqueue("d", "service")], enqueue("b", "service"), ["c>li", "b:1!"]),
        ([*FULL, enqueue("c"), enqueue("d")], enqueue("b", "service"), ["c>li", "b:1!", "d:1!"]),
        ([*FULL, enqueue("c"), off("li")], enqueue("b", avoid="li"), ["b:1!"]),
        # leaving
        ([BOTH], c.Leave("c0-a"), []),
        ([BOTH, enqueue("a"), enqueue("b"), enqueue("c")], c.Leave("c0-b"), []),
        ([BOTH, enqueue("a"), enqueue("b"), enqueue("c")], c.Leave("c0-a"), ["b:1"]),
        ([*FULL, enqueue("c"), enqueue("d")], c.Leave("c0-b"), ["c>li", "d:1!"]),
        ([*FULL, enqueue("c"), off("li")], c.Leave("c0-b"), []),
        ([*FULL, enqueue("c"), take("li", conversation="c"), enqueue("d")], leave("b"), []),
        # duty
        (
            [BOTH, enqueue("a"), enqueue("b"), enqueue("c"), enqueue("d")],
            on("wang"),
            ["a>wang", "b>wang", "c:1!", "d:2!"],
        ),
        ([BOTH, enqueue("a"), enqueue("b", "service"), enqueue("c", priority=1)], on("li"), ["c>li", "a:1!", "b:1!"]),
        ([BOTH, on("wang"), enqueue("a")], on("wang"), []),
        (FULL, off("wang"), []),
        ([enqueue("a"), on("wang")], c.ChangeTeams(teams(WANG)), ["a>wang"]),
        # teams
        ([BOTH], BOTH, []),
        (FULL, c.ChangeTeams(teams(WANG)), ["b:1!"]),
        ([*FULL, enqueue("c")], c.ChangeTeams(teams(agent("wang", "sales", 3))), ["b>wang"]),
        (
            [*FULL, enqueue("c", "service")],
            c.ChangeTeams(teams(WANG, agent("li", "sales", 2), names="sales")),
            ["c>li"],
        ),
        ([BOTH, enqueue("s", "service")], c.ChangeTeams(teams(WANG, names="sales")), []),
        ([BOTH, on("wang"), enqueue("s", "service")], c.ChangeTeams(teams(WANG, names="sales")), ["s>wang"]),
        ([*FULL], c.ChangeTeams(teams(names="other")), ["b:1", "a:2", "x:3"]),
        ([BOTH], c.Tick(), []),
    ],
)
def test_queue_answers(before: list[AnyCommand], command: AnyCommand, said: list[str]) -> None:
    assert sorted(brief(Desk(*before).do(command))) == sorted(said)


def test_a_choice_says_why_it_and_why_not_the_others() -> None:
    def because(desk: Desk, command: AnyCommand) -> list[str]:
        return [event.because for event in desk.do(command) if isinstance(event, e.Chosen)]

    desk = Desk(BOTH, on("wang"), on("li"))
    assert because(desk, enqueue("a", agent="li")) == ["Li was asked for"]
    assert because(desk, enqueue("b", agent="li")) == [
        "Li was asked for and is at capacity; Sales: Wang has 0/2, nobody else is free; Li at capacity"
    ]
    assert because(desk, enqueue("c", agent="zhao")) == [
        "a1-zhao is not in teams.yaml; Sales: Wang has 1/2, nobody else is free; Li at capacity"
    ]
    desk.do(enqueue("d"))
    assert because(desk, leave("b")) == ["Sales: Wang has 1/2, nobody else is free"]
    desk.do(enqueue("e"))
    assert because(desk, take("wang")) == ["Wang has taken it"]
    others = [agent(name, "sales", capacity=1) for name in ("a", "b", "c")]
    desk = Desk(c.ChangeTeams(teams(WANG, LI, *others, agent("z", "sales"))))
    for name in ("a", "b", "c", "wang", "li"):
        desk.do(on(name))
    for name in ("k", "l", "m"):
        desk.do(enqueue(name, agent=chr(ord(name) - 10)))
    assert because(desk, enqueue("n")) == [
        "Sales: Li has 0/1, least loaded; A, B and 1 more at capacity; 1 more off duty"
    ]
    assert because(desk, enqueue("o", agent="z", avoid="wang")) == [
        "Z is off duty; Sales: Wang has 0/2, nobody else is free; A, B and 2 more at capacity; 1 more off duty"
    ]


def test_a_choice_says_who_is_skipped_and_why() -> None:
    def because(desk: Desk, command: AnyCommand) -> str:
        return next(event.because for event in desk.do(command) if isinstance(event, e.Chosen))

    file = msgspec.structs.replace(
        teams(agent("ann", "sales", languages=["zh"]), agent("bob", "sales", 3, languages=["en"]), names="sales"),
        weights={"email": 2},
    )
    desk = Desk(c.ChangeTeams(file), on("ann"), on("bob"))
    assert because(desk, enqueue("a", language="en")) == (
        "Sales: Bob has 0/3, nobody else is free; Ann does not speak en"
    )
    desk.do(enqueue("b", language="zh"))
    assert because(desk, enqueue("c", channel="email", language="fr")) == "Sales: Bob has 1/3, least loaded"
    desk = Desk(c.ChangeTeams(file), on("ann"), on("bob"), enqueue("a"))
    desk.do(enqueue("b", agent="bob"))
    desk.do(leave("b"))
    assert because(desk, enqueue("c", avoid="bob")) == "Sales: Ann has 1/2, nobody else is free; Bob gave it away"
    desk = Desk(c.ChangeTeams(file), on("ann"), on("bob"), enqueue("a", agent="ann"), enqueue("b", agent="bob"))
    desk.do(enqueue("c", agent="bob"))
    assert because(desk, enqueue("d", avoid="ann", missed=True)) == (
        "Sales: Bob has 2/3, nobody else is free; Ann has missed it"
    )


def test_who_waits_is_told_why() -> None:
    def because(desk: Desk, command: AnyCommand) -> list[str]:
        return [event.because for event in desk.do(command) if isinstance(event, e.Told)]

    desk = Desk()
    assert because(desk, enqueue("a")) == ["there are no teams yet"]
    desk = Desk(BOTH)
    assert because(desk, enqueue("a")) == ["Sales: nobody is on duty"]
    assert because(Desk(*FULL), enqueue("c")) == ["Sales: nobody is free; Li, Wang at capacity"]
    manual = with_team(with_team(teams(WANG), "sales", pick="manual"), "service", overflow=Overflow("sales", 60))
    desk = Desk(c.ChangeTeams(manual), on("wang"))
    assert because(desk, enqueue("a", "service")) == [
        "Service: nobody is on duty; Sales: agents take themselves whom they serve"
    ]


def test_a_choice_brings_what_the_conversation_needs() -> None:
    patient = with_team(teams(LI), "service", patience=Patience(accept_s=60), lead="a1-zhao")
    chosen = Desk(c.ChangeTeams(patient), on("li")).do(enqueue("a", "service"))[-1]
    why = "Service: Li has 0/1, nobody else is free"
    assert chosen == e.Chosen(
        "c0-a", 1, "a1-li", "Li", "service", True, why, "Service", Patience(accept_s=60), "a1-zhao"
    )
    assert queue.reactions(Record(QUEUE_ID, 9, 8, 0, chosen)) == [
        ("c0-a", c.Assign("a1-li", "Li", 1, "service", True, why, "Service", Patience(accept_s=60), "a1-zhao"))
    ]


def test_a_choice_says_which_question_it_answers() -> None:
    desk = Desk(c.ChangeTeams(teams(WANG)), on("wang"), enqueue("a", asked=7))
    (assign,) = [command for record, _ in desk.records for _, command in queue.reactions(record)][-1:]
    assert isinstance(assign, c.Assign)
    assert assign.asked == 7


def test_number_is_kept_while_open_and_rests_a_week_after_closing() -> None:
    desk = Desk(BOTH, enqueue("a"), enqueue("b"), enqueue("a", "service"))
    assert [desk.state.places[name].no for name in ("c0-a", "c0-b")] == [1, 2]
    assert desk.do(c.Leave("c0-a"))[0] == e.Left("c0-a", 1, REST_MS)
    desk.now_ms = REST_MS - 1
    assert desk.do(enqueue("a"))[0] == e.Enqueued("c0-a", 3, "sales", 0)
    desk.now_ms = REST_MS
    assert desk.do(enqueue("d"))[0] == e.Enqueued("c0-d", 1, "sales", 0)
    assert desk.do(enqueue("e"))[0] == e.Enqueued("c0-e", 4, "sales", 0)


def test_place_in_line_is_kept_through_a_transfer_and_through_the_loss_of_the_agent() -> None:
    desk = Desk(*FULL, enqueue("c"), enqueue("b", avoid="li"))
    assert brief(desk.do(c.ChangeTeams(teams(WANG, version="2")))) == ["c:2!"]
    assert brief(desk.do(c.Leave("c0-a"))) == ["b>wang", "c:1!"]


def test_visitor_is_told_again_when_half_of_those_before_them_are_gone() -> None:
    names = [f"v{number}" for number in range(9)]
    desk = Desk(*FULL, *(enqueue(name) for name in names))
    assert brief(desk.do(enqueue("first", priority=1))) == ["first:1!"]
    assert brief(desk.do(leave("first"))) == [], "all of them were told as much before"
    said = []
    for name in names[:8]:
        desk.now_ms += PAUSE_MS
        said.append(brief(desk.do(leave(name))))
    assert said == [
        ["v1:1!"], ["v2:1!", "v3:2!"], ["v3:1!", "v4:2!"], ["v4:1!", "v5:2!", "v7:4!"], ["v5:1!", "v6:2!", "v8:4!"],
        ["v6:1!", "v7:2!"], ["v7:1!", "v8:2!"], ["v8:1!"],
    ]  # fmt: skip


def test_who_was_told_just_now_hears_only_that_they_are_next() -> None:
    names = [f"v{number}" for number in range(9)]
    desk = Desk(*FULL, *(enqueue(name) for name in names))
    assert [brief(desk.do(leave(name))) for name in names[:3]] == [["v1:1!"], ["v2:1!"], ["v3:1!"]]
    desk.now_ms += PAUSE_MS
    assert brief(desk.do(leave("v3"))) == ["v4:1!", "v5:2!", "v7:4!"]
    assert brief(desk.do(leave("v4"))) == ["v5:1!", "v6:2!", "v8:4!"], "v6 was told 7 long ago, v5 2 just now"


def test_first_fifty_are_told_when_somebody_comes_on_duty_and_when_nobody_is_any_more() -> None:
    desk = Desk(BOTH, *(enqueue(f"v{number}") for number in range(60)))
    said = brief([*desk.do(on("wang")), *desk.settle()])
    assert said[:2] == ["v0>wang", "v1>wang"]
    assert said[2:] == [f"v{number}:{number - 1}!" for number in range(2, 52)]
    assert brief(desk.do(on("li"))) == ["v2>li", "v3:1!"], "somebody was on duty before"
    assert brief(desk.do(off("li"))) == []
    assert brief([*desk.do(off("wang")), *desk.settle()]) == [f"v{number}:{number - 2}" for number in range(3, 52)]


def test_visitor_is_told_that_the_line_is_full_and_when_somebody_will_be_there() -> None:
    hours = Hours("UTC", tuple((Span(540, 1080),) for _ in range(7)))
    file = with_team(teams(WANG), "sales", max_waiting=2, hours=hours, away="写信", away_en="write")
    desk = Desk(c.ChangeTeams(file))
    nine = 9 * 3600 * SECOND_MS
    waits = [told.wait for name in "abc" for told in desk.do(enqueue(name)) if isinstance(told, e.Told)]
    away = Wait(opens_at_ms=nine, zone="UTC", away="写信", away_en="write")
    assert waits == [away, away, msgspec.structs.replace(away, full=True)]
    desk.now_ms = nine
    [_, told] = desk.do(enqueue("d"))
    assert isinstance(told, e.Told)
    assert told.wait.opens_at_ms == 0, "they should be there by now"
    assert [p.agent for p in desk.state.places.values()] == [""] * 4, "all of them wait"


def test_visitor_is_told_how_long_it_may_take_once_that_was_measured() -> None:
    desk = Desk(c.ChangeTeams(teams(WANG)), on("wang"), enqueue("a"), enqueue("b"), enqueue("c"), enqueue("d"))
    waits = []
    for number in range(6):
        desk.now_ms += 100 * SECOND_MS
        desk.do(leave(next(name[3:] for name, place in desk.state.places.items() if place.agent)))
        events = desk.do(enqueue(f"v{number}"))
        waits += [event.wait for event in events if isinstance(event, e.Told)]
    assert [wait.high_s > 0 for wait in waits] == [False] * 4 + [True] * 2
    assert 0 < waits[-1].low_s < 2 * 200 / 2 < waits[-1].high_s < 600


def test_what_waiting_takes_is_measured_of_agents_at_capacity() -> None:
    """Who has two at a time may be slower with each than who has one."""
    desk = Desk(c.ChangeTeams(teams(WANG)), on("wang"), enqueue("a"))
    desk.now_ms = 100 * SECOND_MS
    desk.do(enqueue("b"))  # full
    desk.now_ms = 160 * SECOND_MS
    desk.do(leave("a"))  # 160 s, of which two for 60 s
    assert (desk.state.service["sales"].mean_s, desk.state.busy["sales"].mean_s) == (160, 2 * 60)
    desk.do(leave("b"))
    assert desk.state.busy["sales"].count == 1, "they had room"
    assert desk.state.service["sales"].count == 2


def test_a_queue_whose_agents_never_were_at_capacity_says_what_conversations_take() -> None:
    roomy = msgspec.structs.replace(WANG, capacity=3)
    desk = Desk(c.ChangeTeams(teams(roomy)), on("wang"))
    for number in range(5):
        desk.do(enqueue(f"v{number}"))
        desk.now_ms += 90 * SECOND_MS
        desk.do(leave(f"v{number}"))
    desk.do(c.ChangeTeams(teams(msgspec.structs.replace(WANG, capacity=1), version="2")))
    desk.do(enqueue("a"))
    (told,) = (event for event in desk.do(enqueue("b")) if isinstance(event, e.Told))
    assert told.wait.low_s < 90 < told.wait.high_s


def test_reactions_follow_from_the_record_alone() -> None:
    def reactions(event: AnyEvent) -> list[tuple[str, AnyCommand]]:
        return queue.reactions(Record(QUEUE_ID, 1, 0, 0, event))

    wait = Wait(60, 120)
    assert reactions(e.Told("c0-a", 3, "sales", 2, True, wait=wait)) == [
        ("c0-a", c.TellWaiting(3, "sales", 2, True, wait=wait))
    ]
    assert reactions(e.TakeRefused("a1-li", 3, "why")) == [("a1-li", c.TellNotTaken(3, "why"))]
    assert reactions(e.WaitingListed("a1-li", ((3, "小明", "售前", 60),), 7)) == [
        ("a1-li", c.TellWaitingList(((3, "小明", "售前", 60),), 7))
    ]
    assert reactions(e.Left("c0-a", 3, 0)) == []
    assert reactions(e.Settling(False)) == []


def test_agents_are_configured_with_the_limits_of_their_channel_and_their_hours() -> None:
    limits, early = Limits(max_text=1000), Hours("UTC", ((Span(480, 720),),) * 7)
    file = teams(msgspec.structs.replace(LI, limits=limits), agent("wang", "sales", shift="early"))
    file = msgspec.structs.replace(file, hours={"early": early}, handover_s=60)
    desk = Desk(c.ChangeTeams(file))
    record = desk.records[0][0]
    assert isinstance(record.event, e.TeamsChanged)
    assert record.event.agents[0].limits == Limits(), "they stand there once for all agents of a channel"
    assert queue.reactions(record) == [
        ("a1-li", c.ConfigureAgent(msgspec.structs.replace(LI, limits=limits), handover_s=60)),
        ("a1-wang", c.ConfigureAgent(agent("wang", "sales", shift="early"), shift=early, handover_s=60)),
    ]
    later = {"early": Hours("UTC", ((Span(490, 720),),) * 7)}
    [changed, _] = desk.do(c.ChangeTeams(msgspec.structs.replace(file, hours=later)))
    assert isinstance(changed, e.TeamsChanged)
    assert [one.id for one in changed.agents] == ["a1-wang"], "only whose hours have changed"


def test_new_teams_reach_only_the_agents_whose_settings_have_changed() -> None:
    desk = Desk(BOTH)
    [changed, _] = desk.do(c.ChangeTeams(teams(WANG, agent("zhao", "sales"), version="2")))
    assert changed == e.TeamsChanged(teams(version="2"), (agent("zhao", "sales"),), {}, ("a1-li",))
    assert queue.reactions(Record(QUEUE_ID, 9, 8, 0, changed)) == [
        ("a1-zhao", c.ConfigureAgent(agent("zhao", "sales"))),
        ("a1-li", c.ConfigureAgent(None)),
    ]
    [changed, _] = desk.do(c.ChangeTeams(with_team(teams(WANG, agent("zhao", "sales")), "sales", away="!")))
    assert isinstance(changed, e.TeamsChanged)
    assert changed.agents == ()


def test_thousands_of_agents_come_in_several_events_each_of_which_fits_a_message() -> None:
    many = [agent(f"agent-{number}", "sales service", channel="wecom") for number in range(5000)]
    command, desk, parts = c.ChangeTeams(teams(*many)), Desk(), 0
    while events := desk.do(command):
        assert len(msgspec.json.encode(events[0])) < TEAMS_BYTES + 10_000
        parts += 1
    assert parts == -(-5002 // PART), "two teams, and all agents"
    assert len(desk.state.loads) == 5000


def test_whose_agent_is_gone_is_told_that_they_wait_and_whom_they_lost() -> None:
    desk = Desk(c.ChangeTeams(teams(WANG)), on("wang"), enqueue("a"))
    _, told, _ = desk.do(c.ChangeTeams(teams(LI)))
    assert told == e.Told("c0-a", 1, "sales", 1, False, lost="a1-wang", because="Sales: nobody is on duty")
    told_too = c.TellWaiting(1, "sales", 1, False, "a1-wang")
    assert queue.reactions(Record(QUEUE_ID, 9, 8, 0, told)) == [("c0-a", told_too)]


def test_what_new_teams_bring_about_is_decided_a_part_at_a_time() -> None:
    file = c.ChangeTeams(teams(agent("wang", "sales", capacity=300)))
    desk = Desk(on("wang"), *(enqueue(f"v{number}") for number in range(250)))
    desk.apply(queue.decide(desk.state, file, None, 0))
    assert queue.next_due(desk.state) == 0
    chosen = brief(desk.do(enqueue("late")))
    ticks = 0
    while desk.state.unsettled:
        events = desk.do(c.Tick())
        assert len(events) < AT_ONCE + 5
        chosen += brief(events)
        ticks += 1
    assert ticks >= 2 * 250 // AT_ONCE, "all go to the line of their team, and then to the agent"
    assert queue.next_due(desk.state) is None
    assert chosen == [f"{name}>wang" for name in (*(f"v{n}" for n in range(250)), "late")], (
        "who comes meanwhile is last"
    )


def test_who_comes_on_duty_gets_a_long_line_a_part_at_a_time() -> None:
    desk = Desk(c.ChangeTeams(teams(agent("wang", "sales", capacity=300))), *(enqueue(f"v{n}") for n in range(250)))
    assert desk.do(on("wang"))[-1] == e.Settling(True, ("sales",))
    assert desk.settle()[-1] == e.Settling(False)
    assert {place.agent for place in desk.state.places.values()} == {"a1-wang"}


# --- who is fit ------------------------------------------------------------------------------------------------------


def test_an_agent_gets_the_earliest_whose_language_they_speak_and_who_fits_in() -> None:
    file = teams(agent("ann", "sales", 3, languages=["en"]), agent("bob", "sales", 1, languages=["zh"]), names="sales")
    file = msgspec.structs.replace(file, weights={"email": 2})
    desk = Desk(c.ChangeTeams(file), on("bob"), enqueue("full"))
    waiting = [enqueue("a", language="zh"), enqueue("b", language="en", channel="email"), enqueue("c", language="fr"),
               enqueue("d", language="en", channel="email")]  # fmt: skip
    for command in waiting:
        desk.do(command)
    assert brief(desk.do(on("ann"))) == ["b>ann", "c>ann"], "fr is anybody's; a waits for zh"
    assert brief(desk.do(leave("b"))) == ["d>ann"]


def test_what_weighs_more_than_an_agent_can_have_takes_the_whole_of_them() -> None:
    file = msgspec.structs.replace(teams(WANG), weights={"email": 9})
    desk = Desk(c.ChangeTeams(file), on("wang"))
    assert brief(desk.do(enqueue("a", channel="email"))) == ["a>wang"]
    assert brief(desk.do(enqueue("b"))) == ["b:1!"]


@pytest.mark.parametrize(
    ("pick", "given"),
    [("least_loaded", "bob ann bob ann"), ("round_robin", "bob ann bob ann"), ("manual", "")],
)
def test_a_team_picks_by_its_policy(pick: Pick, given: str) -> None:
    file = with_team(teams(agent("ann", "sales", 9), agent("bob", "sales", 9)), "sales", pick=pick)
    desk = Desk(c.ChangeTeams(file), on("ann"), on("bob"), enqueue("x", agent="ann"))
    events = [event for name in "abcd" for event in desk.do(enqueue(name))]
    assert " ".join(event.agent[3:] for event in events if isinstance(event, e.Chosen)) == given


def test_round_robin_does_not_look_at_who_has_how_many() -> None:
    file = with_team(teams(agent("ann", "sales", 9), agent("bob", "sales", 9)), "sales", pick="round_robin")
    desk = Desk(c.ChangeTeams(file), on("ann"))
    for name in "abcd":
        desk.do(enqueue(name))
    desk.do(on("bob"))
    assert [brief(desk.do(enqueue(name))) for name in "ef"] == [["e>bob"], ["f>ann"]]


def test_least_loaded_is_by_capacity() -> None:
    desk = Desk(c.ChangeTeams(teams(agent("ann", "sales", 2), agent("bob", "sales", 9))), on("ann"), on("bob"))
    assert [brief(desk.do(enqueue(name))) for name in "abcdefgh"] == [
        ["a>ann"], ["b>bob"], ["c>bob"], ["d>bob"], ["e>bob"], ["f>bob"], ["g>ann"], ["h>bob"],
    ]  # fmt: skip


def test_who_served_the_visitor_before_is_preferred_for_so_many_days() -> None:
    file = with_team(teams(agent("ann", "sales"), agent("bob", "sales", 9)), "sales", last_agent_days=2)
    desk = Desk(c.ChangeTeams(file), on("ann"), on("bob"), enqueue("x", agent="bob"))
    desk.now_ms = 5 * DAY_MS
    known: dict[str, Any] = {"last": "a1-bob", "last_ms": 3 * DAY_MS}
    [_, chosen] = desk.do(enqueue("a", **known))
    assert isinstance(chosen, e.Chosen)
    assert chosen.because == "Sales: Bob has 1/9, served the visitor before"
    assert brief(desk.do(enqueue("b", avoid="bob", **known))) == ["b>ann"]
    desk.now_ms += 1
    assert brief(desk.do(enqueue("c", **known))) == ["c>bob"], "2/9 is less than 1/2"
    desk.do(off("bob"))
    assert brief(desk.do(enqueue("d", **known))) == ["d>ann"]


def test_who_missed_a_conversation_is_given_it_again_only_after_a_while() -> None:
    desk = Desk(c.ChangeTeams(teams(WANG)), on("wang"), enqueue("a"))
    assert brief(desk.do(enqueue("a", avoid="wang", missed=True))) == ["a:1!"]
    assert queue.next_due(desk.state) == AGAIN_MS
    assert brief(desk.do(enqueue("b"))) == ["b>wang"], "it is only that one"
    desk.now_ms = AGAIN_MS
    assert brief(desk.do(enqueue("c"))) == ["a>wang", "c:1!"], "before anybody who has come since"
    assert queue.next_due(desk.state) is None


def test_what_was_missed_goes_to_another_at_once() -> None:
    desk = Desk(c.ChangeTeams(teams(WANG, LI)), on("wang"), on("li"), enqueue("a", agent="wang"))
    assert brief(desk.do(enqueue("a", avoid="wang", missed=True))) == ["a>li"]


def test_nothing_is_due_for_who_has_missed_something_and_has_no_room() -> None:
    desk = Desk(c.ChangeTeams(teams(LI)), on("li"), enqueue("a"), enqueue("b"), enqueue("a", avoid="li", missed=True))
    desk.now_ms = AGAIN_MS
    assert queue.next_due(desk.state) is None
    assert brief(desk.do(leave("b"))) == ["a>li"]


# --- lines that overflow -------------------------------------------------------------------------------------------

SERVED = c.ChangeTeams(with_team(teams(WANG, agent("zhao", "service")), "sales", overflow=Overflow("service", 60)))


def test_who_has_waited_so_long_stands_in_another_line_as_well_and_keeps_their_place() -> None:
    desk = Desk(SERVED, on("wang"), enqueue("a"), enqueue("b"), enqueue("c"), on("zhao"))
    desk.do(enqueue("d", agent="zhao"))
    desk.do(enqueue("e", agent="zhao"))
    desk.do(enqueue("f", "service"))
    assert queue.next_due(desk.state) == 60 * SECOND_MS
    desk.now_ms = 60 * SECOND_MS
    [overflowed] = desk.do(c.Tick())
    assert overflowed == e.Overflowed("c0-c", 3, "service", "Sales: has waited 60 s")
    assert queue.next_due(desk.state) is None
    assert brief(desk.do(leave("d"))) == ["c>zhao"], "c came before f"


def test_a_line_overflows_at_once_while_nobody_is_on_duty() -> None:
    desk = Desk(SERVED, on("zhao"))
    events = desk.do(enqueue("a"))
    assert brief(events) == ["a+service", "a>zhao"]
    chosen = events[-1]
    assert isinstance(chosen, e.Chosen)
    assert (chosen.team, chosen.because) == ("sales", "Service: Zhao has 0/2, nobody else is free")
    desk = Desk(SERVED, on("wang"), *(enqueue(name) for name in "abc"), on("zhao"))
    assert brief(desk.do(off("wang"))) == ["c+service", "c>zhao"]


def test_a_long_line_overflows_a_part_at_a_time() -> None:
    desk = Desk(SERVED, on("wang"), *(enqueue(f"v{number}") for number in range(252)))
    assert len(desk.do(off("wang"))) < 110
    while (due_ms := queue.next_due(desk.state)) is not None and due_ms <= desk.now_ms:
        assert len(desk.do(c.Tick())) < 160
    assert len(desk.state.lines["service"]) == 250


# --- taking ----------------------------------------------------------------------------------------------------------


def test_an_agent_takes_whom_they_want_however_many_they_have() -> None:
    desk = Desk(*FULL, enqueue("c"), enqueue("d", "service"))
    assert brief(desk.do(take("wang", no=5))) == ["d>wang"]
    assert brief(desk.do(take("li", conversation="c"))) == ["c>li"]
    taken = desk.records[-1][0].event
    assert isinstance(taken, e.Chosen)
    assert taken.taken
    assert desk.state.loads["a1-wang"].load == 3
    assert desk.do(take("wang", no=5)) == [], "they have it already"
    assert brief(desk.do(leave("a"))) == []


def test_the_next_one_is_the_first_in_the_agents_lines_whom_they_can_answer() -> None:
    ann, bob = agent("ann", "sales", 1, languages=["zh"]), agent("bob", "sales", languages=["en"])
    file = with_team(teams(ann, bob), "sales", pick="manual")
    desk = Desk(c.ChangeTeams(file), on("ann"), enqueue("a", language="en"), enqueue("b"), enqueue("c", "service"))
    assert brief(desk.do(take("ann"))) == ["b>ann"]
    with pytest.raises(NotFound, match="nobody waits"):
        desk.do(take("ann"))
    assert desk.do(take("ann"), Origin(1, 1, 1, 0)) == [e.TakeRefused("a1-ann", 0, "nobody waits")]


def test_nobody_takes_what_another_has() -> None:
    desk = Desk(c.ChangeTeams(teams(WANG, LI)), on("li"))
    desk.now_ms = 5000
    desk.do(enqueue("a"))
    with pytest.raises(Taken, match=r"^#1 is with Li$") as refused:
        desk.do(take("wang", no=1))
    assert (refused.value.by, refused.value.since_ms) == ("Li", 5000)
    assert desk.do(take("wang", no=1), Origin(1, 1, 1, 0)) == [e.TakeRefused("a1-wang", 1, "#1 is with Li")]
    with pytest.raises(NotFound, match=r"^nobody waits as #7$"):
        desk.do(take("wang", no=7))
    with pytest.raises(NotFound, match=r"^nobody waits as c0-b$"):
        desk.do(take("wang", conversation="b"))
    with pytest.raises(NotFound, match=r"^a1-zhao is not in rules/teams.yaml$"):
        desk.do(take("zhao", no=1))


def test_an_agent_sees_who_waits_in_their_lines() -> None:
    desk = Desk(BOTH, *(named(f"v{number}") for number in range(12)), enqueue("s", "service"))
    desk.now_ms = 65_000
    [listed] = desk.do(c.ListWaiting("a1-li"))
    assert isinstance(listed, e.WaitingListed)
    assert listed.waiting[0] == (1, "V0", "Sales", 65)
    assert (len(listed.waiting), listed.more) == (10, 3)
    assert desk.do(c.ListWaiting("a1-nobody")) == [e.WaitingListed("a1-nobody", ())]


# --- refusals --------------------------------------------------------------------------------------------------------


def test_repeat_of_a_relayed_command_is_refused() -> None:
    desk = Desk(BOTH)
    desk.do(enqueue("a"), Origin(3, 1, 10, 1))
    for origin in (Origin(3, 1, 10, 1), Origin(3, 1, 10, 0), Origin(3, 1, 9, 5)):
        with pytest.raises(Repeated):
            desk.do(enqueue("a"), origin)
    assert desk.do(enqueue("b"), Origin(4, 1, 1, 0))


def test_command_of_another_kind_is_refused() -> None:
    with pytest.raises(NotFound, match="the queue does not know KeepUnparsed"):
        Desk().do(c.KeepUnparsed("", ""))


def test_replay_and_image_give_the_same_state() -> None:
    desk = Desk(SERVED, on("wang"), *(enqueue(name, channel="h5", language="zh") for name in "abcd"), on("zhao"))
    desk.do(c.Tick())
    desk.do(leave("a"))
    desk.do(c.ChangeTeams(teams(LI, version="3")))
    assert desk.replayed() == desk.state
    assert restored(desk.state) == desk.state
