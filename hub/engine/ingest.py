"""What platforms bring, by webhook or by pull, becomes commands; when `take` returns, all of it is safe."""

import asyncio
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

import msgspec
import structlog

from hub.contract import Connector, File, Inbound, Parsed, Raw, Receipt
from hub.domain import ids
from hub.domain.commands import AnyCommand, ReceiveMessage, ReceiveText, RecordReceipt
from hub.domain.messages import Attachment, Profile, Reach
from hub.domain.outside import KEPT_MS
from hub.domain.text import cut
from hub.engine.files import Files, NotTaken
from hub.engine.roster import Roster, limits_of
from hub.errors import SpoolFull

MOST_TEXT = 32_768
"""UTF-8 bytes of a message; a longer text is kept whole as a file beside its beginning."""
RAW_IN_LOG = 32_768
"""A raw input rides in the log beside each message it brought, so long as all of that is no more than this; else it is
kept as an attachment, and named there."""
MOST_UNDER_WAY = 1_024
"""Requests of one channel in one worker: a channel that floods must leave room for the others."""
PULL = "PULL"
"""The method of what was not called in but fetched."""
IN_A_THREAD = 65_536
"""Bytes from which something is read beside the event loop."""
READING_S = 10.0
MOST_REASONS = 20
"""For leaving something out, of one channel: a reason is a kind, and not what was left out."""
APART = "attachment "
"""Stands before the key of a raw input that is kept apart."""
CUT = "…"
logger = structlog.get_logger("ingest")

_UNKEPT = frozenset({"authorization", "cookie"})
"""Headers that may hold a secret of somebody in between, and say nothing of what came."""

Part = TypeVar("Part", Inbound, Receipt, File)
Value = TypeVar("Value")


class Addressed(NamedTuple):
    """A command and the entity that it is for."""

    entity: str
    command: AnyCommand


class Rubbish(Exception):
    """A connector made something of a request that is no value of the contract; the message says what."""


