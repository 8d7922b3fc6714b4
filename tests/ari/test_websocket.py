"""Telling expected failures from defects, and neither from being cancelled."""

import asyncio

import pytest

from callrouter.ari.websocket import expected
from callrouter.errors import UnreachableError


async def test_an_expected_error_is_found_alone_and_inside_groups() -> None:
    error = UnreachableError("away")

    assert expected(error, UnreachableError) is error
    assert expected(ExceptionGroup("", [ExceptionGroup("", [error])]), UnreachableError) is error


async def test_a_defect_is_not_hidden_by_an_expected_error_beside_it() -> None:
    with pytest.raises(KeyError):
        expected(KeyError("defect"), UnreachableError)
    with pytest.raises(ExceptionGroup):
        expected(ExceptionGroup("", [UnreachableError("away"), KeyError("defect")]), UnreachableError)


async def test_a_failure_during_cancellation_does_not_undo_the_cancellation() -> None:
    started = asyncio.Event()

    async def fail_when_cancelled() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise UnreachableError("closed while closing")

    async def connection() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail_when_cancelled())
                await asyncio.Event().wait()
        except Exception as error:
            expected(error, UnreachableError)

    task = asyncio.create_task(connection())
    await started.wait()
    task.cancel()

    await asyncio.wait({task}, timeout=1.0)
    assert task.cancelled()
