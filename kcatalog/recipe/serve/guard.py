"""What every request must pass before its path is looked at: who asks, how much, how fast."""

from __future__ import annotations

import asyncio
import re

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from kcatalog.recipe.serve.answers import RequestError
from kcatalog.recipe.serve.limits import Limits

LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
CLOSE = {"Connection": "close"}
TOO_MUCH = 4  # times the limit: as much of a body is thrown away before the client is told


class Guard:
    """ASGI middleware that hands on whole requests only.

    The body is read before anything is answered: a client that is still sending may never
    hear an answer.
    """

    def __init__(self, app, limits: Limits):
        self.app, self.limits = app, limits

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":  # starting and stopping
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            body = await self._body(headers, receive)
            self._look_at(headers, scope["http_version"])
        except ClientDisconnect:
            return
        except RequestError as e:
            await e.answer()(scope, receive, send)
            return
        whole = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_whole():
            return whole.pop() if whole else await receive()

        await self.app(scope, receive_whole, send)

    def _look_at(self, headers: Headers, version: str) -> None:
        if version not in ("1.0", "1.1"):
            raise RequestError(400, "The request must be HTTP/1.1.", CLOSE)
        size = sum(len(name) + len(value) + 4 for name, value in headers.raw)
        if size > self.limits.head or len(headers.raw) > self.limits.headers:
            most = f"{self.limits.headers} headers in {self.limits.head} bytes"
            raise RequestError(431, f"The request must have at most {most}.")
        if "content-length" in headers and "transfer-encoding" in headers:
            raise RequestError(400, "The body's length must be said in one way.")
        # A page from elsewhere may call this machine by its own name, or just post to it.
        host, origin = headers.get("host", ""), headers.get("origin")
        if not LOOPBACK.fullmatch(host):
            raise RequestError(403, "The Host header must be 127.0.0.1 or localhost.")
        if origin is not None and origin.lower() != f"http://{host}".lower():
            raise RequestError(403, "Only pages of this server may ask it.")

    async def _body(self, headers: Headers, receive) -> bytes:
        most, announced = self.limits.body, int(headers.get("content-length", 0))
        too_large = RequestError(413, f"The body must have {most} bytes at most.", CLOSE)
        if announced > most and "expect" in headers:
            raise too_large  # it waits to be told before it sends
        body, received, more = bytearray(), 0, True
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while more and received <= TOO_MUCH * most:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    received += len(message.get("body", b""))
                    if received <= most:
                        body += message.get("body", b"")
                    more = message.get("more_body", False)
        except TimeoutError as e:
            if max(received, announced) > most:
                raise too_large from e
            raise RequestError(408, "The body took too long to arrive.", CLOSE) from e
        if received > most:
            raise too_large
        return bytes(body)