class Ingest:
    """One worker's way in. `spool` makes commands safe.

    `knew` says whether the history has an outside id of an entity: it is asked about input older than a week.
    """

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        roster: Roster,
        spool: Callable[[str, str, AnyCommand, float | None], Awaitable[None]],
        files: Files,
        knew: Callable[[str, str], Awaitable[bool]],
        partitions: int,
    ) -> None:
        self._connectors, self._roster, self._spool, self._files = connectors, roster, spool, files
        self._knew, self._partitions = knew, partitions
        self.stumbled: Counter[str] = Counter()
        """How often a channel's connector made nothing, or rubbish, of a request."""
        self.left_out: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """By channel, how often something was left out on purpose, and why."""
        self._under_way: Counter[str] = Counter()

    async def take(self, channel: str, parsed: Parsed, raw: Raw) -> None:
        """Return when all that was parsed is in the log, or safe on this disk. Raises SpoolFull: it must come again."""
        if self._under_way[channel] >= MOST_UNDER_WAY:
            raise SpoolFull(f"{MOST_UNDER_WAY} requests of {channel} are under way here: send it again later")
        self._under_way[channel] += 1
        try:
            await self.commit(channel, await self.prepare(channel, parsed, raw))
        finally:
            self._under_way[channel] -= 1

    def stumble(self, channel: str) -> None:
        """The channel's connector has raised where it may not."""
        self.stumbled[channel] += 1

    async def commit(self, channel: str, commands: Sequence[Addressed], give_up_s: float | None = None) -> None:
        """The second half of `take`; commands for one entity keep their order. `give_up_s`: as the spool's."""
        if len(commands) == 1:  # most have one, which needs no task of its own
            await self._spool(channel, *commands[0], give_up_s)
            return
        taking = (self._spool(channel, entity, command, give_up_s) for entity, command in commands)
        for failure in await asyncio.gather(*taking, return_exceptions=True):
            if failure is not None:
                raise failure

    async def prepare(self, channel: str, parsed: Parsed, raw: Raw) -> list[Addressed]:
        """The first half: the commands, with all files stored that they name."""
        kept = encode_raw(raw)
        try:
            check(parsed)
            if parsed.left_out:
                self._leave_out(channel, _utf8(parsed.left_out))
            if not (parsed.inbounds or parsed.receipts or parsed.unparsed):
                return []
            if len(kept) * max(1, len(parsed.inbounds) + len(parsed.receipts)) > RAW_IN_LOG:
                intake, _ = self._roster.unparsed(channel, "", "")
                kept = APART + await self._files.keep_raw(intake, kept)
            commands = [await self._from(channel, _storable(inbound), kept, raw) for inbound in parsed.inbounds]
            commands += [_receipt(channel, _storable(receipt), kept) for receipt in parsed.receipts]
        except Rubbish as fault:
            self.stumble(channel)
            logger.error("connector made rubbish of a request", channel=channel, because=str(fault))
            return [
                Addressed(*self._roster.unparsed(channel, _utf8(f"the connector made rubbish of it: {fault}"), kept))
            ]
        if parsed.unparsed:
            commands.append(Addressed(*self._roster.unparsed(channel, _utf8(parsed.unparsed), kept)))
        return [command for command in commands if command is not None]

    def _leave_out(self, channel: str, because: str) -> None:
        counts = self.left_out[channel]
        counts[because if because in counts or len(counts) < MOST_REASONS else "other reasons"] += 1

    async def _from(self, channel: str, inbound: Inbound, raw: str, came: Raw) -> Addressed | None:
        """The command that something becomes; None: the history has had it."""
        can = self._connectors[channel].can
        if can.role == "agent" or inbound.agent or self._roster.agent_at(channel, inbound.identity):
            return Addressed(*await self._from_agent(channel, inbound, raw))
        entity = self._conversation(channel, inbound)
        if inbound.sent_at_ms < came.received_at_ms - KEPT_MS and await self._knew(entity, inbound.outside_id):
            return None
        text, more = _shortened(inbound.text)
        text, files = await self._kept(entity, text, [*more, *inbound.files])
        reach = Reach(channel, inbound.address or inbound.identity, limits_of(can), inbound.thread, inbound.title)
        profile = Profile(channel, inbound.account, inbound.name, inbound.language)
        return Addressed(
            entity,
            ReceiveMessage(
                inbound.outside_id, text, inbound.sent_at_ms, profile, reach, files,
                inbound.unsupported, inbound.edits, inbound.automatic, raw,
            ),
        )  # fmt: skip

    async def _kept(self, entity: str, text: str, files: Sequence[File]) -> tuple[str, tuple[Attachment, ...]]:
        """The files, stored; one that is not taken becomes a line of the text."""
        kept, lines = list[Attachment](), [text]
        for file in files:
            try:
                kept.append(await self._files.keep(entity, _storable(file)))
            except NotTaken as why:
                lines.append(f"[{why}]")
        return "\n".join(filter(None, lines)), tuple(kept)

    async def _from_agent(self, channel: str, inbound: Inbound, raw: str) -> tuple[str, AnyCommand]:
        agent = self._roster.agent_at(channel, inbound.identity)
        if agent is None:
            because = f"{inbound.identity} is no agent of {channel} in rules/teams.yaml"
            return self._roster.unparsed(channel, because, raw)
        proven = _proven(inbound)
        if proven is None and self._connectors[channel].can.role != "agent":
            because = f"{inbound.identity} is an agent, and proves it only by answering what the hub sent them there"
            return self._roster.unparsed(channel, because, raw)
        text, files = await self._kept(agent, _shortened(inbound.text)[0], inbound.files)
        return agent, ReceiveText(
            inbound.outside_id, text, inbound.sent_at_ms, raw, inbound.unsupported, files, None, channel, proven
        )

    def _conversation(self, channel: str, inbound: Inbound) -> str:
        if not inbound.conversation:
            return ids.platform_conversation_id(
                self._partitions, channel, inbound.account, inbound.identity, inbound.thread
            )
        return _own(channel, inbound.conversation)


def _proven(inbound: Inbound) -> str | None:
    """The conversation that an agent answers in a thread, "" for none; None: they answer in none."""
    if not inbound.agent:
        return None
    if inbound.conversation and not ids.is_conversation(inbound.conversation):
        raise Rubbish(f"{inbound.conversation!r} is no conversation")
    return inbound.conversation


