"""What the tests of the live server share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytest.importorskip("websockets", reason="needs websockets: pip install 'diffposetalk[serve]'")


@pytest.fixture(scope="session")
def in_loop() -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """`in_loop(coroutine_function)`: run it in a loop of its own, for at most two minutes."""

    def run(body: Callable[[], Awaitable[Any]]) -> Any:
        async def limited() -> Any:
            async with asyncio.timeout(120):
                return await body()

        return asyncio.run(limited())

    return run
