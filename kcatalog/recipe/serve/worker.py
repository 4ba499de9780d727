"""The model answers one request at a time; a few may wait, more are turned away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from kcatalog.recipe.serve.answers import RequestError
from kcatalog.recipe.serve.limits import Limits

AGAIN = {"Retry-After": "1"}


class Worker:
    """A thread of its own that reads what was sent and runs the model."""

    def __init__(self, limits: Limits):
        self._seconds = limits.answer_seconds
        self._places = threading.BoundedSemaphore(limits.waiting)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    async def run(self, function: Callable, *args):
        """What the function returns or raises; 503 where too many wait or it takes too long.

        A function that runs cannot be interrupted: its place is free again when it ends.
        """
        if not self._places.acquire(blocking=False):
            raise RequestError(503, "Too many requests wait. Try again in a second.", AGAIN)
        running = self._thread.submit(function, *args)
        running.add_done_callback(lambda _: self._places.release())
        answer = asyncio.wrap_future(running)
        done, _ = await asyncio.wait([answer], timeout=self._seconds)
        if not done:
            answer.cancel()
            raise RequestError(503, "The answer takes too long. Ask for less, or later.", AGAIN)
        return answer.result()

    def close(self) -> None:
        """Let go of what waits."""
        self._thread.shutdown(wait=False, cancel_futures=True)
