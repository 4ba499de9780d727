"""`serve`: real servers, asked over real connections."""

import base64
import contextlib
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kcatalog.recipe import data
from kcatalog.recipe.export import loading
from kcatalog.recipe.serve import requests
from tests.recipe import served, tiny
from tests.recipe.served import ask, ask_raw

pytestmark = pytest.mark.tensorflow
PREDICT = "/v1/models/picture:predict"
MAX_BODY = 32 * 2**20


def port(name, folder):
    """Serve a small model while a module's tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        served.export(name)
        with served.running(loading.find(served.recipe(name))) as port:
            yield port


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """The port of a small model of images."""
    yield from port("picture", tmp_path_factory.mktemp("picture"))


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """The port of a small model of text."""
    yield from port("text", tmp_path_factory.mktemp("text"))


def bright_row(row, edge=8):
    """Return an image to which the small model gives the label of this row."""
    pixels = np.zeros((8, 8), "uint8")
    pixels[row] = 100
    return np.asarray(Image.fromarray(pixels).resize((edge, edge), 0))


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def check_refused(status, answer, expected):
    """Check the status, and that the answer is a sentence that gives away no internals."""
    assert status == expected, answer
    sentence = answer["error"]
    assert sentence.endswith(".")
    assert not re.search(r"(^|[ '\"(])/\w|Traceback|\.py|object at", sentence), sentence


# --- answers ----------------------------------------------------------------------------


def test_a_real_export_answers_files_and_samples(whole_way, monkeypatch):
    monkeypatch.chdir(whole_way.folder)
    with served.running(loading.find(tiny.recipe)) as port:
        _, said = ask(port, "/predict", b"2.0 0.1", content_type="text/plain; charset=utf-8")
        assert said["label"] == "right"
        assert said["probability"] == max(said["probabilities"].values()) > 0.5
        assert list(said["probabilities"]) == ["right", "left"]
        samples = {"instances": [[2.0, 0.1], [-2, 0.1]]}
        _, answer = ask(port, "/v1/models/tiny/versions/1:predict", samples)
        assert [row["label"] for row in answer["predictions"]] == ["right", "left"]
        assert set(answer["predictions"][0]) == {"label", "probabilities", "scores"}
        p = answer["predictions"][0]["probabilities"][1]
        assert p == pytest.approx(said["probability"], abs=1e-6)
        for wrong in ([1e39, 0], [float("inf"), 0], ["1", 2], [True, 2], [1, 2, 3], [None, 1], 5):
            check_refused(*ask(port, "/v1/models/tiny:predict", {"instances": [wrong]}), 400)


def test_status_and_metadata_have_tensorflow_servings_form(picture):
    _, status = ask(picture, "/v1/models/picture")
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    assert status["model_version_status"][0]["version"] == "1"
    _, described = ask(picture, "/v1/models/picture/versions/1/metadata")
    assert described["model_spec"] == {"name": "picture", "signature_name": "", "version": "1"}
    signature = described["metadata"]["signature_def"]["signature_def"]["serving_default"]
    image = signature["inputs"]["image"]
    assert image["dtype"] == "DT_UINT8"
    assert [d["size"] for d in image["tensor_shape"]["dim"]] == ["-1", "8", "8", "1"]
    assert set(signature["outputs"]) == {"label", "probabilities", "scores"}
    every = described["metadata"]["signature_def"]["signature_def"]
    assert set(every) == {"serving_default", "scores", "serving_bytes", "classify", "regress"}
    assert every["serving_bytes"]["inputs"]["image_bytes"]["dtype"] == "DT_STRING"


def test_row_and_columnar_forms_agree(picture):
    """Samples come back in their order, also where they are more than one batch."""
    rows = np.arange(100) % 8
    samples = np.stack([bright_row(row)[..., None] for row in rows]).tolist()
    labels = ["abcdefgh"[row] for row in rows]
    for body in ({"instances": samples}, {"instances": [{"image": s} for s in samples]}):
        _, answer = ask(picture, PREDICT, body)
        assert [row["label"] for row in answer["predictions"]] == labels
    for body in ({"inputs": samples}, {"inputs": {"image": samples}}):
        _, answer = ask(picture, PREDICT, {**body, "signature_name": "serving_default"})
        assert answer["outputs"]["label"] == labels
        assert np.shape(answer["outputs"]["scores"]) == (100, 10)


def test_a_single_output_has_no_name(text):
    for given, got in (("instances", "predictions"), ("inputs", "outputs")):
        _, answer = ask(text, "/v1/models/text:predict", {given: ["xa", "b"]})
        assert answer == {got: [[0, 0, 1, 0], [0, 0, 0, 1]]}


def test_pictures_in_base64_and_any_signature(picture):
    files = [b64(png(bright_row(row))) for row in (2, 5)]
    named = [{"image_bytes": file} for file in files]
    for form in (
        {"instances": files},
        {"instances": named},
        {"inputs": files},
        {"inputs": {"image_bytes": files}},
    ):
        status, answer = ask(picture, PREDICT, {**form, "signature_name": "serving_bytes"})
        assert status == 200, answer
        if "inputs" in form:
            assert answer["outputs"]["label"] == ["c", "f"]
        else:
            assert [row["label"] for row in answer["predictions"]] == ["c", "f"]


def test_classify_and_regress_have_tensorflow_servings_form(picture):
    examples = [{"image": bright_row(row).ravel().tolist()} for row in (2, 5)]
    for more in ({}, {"signature_name": "classify"}):
        _, answer = ask(picture, "/v1/models/picture:classify", {"examples": examples, **more})
        assert [row[0][0] for row in answer["result"]] == ["c", "f"]
        assert [len(row) for row in answer["result"]] == [2, 2]
        assert answer["result"][0][0][1] > answer["result"][0][1][1]
    shared = {"context": examples[0], "examples": [{}]}
    _, answer = ask(picture, "/v1/models/picture/versions/1:regress", shared)
    assert answer == {"result": [pytest.approx(100 / 8)]}


def test_several_inputs_have_names(text):
    step = {"signature_name": "step"}
    samples = [{"text": "xa", "count": [1, 2]}, {"text": "b", "count": [0.5, 0]}]
    _, answer = ask(text, "/v1/models/text:predict", {"instances": samples, **step})
    assert [row["next_count"] for row in answer["predictions"]] == [[3, 4], [1.5, 1]]
    columns = {"text": ["xa", "b"], "count": [[1, 2], [0.5, 0]]}
    _, answer = ask(text, "/v1/models/text:predict", {"inputs": columns, **step})
    assert answer["outputs"]["next_count"] == [[3, 4], [1.5, 1]]
    for wrong in (
        {"instances": ["xa"]},
        {"instances": [{"text": "xa"}]},
        {"inputs": {**columns, "count": [[1, 2]]}},
    ):
        check_refused(*ask(text, "/v1/models/text:predict", {**wrong, **step}), 400)


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("PNG", {"content_type": "image/png"}),
        ("PNG", {}),
        ("JPEG", {"content_type": "application/x-www-form-urlencoded"}),
        ("WEBP", {"content_type": "image/webp"}),
        ("BMP", {"content_type": "application/octet-stream"}),
        ("GIF", {"content_type": "text/html"}),
        ("TIFF", {"content_type": "image/png"}),
    ],
)
def test_an_image_is_read_by_its_content(picture, kind, headers):
    file = io.BytesIO()
    Image.fromarray(bright_row(3, edge=32)).save(file, kind)
    status, said = ask(picture, "/predict", file.getvalue(), **headers)
    assert (status, said["label"], len(said["probabilities"])) == (200, "d", 5)
    form, headers = multipart(("file", "c:\\photos\\d.webp", file.getvalue()))
    status, said = ask(picture, "/predict", form, **headers)
    assert (status, said["label"]) == (200, "d")


def multipart(*parts):
    """Return a form as curl sends it, with binary content, and its headers."""
    lines = []
    for field, name, content in parts:
        file = f'; filename="{name}"\r\nContent-Type: image/webp' if name is not None else ""
        head = f'--XX\r\nContent-Disposition: form-data; name="{field}"{file}\r\n\r\n'
        lines += [head.encode() + content + b"\r\n"]
    body = b"".join(lines) + b"--XX--\r\n"
    return body, {"content_type": "multipart/form-data; boundary=XX"}


def test_a_form_has_one_file_and_an_error_names_it(picture, text):
    file = ("file", "../x/torn one.png", b"no image")
    body, headers = multipart(file)
    status, answer = ask(picture, "/predict", body, **headers)
    check_refused(status, answer, 400)
    assert "torn one.png" in answer["error"]
    field = ("note", None, b"a picture")
    good = ("file", "a.png", png(bright_row(1)))
    body, headers = multipart(field, good)
    assert ask(picture, "/predict", body, **headers)[1]["label"] == "b"
    for parts in ((file, good), ()):
        body, headers = multipart(*parts)
        check_refused(*ask(picture, "/predict", body, **headers), 400)
    for wrong in ("multipart/form-data", "multipart/form-data; boundary=YY"):
        check_refused(*ask(picture, "/predict", body, content_type=wrong), 400)
    body, headers = multipart(("text", None, b"xa"))
    assert ask(text, "/predict?length=2", body, **headers)[1] == {"continuation": "bc"}


def test_a_form_carries_any_bytes():
    content = random.Random(0).randbytes(100_000) + b"\r\n--X\r\n\r\n\n\r--"
    body, headers = multipart(("file", "a.wav", content))
    read = requests.read_upload(body, headers["content_type"], "waveform")
    assert read == (content, "a.wav")


def test_a_photograph_fits(picture):
    """Several megabytes, and turned by its EXIF data or not: the reader is that of `predict`."""
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (2000, 3000, 3), "uint8")
    Image.fromarray(noise).save(file, "jpeg", quality=90)
    assert len(file.getvalue()) > 4_000_000
    assert ask(picture, "/predict", file.getvalue(), content_type="image/jpeg")[0] == 200


def test_an_image_that_would_not_fit_into_the_memory(picture):
    """Its header promises more than its content, which is not decoded."""
    content = bytearray(png(bright_row(1)))
    content[16:24] = struct.pack(">II", 20_000, 20_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    body = {"instances": [b64(content)], "signature_name": "serving_bytes"}
    status, answer = ask(picture, PREDICT, body)
    check_refused(status, answer, 400)
    assert "at most 100,000,000 pixels" in answer["error"]


def test_a_body_may_hold_all_samples_of_a_request():
    import tensorflow as tf

    def limit(shape, dtype, known=None):
        info = tiny.info(input_shape=known or shape)
        return requests.max_body(tf.TensorSpec([None, *shape], dtype), info)

    images = np.full((256, 64, 64, 3), 255).tolist()
    assert len(json.dumps({"instances": images})) <= limit((64, 64, 3), tf.uint8)
    sounds = np.full((256, 8000), np.float32(-1.2345678e-05), "float64").tolist()
    assert len(json.dumps({"instances": sounds})) <= limit((8000,), tf.float32)
    assert limit((8000,), tf.float32) == limit((None,), tf.float32, (8000,)) > 32 * 2**20
    assert limit((512, 512, 3), tf.uint8) == 128 * 2**20
    assert limit((), tf.string) == 32 * 2**20


def test_a_text_is_continued(text):
    def continued(prompt, **query):
        path = "/predict?" + "&".join(f"{k}={v}" for k, v in query.items())
        return ask(text, path, prompt, content_type="text/plain")[1]["continuation"]

    for length, written in ((0, ""), (4, "bcab"), (1000, 333 * "bca" + "b")):
        assert continued(b"xa", length=length) == written
    drawn = [continued(b"?", length=1, seed=seed) for seed in range(12)]
    assert set(drawn) == set("\nabc")
    assert drawn == [continued(b"?", length=1, seed=seed) for seed in range(12)]


@pytest.mark.parametrize("query", ["length=1001", "length=-1", "length=", "seed=" + "9" * 5000])
def test_a_continuation_out_of_range(text, query):
    check_refused(*ask(text, f"/predict?{query}", b"xa", content_type="text/plain"), 400)


def documented():
    """Yield the shell blocks of the documentation that call curl."""
    text = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
    for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE):
        if "curl" in block:
            yield textwrap.dedent(block)


def test_each_curl_command_of_the_documentation(tmp_path, monkeypatch):
    """With ports of its own, and with answers that are JSON and no errors."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(bright_row(4)).save("digit.png")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    kinds, answers = {"image_cnn": "picture", "text_gru": "text"}, []
    with contextlib.ExitStack() as stack:
        ports = {}
        for name, kind in kinds.items():
            served.export(kind, name)
            exported = loading.find(served.recipe(kind, name))
            ports[name] = stack.enter_context(served.running(exported))
        for block in documented():
            lines = [
                line.replace("8501", str(ports["text_gru" if "text_gru" in line else "image_cnn"]))
                for line in block.splitlines()
            ]
            script = "\n".join(lines).replace("curl ", "curl -sS --fail-with-body -w '\\n' ")
            done = subprocess.run(
                ["bash", "-euc", script], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (block, done.stdout, done.stderr)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            assert len(lines) == block.count("curl ")
            answers += lines
    assert len(answers) == 9
    assert answers[0] == answers[1]
    assert answers[0]["label"] == "e"
    assert np.shape(answers[3]["outputs"]) == (2, 10)
    assert answers[4]["predictions"][0]["label"] == "e"
    assert len(answers[5]["result"]) == 1
    assert np.shape(answers[8]["predictions"]) == (1, 4)


# --- refusals ---------------------------------------------------------------------------


def b64(content):
    return {"b64": base64.b64encode(content).decode()}


def webp():
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "webp")
    return file.getvalue()


