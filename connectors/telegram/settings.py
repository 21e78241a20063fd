"""`channels.telegram` in config/hub.yaml."""

import re
from typing import Annotated, Literal

import pydantic

_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]{30,}")
"""https://core.telegram.org/bots/api#authorizing-your-bot; how long the second half is, is not promised."""


def _is_token(token: pydantic.SecretStr) -> pydantic.SecretStr:
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("a bot's token is a number, a colon and some 35 letters; copy it again from BotFather")
    return token


class TelegramSettings(pydantic.BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """`channels.telegram` in config/hub.yaml."""

    token: Annotated[pydantic.SecretStr, pydantic.AfterValidator(_is_token)]
    mode: Literal["poll", "webhook"] = "poll"
    """Whether the hub asks Telegram, or is called by it at public_url."""
    base_url: str = pydantic.Field("https://api.telegram.org", pattern=r"^https?://[^/?#]+$")
