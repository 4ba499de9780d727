"""`serve`, piece by piece: what a body may hold, and how many may ask."""

import asyncio
import errno
import io
import json
import os
import struct
import threading

import numpy as np
import pytest
import uvicorn
from uvicorn.server import ServerState

from kcatalog.recipe import data
from kcatalog.recipe.export import loading
from kcatalog.recipe.serve import app, files, instances
from kcatalog.recipe.serve.answers import RequestError
from kcatalog.recipe.serve.connection import protocol
from kcatalog.recipe.serve.limits import Limits
from kcatalog.recipe.serve.model import Model
from kcatalog.recipe.serve.worker import Worker
from tests.recipe import served

pytestmark = pytest.mark.tensorflow
LIMITS = Limits()


def refused(function, *args):
    with pytest.raises(RequestError) as error:
        function(*args)
    return error.value.status, error.value.sentence


# --- instances --------------------------------------------------------------------------


def spec(shape, dtype="float32", name="x"):
    import tensorflow as tf

    return tf.TensorSpec(shape, dtype, name=name)


def read(text, wanted):
    body = text if isinstance(text, bytes) else text.encode()
    x = instances.read(body, "x", wanted, LIMITS)
    instances.fit(x, wanted, LIMITS)
    return x


@pytest.mark.parametrize(
    ("text", "dtype", "said"),
    [
        ("[[1e39]]", "float32", "between -3.4028"),
        ("[[1e999]]", "float32", "between"),
        ("[[-1]]", "uint8", "between 0 and 255"),
        ("[[0.5]]", "uint8", "whole"),
        ("[[1], [1, 2]]", "float32", "different length"),
        ("[[[1]]]", "float32", "shape [1]. Received: [1, 1]"),
        ("[[1, 2]]", "float32", "shape [1]. Received: [2]"),
        ("[]", "float32", "1 to 256"),
        ("[[true]]", "float32", "true or false"),
        ("[[null]]", "float32", "null"),
        ('[["1"]]', "float32", "a text"),
        ('[{"y": [1]}]', "float32", '{"x": sample}'),
    ],
)
def test_a_sentence_for_each_fault(text, dtype, said):
    status, sentence = refused(read, f'{{"instances": {text}}}', spec([None, 1], dtype))
    assert status == 400
    assert said in sentence


def test_numbers_arrive_as_written():
    x = read('{"instances": [[1, 2.5], [-3e2, 0]]}', spec([None, 2]))
    assert x.dtype == np.float32
    assert x.tolist() == [[1, 2.5], [-300, 0]]
    x = read('{"instances": [[0, 255.0]]}', spec([None, 2], "uint8"))
    assert x.tolist() == [[0, 255]]


def test_an_open_axis_has_an_end():
    fits = read(json.dumps({"instances": [[[0.5]] * 4096]}), spec([None, None, 1]))
    assert fits.shape == (1, 4096, 1)
    too_long = json.dumps({"instances": [[[0.5]] * 4097]})
    assert "[1 to 4096, 1]" in refused(read, too_long, spec([None, None, 1]))[1]
    assert refused(read, '{"instances": [[]]}', spec([None, None, 1]))[0] == 400


@pytest.mark.parametrize(
    "text", ['{"instances": ["\\ud800"]}', '{"instances": [1]}', '{"instances": [["a"]]}']
)
def test_texts_are_texts(text):
    assert refused(read, text, spec([None], "string"))[0] == 400


def test_texts_have_an_end():
    wanted = spec([None], "string")
    assert read(json.dumps({"instances": ["é" * 1024]}), wanted)[0].decode() == "é" * 1024
    assert "1024 characters" in refused(read, json.dumps({"instances": ["a" * 1025]}), wanted)[1]


# --- files ------------------------------------------------------------------------------


class Read:
    """An exported model's reading side alone."""

    def __init__(self, source, **facts):
        self.source, self.facts = source, facts

    def read(self, paths):
        return self.source.read(paths, self.facts)


def wav(samples=b"\x00\x01" * 1600, rate=16_000, channels=1, said=None, bits=16):
    """A WAV file whose header says what it is told to say."""
    width = bits // 8 * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * width % 2**32, width % 2**16, bits)
    content = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    content += b"data" + struct.pack("<I", len(samples) if said is None else said) + samples
    return b"RIFF" + struct.pack("<I", len(content)) + content


def sound(body):
    speech = Read(data.Speech(), input_name="waveform", input_shape=[16_000])
    return files.read(body, "audio/wav", speech, LIMITS)


def test_a_sound():
    assert sound(wav()).shape == (1, 16_000)
    assert sound(wav(rate=8_000)).shape == (1, 16_000)


@pytest.mark.parametrize(
    "body",
    [
        wav(rate=1),
        wav(rate=2**32 - 1),
        wav(rate=0),
        wav(channels=0),
        wav(channels=65_535),
        wav(bits=0),
        wav(bits=7),
        wav(b""),
        wav()[:30],
        b"RIFF",
        b"RIFX" + wav()[4:],
        b"not a sound at all",
    ],
    ids=lambda body: str(len(body)),
)
def test_sounds_whose_headers_lie(body):
    status, sentence = refused(sound, body)
    assert status == 400
    assert "/" not in sentence.replace("audio/wav", "")