ZEROS = np.zeros((2, 8, 8, 1), int).tolist()
BODIES = {  # each is wrong in one way
    "no JSON": b'{"instances": [',
    "no UTF-8": b'{"instances": ["\xff\xfe"]}',
    "too deep": b"[" * 100_000,
    "too many digits": b'{"instances": [' + b"1" * 5000 + b"]}",
    "no object": b"[]",
    "nothing": b"",
    "neither form": {},
    "both forms": {"instances": ZEROS, "inputs": ZEROS},
    "an unknown key": {"instances": ZEROS, "more": 1},
    "another signature": {"instances": ZEROS, "signature_name": "train"},
    "no list": {"instances": 1},
    "no samples": {"instances": []},
    "too many samples": {"instances": 129 * ZEROS},
    "no base64": {"instances": [{"b64": "%"}], "signature_name": "serving_bytes"},
    "base64 of nothing": {"instances": [{"b64": None}], "signature_name": "serving_bytes"},
    "base64 of no image": {"instances": [b64(b"GIF89a")], "signature_name": "serving_bytes"},
    "base64 of another format": {"inputs": [b64(webp())], "signature_name": "serving_bytes"},
    "base64 of numbers": {"instances": [{"b64": "AAAA"}]},
    "a signature that is no name": {"instances": ZEROS, "signature_name": [1]},
    "another input": {"instances": [{"picture": ZEROS[0]}]},
    "another column": {"inputs": {"picture": ZEROS}},
    "another shape": {"instances": np.zeros((2, 8, 7, 1), int).tolist()},
    "another rank": {"instances": np.zeros((2, 64), int).tolist()},
    "an empty axis": {"instances": [[]]},
    "uneven lists": {"instances": [ZEROS[0], ZEROS[1][:3]]},
    **{
        f"{number} as number": {"instances": np.full((1, 8, 8, 1), number, object).tolist()}
        for number in (-1, 256, 1.5, np.nan, np.inf, 10**400, True, None, "7")
    },
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_the_model_cannot_take(picture, name):
    check_refused(*ask(picture, PREDICT, BODIES[name]), 400)


PIXELS = list(range(64))
EXAMPLES = {
    "no examples": {},
    "no list": {"examples": {"image": PIXELS}},
    "no object": {"examples": [PIXELS]},
    "instances": {"instances": ZEROS},
    "another feature": {"examples": [{"picture": PIXELS}]},
    "too few": {"examples": [{"image": PIXELS[:9]}]},
    "nested": {"examples": [{"image": [PIXELS]}]},
    "too large": {"examples": [{"image": [10**30] * 64}]},
    "truth": {"examples": [{"image": [True] * 64}]},
    "empty": {"examples": [{"image": []}]},
    "a signature of raw inputs": {
        "examples": [{"image": PIXELS}],
        "signature_name": "serving_default",
    },
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_that_the_model_cannot_take(picture, name):
    check_refused(*ask(picture, "/v1/models/picture:classify", EXAMPLES[name]), 400)


def test_a_model_without_the_signature_of_an_endpoint(text):
    status, answer = ask(text, "/v1/models/text:classify", {"examples": [{"text": "a"}]})
    check_refused(status, answer, 400)
    assert answer["error"] == "This model has only the signatures serving_default, step."


@pytest.mark.parametrize("sample", [1, ["a"], None, "a" * 1025, "", "!"])
def test_a_text_that_the_model_cannot_take(text, sample):
    """The model itself rejects an empty text, and its answer after ! is not finite."""
    check_refused(*ask(text, "/v1/models/text:predict", {"instances": ["a", sample]}), 400)


@pytest.mark.parametrize(
    ("path", "status", "options"),
    [
        ("/nothing", 404, {}),
        ("/v1/models/other:predict", 404, {"body": {}}),
        ("/v1/models/picture/versions/9", 404, {}),
        ("/predict/", 404, {"body": b""}),
        (PREDICT, 405, {}),
        ("/", 405, {"method": "DELETE"}),
        ("/predict", 400, {"body": b"a", "content_type": "text/html"}),
        ("/predict", 400, {"body": b"a"}),
        ("/predict", 400, {"body": b"", "content_type": "image/png"}),
        ("/predict", 400, {"body": png(bright_row(1))[:50], "content_type": "image/png"}),
        (PREDICT, 413, {"body": bytes(MAX_BODY + 1)}),
        (PREDICT, 403, {"body": {"instances": ZEROS}, "origin": "http://example.com"}),
        (PREDICT, 403, {"body": {"instances": ZEROS}, "origin": "null"}),
    ],
)
def test_a_request_that_is_refused(picture, path, status, options):
    check_refused(*ask(picture, path, **options), status)


def test_hosts_and_pages_of_this_machine_only(picture):
    for host in ("localhost", "localhost:8501", "127.0.0.1:1"):
        assert ask(picture, "/", host=host)[0] == 200
        answer = ask(picture, PREDICT, {"instances": ZEROS}, host=host, origin=f"http://{host}")
        assert answer[0] == 200
    for host in ("example.com", "127.0.0.1.example.com", "user@127.0.0.1", "127.0.0.1, a.com"):
        assert ask(picture, "/", host=host)[0] == 400
    for address in {
        a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    }:
        if address != "127.0.0.1":
            with pytest.raises(OSError):
                socket.create_connection((address, picture), timeout=5)


def test_more_connections_than_allowed(picture):
    """Further clients hear 503, and are welcome again once others have left."""
    silent = [socket.create_connection(("127.0.0.1", picture)) for _ in range(64)]
    time.sleep(0.2)
    assert ask(picture, "/")[0] == 503
    for connection in silent:
        connection.close()
    time.sleep(0.2)
    assert ask(picture, "/")[0] == 200


def test_a_body_that_does_not_arrive(picture, monkeypatch):
    from kcatalog.recipe.serve import app

    monkeypatch.setattr(app, "BODY_SECONDS", 0.2)
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n"
    with socket.create_connection(("127.0.0.1", picture), timeout=30) as slow:
        slow.sendall(head.encode())
        assert slow.recv(1000).startswith(b"HTTP/1.1 408")


# --- files that lie ---------------------------------------------------------------------


def test_files_whose_headers_lie(tmp_path):
    """They are refused without a path of this machine, and nothing is allocated for promises."""
    from starlette.exceptions import HTTPException

    class Sound:
        source = data.Speech()
        info = tiny.info(
            input_name="waveform",
            input_shape=(16_000,),
            classes="ab",
            details=data.speech.SpeechDetails(16_000),
        )

        def read(self, paths):
            return self.source.read(paths, self.info)

        def notes(self, paths):
            return self.source.notes(paths, self.info)

    def wav(rate=16_000, channels=1, bits=16, promised=3200):
        form = struct.pack("<HHIIHH", 1, channels, rate, 2 * rate, bits // 8 * channels, bits)
        head = struct.pack("<4s4sI16s4sI", b"WAVE", b"fmt ", len(form), form, b"data", promised)
        content = head + bytes(range(160)) * 20
        return b"RIFF" + struct.pack("<I", len(content)) + content

    for good in (wav(), wav(rate=8000), wav(promised=2**32 - 1)):
        assert requests.read_file(good, "a.wav", Sound())[0].shape == (1, 16_000)
    for body in (wav(rate=0), wav(channels=0), wav(bits=7), wav(bits=0), wav()[:30], b"RIFF", b""):
        with pytest.raises(HTTPException) as error:
            requests.read_file(body, "a.wav", Sound())
        check_refused(error.value.status_code, {"error": error.value.detail}, 400)


# --- the page ---------------------------------------------------------------------------


def test_the_page_loads_nothing_from_elsewhere(picture, text):
    _, page = ask(picture, "/")
    assert not re.findall(rb"(?:src|href)=\"(?!/v1/)", page)
    assert b'accept="image/png, image/jpeg, image/webp, ' in page
    assert b"<label hidden>Text" in page
    assert b"<label>Text" in ask(text, "/")[1]


@pytest.fixture
def page():
    """A page of a browser, in which no script may fail."""
    from playwright import sync_api

    browser = shutil.which("chromium") or pytest.skip("there is no chromium on the PATH")
    with sync_api.sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page, errors = window.new_page(), []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        assert errors == []
        window.close()


def predicted(page):
    """Click, and return an expectation of a part of the page."""
    from playwright import sync_api

    page.get_by_role("button", name="Predict").click()
    return lambda place: sync_api.expect(page.locator(place))


def test_the_page_in_a_browser(page, picture, tmp_path):
    """A file and a click show the picture and bars, with the JSON folded; a broken file shows the
    error."""
    Image.fromarray(bright_row(4)).save(tmp_path / "e.png")
    page.goto(f"http://127.0.0.1:{picture}/")
    page.set_input_files("#file", tmp_path / "e.png")
    shown = predicted(page)
    shown("#answer .label").to_have_text("e")
    assert page.locator("#sent img").evaluate("image => image.naturalWidth") == 8
    names = page.locator("#answer dt").all_inner_texts()
    assert (names[0], len(names)) == ("e", 5)
    bars = page.locator("#answer .bar i")
    widths = [bar.bounding_box()["width"] for bar in bars.all()]
    assert widths[0] > 20
    assert widths == sorted(widths, reverse=True)
    assert not page.locator("#json").is_visible()
    page.get_by_text("JSON", exact=True).click()
    shown("#json").to_contain_text('"label": "e"')
    assert not page.locator("textarea").is_visible()
    torn = {"name": "e.png", "mimeType": "image/png", "buffer": b"no image"}
    page.set_input_files("#file", files=torn)
    shown = predicted(page)
    shown("#answer.error").to_contain_text("e.png")
    shown("#sent").to_contain_text("cannot show e.png")


def test_the_page_shows_a_wave_and_a_text(page, text, tmp_path):
    """Sound is answered by a server of the test's own, as there is no model of it here."""
    from scipy.io import wavfile

    from kcatalog.recipe.serve import page as pages

    wavfile.write(tmp_path / "a.wav", 16_000, np.sin(np.arange(4000) / 9).astype("float32"))
    answer = {"label": "low", "probability": 0.7, "probabilities": {"low": 0.7, "high": 0.3}}
    page.goto(f"http://127.0.0.1:{text}/")
    page.fill("#text", "xa")
    shown = predicted(page)
    shown("#answer mark").to_contain_text("bcabca")
    shown("#sent pre").to_have_text("xa")
    page.route("**/predict", lambda route: route.fulfill(json=answer))
    html = pages.page("sounds", "1", "waveform", "")
    page.route("**/sounds", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(f"http://127.0.0.1:{text}/sounds")
    page.set_input_files("#file", tmp_path / "a.wav")
    predicted(page)("#answer .label").to_have_text("low")
    assert page.locator("#sent path").get_attribute("d").count("M") > 100
    assert page.locator("#sent audio").is_visible()
    answer.clear()
    answer["predictions"] = [{"label": "low", "probability": 0.75, "probabilities": {"low": 1}}]
    rows = "rowlabelprobability1low0.75"
    predicted(page)("#answer table").to_have_text(rows, use_inner_text=False)


# --- the command ------------------------------------------------------------------------


def test_serve_says_what_is_missing(call, picture, monkeypatch):
    def refused(*options):
        done = call("serve", *options, recipe=served.recipe("picture"))
        assert done.code == 2
        return done.err

    assert refused() == "There is no exported picture yet. Run `export` first.\n"
    served.export("picture")
    assert "--version must be an exported version of picture: 1." in refused("--version", 99)
    assert refused("--port", picture).startswith(f"Port {picture} cannot be used (")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert 'pip install "kcatalog[serve]"' in refused()


def mixed(rng):
    """Return a request for `ask`, and the status of its answer."""
    samples = np.frombuffer(rng.randbytes(64 * rng.randint(1, 100)), "uint8")
    instances = {"instances": samples.reshape(-1, 8, 8, 1).tolist()}
    image, kind = rng.randbytes(100), {"content_type": "image/png"}
    return rng.choice(
        [
            (("/",), {}, 200),
            (("/v1/models/picture/metadata",), {}, 200),
            ((PREDICT, instances), {}, 200),
            ((PREDICT, json.dumps(instances) + 1_000_000 * " "), {}, 200),
            (("/predict", png(samples.reshape(-1, 8))), kind, 200),
            (("/predict", image), kind, 400),
            ((PREDICT, rng.choice([b for b in BODIES.values() if b != {}])), {}, 400),
            ((f"/{rng.random()}",), {}, 404),
            ((PREDICT,), {}, 405),
            ((PREDICT, {}), {"origin": "http://example.com"}, 403),
        ]
    )


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.soak)])
def test_mixed_requests_leave_it_running_with_flat_memory(tmp_path, count):
    """A tenth of them is no HTTP, or ends in its middle. SIGTERM then ends the server in order.

    One request in eleven has a body of a megabyte, so that bodies that are kept show soon.
    """
    rng = random.Random(0)
    whole = f"POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n".encode()
    with (tmp_path / "stderr").open("w+") as errors, served.process(tmp_path, errors) as server:
        said = server.stdout.readline() + server.stdout.readline()
        assert "Serving saved_models/picture/1 at http://127.0.0.1:" in said
        assert "curl -F file=@file.png" in said
        port, memory = int(said.split("http://127.0.0.1:")[1].split()[0]), {}
        for done in range(1, count + 1):
            if done % 10 == 0:
                noise = rng.randbytes(rng.randint(1, 4000))
                answer = ask_raw(port, rng.choice([whole[: rng.randint(1, len(whole))], noise]))
                assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
            else:
                arguments, headers, right = mixed(rng)
                status, answer = ask(port, *arguments, **headers)
                assert status == right, (arguments, answer)
            if done % (count // 4) == 0:
                memory[done] = resident(server.pid)
        print(f"resident memory, kB: {memory}")
        assert memory[count] < memory[count // 2] + 2000, memory
        server.send_signal(signal.SIGTERM)
        rest, _ = server.communicate(timeout=30)
        assert (server.returncode, rest) == (0, "Stopped.\n")
        errors.seek(0)
        assert "Traceback" not in errors.read()


def resident(pid):
    """Return a process's resident memory in kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])
