"""`serve`: real servers, asked over real connections."""

import concurrent.futures
import io
import json
import re
import shutil
import signal
import socket
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.recipe import hostile, served, tiny
from tests.recipe.hostile import Case, posted, request
from tests.recipe.served import Client

pytestmark = pytest.mark.tensorflow

# What takes too long on purpose takes a second here.
QUICK = {"head_seconds": 1, "body_seconds": 1, "linger_seconds": 1, "idle_seconds": 1}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A small model of images, whose time-outs are short."""
    command = [served.__file__, "picture", json.dumps(QUICK)]
    with served.running(command, tmp_path_factory.mktemp("picture")) as server:
        yield server
        server.process.send_signal(signal.SIGINT)
        rest, _ = server.process.communicate(timeout=30)
        assert (server.process.returncode, rest) == (0, "Stopped.\n")
        assert "Traceback" not in server.errors.read_text()


@pytest.fixture(scope="module")
def tiny_server(whole_way, tmp_path_factory):
    """`python tiny.py serve`, where the whole way has exported."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "saved_models").symlink_to(whole_way.folder / "saved_models")
    with served.running([tiny.__file__, "serve", "--port", 0], folder) as server:
        yield server
        server.process.send_signal(signal.SIGTERM)
        rest, _ = server.process.communicate(timeout=30)
        assert (server.process.returncode, rest) == (0, "Stopped.\n")


@pytest.fixture(scope="module")
def ask_text(tmp_path_factory):
    """Questions to a small model of text."""
    folder = tmp_path_factory.mktemp("text")
    with served.running([served.__file__, "text", json.dumps(QUICK)], folder) as server:
        yield asking(server)


def bright_row(row):
    """An image that the small model gives the label of this row."""
    pixels = np.zeros((8, 8), "uint8")
    pixels[row] = 100
    return pixels


def until(holds, seconds=60):
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


@pytest.fixture
def ask(server):
    return asking(server)


def asking(server):
    def ask(raw: bytes, *right: int, ends=False):
        """The answer's status, and its body, read as JSON."""
        client = Client(server.port)
        status, headers, body = client.ask(Case("asked", raw, right or (200,), ends))
        client.close()
        if headers.get("content-type") == "application/json":
            body = json.loads(body)
        return status, headers, body

    return ask


def check(case, status, headers, body):
    """The answer is one of those that are right, in JSON, and gives nothing away."""
    assert status in case.right, (case.name, case.raw[:300], status, body[:300])
    if status >= 400:
        assert headers["content-type"] == "application/json", case
        sentence = json.loads(body)["error"]
        assert len(sentence) > 10, case
        assert sentence.endswith("."), (case, sentence)
        assert not re.search(r"(^|[ '\"(])/\w|Traceback|\.py|object at", sentence), sentence


# --- the endpoints ----------------------------------------------------------------------


def test_says_where_it_serves_and_how_to_ask(tiny_server):
    assert "Serving saved_models/tiny/1 at http://127.0.0.1:" in tiny_server.said
    assert "curl -H 'Content-Type: " in tiny_server.said


def test_the_real_exports_file_and_instances(tiny_server):
    ask = asking(tiny_server)
    _, _, said = ask(posted(b"2.0 0.1", "/predict", content_type="text/plain; charset=utf-8"))
    assert said["label"] == "right"
    assert said["probability"] == max(said["probabilities"].values()) > 0.5
    assert list(said["probabilities"]) == ["right", "left"]
    samples = [[2.0, 0.1], [-2, 0.1]]
    _, _, answer = ask(
        posted(json.dumps({"instances": samples}).encode(), "/v1/models/tiny:predict")
    )
    rows = answer["predictions"]
    assert [row["label"] for row in rows] == ["right", "left"]
    assert rows[0]["probabilities"][1] == pytest.approx(said["probability"], abs=1e-6)
    assert set(rows[0]) == {"label", "probabilities", "scores"}


