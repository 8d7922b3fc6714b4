"""The least that a start costs: ``python -m bench.bare_start`` connects to Asterisk, asks what is there, and ends.

With the libraries that the daemon uses, and no rules, journal, database or calls to take up.
"""

import asyncio
import os

import aiohttp
import msgspec
import uvloop


async def main() -> None:
    """Connect for events, and read the channels and bridges."""
    url, headers = os.environ["BARE_URL"], {"Authorization": os.environ["BARE_AUTHORIZATION"]}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"{url}/events?app=bench-bare-start"),
    ):
        for what in ("channels", "bridges"):
            async with session.get(f"{url}/{what}") as answer:
                msgspec.json.decode(await answer.read())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