def _own(channel: str, conversation: str) -> str:
    if not ids.is_conversation(conversation) or ids.kind_of(conversation) != ids.PLATFORM:
        raise Rubbish(f"{conversation!r} is no conversation of a platform")
    if ids.channel_of(conversation) != channel:
        raise Rubbish(f"{conversation} is a conversation of another channel")
    return conversation


def _receipt(channel: str, receipt: Receipt, raw: str) -> Addressed:
    command = RecordReceipt(receipt.kind, receipt.number, receipt.receipt, receipt.because, raw)
    if ids.is_agent(receipt.conversation):
        return Addressed(receipt.conversation, command)
    return Addressed(_own(channel, receipt.conversation), command)


def _utf8(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON brings and no log can hold."""
    return text.encode(errors="replace").decode()


def _storable(parsed: Part) -> Part:
    """The same with `_utf8` of all its texts."""
    texts = {name: value for name, value in vars(parsed).items() if isinstance(value, str)}
    try:
        "".join(texts.values()).encode()
    except UnicodeEncodeError:
        changes: dict[str, Any] = {name: _utf8(value) for name, value in texts.items()}
        return dataclasses.replace(parsed, **changes)
    return parsed


def _shortened(text: str) -> tuple[str, list[File]]:
    """A text that fits the log, and the whole as a file where it does not."""
    if len(text.encode()) <= MOST_TEXT:
        return text, []
    return cut(text, MOST_TEXT)[0] + CUT, [File("message.txt", "text/plain", text.encode())]


def _types(kind: type, **others: type | tuple[type, ...]) -> dict[str, type | tuple[type, ...]]:
    """What the fields of a value of the contract are: texts, but for the `others`."""
    return {field.name: others.get(field.name, str) for field in dataclasses.fields(kind)}


_PARSED = _types(Parsed, answer=object, inbounds=Sequence, receipts=Sequence)
_INBOUND = _types(Inbound, sent_at_ms=int, files=Sequence, automatic=bool, agent=bool)
_FILE = _types(File, content=(bytes, type(None)))
_RECEIPT = _types(Receipt, number=int)
_KINDS = get_args(get_type_hints(Receipt)["kind"])


def check(parsed: object) -> None:
    """Raise Rubbish unless it is what `parse` may answer: the log could not be read with another type in it."""
    made = _checked(parsed, Parsed, _PARSED)
    for inbound in made.inbounds:
        _checked(inbound, Inbound, _INBOUND)
        for name in ("identity", "outside_id"):
            if not getattr(inbound, name):
                raise Rubbish(f"Inbound.{name} is empty")
        for file in inbound.files:
            _checked(file, File, _FILE)
    for receipt in made.receipts:
        _checked(receipt, Receipt, _RECEIPT)
        if receipt.kind not in _KINDS:
            raise Rubbish(f"Receipt.kind is {receipt.kind!r}")


def _checked(value: object, kind: type[Value], types: Mapping[str, type | tuple[type, ...]]) -> Value:
    if not isinstance(value, kind):
        raise Rubbish(f"{type(value).__name__} instead of {kind.__name__}")
    for name, expected in types.items():
        has = getattr(value, name)
        if not isinstance(has, expected) or (expected is int and isinstance(has, bool)):
            raise Rubbish(f"{kind.__name__}.{name} is a {type(has).__name__}")
    return value


async def read(connector: Connector, raw: Raw) -> Parsed:
    """What the connector makes of it. Raises what the connector raises, and TimeoutError after READING_S."""
    if len(raw.body) < IN_A_THREAD:
        return connector.parse(raw)
    async with asyncio.timeout(READING_S):
        return await asyncio.to_thread(connector.parse, raw)


def encode_raw(raw: Raw) -> str:
    """The request as text, to be kept beside what was made of it, with its body in base64."""
    headers = {name: value for name, value in raw.headers.items() if name not in _UNKEPT}
    return msgspec.json.encode(vars(raw) | {"headers": headers}).decode()


def decode_raw(kept: str) -> Raw:
    """What `encode_raw` made a text of. Raises ValueError."""
    return msgspec.json.decode(kept, type=Raw)
