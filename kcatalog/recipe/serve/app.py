"""The endpoints: TensorFlow Serving's for programs, `/predict` with a file for people."""

from __future__ import annotations

import asyncio

import numpy as np
import uvicorn
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kcatalog.recipe.export import loading
from kcatalog.recipe.export.loading import Exported
from kcatalog.recipe.serve import page, requests

HOSTS = ["127.0.0.1", "localhost"]
MAX_BODY = 8 * 2**20  # bytes
BODY_SECONDS = 10  # for the whole body to arrive
MAX_CONNECTIONS = 64
MAX_LENGTH = 1000  # characters of a continuation
BATCH = 16  # samples that go through the model at once; bounds the memory of a request
SENTENCES = {
    404: "This path does not exist. GET / lists the paths.",
    405: "This path does not support this method. The Allow header lists those it supports.",
}


def server(exported: Exported, url: str) -> uvicorn.Server:
    """Return the server of an exported model; `run(sockets=[...])` serves it."""
    config = uvicorn.Config(
        app(exported, url),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="error",
        access_log=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=16 * 2**10,
    )
    return uvicorn.Server(config)


def app(exported: Exported, url: str) -> Starlette:
    """Return the ASGI application of an exported model that is served at a URL."""
    recipe, version = exported.recipe.name, exported.folder.name
    input_name = exported.info.input_name
    one_at_a_time = asyncio.Lock()

    async def answer(function, *args) -> JSONResponse:
        async with one_at_a_time:
            return JSONResponse(await run_in_threadpool(function, exported, *args))

    async def home(request: Request):
        return HTMLResponse(page.page(recipe, version, input_name, url))

    async def status(request: Request):
        fine = {"error_code": "OK", "error_message": ""}
        state = {"version": version, "state": "AVAILABLE", "status": fine}
        return JSONResponse({"model_version_status": [state]})

    async def metadata(request: Request):
        return JSONResponse(describe(exported))

    async def predict(request: Request):
        return await answer(predict_samples, await _body(request))

    async def predict_upload(request: Request):
        body = await _body(request)
        suffix = requests.suffix(request.headers.get("content-type", ""), input_name)
        length = _whole_number(request, "length", 200, MAX_LENGTH)
        seed = _whole_number(request, "seed", 0, 2**31 - 1)
        return await answer(predict_file, body, suffix, length, seed)

    routes = [Route("/", home), Route("/predict", predict_upload, methods=["POST"])]
    for name in (f"/v1/models/{recipe}", f"/v1/models/{recipe}/versions/{version}"):
        routes += [
            Route(name, status),
            Route(f"{name}/metadata", metadata),
            Route(f"{name}:predict", predict, methods=["POST"]),
        ]
    made = Starlette(
        routes=routes,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
        exception_handlers={HTTPException: _refused, ClientDisconnect: _nobody_listens},
    )
    made.router.redirect_slashes = False
    return made


def describe(exported: Exported) -> dict:
    """Return the model's signature in TensorFlow Serving's form, and what is known of the data."""
    signature = {
        "inputs": {exported.answer.input.name: _tensor(exported.answer.input)},
        "outputs": {name: _tensor(spec) for name, spec in exported.answer.outputs.items()},
        "method_name": "tensorflow/serving/predict",
    }
    name, version = exported.recipe.name, exported.folder.name
    return {
        "model_spec": {"name": name, "signature_name": "", "version": version},
        "metadata": {
            "signature_def": {"signature_def": {"serving_default": signature}},
            "data": exported.info.to_record(),
        },
    }


def _tensor(spec) -> dict:
    """Return a tensor's type and shape; the size of an open axis is -1."""
    dtype = json_format.MessageToDict(spec.experimental_as_proto())["dtype"]
    sizes = [-1 if size is None else size for size in spec.shape.as_list()]
    dim = [{"size": str(size), "name": ""} for size in sizes]
    shape = {"dim": dim, "unknown_rank": False}
    return {"dtype": dtype, "tensor_shape": shape, "name": spec.name}


def predict_samples(exported: Exported, body: bytes) -> dict:
    """Answer a predict request in TensorFlow Serving's row or columnar form."""
    x, by_row = requests.read_json(body, exported.answer.input)
    outputs = {name: _plain(values) for name, values in _outputs(exported, x).items()}
    if len(outputs) == 1:  # TensorFlow Serving does not name a single output
        (answer,) = outputs.values()
    else:
        answer = loading.rows(outputs) if by_row else outputs
    return {"predictions" if by_row else "outputs": answer}


def predict_file(exported: Exported, body: bytes, suffix: str, length: int, seed: int) -> dict:
    """Answer for one file as `predict` does; a text model continues the text."""
    x = requests.read_file(body, suffix, exported)
    if exported.task.generates:
        return {"continuation": exported.go_on(x[0], length, seed)}
    return exported.describe(_outputs(exported, x))[0]


def _outputs(exported: Exported, x) -> dict[str, np.ndarray]:
    import tensorflow as tf

    try:
        parts = [exported.outputs(x[i : i + BATCH]) for i in range(0, len(x), BATCH)]
    except tf.errors.InvalidArgumentError as e:  # such as too few steps for a convolution
        raise HTTPException(400, "The model cannot process these samples.") from e
    outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    for name, values in outputs.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():  # JSON has no NaN
            raise HTTPException(400, f"The model's {name} are not finite for this input.")
    return outputs


def _plain(values: np.ndarray) -> list:
    if values.dtype == object:
        return [text.decode("utf-8", "replace") for text in values.tolist()]
    return values.tolist()


async def _body(request: Request) -> bytes:
    """Return a request's body, unless it is too large, too slow, or a foreign page's."""
    origin = request.headers.get("origin")
    if origin not in (None, f"http://{request.headers['host']}"):
        raise HTTPException(403, "Only pages of this server may send requests to it.")
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():  # to its end: many clients send before they read
                size += len(chunk)
                if size <= MAX_BODY:
                    body += chunk
    except TimeoutError as e:
        raise HTTPException(408, "The body took too long to arrive.") from e
    if size > MAX_BODY:
        raise HTTPException(413, f"The body has more than {MAX_BODY} bytes.")
    return bytes(body)


def _whole_number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
        raise HTTPException(400, f"{name} must be a whole number from 0 to {most}.")
    return int(text)


async def _refused(request: Request, error: HTTPException) -> JSONResponse:
    sentence = SENTENCES.get(error.status_code, error.detail)
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


async def _nobody_listens(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=400)
