"""Buttons below a message (https://core.telegram.org/bots/api#inlinekeyboardmarkup, #replykeyboardmarkup). No I/O."""

from typing import Any

from connectors.telegram.sandbox_answers import Args, Json, bad, parsed

MOST_DATA = 64
"""Bytes of a button's callback_data; Telegram's servers refuse more as BUTTON_DATA_INVALID (nickoala/telepot#293)."""
_KINDS = ("url", "callback_data", "web_app", "login_url", "switch_inline_query", "copy_text", "pay")


def markup_of(args: Args) -> Json | None:
    """The reply_markup of a request, as it is kept; None for none. Raises Refusal."""
    markup = parsed(args, "reply_markup", "reply keyboard markup")
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    if "inline_keyboard" in markup:
        rows = _rows(markup, "inline_keyboard", "of the InlineKeyboardMarkup ", _inline_button)
    elif "keyboard" in markup:
        rows = _rows(markup, "keyboard", "", _button)
    else:
        return markup  # remove_keyboard, force_reply
    name = "inline_keyboard" if "inline_keyboard" in markup else "keyboard"
    return markup | {name: [row for row in rows if row]}


def inline(markup: Json | None) -> Json | None:
    """What a message shows of it in answers and updates: only an inline keyboard is part of the message."""
    return markup if markup and markup.get("inline_keyboard") else None


def _rows(markup: Json, name: str, whose: str, button: Any) -> list[list[Json]]:
    rows = markup[name]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad(f'field "{name}" {whose}must be an Array of Arrays')
    return [[button(one) for one in row] for row in rows]


def _button(button: Any) -> Json:
    if isinstance(button, str):
        return {"text": button}
    if not isinstance(button, dict):
        raise bad("can't parse keyboard button: KeyboardButton must be an Object")
    if not isinstance(button.get("text"), str):
        raise bad("can't parse keyboard button: Can't find field \"text\"")
    return button


def _inline_button(button: Any) -> Json:
    if not isinstance(button, dict):
        raise bad("can't parse inline keyboard button: InlineKeyboardButton must be an Object")
    if not isinstance(button.get("text"), str):
        raise bad("can't parse inline keyboard button: Can't find field \"text\"")
    if not any(button.get(kind) for kind in _KINDS):
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if len(str(button.get("callback_data", "")).encode(errors="replace")) > MOST_DATA:
        raise bad("BUTTON_DATA_INVALID")
    return button
