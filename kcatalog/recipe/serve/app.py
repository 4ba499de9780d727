"""The endpoints: TensorFlow Serving's for programs, `/predict` with a file for people."""

from __future__ import annotations

import asyncio
from typing import Any

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
from kcatalog.recipe.terminal.errors import RecipeError

HOSTS = ["127.0.0.1", "localhost"]
BODY_SECONDS = 10  # for the whole body to arrive
MAX_CONNECTIONS = 64
MAX_LENGTH = 1000  # characters of a continuation
RESULTS = {"classify": ("classes", "scores"), "regress": ("outputs",)}  # outputs by endpoint
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
    limit = requests.max_body(exported.input, exported.info)
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

    def verb(function, *args):
        async def endpoint(request: Request):
            return await answer(function, await _body(request, limit), *args)

        return endpoint

    async def predict_upload(request: Request):
        body = await _body(request, limit)
        kind = request.headers.get("content-type", "")
        body, name = requests.read_upload(body, kind, input_name)
        length = _whole_number(request, "length", 200, MAX_LENGTH)
        seed = _whole_number(request, "seed", 0, 2**31 - 1)
        return await answer(predict_file, body, name, length, seed)

    routes = [Route("/", home), Route("/predict", predict_upload, methods=["POST"])]
    verbs = {
        "predict": verb(predict_samples),
        "classify": verb(predict_examples, "classify"),
        "regress": verb(predict_examples, "regress"),
    }
    for name in (f"/v1/models/{recipe}", f"/v1/models/{recipe}/versions/{version}"):
        routes += [Route(name, status), Route(f"{name}/metadata", metadata)]
        routes += [Route(f"{name}:{v}", run, methods=["POST"]) for v, run in verbs.items()]
    made = Starlette(
        routes=routes,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
        exception_handlers={
            HTTPException: _refused,
            RecipeError: _wrong_samples,
            ClientDisconnect: _nobody_listens,
        },
    )
    made.router.redirect_slashes = False
    return made


def describe(exported: Exported) -> dict[Any, Any]:
    """Return the model's signatures in TensorFlow Serving's form, and what is known of the data."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((exported.folder / "saved_model.pb").read_bytes())
    how = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
    stored = saved.meta_graphs[0].signature_def
    signatures = {n: json_format.MessageToDict(stored[n], **how) for n in exported.signatures}
    name, version = exported.recipe.name, exported.folder.name
    return {
        "model_spec": {"name": name, "signature_name": "", "version": version},
        "metadata": {
            "signature_def": {"signature_def": signatures},
            "data": exported.info.to_record(),
        },
    }


def predict_samples(exported: Exported, body: bytes) -> dict[Any, Any]:
    """Answer a predict request in TensorFlow Serving's row or columnar form."""
    request = requests.read_json(body)
    name = requests.signature_name(request, exported.signatures, "serving_default")
    x, by_row = requests.read_samples(request, exported.signature(name).inputs)
    outputs = {key: _plain(values) for key, values in exported.outputs(x, name).items()}
    if len(outputs) == 1:  # TensorFlow Serving does not name a single output
        (answer,) = outputs.values()
    else:
        answer = loading.rows(outputs) if by_row else outputs
    return {"predictions" if by_row else "outputs": answer}


def predict_examples(exported: Exported, body: bytes, verb: str) -> dict[Any, Any]:
    """Answer a classify or regress request in TensorFlow Serving's form.

    The result has a list of [class, score] for each example, or its values.
    """
    request = requests.read_json(body)
    name = requests.signature_name(request, exported.signatures, verb)
    wanted, call = RESULTS[verb], exported.signature(name)
    if call.inputs.keys() != {"inputs"} or call.outputs.keys() != set(wanted):
        raise HTTPException(400, f"The signature {name} is not made for :{verb}.")
    examples = requests.read_examples(request, exported.input)
    outputs = exported.outputs(examples, name)
    if verb == "regress":
        return {"result": _plain(outputs["outputs"])}
    pairs = zip(*(_plain(outputs[key]) for key in wanted), strict=True)
    return {"result": [list(map(list, zip(*row, strict=True))) for row in pairs]}


def predict_file(
    exported: Exported, body: bytes, name: str, length: int, seed: int
) -> dict[Any, Any]:
    """Answer for one file as `predict` does; a text model continues the text."""
    x, notes = requests.read_file(body, name, exported)
    if exported.task.generates:
        return {"continuation": exported.go_on(x[0], length, seed)}
    answers = exported.describe(exported.outputs(x), notes)
    return answers[0] if len(answers) == 1 else {"predictions": answers}  # rows of a table


def _plain(values: np.ndarray) -> list[Any]:
    if values.dtype == object:
        values = np.frompyfunc(lambda text: text.decode("utf-8", "replace"), 1, 1)(values)
    return values.tolist()


async def _body(request: Request, limit: int) -> bytes:
    """Return a request's body, unless it is too large, too slow, or a foreign page's."""
    origin = request.headers.get("origin")
    if origin not in (None, f"http://{request.headers['host']}"):
        raise HTTPException(403, "Only pages of this server may send requests to it.")
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():  # to its end: many clients send before they read
                size += len(chunk)
                if size <= limit:
                    body += chunk
    except TimeoutError as e:
        raise HTTPException(408, "The body took too long to arrive.") from e
    if size > limit:
        raise HTTPException(
            413, f"The body has more than {limit:,} bytes. Send fewer samples or a smaller file."
        )
    return bytes(body)


def _whole_number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
        raise HTTPException(400, f"{name} must be a whole number from 0 to {most}.")
    return int(text)


async def _refused(request: Request, error: HTTPException) -> JSONResponse:
    sentence = SENTENCES.get(error.status_code, error.detail)
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


async def _wrong_samples(request: Request, error: RecipeError) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 400)


async def _nobody_listens(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=400)
