"""The methods of the Bot API that a chat bridge calls (https://core.telegram.org/bots/api#available-methods). No I/O.

Telegram has no idempotency key: a repeated sendMessage is a second message.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from connectors.telegram.sandbox_answers import Args, Json, Refusal, bad, flag, integer, parsed, too_many
from connectors.telegram.sandbox_chats import GENERAL, Account, Chat, Chats, Message
from connectors.telegram.sandbox_files import Shelf, Upload, media_of
from connectors.telegram.sandbox_limits import Limits
from connectors.telegram.sandbox_markup import inline, markup_of
from connectors.telegram.sandbox_text import caption_of, text_of
from connectors.telegram.sandbox_updates import Updates

FILE_FIELDS = {"sendphoto": "photo", "senddocument": "document", "sendvoice": "voice", "sendvideo": "video"}
"""Methods that send a file, and the argument that names it."""
DELETABLE_S = 48 * 3600
MOST_NOTICE = 200
"""https://core.telegram.org/bots/api#deletemessage, #answercallbackquery."""
_ACTIONS = frozenset({
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
})  # fmt: skip
"""https://core.telegram.org/bots/api#sendchataction."""


class Send(msgspec.Struct, frozen=True):
    """A message of the bot's as it was taken, whatever became of it afterwards."""

    at_ms: int
    chat: int
    message_id: int
    text: str
    method: str


class Press(msgspec.Struct):
    """A button that somebody pressed; `notice` is what the bot answered, None until then."""

    person: int
    message_id: int
    data: str
    notice: str | None = None


