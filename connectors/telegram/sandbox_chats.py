"""People, their chats with the bot, and the messages in them, as they look in the Bot API. No I/O; `now` is in seconds.

https://core.telegram.org/bots/api#available-types. The bot reads all messages of its groups (privacy mode is off).
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from connectors.telegram.sandbox_answers import Json, Refusal, bad, forbidden, number
from connectors.telegram.sandbox_files import Kept
from connectors.telegram.sandbox_markup import inline

GENERAL = 1
"""The topic of a forum that has no thread: the Bot API does not find it (Client.cpp, check_message_topic)."""


class Account(msgspec.Struct, frozen=True):
    """The bot as BotFather would show it. The preset token opens nothing but a stand-in."""

    id: int = 7000000000
    name: str = "客服 Bot"
    username: str = "kefu_stand_in_bot"
    token: str = "7000000000:StandInForTelegramOpensNothingReal"

    def json(self) -> Json:
        """A User."""
        return {"id": self.id, "is_bot": True, "first_name": self.name, "username": self.username}


class Person(msgspec.Struct, frozen=True):
    """Somebody with Telegram on the phone."""

    id: int
    name: str
    language: str = "zh-hans"

    def json(self) -> Json:
        """A User."""
        return {"id": self.id, "is_bot": False, "first_name": self.name, "language_code": self.language}


class Message(msgspec.Struct):
    """A message as its chat shows it now. `content` are the fields of its kind: text, photo, sticker …"""

    id: int
    chat: int
    sender: int
    at: int
    content: Json
    markup: Json | None = None
    edited_at: int = 0
    reply_to: int = 0
    thread: int = 0
    file: Kept | None = None

    @property
    def text(self) -> str:
        """What there is to read of it: its text or caption."""
        return str(self.content.get("text", self.content.get("caption", "")))


class Chat(msgspec.Struct):
    """A chat with the bot in it. In a private one the person has started, or has blocked it, or neither."""

    id: int
    type: Literal["private", "group", "supergroup"]
    title: str
    people: list[int]
    ids: Iterator[int]
    forum: bool = False
    started: bool = False
    blocked: bool = False
    kicked: bool = False
    moved_to: int = 0
    topics: dict[int, bool] = {}
    """Those of a forum, by thread, and whether they are open."""
    messages: dict[int, Message] = {}

    def json(self) -> Json:
        """A Chat."""
        if self.type == "private":
            return {"id": self.id, "first_name": self.title, "type": self.type}
        return {"id": self.id, "title": self.title, "type": self.type} | ({"is_forum": True} if self.forum else {})


class Chats:
    """All that the bot could see. Message ids count up from `first_id`: in each supergroup, in all else together."""

    def __init__(self, account: Account, names: Mapping[int, str], first_id: int) -> None:
        self.account = account
        self.people: dict[int, Person] = {}
        self._first_id = first_id
        self._ids = itertools.count(first_id)
        self._numbers = itertools.count(1)
        self.all: dict[int, Chat] = {}
        for id_, name in names.items():
            self.meet(id_, name)

    def meet(self, id_: int, name: str) -> None:
        """One more person, who may write to the bot."""
        self.people[id_] = Person(id_, name)
        self.all[id_] = Chat(id_, "private", name, [id_], self._ids)

    def group(self, title: str, people: list[int], *, supergroup: bool, forum: bool = False) -> Chat:
        """A new group with the bot."""
        number = next(self._numbers)
        if supergroup or forum:
            id_ = -(1_002_000_000_000 + number)
            chat = Chat(id_, "supergroup", title, people, itertools.count(self._first_id), forum)
        else:
            chat = Chat(-(4_000_000_000 + number), "group", title, people, self._ids)
        self.all[chat.id] = chat
        return chat

    def post(
        self, chat: Chat, sender: int, content: Json, now: float, *,
        thread: int = 0, reply_to: int = 0, markup: Json | None = None, file: Kept | None = None,
    ) -> Message:  # fmt: skip
        """One more message."""
        message = Message(
            next(chat.ids), chat.id, sender, int(now), content, markup, reply_to=reply_to, thread=thread, file=file
        )
        chat.messages[message.id] = message
        return message

    # --- what the bot may do -----------------------------------------------------------------------------------------

    def find(self, chat_id: str) -> Chat:
        """The chat of a request. Raises Refusal where the bot has never met it, or it has another id now."""
        if not chat_id:
            raise bad("chat_id is empty")
        chat = self.all.get(number(chat_id))
        if chat is None or not self._met(chat):
            raise bad("chat not found")
        return chat

    def writable(self, chat_id: str) -> Chat:
        """The chat of a request, where the bot may write now. Raises Refusal."""
        chat = self.find(chat_id)
        if chat.moved_to:
            why = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refusal(400, why, migrate_to_chat_id=chat.moved_to)
        if chat.kicked:
            raise forbidden(f"bot was kicked from the {chat.type} chat")
        if chat.blocked:
            raise forbidden("bot was blocked by the user")
        if chat.type == "private" and not chat.started:
            raise forbidden("bot can't initiate conversation with a user")
        return chat

    def _met(self, chat: Chat) -> bool:
        """Whether the bot knows of it: a person only if they have started it, or are in one of its groups."""
        shared = (one for one in self.all.values() if one.type != "private" and chat.id in one.people)
        return chat.type != "private" or chat.started or any(shared)

    # --- JSON --------------------------------------------------------------------------------------------------------

    def user(self, id_: int) -> Json:
        """A User: one of the people, or the bot."""
        return self.account.json() if id_ == self.account.id else self.people[id_].json()

    def json(self, message: Message, *, reply: bool = True) -> Json:
        """A Message (Client.cpp, JsonMessage); a message that it replies to shows none of its own."""
        chat = self.all[message.chat]
        shown: Json = {
            "message_id": message.id, "from": self.user(message.sender), "chat": chat.json(), "date": message.at,
        }  # fmt: skip
        if message.edited_at:
            shown["edit_date"] = message.edited_at
        if message.thread:
            shown |= {"message_thread_id": message.thread, "is_topic_message": True}
        replied = chat.messages.get(message.reply_to)
        if reply and replied:
            shown["reply_to_message"] = self.json(replied, reply=False)
        shown |= message.content
        if markup := inline(message.markup):
            shown["reply_markup"] = markup
        return shown
