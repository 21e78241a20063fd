"""What people do with Telegram on their phones, and what they see there."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import msgspec

from connectors.telegram.sandbox_answers import Json
from connectors.telegram.sandbox_api import BotApi, Send
from connectors.telegram.sandbox_chats import GENERAL, Account, Chat, Message
from connectors.telegram.sandbox_files import Upload, media_of
from connectors.telegram.sandbox_webhook import Told, Webhook
from hub.kit.stand_in import StandIn

UPDATES = "updates"
"""Key of the news that there is something to tell the bot."""
OTHERS: Mapping[str, Json] = {
    "sticker": {"sticker": {
        "file_id": "stand-in-sticker", "file_unique_id": "stand-in-sticker", "type": "regular", "width": 512,
        "height": 512, "is_animated": False, "is_video": False, "emoji": "👍",
    }},
    "location": {"location": {"latitude": 23.134, "longitude": 113.358}},
    "contact": {"contact": {"phone_number": "+8613800000000", "first_name": "李四"}},
    "dice": {"dice": {"emoji": "🎲", "value": 4}},
    "poll": {"poll": {
        "id": "1", "question": "几点？", "total_voter_count": 0, "is_closed": False, "is_anonymous": True,
        "options": [{"persistent_id": text, "text": text, "voter_count": 0} for text in ("9", "10")],
        "allows_multiple_answers": False, "allows_revoting": True, "members_only": False, "type": "regular",
    }},
}  # fmt: skip
"""What people can send besides texts and files, with sample content."""


class Faults(msgspec.Struct):
    """Switches; each is as good as the real thing until it is switched off again.

    Those of calls concern all methods but getUpdates and what belongs to the webhook.
    """

    slow_s: float = 0.0
    """A call waits so long before anything is done."""
    status: int = 0
    """A call is answered with this HTTP status and an empty page, and nothing is done."""
    status_after_accepting: int = 0
    no_answer_after_accepting: bool = False
    """A call has done its work and is never answered."""
    refusal: Annotated[str, msgspec.Meta(pattern=r"^([45]\d\d .+)?$")] = ""
    """A call is refused with this code and description: "403 Forbidden: user is deactivated"."""
    retry_after_s: int = 0
    """A call is told that there were too many, and to come back so much later."""
    updates_status: int = 0
    """getUpdates is answered with this HTTP status."""
    files_status: int = 0
    """A download is answered with this HTTP status."""
    repeat_updates: bool = False
    """A webhook is told everything twice."""
    wrong_secret: bool = False
    """A webhook is told with another secret."""


class Shown(msgspec.Struct, frozen=True):
    """A message as a phone shows it now. `side` is who sent it, `n` its message id; `file` is the name of one."""

    n: int
    at: int
    side: Literal["bot", "person"]
    sender: str
    text: str
    kind: str
    edited: bool
    thread: int
    reply_to: int
    file: str
    buttons: list[list[Json]]


class Ledger(msgspec.Struct):
    """All that Telegram knows: what the tests compare the hub with."""

    calls: dict[str, int]
    sends: list[Send]
    """What the bot sent, repeats, edited and deleted ones included."""
    chats: dict[int, list[Shown]]
    """What each chat shows."""
    told: list[Told]
    """What a webhook was told."""


class Phones(StandIn[Faults]):
    """Telegram for one bot and some people, who are named by their ids. `now` is its clock, in seconds."""

    webhook: Webhook

    def __init__(
        self, names: Mapping[int, str], account: Account, first_id: int, now: Callable[[], float], port: int
    ) -> None:
        super().__init__(Faults(), port)
        self.account = account
        self.api = BotApi(account, names, first_id)
        self.versions: Counter[int] = Counter()
        """By chat, how often it has changed."""
        self._now = now

    # --- what people do ----------------------------------------------------------------------------------------------

    def meet(self, user: int, name: str) -> None:
        """One more person has Telegram."""
        self.api.chats.meet(user, name)

    def say(self, user: int, text: str, *, chat: int = 0, thread: int = 0, reply_to: int = 0) -> int:
        """Somebody writes, to the bot or in a group; gives the message's id. Who writes to the bot has started it."""
        return self._post(user, {"text": text}, chat, thread, reply_to)

    def send_file(
        self, user: int, kind: str, content: bytes, name: str = "", *, type: str = "", caption: str = "", chat: int = 0
    ) -> int:
        """Somebody sends a photo, document, voice or video; gives the message's id."""
        kept = self.api.shelf.keep(kind, Upload(name or kind, type, content))
        shown = media_of(kept) | ({"caption": caption} if caption else {})
        return self._post(user, shown, chat, file=kept.id)

    def send_other(self, user: int, kind: str, *, chat: int = 0) -> int:
        """Somebody sends one of OTHERS; gives the message's id."""
        return self._post(user, OTHERS[kind], chat)

    def edit(self, user: int, message_id: int, text: str, *, chat: int = 0) -> None:
        """Somebody changes the text, or caption, of a message of theirs. Raises KeyError where there is none."""
        message = self._at(user, chat).messages[message_id]
        if message.sender != user:
            raise KeyError(message_id)
        name = "text" if "text" in message.content else "caption"
        message.content = message.content | {name: text}
        message.edited_at = int(self._now())
        self.tell(message.chat, "edited_message", self.api.chats.json(message))
        self.show(message.chat)

    def press(self, user: int, message_id: int, data: str, *, chat: int = 0) -> str:
        """Somebody presses the button with that data; gives the query's id. Raises KeyError where there is none."""
        message = self._at(user, chat).messages[message_id]
        rows = (message.markup or {}).get("inline_keyboard", [])
        if data not in [button.get("callback_data") for row in rows for button in row]:
            raise KeyError(data)
        id_, query = self.api.press(message, user, data)
        self.tell(message.chat, "callback_query", query)
        return id_

    def block(self, user: int, *, on: bool = True) -> None:
        """Somebody stops the bot, or starts it again."""
        chat = self.api.chats.all[user]
        old, chat.blocked, chat.started = chat.blocked, on, True
        self._member(chat, user, "kicked" if old else "member", "kicked" if on else "member")
        self.show(user)

    # --- groups ------------------------------------------------------------------------------------------------------

    def group(self, title: str, people: list[int], *, supergroup: bool = False, forum: bool = False) -> int:
        """The first of `people` makes a group with the others and the bot; gives its id. A forum is a supergroup."""
        chat = self.api.chats.group(title, people, supergroup=supergroup, forum=forum)
        self._member(chat, people[0], "left", "member")
        return chat.id

    def topic(self, user: int, chat: int, name: str) -> int:
        """Somebody opens a topic in a forum; gives its thread."""
        forum = self.api.chats.all[chat]
        content: Json = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        created = self.api.chats.post(forum, user, content, self._now())
        created.thread = created.id
        forum.topics[created.id] = True
        self.tell(chat, "message", self.api.chats.json(created))
        self.show(chat)
        return created.id

    def close_topic(self, user: int, chat: int, thread: int) -> None:
        """Somebody closes it: the bot, which is no administrator, may write there no more."""
        self.api.chats.all[chat].topics[thread] = False
        self._post(user, {"forum_topic_closed": {}}, chat, thread)

    def upgrade(self, user: int, chat: int) -> int:
        """A group becomes a supergroup; gives its new id. The old one leads nowhere any more."""
        old = self.api.chats.all[chat]
        new = self.api.chats.group(old.title, old.people, supergroup=True)
        self._post(user, {"migrate_to_chat_id": new.id}, chat)
        old.moved_to = new.id
        self._post(user, {"migrate_from_chat_id": chat}, new.id)
        return new.id

    def kick(self, user: int, chat: int) -> None:
        """Somebody removes the bot from a group."""
        self.api.chats.all[chat].kicked = True
        self._member(self.api.chats.all[chat], user, "member", "kicked")

    # --- what is known -----------------------------------------------------------------------------------------------

    def shown(self, chat: int) -> list[Shown]:
        """What a chat shows, after edits and deletions; a private one has the id of the person."""
        return [self._shown(message) for message in self.api.chats.all[chat].messages.values()]

    def ledger(self) -> Ledger:
        """What was sent, shown and told so far."""
        chats = {id_: self.shown(id_) for id_, chat in self.api.chats.all.items() if chat.messages}
        return Ledger(dict(self.api.calls), self.api.sends, chats, self.webhook.ledger)

    def show(self, chat: int) -> None:
        """A chat shows something else now."""
        self.versions[chat] += 1
        self.ring(str(chat))

    def _shown(self, message: Message) -> Shown:
        kinds = ("text", "photo", "document", "voice", "video", *OTHERS)
        kind = next((kind for kind in kinds if kind in message.content), "service")
        markup = message.markup or {}
        side: Literal["bot", "person"] = "bot" if message.sender == self.account.id else "person"
        return Shown(
            message.id, message.at, side, self.api.chats.user(message.sender)["first_name"], message.text, kind,
            bool(message.edited_at), message.thread, message.reply_to, message.file.name if message.file else "",
            markup.get("inline_keyboard") or markup.get("keyboard") or [],
        )  # fmt: skip

    # --- telling the bot ---------------------------------------------------------------------------------------------

    def _at(self, user: int, chat: int) -> Chat:
        return self.api.chats.all[chat or user]

    def _post(self, user: int, content: Json, chat: int = 0, thread: int = 0, reply_to: int = 0, file: str = "") -> int:
        where = self._at(user, chat)
        if where.type == "private":
            where.started, where.blocked = True, False  # the app lets nobody write to a bot that they have stopped
        message = self.api.chats.post(
            where, user, content, self._now(),
            thread=0 if thread == GENERAL else thread, reply_to=reply_to, file=self.api.shelf.find(file),
        )  # fmt: skip
        self.tell(where.id, "message", self.api.chats.json(message))
        self.show(where.id)
        return message.id

    def _member(self, chat: Chat, user: int, old: str, new: str) -> None:
        """The bot's own place in a chat is another (https://core.telegram.org/bots/api#chatmemberupdated)."""
        old_member, new_member = (
            {"user": self.account.json(), "status": status} | ({"until_date": 0} if status == "kicked" else {})
            for status in (old, new)
        )
        body: Json = {
            "chat": chat.json(), "from": self.api.chats.user(user), "date": int(self._now()),
            "old_chat_member": old_member, "new_chat_member": new_member,
        }  # fmt: skip
        self.tell(chat.id, "my_chat_member", body)

    def tell(self, chat: int, kind: str, body: Json) -> None:
        """Something happened in a chat that the bot is told of, as an update of that kind."""
        if self.api.updates.add(chat, kind, body, self._now()):
            self.ring(UPDATES)
            self.webhook.hurry()
