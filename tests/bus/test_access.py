"""Who may come in is known by all workers."""

import pytest

from hub.bus import access
from hub.bus.access import Access, Integration, SharedAccess, digest
from hub.bus.connection import Connection, connect
from hub.bus.server import EmbeddedServer
from tests.engine.rig import until

SHOP = Integration("t1", "shop", ("read:queue",), 1)


def with_shop(known: Access) -> Access:
    return Access(known.generations, known.integrations | {digest("secret"): SHOP})


def changed(known: Access) -> Access:
    return Access(known.generations | {"a1-wang": known.generations.get("a1-wang", 0) + 1}, known.integrations)


async def test_a_change_is_known_at_once_here_and_soon_elsewhere(
    nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "AGAIN_S", 600)
    here, there = [SharedAccess(await connect(nats.url, "test")) for _ in range(2)]
    await here.start()
    await there.start()
    assert here.integration("secret") is None
    news: list[int] = []
    here.changed = lambda: news.append(here.generation("a1-wang"))
    await here.change(with_shop)
    await there.change(changed)
    assert (there.integration("secret"), there.generation("a1-wang")) == (SHOP, 1)
    await until(lambda: here.generation("a1-wang") == 1)
    assert news == [0, 1], "and whoever wants to know is told"
    assert here.integrations() == [SHOP]
    assert here.integration("secre") is None
    await here.change(lambda known: Access(known.generations))
    await until(lambda: there.integration("secret") is None)
    for each in (here, there):
        each.stop()
        await each._connection.close()


async def test_who_missed_that_it_was_told_finds_it(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "AGAIN_S", 0.05)
    monkeypatch.setattr(access, "SUBJECT", "nobody.hears")
    other = SharedAccess(connection)
    await other.start()
    monkeypatch.setattr(access, "SUBJECT", "somewhere.else")
    await SharedAccess(connection).change(with_shop)
    await until(lambda: other.integration("secret") == SHOP)
    other.stop()
