"""What nobody could read, read again by the connector as it is now."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping

from hub.contract import Connector, Forbidden, Parsed, Raw
from hub.domain.commands import AnyCommand, KeepUnparsed, ReceiveMessage, ReceiveText
from hub.engine.calls import UNAVAILABLE, Calls, Denied, Outcome, Replayed, Reread
from hub.engine.files import Files
from hub.engine.ingest import APART, PULL, Addressed, Rubbish, check, decode_raw, read
from hub.errors import HubError

ANSWER_S = 10.0


class Replay:
    """One worker's replays. `prepare` is hub.engine.ingest's; `knew` asks the history for an entity's outside id."""

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        prepare: Callable[[str, Parsed, Raw], Awaitable[list[Addressed]]],
        files: Files,
        calls: Calls,
        knew: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        self._connectors, self._prepare, self._files = connectors, prepare, files
        self._calls, self._knew = calls, knew

    async def run(self, channel: str, kept: str) -> Replayed:
        """Read `kept`, as hub.engine.ingest.encode_raw made it, and carry out what it means.

        What had been taken before is known by its outside id, so a replay may be repeated. What still cannot be read
        is kept nowhere a second time.
        """
        connector = self._connectors.get(channel)
        if connector is None:
            return Replayed(f"the channel {channel} is off: switch it on in config/hub.yaml")
        try:
            raw = decode_raw(await self._whole(kept))
        except ValueError as error:
            return Replayed(f"what was kept is no request: {error}")
        except HubError as error:
            return Replayed(str(error))
        parsed = await _parse(channel, connector, raw)
        if isinstance(parsed, str):
            return Replayed(parsed)
        try:
            commands = await self._prepare(channel, dataclasses.replace(parsed, unparsed=""), raw)
        except HubError as error:
            return Replayed(str(error))
        reasons = [parsed.unparsed, *(command.because for _, command in commands if isinstance(command, KeepUnparsed))]
        carried = [
            await self._carry_out(channel, *one) for one in commands if not isinstance(one.command, KeepUnparsed)
        ]
        return Replayed("; ".join(reason for reason in reasons if reason), tuple(carried))

    async def _whole(self, kept: str) -> str:
        """A raw input that was too long for the log lies with the attachments."""
        return await self._files.raw(kept.removeprefix(APART)) if kept.startswith(APART) else kept

    async def _carry_out(self, channel: str, entity: str, command: AnyCommand) -> Reread:
        if isinstance(command, ReceiveMessage | ReceiveText):
            # The entity itself forgets outside ids after a week; a replay may come later.
            if await self._knew(entity, command.outside_id):
                return Reread(entity, known=True)
            try:
                command = await self._files.complete(channel, entity, command)
            except Exception as error:  # whatever the platform or the connector have against it
                return Reread(entity, refused=f"its file cannot be fetched: {type(error).__name__}: {error}")
        outcome = await self._submit(entity, command)
        if outcome.denied is None:
            return Reread(entity, _place(outcome))
        if outcome.denied.code == "repeated":
            return Reread(entity, outcome.denied.seq, known=True)
        return Reread(entity, refused=outcome.denied.message)

    async def _submit(self, entity: str, command: AnyCommand) -> Outcome:
        answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._calls.submit(entity, command, lambda outcome: None if answered.done() else answered.set_result(outcome))
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answered
        except TimeoutError:
            return Outcome(denied=Denied(UNAVAILABLE, f"no answer in {ANSWER_S:g} s: replay it again"))


async def _parse(channel: str, connector: Connector, raw: Raw) -> Parsed | str:
    """What the connector makes of it; or why that is nothing."""
    if raw.method == PULL and not connector.pulls:
        return f"it was pulled, and {channel} does not pull any more"
    if raw.method != PULL and raw.route not in {route.name for route in connector.routes}:
        return f"it came to /callbacks/{channel}/{raw.route}, which is no route of {channel} any more"
    try:
        parsed = await read(connector, raw)
        check(parsed)
    except Forbidden as error:
        return f"the connector refuses it: {error}"
    except Rubbish as error:
        return f"the connector made rubbish of it: {error}"
    except Exception as error:  # what it stumbled over may be what it stumbles over again
        return f"{type(error).__name__}: {error}"
    return parsed if parsed.inbounds or parsed.receipts or not parsed.unparsed else parsed.unparsed


def _place(outcome: Outcome) -> int:
    """The seq of the event that holds what came: the one with the raw input, else the last."""
    with_raw = (record.seq for record in outcome.records if getattr(record.event, "raw", ""))
    return next(with_raw, outcome.records[-1].seq if outcome.records else 0)