def test_status_and_metadata_in_tensorflow_servings_words(tiny_server):
    ask = asking(tiny_server)
    _, _, status = ask(request(path="/v1/models/tiny"))
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    assert status["model_version_status"][0]["version"] == "1"
    _, _, described = ask(request(path="/v1/models/tiny/versions/1/metadata"))
    assert described["model_spec"] == {"name": "tiny", "signature_name": "", "version": "1"}
    signature = described["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["point"]["dtype"] == "DT_FLOAT"
    sizes = [d["size"] for d in signature["inputs"]["point"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", "2"]
    assert set(signature["outputs"]) == {"label", "probabilities", "scores"}
    assert described["metadata"]["data"]["classes"] == ["left", "right"]


@pytest.mark.parametrize(
    "instance", [[1e39, 0], [3.4e38, 3.4e38], ["1", 2], [True, 2], [1, 2, 3], [None, 1], 5, "ab"]
)
def test_what_a_float_model_does_not_take(tiny_server, instance):
    body = json.dumps({"instances": [instance]}).encode()
    status, _, answer = asking(tiny_server)(posted(body, "/v1/models/tiny:predict"), 400)
    assert status in ((200, 400) if instance == [3.4e38, 3.4e38] else (400,)), answer


def test_a_file_that_the_source_cannot_read(tiny_server):
    raw = posted(b"one two", "/predict", content_type="text/plain")
    status, _, answer = asking(tiny_server)(raw, 400)
    assert status == 400
    assert answer["error"] == "The body could not be read as text/plain."


def test_the_image_is_read_as_predict_reads_it(ask):
    pixels = bright_row(3)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((32, 32), 0).save(file, "png")
    _, _, said = ask(posted(file.getvalue(), "/predict", content_type="image/png"))
    assert said["label"] == "d"
    assert len(said["probabilities"]) == 5
    _, _, answer = ask(posted(json.dumps({"instances": pixels[None, ..., None].tolist()}).encode()))
    assert answer["predictions"][0]["label"] == "d"


def test_many_instances_are_answered_in_order(ask):
    pixels = np.zeros((100, 8, 8, 1), "uint8")
    rows = np.arange(100) % 8
    pixels[np.arange(100), rows] = 50
    _, _, answer = ask(posted(json.dumps({"instances": pixels.tolist()}).encode()))
    assert [p["label"] for p in answer["predictions"]] == ["abcdefgh"[row] for row in rows]


def test_the_page_runs_its_own_script_alone(ask):
    _, headers, page = ask(request(path="/"))
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers
    assert not re.findall(rb"(?:src|href)=\"(?!/v1/)", page)
    assert b'accept="image/png, image/jpeg"' in page


# --- text -------------------------------------------------------------------------------


def going_on(text, **query):
    path = "/predict?" + "&".join(f"{name}={value}" for name, value in query.items())
    return posted(text, path, content_type="text/plain")


@pytest.mark.parametrize(("length", "written"), [(0, ""), (4, "bcab"), (1000, 333 * "bca" + "b")])
def test_a_text_goes_on_as_far_as_asked(ask_text, length, written):
    _, _, said = ask_text(going_on(b"xa", length=length))
    assert said == {"continuation": written}


def test_a_text_goes_on_no_further_than_it_may(ask_text):
    status, _, said = ask_text(going_on(b"xa", length=1001), 400)
    assert status == 400
    assert said["error"] == "length must be a whole number, 1000 at most."


def test_a_seed_decides_how_a_text_goes_on(ask_text):
    def written(seed):
        return ask_text(going_on(b"?", length=1, seed=seed))[2]["continuation"]

    drawn = [written(seed) for seed in range(12)]
    assert set(drawn) == set("\nabc")
    assert drawn == [written(seed) for seed in range(12)]
    assert ask_text(going_on(b"?", length=1))[2]["continuation"] == drawn[0]


def test_the_page_of_a_text_model_has_room_for_text(ask_text, ask):
    _, _, page = ask_text(request(path="/"))
    assert b'accept="text/plain"' in page
    assert b"<label>Text" in page
    assert b"<label hidden>Text" in ask(request(path="/"))[2]


# --- the page ---------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_in_a_browser(server, tmp_path):
    """A file and a click bring its label, and the policy stops nothing the page needs."""
    from playwright import sync_api

    browser = shutil.which("chromium") or pytest.skip("there is no chromium on the PATH")
    Image.fromarray(bright_row(4)).save(tmp_path / "e.png")
    with sync_api.sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page, complaints = window.new_page(), []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.set_input_files("#file", tmp_path / "e.png")
        page.get_by_role("button", name="Predict").click()
        sync_api.expect(page.locator("#answer")).to_contain_text('"label": "e"')
        assert not page.locator("textarea").is_visible()
        assert complaints == []
        torn = {"name": "e.png", "mimeType": "image/png", "buffer": b"no image"}
        page.set_input_files("#file", files=torn)
        page.get_by_role("button", name="Predict").click()
        sync_api.expect(page.locator("#answer.error")).to_contain_text("must be an image")
        window.close()


# --- who asks, how much, how slowly -----------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_every_kind_of_request(server, seed):
    client = Client(server.port)
    for case in hostile.every_kind(seed):
        check(case, *client.ask(case))
    client.close()


def test_three_hundred_requests_on_four_connections(server):
    def some(seed):
        client = Client(server.port)
        for case in hostile.cases(seed, 75):
            check(case, *client.ask(case))
        client.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(some, range(10, 14)))


def test_listens_on_the_loopback_interface_alone(server):
    others = {a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in {*others, "127.0.0.2"} - {"127.0.0.1"}:
        with pytest.raises(OSError):
            socket.create_connection((address, server.port), timeout=5)


@pytest.mark.parametrize("host", ["localhost", "LocalHost:8501", "127.0.0.1:1", "[::1]:80"])
def test_hosts_of_this_machine(ask, host):
    assert ask(request(host=host))[0] == 200


def test_a_page_of_its_own_may_ask(ask):
    assert ask(request(host="localhost:8501", origin="http://localhost:8501"))[0] == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /health HT", 408),
        (request()[:-2], 408),
        (posted(b"", content_length="10"), 408),
        (posted(b"{", content_length="10"), 408),
        (posted(b"", content_length=None, transfer_encoding="chunked") + b"5\r\nhel", 408),
        (posted(b"", content_length=str(2**40)), 413),
    ],
    ids=["torn line", "torn headers", "no body", "torn body", "torn chunk", "a lie"],
)
def test_slow_clients_are_told(ask, raw, status):
    code, headers, answer = ask(raw, status)
    assert code == status, answer
    assert headers["connection"] == "close"


def test_a_client_that_says_nothing_is_hung_up_on(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as silent:
        assert silent.recv(1) == b""


def test_a_client_that_trickles_headers_is_hung_up_on(server):
    """Each byte in time, all of them too late."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.05) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ")
        answer = b""
        for _ in range(600):
            try:
                answer = slow.recv(1000)
                break
            except TimeoutError:
                slow.sendall(b"a")
        assert answer.startswith(b"HTTP/1.1 408")


def test_a_connection_serves_many_requests_and_pipelines(server):
    client = Client(server.port)
    for _ in range(5):
        assert client.ask(Case("page", request(), (200,)))[0] == 200
        assert client.socket is not None
    client.socket.sendall(3 * request())
    got = b""
    while got.count(b'{"status":"ok"}') < 3:
        got += client.socket.recv(1000)
    client.close()


def test_too_many_connections(server):
    """The next one is turned away, and welcome again when one has gone."""
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(70)]
    client = Client(server.port)
    status, headers, body = client.ask(Case("one more", request(), (503,)))
    for s in silent:
        s.close()
    client.close()
    assert status == 503
    assert headers["retry-after"] == "1"
    assert json.loads(body)["error"]

    def welcome():
        status, _, _ = client.ask(Case("again", request(), (200,)))
        client.close()
        return status == 200

    until(welcome)


# --- the command line -------------------------------------------------------------------


def test_a_port_in_use(whole_way, call, monkeypatch, server):
    monkeypatch.chdir(whole_way.folder)
    done = call("serve", "--port", server.port)
    assert done.code == 2
    assert f"--port must be free. Received: {server.port}" in done.err


def test_a_version_that_is_not_there(whole_way, call, monkeypatch):
    monkeypatch.chdir(whole_way.folder)
    done = call("serve", "--version", 99)
    assert done.code == 2
    assert "--version must be an exported version of tiny: 1" in done.err


def test_nothing_exported(call):
    done = call("serve")
    assert done.code == 2
    assert done.err == "There is no exported tiny yet. Run `export` first.\n"


def test_without_the_libraries(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = call("serve")
    assert done.code == 2
    assert 'pip install "kcatalog[serve]"' in done.err


# --- soak -------------------------------------------------------------------------------


@pytest.mark.soak
def test_ten_thousand_requests_leave_it_as_it_was(tmp_path):
    """Flat memory, every answer right, nothing in the log."""
    memory = {}
    with (
        served.running([served.__file__, "picture", "{}"], tmp_path) as server,
        concurrent.futures.ThreadPoolExecutor(4) as pool,
    ):

        def some(seed):
            client = Client(server.port)
            for case in hostile.cases(seed, 125):
                check(case, *client.ask(case))
            client.close()

        at_first = open_files_once_running(server)
        for done in range(500, 10_001, 500):
            list(pool.map(some, range(done, done + 4)))
            memory[done] = server.memory
        print(f"resident memory, kB: {memory}")
        assert memory[10_000] < 1.05 * memory[2_000], memory
        assert server.process.poll() is None
        until(lambda: server.open_files <= at_first)  # every connection is gone
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0
        assert "Traceback" not in server.errors.read_text()
        assert "Error" not in server.errors.read_text()


@pytest.mark.soak
def test_clients_that_do_not_read_are_hung_up_on(tmp_path):
    """They ask again and again, and leave the answers where they are."""
    limits = json.dumps({"body_seconds": 1, "answer_seconds": 1})
    body = json.dumps({"instances": np.zeros((200, 8, 8, 1), int).tolist()}).encode()
    with served.running([served.__file__, "picture", limits], tmp_path) as server:
        at_first = open_files_once_running(server)
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
        for client in clients:
            client.settimeout(60)
            with client, pytest.raises(ConnectionError):
                client.sendall(1000 * posted(body))
        until(lambda: server.open_files <= at_first)


def open_files_once_running(server):
    """The server's own, and those of one connection."""
    client = Client(server.port)
    assert client.ask(Case("first", request(), (200,)))[0] == 200
    count = server.open_files
    client.close()
    return count
