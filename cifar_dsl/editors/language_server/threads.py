"""Runs work in a thread while the event loop answers other messages."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from typing import TypeVar

from cifar_dsl.foundation.cancellation import Cancellation, cancellable

T = TypeVar("T")


async def in_thread(executor: Executor, work: Callable[[], T], cancellation: Cancellation | None = None) -> T:
    """The result of `work`, done in a thread of the executor under the limits that are in force here.

    The work ends early, with `foundation.cancellation.CancelledError`, if the cancellation is requested, as it is when
    the caller itself is cancelled.
    """
    cancelling = cancellation or Cancellation()
    context = copy_context()

    def run() -> T:
        with cancellable(cancelling):
            cancelling.raise_if_requested()
            return work()

    try:
        return await asyncio.get_running_loop().run_in_executor(executor, lambda: context.run(run))
    except asyncio.CancelledError:
        cancelling.request()
        raise
