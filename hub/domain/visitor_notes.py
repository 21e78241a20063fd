"""The sentences the hub says to a visitor on a platform, in their language; a page says them itself."""


def waiting(position: int, on_duty: bool, language: str) -> str:
    """They wait for an agent."""
    if not on_duty:
        return _say(language, "现在没有客服在线。您的消息已收到，有人上线后马上回复您。",
                    "Nobody is on duty at the moment. Your message is kept and will be answered.")  # fmt: skip
    if position > 1:
        return _say(language, f"客服正忙，您前面还有 {position - 1} 位，请稍候。",
                    f"All agents are busy. There are {position - 1} before you.")  # fmt: skip
    return _say(language, "客服正忙，下一位就是您。", "All agents are busy. You are next.")


def closed(language: str) -> str:
    """The conversation is over."""
    return _say(language, "本次会话已结束，再次留言即可重新开始。", "This chat has ended. Write again to reopen it.")


def edited(text: str) -> str:
    """To agents: the visitor has changed what they wrote."""
    return f"✎ {text}"


def _say(language: str, chinese: str, english: str) -> str:
    return chinese if not language or language.lower().startswith("zh") else english
