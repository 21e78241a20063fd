"""Bytes to values and back for Telegram: updates in, calls out, and what its answers mean. No I/O, no clock.

Facts: https://core.telegram.org/bots/api (cited as #anchor), and its FAQ, https://core.telegram.org/bots/faq.
"""

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from hub.contract import (
    Delivery,
    Enclosed,
    File,
    Forbidden,
    Inbound,
    Parsed,
    Raw,
    Refused,
    Retry,
    Sent,
    Unknown,
    Verdict,
)

SECRET = "x-telegram-bot-api-secret-token"
"""The header of a webhook that proves who calls (#setwebhook)."""
TEXT = 4096
"""UTF-16 units of a text (#sendmessage)."""
CHOICES = 12
"""Buttons of a reply keyboard. Telegram takes more; this is what a phone shows without scrolling."""
PHOTO_BYTES, FILE_BYTES = 10 << 20, 50 << 20
"""#sending-files."""
PHOTOS = frozenset({"image/jpeg", "image/png", "image/webp"})
PER_SECOND, PER_MINUTE = 30, 60
"""In all, and in one chat: one a second, short bursts allowed (FAQ, My bot is hitting limits)."""
CHANGES_S = 47 * 3600
"""A message can be taken back for 48 hours (#deletemessage), changed for longer; an hour is for clocks that differ."""
TOLD = ("message", "edited_message", "callback_query")
"""The kinds of updates that are asked for."""
TOKEN_S = 60
"""A wrong token is tried again after so long: somebody may have set the bot up anew."""
LONGEST_WORDS = 200
"""Characters of Telegram's own words in a verdict."""


# --- updates in ------------------------------------------------------------------------------------------------------


class _Elsewhere(Exception):
    """It was said in a group or channel: only private chats are with customers."""


class User(msgspec.Struct, frozen=True):
    """Who it comes from; in a private chat the chat has the same id (#chat)."""

    id: int
    first_name: str = ""
    last_name: str = ""
    language_code: str = ""

    @property
    def name(self) -> str:
        """First and last, as far as they have told."""
        return f"{self.first_name} {self.last_name}".strip()


class Chat(msgspec.Struct, frozen=True):
    """Where it was said; `type` is private, group, supergroup or channel."""

    id: int
    type: str


class Media(msgspec.Struct, frozen=True):
    """What all kinds of files have. A photo is a list of them, one for each size."""

    file_id: str
    file_name: str = ""
    mime_type: str = ""
    width: int = 0
    height: int = 0


class Emoji(msgspec.Struct, frozen=True):
    """What a sticker or a dice stands for."""

    emoji: str = ""


class Message(msgspec.Struct, frozen=True):
    """What every message has (#message), and what of it can be read."""

    message_id: int
    date: int
    """Unix seconds."""
    sender: User = msgspec.field(name="from")
    message_thread_id: int = 0
    is_topic_message: bool = False
    text: str = ""
    caption: str = ""
    sticker: Emoji = Emoji()
    dice: Emoji = Emoji()


class Edit(msgspec.Struct, frozen=True):
    """What an edited message has besides."""

    edit_date: int


class Button(msgspec.Struct, frozen=True):
    """Below a message (#inlinekeyboardbutton)."""

    text: str
    callback_data: str = ""


class Keyboard(msgspec.Struct, frozen=True):
    """#inlinekeyboardmarkup."""

    inline_keyboard: list[list[Button]] = []


class Place(msgspec.Struct, frozen=True):
    """The message that has the button; an old one comes without its buttons (#maybeinaccessiblemessage)."""

    chat: Chat
    reply_markup: Keyboard = Keyboard()


class Press(msgspec.Struct, frozen=True):
    """Somebody pressed a button (#callbackquery). The hub sends none; what used the bot before it may have."""

    id: str
    message: Place
    sender: User = msgspec.field(name="from")
    data: str = ""


class Update(msgspec.Struct, frozen=True):
    """#update."""

    update_id: int
    message: dict[str, Any] | None = None
    edited_message: dict[str, Any] | None = None
    callback_query: Press | None = None
    my_chat_member: dict[str, Any] | None = None
    """Somebody blocks the bot or starts it again. Not asked for, but it may have waited since before the first call."""


FILES = ("photo", "video", "animation", "video_note", "audio", "voice", "document")
"""An animation is a document as well, which counts last."""
UNSUPPORTED = (
    "sticker", "venue", "location", "contact", "poll", "dice", "game", "story", "checklist", "live_photo", "paid_media",
    "rich_message", "giveaway", "giveaway_winners", "invoice", "successful_payment", "gift", "unique_gift",
    "web_app_data", "users_shared", "chat_shared", "passport_data",
)  # fmt: skip
"""What somebody sends and the hub cannot show. A venue is a location as well, and counts first."""
QUIET = frozenset({
    "pinned_message", "message_auto_delete_timer_changed", "write_access_allowed", "chat_background_set",
    "connected_website", "forum_topic_created", "forum_topic_edited", "forum_topic_closed", "forum_topic_reopened",
    "proximity_alert_triggered", "refunded_payment", "checklist_tasks_done", "checklist_tasks_added",
    "poll_option_added", "poll_option_deleted",
})  # fmt: skip
"""What Telegram itself says in a chat, and no agent would read."""


