"""The sentences the hub says to an agent on their phone: switches, questions, lists and failures."""

from collections.abc import Iterable

from hub.domain.agent.phone import harmless, short_name
from hub.domain.agent.state import Carried, Held, Served
from hub.domain.presence import Because
from hub.domain.text import beginning

HELP = """上班 / 下班：开始、停止接待（on / off）
列表：我的会话（list）
排队：谁在等（waiting）
下一位，或 接入 #12（next, take #12）
#12 文字：回复 #12，之后不带号的文字也发给 #12
#12：切换到 #12
结束，或 结束 #12 原因（close）
转接 @同事 留言，或 转接 #12 @小组（transfer）
挂起 / 恢复：停止、继续计时（hold / resume）
备注 文字，或 备注 #12 文字：只给同事看（note #12 …）
/名称：快捷回复（快捷、quick）
撤回：收回刚发出的一条，或 #12 撤回（recall）
更正 新的内容，或 #12 更正 新的内容（correction …）
取消：不发等待中的文字（cancel）
保留：下班后会话仍归我（keep）"""

ONLY_THEIRS = "回复这封邮件，就是答复顾客；引用的内容不会发出。"
THREAD_HELP = f"""——
{ONLY_THEIRS}
首行可写命令：#close 原因、#transfer @同事 留言、#note 只给同事看的话
更多命令：#help"""
"""Below a visitor's words, where an answer goes by the thread that it is in."""

WELCOME = """您是客服了：顾客的话会寄到这里，回复就是答复顾客。
回复这封邮件可写：上班、下班、列表、排队、下一位；也请把它的回信地址存下。"""
"""To whom gets a channel with threads: only by answering can they say anything there."""

NO_THREAD = "客服通知"
"""The title of what is about no conversation."""

ASKED_ABOUT = 8
"""A question names so many conversations, and quotes so many texts; the list names all."""


def called(served: Served) -> str:
    """`#12 张三`."""
    return f"#{served.no} {short_name(served.name)}"


def title(no: int, name: str, team: str) -> str:
    """Of a conversation's thread."""
    return f"[#{no}] {short_name(name)} · {team}"


def lasting(seconds: int) -> str:
    """A time as people say it: `90 秒`, `5 分钟`, `3 小时`."""
    if seconds < 120:
        return f"{seconds} 秒"
    return f"{seconds // 60} 分钟" if seconds < 7200 else f"{seconds // 3600} 小时"


def begun(served: Served, skipped: int, note: str = "") -> str:
    """A conversation has come, with what the colleague before has left."""
    more = f"，前面还有 {skipped} 条未显示" if skipped else ""
    left = f"\n留言：{harmless(note)}" if note else ""
    return f"新会话 {called(served)}（{served.team}）{more}{left}"


def stopped(served: Served, because: str, to: str) -> str:
    """A conversation has gone."""
    if because == "closed":
        return f"{called(served)} 已结束"
    if because == "missed":
        return f"{called(served)} 没有及时回应，已转给别人"
    return f"{called(served)} 已转给 {to}" if to else f"{called(served)} 已退回排队"


def kept(served: Served) -> str:
    """What the agent gave away is still theirs."""
    return f"{called(served)} 仍是你的会话"


def switched(served: Served) -> str:
    """Text without a number goes there now."""
    return f"→ {called(served)}"


def not_switched(served: Served) -> str:
    """The switch came after what made it uncertain."""
    return f"没有切换到 {called(served)}：这条到得太晚，请再发一次 #{served.no}"


def premature(served: Served) -> str:
    """The conversation has come, or come back, since the agent wrote what to do with it."""
    return f"没有照办：{called(served)} 是之后才转给您的。如仍需要，请再写一次"


def listed(served: Iterable[Served], sticky: Served | None) -> str:
    """The agent's conversations, one a line."""
    lines = [
        ("→ " if one is sticky else "") + called(one) + (f"（{one.unanswered} 条未回复）" if one.unanswered else "")
        for one in sorted(served, key=lambda one: one.no)
    ]
    return "\n".join(["我的会话：", *lines]) if lines else "现在没有会话"


def question(held: list[Held], served: Iterable[Served]) -> str:
    """Whom the held texts are for; the last to write stand first."""
    latest = sorted(served, key=lambda one: (-one.wrote_ms, one.no))
    quoted = "".join(f"「{beginning(one.text)}」" for one in held[:ASKED_ABOUT])
    more = f" 等 {len(held)} 条" if len(held) > ASKED_ABOUT else ""
    names = " · ".join(map(called, latest[:ASKED_ABOUT])) + (" …" if len(latest) > ASKED_ABOUT else "")
    return f"发给谁？{quoted}{more}\n{names}\n回复 #号 即可，取消 则不发"


def which(verb: str, example: str) -> str:
    """A command word needs its number."""
    return f"{verb}哪个会话？请写：{example}"


def given_back(because: str, text: str) -> str:
    """A text that was not sent, in full, so that it can be copied."""
    return f"未发送：{because}\n{text}" if text else f"未办到：{because}"


