"""The sentences the hub says to an agent on their phone: switches, questions, lists and failures."""

from collections.abc import Iterable

from hub.domain.agent_state import Carried, Held, Served
from hub.domain.phone import short_name
from hub.domain.text import beginning

HELP = """上班 / 下班：开始、停止接待（on / off）
列表：我的会话（list）
#12 文字：回复 #12，之后不带号的文字也发给 #12
#12：切换到 #12
结束 或 结束 #12（close）
转接 @同事 或 转接 #12 @小组（transfer）
撤回：收回刚发出的一条，或 #12 撤回（recall）
更正 新的内容，或 #12 更正 新的内容（correction …）
取消：不发等待中的文字（cancel）"""

ASKED_ABOUT = 8
"""A question names so many conversations, and quotes so many texts; the list names all."""


def called(served: Served) -> str:
    """`#12 张三`."""
    return f"#{served.no} {short_name(served.name)}"


def begun(served: Served, skipped: int) -> str:
    """A conversation has come."""
    more = f"，前面还有 {skipped} 条未显示" if skipped else ""
    return f"新会话 {called(served)}（{served.team}）{more}"


def stopped(served: Served, because: str, to: str) -> str:
    """A conversation has gone."""
    if because == "closed":
        return f"{called(served)} 已结束"
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


def files_not_sent(count: int) -> str:
    """It is not clear whom pictures or files are for."""
    return f"未发送：{count} 个图片或文件，不清楚发给谁。请先发 #号，再发一次"


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