class BotApi:
    """Telegram for one bot, people and their chats included. Message and update ids count up from `first_id`."""

    def __init__(self, account: Account, names: Mapping[int, str], first_id: int) -> None:
        self.chats = Chats(account, names, first_id)
        self.shelf = Shelf()
        self.updates = Updates(first_id)
        self.sends: list[Send] = []
        self.presses: dict[str, Press] = {}
        self.calls: Counter[str] = Counter()
        self.changed: set[int] = set()
        """Chats that show something else now; whoever shows them empties it."""
        self._limits = Limits()
        self._press_ids = itertools.count(first_id << 8)
        self._methods: dict[str, Callable[[Args, Mapping[str, Upload], float], Any]] = {
            "getme": self._get_me,
            "sendmessage": self._send_message,
            "editmessagetext": self._edit_message_text,
            "deletemessage": self._delete_message,
            "answercallbackquery": self._answer_callback_query,
            "sendchataction": self._send_chat_action,
            "getfile": self._get_file,
        }

    def call(self, method: str, args: Args, files: Mapping[str, Upload], now: float) -> Any:
        """The result of a method, in lower case. Raises Refusal.

        A file of FILE_FIELDS may be given by its id, as `attach://` a part's name, or as the part of its own name.
        """
        self.calls[method] += 1
        if method in FILE_FIELDS:
            return self._send_file(method, args, files, now)
        if method not in self._methods:
            raise Refusal(404, "Not Found: method not found")
        return self._methods[method](args, files, now)

    def press(self, message: Message, person: int, data: str) -> tuple[str, Json]:
        """Somebody presses a button: the id of the query, and the CallbackQuery."""
        id_ = str(next(self._press_ids))
        self.presses[id_] = Press(person, message.id, data)
        body = {
            "id": id_, "from": self.chats.user(person), "message": self.chats.json(message),
            "chat_instance": str(message.chat), "data": data,
        }  # fmt: skip
        return id_, body

    # --- methods -----------------------------------------------------------------------------------------------------

    def _get_me(self, args: Args, files: Mapping[str, Upload], now: float) -> Json:
        may = {"can_join_groups": True, "can_read_all_group_messages": True, "supports_inline_queries": False}
        return self.chats.account.json() | may

    def _send_message(self, args: Args, files: Mapping[str, Upload], now: float) -> Json:
        text, entities = text_of(args)
        content: Json = {"text": text} | ({"entities": entities} if entities else {})
        return self._send("sendmessage", args, now, lambda: (content, None))

    def _send_file(self, method: str, args: Args, files: Mapping[str, Upload], now: float) -> Json:
        field = FILE_FIELDS[method]
        named = args.get(field, "")
        upload = files.get(named.removeprefix("attach://") if named.startswith("attach://") else field)
        if not named and upload is None:
            raise bad(f"there is no {field} in the request")
        text, entities = caption_of(args)
        caption: Json = {"caption": text} if text else {}
        if entities:
            caption["caption_entities"] = entities

        def content() -> tuple[Json, Any]:
            kept = self.shelf.keep(field, upload) if upload else self.shelf.find(named)
            if kept is None:
                raise bad("wrong file identifier/HTTP URL specified")
            return media_of(kept) | caption, kept

        return self._send(method, args, now, content)

    def _send(self, method: str, args: Args, now: float, content: Callable[[], tuple[Json, Any]]) -> Json:
        markup = markup_of(args)
        chat = self.chats.writable(args.get("chat_id", ""))
        thread, reply_to = _thread_of(args, chat), _reply_of(args, chat)
        fields, file = content()
        if wait_s := self._limits.take(chat.id, chat.type != "private", now):
            raise too_many(wait_s)
        message = self.chats.post(
            chat, self.chats.account.id, fields, now, thread=thread, reply_to=reply_to, markup=markup, file=file
        )
        self.sends.append(Send(int(now * 1000), chat.id, message.id, message.text, method))
        self.changed.add(chat.id)
        return self.chats.json(message)

    def _edit_message_text(self, args: Args, files: Mapping[str, Upload], now: float) -> Json:
        text, entities = text_of(args)
        markup = markup_of(args)
        message = self._message(args, "message to edit not found")
        # one with a keyboard of keys can't be (https://core.telegram.org/bots/api#updating-messages)
        if message.sender != self.chats.account.id or message.markup != inline(message.markup):
            raise bad("message can't be edited")
        if "text" not in message.content:
            raise bad("there is no text in the message to edit")
        content: Json = {"text": text} | ({"entities": entities} if entities else {})
        if content == message.content and inline(markup) == inline(message.markup):
            raise bad(
                "message is not modified: specified new message content and reply markup are exactly the same as a "
                "current content and reply markup of the message"
            )
        message.content, message.markup, message.edited_at = content, markup, int(now)
        self.changed.add(message.chat)
        return self.chats.json(message)

    def _delete_message(self, args: Args, files: Mapping[str, Upload], now: float) -> bool:
        message = self._message(args, "message to delete not found")
        chat = self.chats.all[message.chat]
        if chat.type != "private" and message.sender != self.chats.account.id:
            raise bad("message can't be deleted")
        if now - message.at > DELETABLE_S:
            raise bad("message can't be deleted for everyone")
        del chat.messages[message.id]
        self.changed.add(chat.id)
        return True

    def _answer_callback_query(self, args: Args, files: Mapping[str, Upload], now: float) -> bool:
        press = self.presses.get(args.get("callback_query_id", ""))
        if press is None:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        if len(args.get("text", "")) > MOST_NOTICE:
            raise bad("MESSAGE_TOO_LONG")
        press.notice = args.get("text", "")
        self.changed.add(press.person)
        return True

    def _send_chat_action(self, args: Args, files: Mapping[str, Upload], now: float) -> bool:
        if args.get("action", "").lower() not in _ACTIONS:
            raise bad("wrong parameter action in request")
        _thread_of(args, self.chats.writable(args.get("chat_id", "")))
        return True

    def _get_file(self, args: Args, files: Mapping[str, Upload], now: float) -> Json:
        return self.shelf.prepare(args.get("file_id", ""), now)

    def _message(self, args: Args, otherwise: str) -> Message:
        """The message of a request. Raises Refusal, with `otherwise` where there is none of that id."""
        id_ = integer(args, "message_id")
        if not id_:
            raise bad("message identifier is not specified")
        message = self.chats.find(args.get("chat_id", "")).messages.get(id_)
        if message is None:
            raise bad(otherwise)
        return message


def _thread_of(args: Args, chat: Chat) -> int:
    """The topic that a message goes to (Client.cpp, check_message_topic): groups without topics ignore it."""
    thread = integer(args, "message_thread_id")
    if not thread or (chat.type != "private" and not chat.forum):
        return 0
    if thread == GENERAL or thread not in chat.topics:
        raise bad("message thread not found")
    if not chat.topics[thread]:
        raise bad("TOPIC_CLOSED")
    return thread


def _reply_of(args: Args, chat: Chat) -> int:
    """The message that is replied to, in the same chat; 0 for none (Client.cpp, check_reply_parameters)."""
    found = parsed(args, "reply_parameters", "reply parameters")
    if found is None:
        found = {
            "message_id": integer(args, "reply_to_message_id"),
            "allow_sending_without_reply": flag(args, "allow_sending_without_reply"),
        }
    if not isinstance(found, dict):
        raise bad("object expected as reply parameters")
    if found and not isinstance(found.get("message_id"), int):
        raise bad('can\'t find field "message_id"')
    id_ = int(found.get("message_id", 0))
    if id_ <= 0 or id_ in chat.messages:
        return max(id_, 0)
    if found.get("allow_sending_without_reply") is True:
        return 0
    raise bad("message to be replied not found")