def parse(body: bytes, received_at_ms: int, account: str) -> Parsed:
    """What an update means."""
    try:
        # Python's own decoder: msgspec's refuses half of a surrogate pair, which a phone may well send.
        inbound = _inbound(msgspec.convert(json.loads(body), Update), received_at_ms, account)
    except _Elsewhere as place:
        return Parsed(left_out=f"said in a {place}, and only private chats are customers: take the bot out of it")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return Parsed(unparsed=str(error))
    return Parsed(inbounds=[inbound] if inbound else [])


def verify(raw: Raw, secret: str) -> None:
    """Raise Forbidden unless a webhook was called by Telegram."""
    if not hmac.compare_digest(raw.headers.get(SECRET, "").encode(), secret.encode()):
        raise Forbidden("the secret token is not ours: this is not Telegram, or an older webhook of this bot")


def secret_of(key: bytes) -> str:
    """What Telegram is told to send in SECRET, made of the channel's key."""
    return hmac.digest(key, b"telegram webhook", hashlib.sha256).hex()


def _inbound(update: Update, received_at_ms: int, account: str) -> Inbound | None:
    """None: it says nothing that an agent would read."""
    if update.callback_query:
        return _pressed(update.callback_query, received_at_ms, account)
    if update.message:
        return _said(update.message, account)
    if update.edited_message:
        return _edited(update.edited_message, update.update_id, account)
    if update.my_chat_member:
        return None
    raise ValueError(f"an update of none of the kinds {', '.join(TOLD)}")


def _said(told: Mapping[str, Any], account: str) -> Inbound | None:
    chat = msgspec.convert(told.get("chat"), Chat)
    if chat.type != "private":
        raise _Elsewhere(chat.type)
    message = msgspec.convert(told, Message)
    unsupported, files = _content(told)
    text = message.text or message.caption or message.sticker.emoji or message.dice.emoji
    if not (text or unsupported or files):
        if QUIET.intersection(told):
            return None
        raise ValueError(f"a message of a kind that is not known here; it has {', '.join(told)}")
    return Inbound(
        str(message.sender.id), f"{chat.id}.{message.message_id}", text, message.date * 1000, unsupported, files,
        account, name=message.sender.name, language=message.sender.language_code,
        thread=str(message.message_thread_id) if message.is_topic_message else "",
    )  # fmt: skip


def _edited(told: Mapping[str, Any], update_id: int, account: str) -> Inbound | None:
    """The new text in the place of the old one; beside it where there is but another file. None: a place that moves."""
    said, edit = _said(told, account), msgspec.convert(told, Edit)
    if said is None or said.unsupported:
        return None
    now = dataclasses.replace(said, outside_id=f"{said.outside_id}.{update_id}", sent_at_ms=edit.edit_date * 1000)
    return dataclasses.replace(now, edits=said.outside_id, files=[]) if said.text else now


def _content(told: Mapping[str, Any]) -> tuple[str, list[File]]:
    """Unsupported kind and file of a message."""
    kind = next((kind for kind in FILES if kind in told), "")
    if not kind:
        return next((kind for kind in UNSUPPORTED if kind in told), ""), []
    sizes = msgspec.convert(told[kind] if kind == "photo" else [told[kind]], list[Media])
    largest = max(sizes, key=lambda media: media.width * media.height)
    return "", [File(largest.file_name or kind, largest.mime_type, source=largest.file_id)]


def _pressed(press: Press, received_at_ms: int, account: str) -> Inbound:
    """The words on the button as if they had been written. Telegram does not say when: it was just now."""
    if press.message.chat.type != "private":
        raise _Elsewhere(press.message.chat.type)
    buttons = [button for row in press.message.reply_markup.inline_keyboard for button in row]
    text = next((button.text for button in buttons if button.callback_data == press.data), press.data)
    who = press.sender
    return Inbound(
        str(who.id), press.id, text, received_at_ms, account=account, name=who.name, language=who.language_code
    )


# --- calls out -------------------------------------------------------------------------------------------------------


class Call(msgspec.Struct, frozen=True):
    """A method of the Bot API and its arguments; `file` goes with them as the part `part`."""

    method: str
    arguments: dict[str, Any]
    part: str = ""
    file: Enclosed | None = None