def test_a_header_that_promises_more_than_there_is():
    """What is there is read, and nothing is set aside for what is not."""
    assert sound(wav(said=2**32 - 1)).shape == (1, 16_000)


def test_a_long_sound_costs_no_more_than_its_beginning():
    long = wav(np.tile(np.arange(-50, 50, dtype="<i2"), 40_000).tobytes(), rate=4_000)
    assert sound(long).shape == (1, 16_000)


def test_frames_and_their_faults():
    speech = Read(data.Speech(), input_name="frames", input_shape=[29, 2])
    assert files.read(b"1,2\n3,4\n", "text/csv", speech, LIMITS).shape == (1, 2, 2)
    for body in (b"1,2\n3\n", b"a,b\n", b"1,nan\n", b"\xff\xfe", b"1;2", b"\x00" * 100):
        status, sentence = refused(files.read, body, "text/csv", speech, LIMITS)
        assert status == 400
        assert "/" not in sentence.replace("text/csv", "")


def test_an_image_of_too_many_pixels_is_not_unpacked():
    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (6000, 6000)).save(file, "png")
    status, sentence = refused(files.read, file.getvalue(), "image/png", None, LIMITS)
    assert status == 413
    assert "32000000 pixels" in sentence


# --- text -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("text"))
        served.export("text")
        served.export("text", version=3)
        yield Model(loading.find(served.recipe("text")), LIMITS)


def test_the_newest_version_is_served(text):
    assert text.exported.folder.name == "3"


def test_a_text_goes_on(text):
    assert text.file(b"xa", "text/plain", 4, 0) == {"continuation": "bcab"}
    assert refused(text.file, b"\xff", "text/plain", 4, 0)[0] == 400
    assert "body.txt must be text in UTF-8" in refused(text.file, b"\xff", "text/plain", 4, 0)[1]


def test_one_output_stands_bare(text):
    body = json.dumps({"instances": ["xa", "b", "c"]}).encode()
    assert text.instances(body) == {"predictions": [[0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]]}


def test_what_the_model_itself_refuses(text):
    """This one takes the last character of a text."""
    status, sentence = refused(text.instances, b'{"instances": ["a", ""]}')
    assert (status, sentence) == (400, "The model cannot take these samples.")


def test_an_answer_that_is_not_finite(text, monkeypatch):
    nothing = {"probabilities": np.array([[0.0, np.nan]])}
    monkeypatch.setattr(loading.Exported, "outputs", lambda self, x: nothing)
    assert "not finite" in refused(text.instances, b'{"instances": ["a"]}')[1]


# --- a bug ---


def test_a_bug_is_told_without_its_inside(text, monkeypatch):
    """Status 500, one sentence; the traceback goes on to the server, whose terminal shows it."""

    def broken(self, body):
        raise ZeroDivisionError("/secret/path")

    monkeypatch.setattr(Model, "instances", broken)
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/models/text:predict",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
    }
    with pytest.raises(ZeroDivisionError):
        asyncio.run(app.app(text, LIMITS, "http://127.0.0.1:1")(scope, receive, send))
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"]) == {"error": "The server failed; its terminal shows where."}


# --- the worker -------------------------------------------------------------------------


def test_more_than_may_wait_are_turned_away():
    async def ask():
        worker, go = Worker(Limits(waiting=3)), threading.Event()
        waiting = [asyncio.ensure_future(worker.run(go.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(RequestError) as error:
            await worker.run(go.wait)
        assert (error.value.status, error.value.headers["Retry-After"]) == (503, "1")
        go.set()
        assert await asyncio.gather(*waiting) == [True] * 3
        assert await worker.run(lambda x: x + 1, 1) == 2
        worker.close()

    asyncio.run(ask())


def test_an_answer_that_takes_too_long():
    async def ask():
        worker, go = Worker(Limits(waiting=1, answer_seconds=0.01)), threading.Event()
        with pytest.raises(RequestError) as error:
            await worker.run(go.wait)
        assert error.value.status == 503
        with pytest.raises(RequestError, match="wait"):  # its place is taken until it ends
            await worker.run(go.wait)
        go.set()
        worker.close()

    asyncio.run(ask())


def test_what_a_function_raises_is_raised():
    async def ask():
        worker = Worker(LIMITS)
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 / 0)
        worker.close()

    asyncio.run(ask())


# --- connections -------------------------------------------------------------------------


class Gone(asyncio.Transport):
    """To a client that has reset the connection."""

    aborted = False

    def is_closing(self):
        return self.aborted

    def write(self, data):
        pass

    def write_eof(self):
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))

    def abort(self):
        self.aborted = True


def test_a_client_that_is_gone_is_hung_up_on():
    """What it is refused for can no longer be said to it."""

    async def asked():
        config = uvicorn.Config(lambda *_: None, log_config=None)
        made, transport = protocol(LIMITS)(config, ServerState(), {}), Gone()
        made.connection_made(transport)
        made.data_received(b"no HTTP\r\n\r\n")
        return transport.aborted

    assert asyncio.run(asked())
