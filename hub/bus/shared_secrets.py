"""The secrets that all nodes of a hub share: the key that signs tokens, and the hash of the admin token."""

import hashlib
import hmac
import secrets
from typing import NamedTuple

import msgspec

from hub.bus.bucket import Bucket
from hub.bus.connection import Connection
from hub.bus.founding import BUCKET, STREAM
from hub.bus.log import CURE
from hub.errors import LogWentBack

KEY = "secrets"


class Secrets(msgspec.Struct, frozen=True):
    """`signing_key` signs visitors' and agents' tokens. Of the admin token only `admin_hash`, its SHA-256, is kept."""

    signing_key: bytes
    admin_hash: str

    def is_admin(self, token: str) -> bool:
        """Whether this is the admin token."""
        return hmac.compare_digest(_hash(token), self.admin_hash)

    def channel_key(self, channel: str) -> bytes:
        """32 bytes that only this hub's connector for the channel has."""
        return hmac.digest(self.signing_key, f"channel {channel}".encode(), "sha256")


class Shared(NamedTuple):
    """The secrets, and the admin token if it was made just now: nobody can tell it again."""

    secrets: Secrets
    admin_token: str = ""


async def share(connection: Connection, *, new_admin_token: bool = False, made: bool = False) -> Shared:
    """The hub's secrets. Whoever asks first makes them; with `new_admin_token` the admin token is replaced.

    `made`: they are known to have been made. Raises LogWentBack when they are gone all the same.
    """
    bucket = Bucket(connection, BUCKET)
    while True:
        entry = await bucket.get(KEY)
        known = msgspec.json.decode(entry.value, type=Secrets) if entry.value else None
        if known is not None and not new_admin_token:
            return Shared(known)
        if known is None and made:
            raise LogWentBack(f"{STREAM} has lost the secrets that sign all tokens. {CURE}")
        admin_token = secrets.token_urlsafe(32)
        mine = Secrets(known.signing_key if known else secrets.token_bytes(32), _hash(admin_token))
        if await bucket.swap(KEY, msgspec.json.encode(mine), entry.revision):
            return Shared(mine, admin_token)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
