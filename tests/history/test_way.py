"""The way of one message: found among the events of all whom it touched."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.domain import events as e
from hub.domain.events import AnyEvent, Record
from hub.domain.messages import Block, Outgoing, Piece, Profile
from hub.history import way as module
from hub.history.projector import Rows, project
from hub.history.queries import History
from hub.history.way import follow
from hub.history.writer import Writer
from tests.history.batches import batch

VISITOR, WANG, QUEUE = "p0-mail-x", "a0-wang", "q0-main"
OTHER = Block(VISITOR, 12, 99, "Zhang", "another")
THIS = Block(VISITOR, 12, 2, "Zhang", "hi")


def at(entity: str, *events: tuple[int, AnyEvent]) -> list[Record]:
    """Events of an entity at these moments (ms), numbered from 1."""
    return [Record(entity, seq, seq - 1, 1_000_000 + ms, event) for seq, (ms, event) in enumerate(events, 1)]


CONVERSATION = at(
    VISITOR,
    (0, e.Opened(Profile("mail", name="Zhang"))),
    (0, e.MessagePosted("", "hi", because=("greeting",), outside_id="m1", raw="{}")),
    (0, e.AutoReplied("welcome")),
    (0, e.QueueJoined("sales", 0, False)),
    (12, e.WaitTold(12, "sales", 1, True)),
    (30, e.Assigned(WANG, "Wang", 12, "sales", True, "Zhang", (THIS,))),
    (40, e.Attempted(1, "mail", "z@x.org", "welcome", message=Outgoing((3,)))),
    (45, e.AttemptSent(1, "<r1>", (3,))),
    (50, e.MessagePosted("", "hello?", to=WANG, no=12, outside_id="m2")),
    (90, e.AnswerPosted("", WANG, "Wang", "今天就发")),
    (95, e.Attempted(2, "mail", "z@x.org", "今天就发", message=Outgoing((10,)))),
    (99, e.AttemptRefused(2, "no such mailbox", "今天就发", refs=(10,))),
    (200, e.DeliveryRetried(2, "admin")),
    (201, e.Attempted(3, "mail", "z@x.org", "今天就发", message=Outgoing((10,)))),
    (202, e.AttemptSent(3, "<r3>", (10,))),
    (300, e.ReceiptHad(3, "read", refs=(10,))),
)  # fmt: skip
DECISIONS = at(
    QUEUE,
    (10, e.Enqueued("c0-other", 11, "sales", 0)),
    (11, e.Enqueued(VISITOR, 12, "sales", 0)),
    (11, e.Told(VISITOR, 12, "sales", 1, True)),
    (28, e.Chosen("c0-other", 11, WANG, "Wang", "sales", True, "longest free")),
    (29, e.Chosen(VISITOR, 12, WANG, "Wang", "sales", True, "longest free")),
    (500, e.Left(VISITOR, 12, 9)),
)
AGENT = at(
    WANG,
    (31, e.Serving(VISITOR, 12, "Zhang", "sales")),
    (31, e.BlocksWaiting((THIS, OTHER))),
    (33, e.Attempted(1, "phone", "wang", "【#12·2】hi", 1, carries=((VISITOR, 2),))),
    (34, e.AttemptRefused(1, "no answer", "【#12·2】hi", unknown=True)),
    (36, e.DeliveryRetried(1, "admin")),
    (37, e.Attempted(2, "phone", "wang", "【#12·2】hi\n(2)", 0, 1)),
    (38, e.AttemptSent(2)),
    (52, e.BlocksWaiting((OTHER,))),
    (53, e.Attempted(3, "phone", "wang", "【#12·9】hello?", 1, carries=((VISITOR, 9),))),
    (54, e.AttemptSent(3)),
    (80, e.TextReceived("t1", "今天就发", 80, "{}")),
    (80, e.TextHeld("今天就发", 9_000)),
    (85, e.TextReceived("t2", "#12", 85)),
    (85, e.AnswerChosen(VISITOR, 12, "今天就发", held=True)),
    (120, e.TextReceived("t3", "下班", 120)),
    (120, e.DutyChanged(False)),
    (130, e.Attempted(4, "phone", "wang", "你已下班", notes=1)),
)


@pytest.fixture
async def filled(engine: AsyncEngine) -> None:
    rows = Rows()
    for seq, records in enumerate((CONVERSATION, DECISIONS, AGENT), 1):
        rows.add(project(0, seq, batch(*records)))
    writer = Writer(engine, 1)
    await writer.load()
    await writer.store(rows)


async def steps(history: History, entity: str, seq: int) -> list[str]:
    found = await follow(history, entity, seq)
    assert found is not None
    return [f"{record.entity[0]}{record.seq} {type(record.event).__name__}" for record in found.records]


@pytest.mark.usefixtures("filled")
async def test_a_visitors_message_passes_the_queue_and_the_phone(history: History) -> None:
    assert await steps(history, VISITOR, 2) == [
        "p2 MessagePosted", "p3 AutoReplied", "p4 QueueJoined", "q2 Enqueued", "q3 Told", "p5 WaitTold", "q5 Chosen",
        "p6 Assigned", "a2 BlocksWaiting", "a3 Attempted", "a4 AttemptRefused", "a5 DeliveryRetried", "a6 Attempted",
        "a7 AttemptSent",
    ]  # fmt: skip


@pytest.mark.usefixtures("filled")
async def test_a_later_message_names_who_had_the_conversation(history: History) -> None:
    assert await steps(history, VISITOR, 9) == ["q5 Chosen", "p9 MessagePosted", "a9 Attempted", "a10 AttemptSent",
                                                "q6 Left"]  # fmt: skip


ANSWER = [
    "q5 Chosen", "a11 TextReceived", "a12 TextHeld", "a14 AnswerChosen", "p10 AnswerPosted", "p11 Attempted",
    "p12 AttemptRefused", "p13 DeliveryRetried", "p14 Attempted", "p15 AttemptSent", "p16 ReceiptHad", "q6 Left",
]  # fmt: skip


@pytest.mark.usefixtures("filled")
async def test_an_answer_goes_from_the_phone_to_the_visitor_with_each_try(history: History) -> None:
    assert await steps(history, VISITOR, 10) == ANSWER


@pytest.mark.usefixtures("filled")
async def test_an_agents_text_is_followed_to_the_visitor_or_to_what_it_meant(history: History) -> None:
    assert await steps(history, WANG, 11) == ANSWER, "it was held, and claimed by the next text"
    assert await steps(history, WANG, 13) == [*ANSWER[:3], "a13 TextReceived", *ANSWER[3:]]
    assert await steps(history, WANG, 15) == ["a15 TextReceived", "a16 DutyChanged"]


async def test_a_cause_stands_before_its_effect_though_its_clock_is_ahead(
    engine: AsyncEngine, history: History
) -> None:
    asked = at(VISITOR, (9, e.AnswerPosted("", WANG, "Wang", "hi")))
    typed = at(WANG, (11, e.TextReceived("t1", "hi", 1)), (11, e.AnswerChosen(VISITOR, 12, "hi")))
    writer = Writer(engine, 1)
    await writer.load()
    await writer.store(project(0, 1, batch(*asked, *typed)))
    for entity in (VISITOR, WANG):
        assert await steps(history, entity, 1) == ["a1 TextReceived", "a2 AnswerChosen", "p1 AnswerPosted"]


async def test_what_the_queue_decides_belongs_to_the_message_that_asked_for_it_though_its_clock_is_behind(
    engine: AsyncEngine, history: History
) -> None:
    asked = at(
        VISITOR,
        (9, e.Opened(Profile("mail"))),
        (9, e.MessagePosted("", "hi")),
        (9, e.QueueJoined("sales", 0, False)),
        (9, e.Assigned(WANG, "Wang", 12, "sales", False, "Zhang")),
    )
    decided = at(
        QUEUE,
        (8, e.Enqueued(VISITOR, 12, "sales", 0, asked=3)),
        (8, e.Chosen(VISITOR, 12, WANG, "Wang", "sales", False, "", asked=3)),
    )
    writer = Writer(engine, 1)
    await writer.load()
    await writer.store(project(0, 1, batch(*asked, *decided)))
    assert await steps(history, VISITOR, 2) == [
        "p2 MessagePosted", "q1 Enqueued", "q2 Chosen", "p3 QueueJoined", "p4 Assigned",
    ]  # fmt: skip


async def test_the_changes_of_an_answer_belong_to_its_way(engine: AsyncEngine, history: History) -> None:
    change = Outgoing((1,), by="Wang", replaces="<r1>", instead="tomorrow")
    events = at(
        VISITOR,
        (0, e.AnswerPosted("", WANG, "Wang", "today")),
        (1, e.Attempted(1, "mail", "z@x.org", "today", message=Outgoing((1,)))),
        (2, e.AttemptSent(1, "<r1>", (1,))),
        (3, e.AnswerPosted("", WANG, "Wang", "and more")),
        (9, e.ChangeBegun(1, Piece("tomorrow", change))),
        (9, e.Attempted(2, "mail", "z@x.org", "tomorrow", message=change)),
        (10, e.AttemptSent(2, "<r1>")),
        (10, e.MessageCorrected(1, 1, "tomorrow", "Wang", "today")),
        (20, e.MessageRecalled(1, 8, "Wang", "tomorrow")),
    )
    writer = Writer(engine, 1)
    await writer.load()
    await writer.store(project(0, 1, batch(*events)))
    assert await steps(history, VISITOR, 1) == [
        "p1 AnswerPosted", "p2 Attempted", "p3 AttemptSent", "p5 ChangeBegun", "p6 Attempted", "p7 AttemptSent",
        "p8 MessageCorrected", "p9 MessageRecalled",
    ]  # fmt: skip


async def test_all_that_is_done_until_somebody_answers_belongs_to_the_way(
    engine: AsyncEngine, history: History
) -> None:
    visitor = at(
        VISITOR,
        (0, e.MessagePosted("t.1", "hi")),
        (0, e.QueueJoined("sales", 0, False)),
        (12, e.Assigned(WANG, "Wang", 12, "sales", True, "Zhang", because="sales: Wang has 0/5")),
        (40, e.Returned(WANG, "not accepted within 30 s", 12, "sales", 0, missed=True)),
        (42, e.WaitTold(12, "sales", 1, True)),
        (50, e.Assigned("a0-li", "Li", 12, "sales", True, "Zhang")),
        (51, e.Accepted("a0-li")),
        (60, e.NoteWritten("a0-li", "Li", "ask Wang")),
        (61, e.Transferred("a0-li", WANG, "sales", 0, 12, True, "yours after all")),
        (65, e.Assigned(WANG, "Wang", 12, "sales", True, "Zhang")),
        (70, e.Reminded(WANG, WANG, "Wang", 12, "Zhang", "sales", 60)),
        (80, e.AnswerPosted("", WANG, "Wang", "hello", timed=True)),
        (90, e.NoteWritten("a0-li", "Li", "well done")),
        (95, e.Nudged(300)),
        (99, e.Closed("", WANG, 12, True, e.IDLE)),
    )
    decided = at(
        QUEUE,
        (10, e.Enqueued(VISITOR, 12, "sales", 0)),
        (11, e.Chosen(VISITOR, 12, WANG, "Wang", "sales", True, "sales: Wang has 0/5")),
        (41, e.Enqueued(VISITOR, 12, "sales", 0, avoid=WANG)),
        (48, e.Chosen(VISITOR, 12, "a0-li", "Li", "sales", True, "nobody else is free")),
        (62, e.Enqueued(VISITOR, 12, "sales", 0, WANG)),
        (63, e.Chosen(VISITOR, 12, WANG, "Wang", "sales", True, "Wang was asked for")),
        (100, e.Left(VISITOR, 12, 9)),
    )
    writer = Writer(engine, 1)
    await writer.load()
    await writer.store(project(0, 1, batch(*visitor, *decided)))
    assert await steps(history, VISITOR, 1) == [
        "p1 MessagePosted", "p2 QueueJoined", "q1 Enqueued", "q2 Chosen", "p3 Assigned", "p4 Returned", "q3 Enqueued",
        "p5 WaitTold", "q4 Chosen", "p6 Assigned", "p7 Accepted", "p8 NoteWritten", "p9 Transferred", "q5 Enqueued",
        "q6 Chosen", "p10 Assigned", "p11 Reminded",
    ]  # fmt: skip
    assert await steps(history, VISITOR, 12) == ["q6 Chosen", "p12 AnswerPosted", "p14 Nudged", "p15 Closed", "q7 Left"]


@pytest.mark.usefixtures("filled")
async def test_an_automatic_reply_has_its_own_attempt(history: History) -> None:
    assert await steps(history, VISITOR, 3) == [
        "p3 AutoReplied", "p4 QueueJoined", "q2 Enqueued", "q3 Told", "p5 WaitTold", "q5 Chosen", "p6 Assigned",
        "p7 Attempted", "p8 AttemptSent",
    ]  # fmt: skip


@pytest.mark.usefixtures("filled")
async def test_an_event_that_is_no_message_is_shown_alone_and_none_is_none(history: History) -> None:
    assert await steps(history, QUEUE, 6) == ["q6 Left"]
    assert await follow(history, VISITOR, 99) is None
    assert await follow(history, "p0-mail-nobody", 1) is None


@pytest.mark.usefixtures("filled")
async def test_a_way_that_may_go_on_beyond_what_was_read_says_so(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await follow(history, VISITOR, 2)
    assert found is not None
    assert found.complete
    monkeypatch.setattr(module, "MOST", 5)
    found = await follow(history, VISITOR, 2)
    assert found is not None
    assert not found.complete
