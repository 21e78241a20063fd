"""The secrets: made once for all nodes, and only the admin token is ever replaced."""

import asyncio

from hub.bus.connection import Connection
from hub.bus.shared_secrets import share


async def test_all_nodes_get_the_same_and_one_is_told_the_admin_token(connection: Connection) -> None:
    shared = await asyncio.gather(*(share(connection) for _ in range(5)))
    (token,) = [one.admin_token for one in shared if one.admin_token]
    secrets = shared[0].secrets
    assert {one.secrets for one in shared} == {secrets}
    assert len(secrets.signing_key) == 32
    assert [secrets.is_admin(said) for said in (token, token[:-1], "", secrets.admin_hash)] == [True] + [False] * 3
    assert token not in repr(secrets)


async def test_a_new_admin_token_replaces_the_old_one_and_leaves_the_key(connection: Connection) -> None:
    first = await share(connection)
    second = await share(connection, new_admin_token=True)
    after = (await share(connection)).secrets
    assert (after.is_admin(first.admin_token), after.is_admin(second.admin_token)) == (False, True)
    assert after.signing_key == first.secrets.signing_key