def compose(delivery: Delivery) -> Call:
    """What delivers it: a text or one file, as `can.files_with_text` says, or what changes an earlier text.

    Without a parse_mode nothing in a text is markup. Links show no preview: Telegram would open them to make one, and
    some are good for one opening. Answers to pick are keys of a keyboard, not buttons below the message: a key sends
    its words as a message of theirs, with an id, a time and a place in the chat, and nothing has to be answered to it.
    """
    arguments: dict[str, Any] = {"chat_id": delivery.address}
    text = {"text": delivery.text, "link_preview_options": {"is_disabled": True}}
    if delivery.replaces:
        arguments["message_id"] = delivery.replaces
        return Call("editMessageText", arguments | text) if delivery.text else Call("deleteMessage", arguments)
    if delivery.thread:
        arguments["message_thread_id"] = delivery.thread
    for file in delivery.files:
        photo = file.type in PHOTOS and file.size <= PHOTO_BYTES
        return Call("sendPhoto" if photo else "sendDocument", arguments, "photo" if photo else "document", file)
    if delivery.choices:
        keys = [[{"text": choice}] for choice in delivery.choices]
        arguments["reply_markup"] = {"keyboard": keys, "one_time_keyboard": True, "resize_keyboard": True}
    return Call("sendMessage", arguments | text)


class Parameters(msgspec.Struct, frozen=True):
    """#responseparameters."""

    retry_after: int = 0
    """Seconds."""


class Reply(msgspec.Struct, frozen=True):
    """An answer of the Bot API (#making-requests)."""

    ok: bool
    result: Any = None
    description: str = ""
    parameters: Parameters = Parameters()


CURES = {
    401: "Telegram does not know the bot: is channels.telegram.token right? BotFather shows it",
    404: "Telegram does not know the bot: is channels.telegram.token right? BotFather shows it",
    409: "only one may ask for a bot's updates: stop what else uses this bot, or open https://api.telegram.org/bot…/"
    "deleteWebhook with its token once, or set channels.telegram.mode to webhook",
}
"""What a status means that is not about a message but about us."""
UNREACHABLE = ("chat not found", "PEER_ID_INVALID", "user not found")
"""In descriptions of a 400 that mean what a 403 means: they block the bot, have left Telegram, or never wrote to it."""
CHANGED = ("message is not modified", "message to delete not found")
"""In descriptions of a 400 that say that a change is as it should be: an earlier try has made it."""
T = TypeVar("T")


class NotGiven(Exception):
    """Telegram did not do what it was asked, with this HTTP `status`; the message says why."""

    def __init__(self, because: str, status: int) -> None:
        super().__init__(because)
        self.status = status


class WebhookInfo(msgspec.Struct, frozen=True):
    """#webhookinfo. An error stays there after all is well again; what waits does not."""

    url: str
    pending_update_count: int
    last_error_message: str = ""


class Path(msgspec.Struct, frozen=True):
    """Where a file lies for an hour (#file)."""

    file_path: str


def result(status: int, body: bytes, kind: type[T]) -> T:
    """What Telegram gave. Raises NotGiven."""
    answer = _reply(status, body)
    try:
        if answer and answer.ok:
            return msgspec.convert(answer.result, kind)
    except msgspec.ValidationError as error:
        raise NotGiven(f"Telegram's answer is not as documented: {error}", status) from None
    said = answer.description[:LONGEST_WORDS] if answer else "the answer is not Telegram's"
    cure = f": {CURES[status]}" if status in CURES else ""
    raise NotGiven(f"{said} (HTTP {status}){cure}", status)


def _reply(status: int, body: bytes) -> Reply | None:
    """None: it was not Telegram that answered."""
    try:
        return msgspec.convert(json.loads(body), Reply) if status < 500 else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def verdict(status: int, body: bytes, replaces: str = "") -> Verdict:
    """What became of a call; of one that changes a message, `replaces` is the id of that.

    5xx, and what is no JSON, is from something in front of Telegram, or comes after its work is done: nobody knows.
    429 may mean this chat or all of them, and does not say. It is taken for the chat's: `can` keeps us below what all
    may have, and if it is for all, each chat is told so once, and waits. The other way round one chat would stop all.
    """
    answer = _reply(status, body)
    if answer is None:
        return Unknown(f"HTTP {status}, and the answer is not Telegram's")
    if answer.ok:
        return _sent(answer.result, replaces)
    said = answer.description[:LONGEST_WORDS]
    if replaces and any(words in said for words in CHANGED):
        return Sent(replaces)
    if status == 429:
        return Retry(f"too many messages for Telegram ({said})", answer.parameters.retry_after or 1)
    if status in (401, 404):
        return Retry(f"{CURES[status]} ({said})", TOKEN_S, everyone=True)
    if status == 403 or any(words in said for words in UNREACHABLE):
        return Refused(f"they cannot be reached on Telegram: {said}", unreachable=True)
    return Refused(f"Telegram refused it: {said} ({status})")


def _sent(result: Any, replaces: str) -> Sent | Unknown:
    message_id = result.get("message_id") if isinstance(result, dict) else replaces
    return Sent(str(message_id)) if message_id else Unknown("Telegram does not say which message it became")
