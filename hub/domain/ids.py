"""Entity ids, and the partition that each of them names.

An id reads ``<kind><partition>-<name>``: ``c7-k3v9…`` is a conversation of partition 7, ``p7-email-k3v9…`` one with a
visitor on the platform email, ``a12-wangfang`` an agent, ``q0-main`` the queue. Who holds an id knows its partition
without asking anybody.
"""

import base64
import hashlib
import zlib
from functools import lru_cache

CONVERSATION, PLATFORM, AGENT, QUEUE, INTAKE = "c", "p", "a", "q", "i"
"""The kinds. A conversation is of the first kind where its visitor has a socket, of the second where a platform must
be called to reach them."""
QUEUE_ID = "q0-main"
"""The one queue, hub-wide."""


@lru_cache(maxsize=16_384)
def partition_of(entity: str) -> int:
    """The partition in an id; ValueError when this is no entity id."""
    head, dash, name = entity.partition("-")
    if not dash or not name or head[:1] not in "cpaqi" or not head[1:].isdecimal():
        raise ValueError(f"{entity!r} is no entity id; one looks like c7-k3v9")
    return int(head[1:])


def kind_of(entity: str) -> str:
    """The kind's letter."""
    return entity[0]


def is_conversation(entity: str) -> bool:
    """Whether this is the id of a conversation; any text may be asked about."""
    return _is_of(entity, CONVERSATION + PLATFORM)


def is_agent(entity: str) -> bool:
    """Whether this is the id of an agent; any text may be asked about."""
    return _is_of(entity, AGENT)


def _is_of(entity: str, kinds: str) -> bool:
    try:
        partition_of(entity)
    except ValueError:
        return False
    return kind_of(entity) in kinds


def new_conversation_id(partition: int, entropy: bytes) -> str:
    """An id that cannot be guessed; `entropy` is 16 random bytes."""
    return f"{CONVERSATION}{partition}-{_name(entropy)}"


@lru_cache(maxsize=16_384)
def platform_conversation_id(partitions: int, channel: str, account: str, identity: str, thread: str) -> str:
    """The id of the one conversation with somebody on a platform, the same for whoever asks.

    `account` is which of ours they write to, `thread` the platform's name for a thread, where it has threads.
    """
    key = "\0".join((channel, account, identity, thread)).encode(errors="replace")
    name = _name(hashlib.blake2b(key, digest_size=16).digest())
    return f"{PLATFORM}{zlib.crc32(key) % partitions}-{channel}-{name}"


def channel_of(entity: str) -> str:
    """The channel in the id of a conversation on a platform."""
    return entity.split("-")[1]


def agent_id(partitions: int, name: str) -> str:
    """The id of the agent whom rules/teams.yaml calls `name`."""
    return f"{AGENT}{zlib.crc32(name.encode()) % partitions}-{name}"


def agent_name(entity: str) -> str:
    """The name in teams.yaml of the agent with this id."""
    return entity.partition("-")[2]


def intake_id(partitions: int, channel: str) -> str:
    """The entity that keeps what a channel sent and nobody could read."""
    return f"{INTAKE}{zlib.crc32(channel.encode()) % partitions}-{channel}"


def _name(entropy: bytes) -> str:
    return base64.b32encode(entropy[:16]).decode().rstrip("=").lower()
