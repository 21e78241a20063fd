"""A process in which ten ask for one token at once; prints what each got. Each fetch adds a line to a file."""

import asyncio
import sys
from pathlib import Path

from hub.bus.connection import connect
from hub.bus.tokens import SharedTokens
from hub.contract import Token


async def main(url: str, fetches: Path, spent: str) -> None:
    connection = await connect(url, "asker")
    tokens = SharedTokens(connection)

    async def fetch() -> Token:
        with fetches.open("a+") as file:
            file.write("fetch\n")
            file.seek(0)
            number = file.read().count("fetch")
        await asyncio.sleep(0.3)
        return Token(f"token-{number}", 7200)

    got = await asyncio.gather(*(tokens.get("wecom", fetch, spent=spent) for _ in range(10)))
    print(" ".join(got))
    await connection.close()


asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
