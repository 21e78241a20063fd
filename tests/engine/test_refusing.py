"""Without room on the log's disk no client's command is taken; what the log has promised is carried on."""

from hub.bus.server import EmbeddedServer
from hub.domain import events as e
from hub.domain import ids
from hub.engine.calls import UNAVAILABLE, Denied
from tests.engine.rig import Rig, conversation
from tests.engine.test_owner import stored

ONE = conversation(2)


async def test_only_what_was_promised_is_carried_on_without_room(nats: EmbeddedServer) -> None:
    near = await Rig.start(nats, [2])
    await near.post(ONE, "t1", 1)  # it is to be put into the queue, whose owner is not there yet
    near.router.refusing = "no room"
    assert (await near.post(ONE, "t1", 2)).denied == Denied(UNAVAILABLE, "no room")
    assert (await near.post(conversation(0), "t1", 1)).denied == Denied(UNAVAILABLE, "no room")
    far = await Rig.start(nats, [0])
    far.router.refusing = "no room"
    waiting: list[str] = []
    while waiting != [ONE]:
        queued = [record.event for record in await stored(far, 0) if record.entity == ids.QUEUE_ID]
        waiting = [event.conversation for event in queued if isinstance(event, e.Enqueued)]
    near.router.refusing = ""
    assert (await near.post(ONE, "t1", 2)).denied is None
    texts = [record.event.id for record in await stored(near, 2) if isinstance(record.event, e.MessagePosted)]
    assert texts == ["t1.1", "t1.2"]
    await near.stop()
    await far.stop()