def unconfirmed(blocks: Iterable[Carried], because: str) -> str:
    """Visitors' messages that may not have reached this phone."""
    places = list(dict.fromkeys(f"#{one.no}·{one.seq}" for one in blocks))
    more = f" 等 {len(places)} 条" if len(places) > ASKED_ABOUT else ""
    return f"可能没有收到 {' '.join(places[:ASKED_ABOUT])}{more}：{because}"


def files_not_sent(count: int, text: str) -> str:
    """It is not clear whom pictures or files are for, and the text that came with them, in full."""
    return f"未发送：{count} 个图片或文件，不清楚发给谁。请先发 #号，再发一次\n{text}".strip()


def undelivered(no: int, text: str, because: str) -> str:
    """A visitor has not got what the agent wrote to them."""
    return f"未送达 #{no}：{because}" + (f"\n「{beginning(text)}」" if text else "")


def changed(no: int, original: str, text: str) -> str:
    """What the agent wrote has been corrected, or taken back; which it was shows by how it began."""
    quoted = f"「{original}」" if original else ""
    return f"已更正 #{no}：{quoted}→「{beginning(text)}」" if text else f"已撤回 #{no}：{quoted}"


def unchanged(no: int, text: str, because: str) -> str:
    """The platform has not corrected, or taken back, what the agent wrote."""
    return f"没有更正 #{no}：{because}\n「{beginning(text)}」" if text else f"没有撤回 #{no}：{because}"


def reminded(served: Served, waited_s: int) -> str:
    """A visitor waits for the agent's answer."""
    return f"{called(served)} 等您回复 {lasting(waited_s)}了"


def lead_reminded(no: int, name: str, team: str, waited_s: int, display: str, lead: str) -> str:
    """To the lead `lead`: a visitor waits for a colleague's answer."""
    waited = f"{display} 的 #{no} {short_name(name)}（{team}）等了 {lasting(waited_s)}，还没有回复"
    return f"{waited}\n转接 #{no} @{lead} 由您接手，或 @别的同事"


def waiting(line: Iterable[tuple[int, str, str, int]], more: int) -> str:
    """Who waits: number, name, team and seconds of each, and how many others."""
    lines = [f"#{no} {short_name(name)}（{team}）{lasting(seconds)}" for no, name, team, seconds in line]
    if not lines:
        return "没有人在排队"
    behind = [f"还有 {more} 人"] if more else []
    return "\n".join([f"排队 {len(lines) + more} 人：", *lines, *behind, "接入 #号，或 下一位"])


def not_taken(no: int, because: str) -> str:
    """What the agent wanted to take they did not get."""
    return f"没有接入{f' #{no}' if no else ''}：{because}"


def noted(no: int, text: str) -> str:
    """A note for colleagues; the agent sees that it was taken for one."""
    return f"备注 #{no}：「{beginning(text)}」，顾客看不到"


def held(served: Served, on: bool) -> str:
    """The conversation's clocks stop, or go on."""
    return f"{called(served)} 已挂起，顾客来信或 恢复 #{served.no} 后继续" if on else f"{called(served)} 继续计时"


_DUTY: dict[tuple[bool, Because], str] = {
    (True, "said"): "已上班",
    (True, "shift"): "上班时间到，已上班",
    (True, "answered"): "您刚回复过顾客，15 分钟内算上班；不接新会话请写 下班",
    (False, "said"): "已下班",
    (False, "shift"): "下班时间到，已下班",
    (False, "silent"): "好久没有回复，已下班；继续接待请写 上班",
    (False, "missed"): "连续 2 个会话没有及时回应，已下班；回来后请写 上班",
    (False, "unreachable"): "联系不上您的手机，已下班；回来后请写 上班",
    (False, "removed"): "您已不在客服名单中",
}


def duty(on: bool, because: Because, served: Iterable[Served], handover_s: int = 0) -> str:
    """The agent is on or off duty; `handover_s`: so long from now what they have is given back."""
    told, mine = _DUTY[on, because], list(served)
    if not mine or (on and because != "said"):
        return told
    if not handover_s:
        return f"{told}，{listed(mine, None)}"
    return f"{told}，{lasting(handover_s)}后会话交回小组；保留 则由您继续\n{listed(mine, None)}"


def off_duty_already(handover_s: int) -> str:
    """A conversation has come to somebody who is off duty."""
    return f"您已下班：{lasting(handover_s)}后会话交回小组；保留 则由您继续"


def answered_elsewhere(served: Served, text: str) -> str:
    """They have answered at a desk what this phone shows."""
    return f"{called(served)} 已在工作台答复：「{beginning(text)}」"


def twice(no: int) -> str:
    """Two answers of theirs, on two ways, to one question."""
    return f"#{no} 您刚在别处答复过，这一条也已发出"


def away(display: str, because: str, conversations: int) -> str:
    """To a lead: nobody reaches this agent."""
    waiting = f"，{conversations} 个会话已退回排队" if conversations else ""
    return f"联系不上 {display}：{because}{waiting}"


def handed_over(count: int) -> str:
    """What the agent had goes back to the teams' lines."""
    return f"{count} 个会话已交回小组；有同事接手之前，您仍可回复"
