"""What a client hears where it gets no prediction: {"error": a sentence}."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

_STARLETTES_OWN = {
    404: "There is nothing at this path. GET / shows what there is.",
    405: "This path does not take this method; the Allow header says which it takes.",
}


class RequestError(Exception):
    """A request that is not answered as asked: its status, a sentence, further headers."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None):
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers

    def answer(self) -> JSONResponse:
        return JSONResponse({"error": self.sentence}, self.status, self.headers)


async def refused(request: Request, error: RequestError) -> JSONResponse:
    """The answer to a refused request."""
    return error.answer()


async def not_routed(request: Request, error: HTTPException) -> JSONResponse:
    """No such path, or not with this method."""
    sentence = _STARLETTES_OWN.get(error.status_code, error.detail)
    return RequestError(error.status_code, sentence, error.headers).answer()


async def failed(request: Request, error: Exception) -> JSONResponse:
    """A bug: its traceback goes to the terminal, never to the client."""
    return RequestError(500, "The server failed; its terminal shows where.").answer()
