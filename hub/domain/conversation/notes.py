"""The sentences the hub says to a visitor on a platform, in their language; a page says them itself."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from hub.domain.events import IDLE, Closed, Nudged, WaitTold
from hub.domain.messages import Wait

FINE_MINUTES = 10
"""From so many on an expected wait is said in steps of five minutes: nobody knows it better."""
WEEKDAYS_ZH = "一二三四五六日"


def said(event: WaitTold | Nudged | Closed, now_ms: int, language: str) -> str:
    """What a visitor is told by an event that happens at `now_ms` (Unix ms); in English unless they speak Chinese."""
    chinese = not language or language.lower().startswith("zh")
    match event:
        case WaitTold():
            return _waiting_zh(event, now_ms) if chinese else _waiting_en(event, now_ms)
        case Nudged(closes_s=seconds):
            return _nudged_zh(seconds) if chinese else _nudged_en(seconds)
        case Closed(by="", because=because) if because == IDLE:
            if chinese:
                return "许久没有收到您的消息，本次会话先结束了。随时留言，即可继续。"
            return "We have not heard from you for a while, so this chat has ended. Write any time to go on."
    return "本次会话已结束，再次留言即可重新开始。" if chinese else "This chat has ended. Write again to reopen it."


def edited(text: str) -> str:
    """To agents: the visitor has changed what they wrote."""
    return f"✎ {text}"


# --- waiting -------------------------------------------------------------------------------------------------------


def _waiting_zh(told: WaitTold, now_ms: int) -> str:
    wait, away = told.wait, told.wait.away
    if not told.on_duty:
        at = _moment(wait, now_ms)
        back = f"{_day_zh(*at)} {at[0]:%H:%M}（{_zone(at[0], wait.zone, '北京时间')}）起" if at else "有人上线后"
        return f"现在没有客服在线。您的消息已收到，{back}会有客服回复您。{away}"
    if wait.full:
        return f"现在咨询的人很多，暂时排不上。您的消息已收到，稍后一定回复您。{away}"
    before = f"您前面还有 {told.position - 1} 位" if told.position > 1 else "下一位就是您"
    return f"客服正忙，{before}{_duration_zh(wait)}，请稍候。"


def _waiting_en(told: WaitTold, now_ms: int) -> str:
    wait, away = told.wait, told.wait.away_en and f" {told.wait.away_en}"
    if not told.on_duty:
        at = _moment(wait, now_ms)
        back = f" from {_day_en(*at)} at {at[0]:%H:%M} ({_zone(at[0], wait.zone, 'Beijing time')})" if at else ""
        return f"Nobody is on duty at the moment. Your message is kept and will be answered{back}.{away}"
    if wait.full:
        return f"Very many people are writing right now. Your message is kept, and we will answer it later.{away}"
    ahead = told.position - 1
    before = f"There {'is 1 person' if ahead == 1 else f'are {ahead} people'} before you" if ahead else "You are next"
    return f"All agents are busy. {before}{_duration_en(wait)}."


def minutes(wait: Wait) -> tuple[int, int]:
    """An expected wait in whole minutes, rounded outwards: the lower end down, the upper end up.

    (0, 0): nothing is known of it. A lower end of 0 is a wait of perhaps less than a minute.
    """
    if not wait.high_s:
        return 0, 0
    high = -(-wait.high_s // 60)
    step = 5 if high > FINE_MINUTES else 1
    return wait.low_s // 60 // step * step, -(-high // step) * step


def _duration_zh(wait: Wait) -> str:
    low, high = minutes(wait)
    if not high:
        return ""
    if high == 1:
        return "，预计不到 1 分钟"
    return f"，预计约 {low}–{high} 分钟" if 0 < low < high else f"，预计 {high} 分钟以内"


def _duration_en(wait: Wait) -> str:
    low, high = minutes(wait)
    if not high:
        return ""
    if high == 1:
        return ", in less than a minute"
    return f", about {low}–{high} minutes" if 0 < low < high else f", within {high} minutes"


# --- nudges --------------------------------------------------------------------------------------------------------


def _nudged_zh(closes_s: int) -> str:
    after = f"{_span(closes_s, '分钟', '小时')}内没有收到回复，本次会话会自动结束；" if closes_s else ""
    return f"请问还需要帮助吗？{after}再次留言即可继续。"


def _nudged_en(closes_s: int) -> str:
    if not closes_s:
        return "Are you still there? Write any time to go on."
    span = _span(closes_s, "minute", "hour")
    plural = "" if span.startswith("1 ") else "s"
    return f"Are you still there? Without an answer this chat ends in {span}{plural}; write any time to go on."


def _span(seconds: int, minute: str, hour: str) -> str:
    """Rounded up, for people."""
    in_minutes = max(1, -(-seconds // 60))
    return f"{in_minutes} {minute}" if in_minutes < 120 else f"{-(-in_minutes // 60)} {hour}"


# --- moments -------------------------------------------------------------------------------------------------------


def _moment(wait: Wait, now_ms: int) -> tuple[datetime, datetime] | None:
    """When somebody will be on duty, and the present, in the team's zone; None: nobody knows."""
    if wait.opens_at_ms <= now_ms:
        return None
    zone = _zone_of(wait.zone)
    return datetime.fromtimestamp(wait.opens_at_ms / 1000, zone), datetime.fromtimestamp(now_ms / 1000, zone)


def _zone_of(name: str) -> tzinfo:
    """Unknown ones are refused where they are written; one that this machine lacks is no reason to stop."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return UTC


def _day_zh(at: datetime, now: datetime) -> str:
    days = (at.date() - now.date()).days
    if days < 3:
        return ("今天", "明天", "后天")[days]
    return f"周{WEEKDAYS_ZH[at.weekday()]}" if days < 7 else f"{at.month} 月 {at.day} 日"


def _day_en(at: datetime, now: datetime) -> str:
    days = (at.date() - now.date()).days
    if days < 2:
        return ("today", "tomorrow")[days]
    return f"{at:%A}" if days < 7 else f"{at.day} {at:%B}"


def _zone(at: datetime, name: str, beijing: str) -> str:
    if name in ("Asia/Shanghai", "Asia/Chongqing", "PRC"):
        return beijing
    offset = at.utcoffset()
    in_minutes = 0 if offset is None else int(offset.total_seconds()) // 60
    hours, rest = divmod(abs(in_minutes), 60)
    return f"UTC{'+' if in_minutes >= 0 else '-'}{hours}" + (f":{rest:02}" if rest else "")
