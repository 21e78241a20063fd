"""Argon2id, in a thread: it takes 50 ms of a core and 46 MB on purpose, so only a few run at a time."""

import asyncio

import argon2

AT_ONCE = 2
HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)
"""OWASP's Password Storage Cheat Sheet: m=47104 (46 MiB), t=1, p=1."""
NOBODYS = HASHER.hash("nobody's")
"""Looked at where there is no hash, so that an unknown name takes as long as a wrong password."""

_places = asyncio.Semaphore(AT_ONCE)


async def hashed(password: str) -> str:
    """What is kept of the password."""
    async with _places:
        return await asyncio.to_thread(HASHER.hash, password)


async def is_right(hashed: str, password: str) -> bool:
    """Whether the hash is this password's; of an empty one it never is, and that takes as long."""
    async with _places:
        return await asyncio.to_thread(_is_right, hashed, password)


def _is_right(hashed: str, password: str) -> bool:
    try:
        HASHER.verify(hashed or NOBODYS, password)
    except argon2.exceptions.VerificationError:
        return False
    return bool(hashed)
