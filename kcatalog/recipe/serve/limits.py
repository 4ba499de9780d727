"""What a request may cost, said once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How large, how many and how slow.

    Args:
        body: bytes of a request's body.
        head: bytes of its first line and headers; `headers` counts them.
        connections: open at the same time.
        waiting: requests that wait for the model or are with it.
        instances: samples in a request; `batch` of them go through the model at once.
        steps: of an axis whose length the model leaves open; `characters` for a text.
        written: characters of a continuation.
        pixels: of an image, before it is resized.
        head_seconds, body_seconds: for all of the headers, for all of the body, to arrive.
        answer_seconds: for an answer, waiting included.
        idle_seconds: that a connection stays open between requests; `linger_seconds` when the
            client has been told that it ends.
    """

    body: int = 8 * 2**20
    head: int = 16 * 2**10
    headers: int = 64
    connections: int = 64
    waiting: int = 16
    instances: int = 256
    batch: int = 16
    steps: int = 4096
    characters: int = 1024
    written: int = 1000
    pixels: int = 32_000_000
    head_seconds: float = 10
    body_seconds: float = 10
    answer_seconds: float = 30
    idle_seconds: int = 5
    linger_seconds: float = 2

    @property
    def exchange_seconds(self) -> float:
        """For a request and its answer: twice what its parts may take."""
        return 2 * (self.body_seconds + self.answer_seconds)
