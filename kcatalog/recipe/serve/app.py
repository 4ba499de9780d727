"""The endpoints: TensorFlow Serving's for programs, plain files for people."""

from __future__ import annotations

import contextlib
import re

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from kcatalog.recipe.serve import answers, files, metadata, page
from kcatalog.recipe.serve.answers import RequestError
from kcatalog.recipe.serve.guard import Guard
from kcatalog.recipe.serve.limits import Limits
from kcatalog.recipe.serve.model import Model
from kcatalog.recipe.serve.worker import Worker

# What `curl -d` calls a body when it is not told better stands for JSON, as everywhere.
JSON = ("application/json", "application/x-www-form-urlencoded", "")


def app(model: Model, limits: Limits, url: str) -> Starlette:
    """The ASGI application for a model, at a URL."""
    exported, worker = model.exported, Worker(limits)
    recipe, version = exported.recipe.name, exported.folder.name
    input_name = exported.facts["input_name"]
    content, policy = page.page(recipe, version, input_name, url)

    async def home(request: Request):
        return HTMLResponse(content, headers={"Content-Security-Policy": policy})

    async def health(request: Request):
        return JSONResponse({"status": "ok"})

    async def status(request: Request):
        return JSONResponse(metadata.status(version))

    async def describe(request: Request):
        return JSONResponse(metadata.describe(exported))

    async def predict_instances(request: Request):
        _content_type(request, JSON)
        return JSONResponse(await worker.run(model.instances, await request.body()))

    async def predict_file(request: Request):
        kind = _content_type(request, files.accepted(input_name))
        asked = _query(request, limits if model.writes else None)
        return JSONResponse(await worker.run(model.file, await request.body(), kind, *asked))

    @contextlib.asynccontextmanager
    async def lifespan(_):
        yield
        worker.close()

    routes = [
        Route("/", home),
        Route("/health", health),
        Route("/predict", predict_file, methods=["POST"]),
    ]
    for name in (f"/v1/models/{recipe}", f"/v1/models/{recipe}/versions/{version}"):
        routes += [
            Route(name, status),
            Route(f"{name}/metadata", describe),
            Route(f"{name}:predict", predict_instances, methods=["POST"]),
        ]
    made = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, limits=limits)],
        exception_handlers={
            RequestError: answers.refused,
            HTTPException: answers.not_routed,
            Exception: answers.failed,
        },
        lifespan=lifespan,
    )
    made.router.redirect_slashes = False
    return made


def _content_type(request: Request, accepted: tuple[str, ...]) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in accepted or "content-encoding" in request.headers:
        wanted = ", ".join(filter(None, accepted))
        raise RequestError(415, f"The body must be one of {wanted}, and not compressed.")
    return kind


def _query(request: Request, limits: Limits | None) -> tuple[int, int]:
    """`length` and `seed` of a continuation; other models take neither."""
    most = {"length": limits.written, "seed": 2**31 - 1} if limits else {}
    asked = {"length": 200, "seed": 0}
    for name, value in request.query_params.multi_items():
        if name not in most:
            raise RequestError(400, f"The query must have {' and '.join(most) or 'no parameters'}.")
        if not re.fullmatch("[0-9]{1,10}", value) or int(value) > most[name]:
            raise RequestError(400, f"{name} must be a whole number, {most[name]} at most.")
        asked[name] = int(value)
    return asked["length"], asked["seed"]
