"""What a visitor on a platform is told while nobody answers: honest, in their language, in the team's time."""

from datetime import UTC, datetime

import pytest

from hub.domain.conversation.notes import minutes, said
from hub.domain.events import IDLE, Closed, Nudged, WaitTold
from hub.domain.messages import Wait

NOW = int(datetime(2026, 11, 26, 14, 0, tzinfo=UTC).timestamp() * 1000)  # a Thursday; 22:00 in Shanghai
HOUR = 3_600_000
SHANGHAI = "Asia/Shanghai"


def waiting(position: int = 3, on_duty: bool = True, language: str = "zh-CN", **wait: object) -> str:
    return said(WaitTold(12, "sales", position, on_duty, Wait(**wait)), NOW, language)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low_s", "high_s", "expected"),
    [
        (0, 0, (0, 0)),
        (5, 45, (0, 1)),
        (20, 61, (0, 2)),
        (170, 290, (2, 5)),
        (240, 600, (4, 10)),
        (500, 700, (5, 15)),
        (1500, 2700, (25, 45)),
        (600, 660, (10, 15)),
    ],
)
def test_an_expected_wait_is_rounded_outwards(low_s: int, high_s: int, expected: tuple[int, int]) -> None:
    assert minutes(Wait(low_s, high_s)) == expected


def test_a_rounded_wait_always_holds_what_was_measured() -> None:
    for low_s in range(0, 4000, 37):
        for high_s in range(max(low_s, 1), 5000, 53):
            low, high = minutes(Wait(low_s, high_s))
            assert low * 60 <= low_s <= high_s <= high * 60


@pytest.mark.parametrize(
    ("wait", "chinese", "english"),
    [
        ({}, "客服正忙，您前面还有 2 位，请稍候。", "All agents are busy. There are 2 people before you."),
        (
            {"low_s": 180, "high_s": 290},
            "客服正忙，您前面还有 2 位，预计约 3–5 分钟，请稍候。",
            "All agents are busy. There are 2 people before you, about 3–5 minutes.",
        ),
        (
            {"low_s": 10, "high_s": 50},
            "客服正忙，您前面还有 2 位，预计不到 1 分钟，请稍候。",
            "All agents are busy. There are 2 people before you, in less than a minute.",
        ),
        (
            {"low_s": 30, "high_s": 200},
            "客服正忙，您前面还有 2 位，预计 4 分钟以内，请稍候。",
            "All agents are busy. There are 2 people before you, within 4 minutes.",
        ),
        (
            {"full": True, "low_s": 30, "high_s": 200, "away": "也可发邮件到 a@b.cn。", "away_en": "Or mail us."},
            "现在咨询的人很多，暂时排不上。您的消息已收到，稍后一定回复您。也可发邮件到 a@b.cn。",
            "Very many people are writing right now. Your message is kept, and we will answer it later. Or mail us.",
        ),
    ],
)
def test_who_waits_hears_their_place_and_how_long(wait: dict[str, object], chinese: str, english: str) -> None:
    assert waiting(**wait) == chinese  # type: ignore[arg-type]
    assert waiting(language="en-GB", **wait) == english  # type: ignore[arg-type]


def test_the_next_one_is_told_so() -> None:
    assert waiting(1) == "客服正忙，下一位就是您，请稍候。"
    assert waiting(1, language="en") == "All agents are busy. You are next."
    assert waiting(2, language="en") == "All agents are busy. There is 1 person before you."


@pytest.mark.parametrize(
    ("hours", "zone", "chinese", "english"),
    [
        (1, SHANGHAI, "今天 23:00（北京时间）", "today at 23:00 (Beijing time)"),
        (11, SHANGHAI, "明天 09:00（北京时间）", "tomorrow at 09:00 (Beijing time)"),
        (35, SHANGHAI, "后天 09:00（北京时间）", "Saturday at 09:00 (Beijing time)"),
        (83, SHANGHAI, "周一 09:00（北京时间）", "Monday at 09:00 (Beijing time)"),
        (24 * 30, SHANGHAI, "12 月 26 日 22:00（北京时间）", "26 December at 22:00 (Beijing time)"),
        (18, "Europe/Berlin", "明天 09:00（UTC+1）", "tomorrow at 09:00 (UTC+1)"),
        (18, "Asia/Kolkata", "明天 13:30（UTC+5:30）", "tomorrow at 13:30 (UTC+5:30)"),
        (1, "America/St_Johns", "今天 11:30（UTC-3:30）", "today at 11:30 (UTC-3:30)"),
        (1, "Not/There", "今天 15:00（UTC+0）", "today at 15:00 (UTC+0)"),
        (1, "../../etc", "今天 15:00（UTC+0）", "today at 15:00 (UTC+0)"),
    ],
)
def test_nobody_on_duty_says_when_somebody_will_be(hours: int, zone: str, chinese: str, english: str) -> None:
    wait = {"opens_at_ms": NOW + hours * HOUR, "zone": zone}
    assert waiting(on_duty=False, **wait) == f"现在没有客服在线。您的消息已收到，{chinese}起会有客服回复您。"  # type: ignore[arg-type]
    assert waiting(on_duty=False, language="en", **wait) == (  # type: ignore[arg-type]
        f"Nobody is on duty at the moment. Your message is kept and will be answered from {english}."
    )


def test_nobody_on_duty_and_nobody_knows_when_promises_no_moment() -> None:
    for opens_at_ms in (0, NOW - HOUR):
        text = waiting(on_duty=False, opens_at_ms=opens_at_ms, away="急事请致电 400-000。", away_en="Call 400-000.")
        assert text == "现在没有客服在线。您的消息已收到，有人上线后会有客服回复您。急事请致电 400-000。"
        text = waiting(on_duty=False, language="fr", opens_at_ms=opens_at_ms, away_en="Call 400-000.")
        assert text == "Nobody is on duty at the moment. Your message is kept and will be answered. Call 400-000."


@pytest.mark.parametrize(
    ("seconds", "chinese", "english"),
    [
        (0, "请问还需要帮助吗？再次留言即可继续。", "Are you still there? Write any time to go on."),
        (60, "请问还需要帮助吗？1 分钟内没有收到回复，本次会话会自动结束；再次留言即可继续。",
         "Are you still there? Without an answer this chat ends in 1 minute; write any time to go on."),
        (301, "请问还需要帮助吗？6 分钟内没有收到回复，本次会话会自动结束；再次留言即可继续。",
         "Are you still there? Without an answer this chat ends in 6 minutes; write any time to go on."),
        (7200, "请问还需要帮助吗？2 小时内没有收到回复，本次会话会自动结束；再次留言即可继续。",
         "Are you still there? Without an answer this chat ends in 2 hours; write any time to go on."),
    ],
)  # fmt: skip
def test_who_is_silent_is_asked_and_told_what_follows(seconds: int, chinese: str, english: str) -> None:
    assert said(Nudged(seconds), NOW, "zh") == chinese
    assert said(Nudged(seconds), NOW, "en") == english


def test_who_is_closed_for_silence_hears_why_and_never_what_an_agent_says_of_it() -> None:
    assert "许久没有收到您的消息" in said(Closed("", because=IDLE), NOW, "")
    assert "not heard from you" in said(Closed("", because=IDLE), NOW, "en")
    for language, text in (
        ("zh", "本次会话已结束，再次留言即可重新开始。"),
        ("en", "This chat has ended. Write again to reopen it."),
    ):
        assert said(Closed("a1-li", because=IDLE), NOW, language) == text
        assert said(Closed("a1-li", because="骚扰"), NOW, language) == text
