"""Making a stream, or giving one that is there what today's settings say of it."""

from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from hub.bus.connection import Connection, insist

MAY_CHANGE = ("num_replicas", "max_bytes", "allow_direct")


async def keep_stream(connection: Connection, js: JetStreamContext, config: api.StreamConfig) -> api.StreamInfo:
    """The stream of this name: made as `config` says, or with those fields of MAY_CHANGE that it sets now.

    A hub may grow: what was begun on one server is kept by three from the start on that names three. Waits while NATS
    is away; raises BusError when it refuses.
    """
    name = str(config.name)
    try:
        info = await insist(connection, lambda: js.stream_info(name))
    except NotFoundError:
        return await insist(connection, lambda: js.add_stream(config))
    there = info.config
    wanted = {field: value for field in MAY_CHANGE if (value := getattr(config, field)) is not None}
    if any(getattr(there, field) != value for field, value in wanted.items()):
        info = await insist(connection, lambda: js.update_stream(there.evolve(**wanted)))
    return info
