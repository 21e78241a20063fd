"""Agents' passwords, as hashes, and how often somebody has tried in vain; shared by all workers, and kept."""

import secrets
from collections.abc import Awaitable, Callable

import msgspec

from hub.bus.bucket import Bucket, Entry
from hub.bus.connection import Connection
from hub.errors import Locked

FREE = 5
"""So many wrong passwords in a row cost nothing but time."""
FIRST_LOCK_S, LONGEST_LOCK_S = 30, 3600
"""Then nobody may try for so long, twice as long after each further one."""
FORGOTTEN_S = 24 * 3600
"""After so long without a wrong password the count begins anew."""


class Account(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of one name. `mark` tells this writing from all others. Moments are Unix ms."""

    hash: str = ""
    wrong: int = 0
    tried_at_ms: int = 0
    locked_until_ms: int = 0
    mark: str = ""


class Passwords:
    """The bucket PASSWORDS. A `name` is a word of a-z, 0-9, _, - and dots."""

    def __init__(self, connection: Connection) -> None:
        self._bucket = Bucket(connection, "PASSWORDS")

    async def put(self, name: str, hashed: str) -> None:
        """From now on this is the hash; wrong tries are forgotten."""
        await self._bucket.put(name, msgspec.json.encode(Account(hashed)))

    async def check(self, name: str, is_right: Callable[[str], Awaitable[bool]], now_ms: int) -> bool:
        """Whether `is_right` of the name's hash, which is empty where none is kept. Raises Locked.

        Each try is counted before it is made: however many are made at the same time, on however many machines, only
        FREE of them are looked at.
        """
        account, entry = await self._read(name)
        while True:
            if now_ms < account.locked_until_ms:
                raise Locked(account.locked_until_ms)
            tried = _tried(account, now_ms)
            if revision := await self._swap(name, tried, entry.revision):
                break
            account, entry = await self._read(name)
        if not await is_right(account.hash):
            return False
        # Somebody else may have tried meanwhile, or changed the password: then what they have written stays.
        await self._swap(name, Account(account.hash), revision)
        return True

    async def _read(self, name: str) -> tuple[Account, Entry]:
        entry = await self._bucket.get(name)
        return (msgspec.json.decode(entry.value, type=Account) if entry.value else Account()), entry

    async def _swap(self, name: str, account: Account, revision: int) -> int:
        marked = msgspec.structs.replace(account, mark=secrets.token_hex(8))
        return await self._bucket.swap(name, msgspec.json.encode(marked), revision)


def _tried(account: Account, now_ms: int) -> Account:
    """The account once one more try has been wrong."""
    before = account.wrong if now_ms - account.tried_at_ms < FORGOTTEN_S * 1000 else 0
    wrong = before + 1
    lock_s = min(FIRST_LOCK_S << min(wrong - FREE, 16), LONGEST_LOCK_S) if wrong >= FREE else 0
    return Account(account.hash, wrong, now_ms, now_ms + lock_s * 1000 if lock_s else 0)
