"""Two small exported models, and servers for them.

As a program: export the image model and serve it, in the current folder.
"""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from kcatalog.recipe import Recipe, data, serve

ROOT = Path(__file__).parents[2]
FACTS = {
    "picture": {
        "name": "some",
        "task": "classification",
        "input_name": "image",
        "input_shape": [8, 8, 1],
        "classes": list("abcdefghij"),
    },
    "text": {
        "name": "some",
        "task": "next-character",
        "input_name": "characters",
        "input_shape": [128],
        "classes": list("\nabc"),
    },
}
SOURCES = {"picture": data.Images(), "text": data.Text()}


def recipe(kind: str, name: str | None = None) -> Recipe:
    """Return a recipe that reads files; it never trains."""
    return Recipe(name or kind, SOURCES[kind], build=main, baseline=main)


def export(kind: str, name: str | None = None, version: int = 1) -> None:
    """Write a small model to where a recipe's export would be."""
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.uint8, name="image")])
        def picture(self, image):
            """Return the brightest row as the class."""
            scores = tf.reduce_mean(tf.cast(image, tf.float32), [2, 3])
            scores = tf.concat([scores, scores[:, :2]], 1)
            label = tf.gather(FACTS["picture"]["classes"], tf.argmax(scores, 1))
            p = tf.nn.softmax(scores)
            return {"scores": scores, "probabilities": p, "label": label}

        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.uint8, name="image")])
        def scores(self, image):
            return {"scores": self.picture(image)["scores"]}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def serving_bytes(self, image_bytes):
            """Classify files of 8 x 8 pixels."""

            def decode(content):
                return tf.ensure_shape(
                    tf.io.decode_image(content, 1, expand_animations=False), [8, 8, 1]
                )

            return self.picture(tf.map_fn(decode, image_bytes, fn_output_signature=tf.uint8))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
        def classify(self, inputs):
            """Classify serialized tf.Examples."""
            feature = {"image": tf.io.FixedLenFeature([8, 8, 1], tf.int64)}
            image = tf.cast(tf.io.parse_example(inputs, feature)["image"], tf.uint8)
            p, places = tf.math.top_k(self.picture(image)["probabilities"], 2)
            return {"classes": tf.gather(FACTS["picture"]["classes"], places), "scores": p}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
        def regress(self, inputs):
            """Return the mean brightness of serialized tf.Examples."""
            feature = {"image": tf.io.FixedLenFeature([8, 8, 1], tf.int64)}
            image = tf.cast(tf.io.parse_example(inputs, feature)["image"], tf.float32)
            return {"outputs": tf.reduce_mean(image, [1, 2, 3])}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def text(self, text):
            """Predict b after a, c after b, any character after ?, NaN after !, and else a."""
            last = tf.strings.substr(text, -1, 1)
            follows = tf.where(last == "a", 2, tf.where(last == "b", 3, 1))
            known = tf.where(last[:, None] == "?", 0.25, tf.one_hot(follows, 4))
            return {"probabilities": tf.where(last[:, None] == "!", float("nan"), known)}

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.string, name="text"),
                tf.TensorSpec([None, 2], tf.float32, name="count"),
            ]
        )
        def step(self, text, count):
            """Predict as `text`, and count the characters."""
            read = tf.cast(tf.strings.length(text), tf.float32)[:, None]
            return {**self.text(text), "next_count": count + read}

    model, folder = Model(), Path("saved_models") / (name or kind) / str(version)
    further = {
        "picture": ["scores", "serving_bytes", "classify", "regress"],
        "text": ["step"],
    }[kind]
    signatures = {"serving_default": getattr(model, kind)}
    signatures |= {each: getattr(model, each) for each in further}
    tf.saved_model.save(model, str(folder), signatures)
    (folder / "manifest.json").write_text(json.dumps({"data": FACTS[kind]}))


@contextlib.contextmanager
def running(exported):
    """Serve an exported model in a thread of this process. Yields the port."""
    from kcatalog.recipe.serve import app

    with serve.listen(0) as listening:
        port = listening.getsockname()[1]
        server = app.server(exported, f"http://127.0.0.1:{port}")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield port
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def process(folder: Path, stderr):
    """Run this module as a program in a folder."""
    with subprocess.Popen(
        [sys.executable, __file__],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    ) as server:
        try:
            yield server
        finally:
            server.kill()


def ask(port: int, path: str, body=None, method=None, **headers):
    """Send one request. Returns the status and the body, read as JSON where it is JSON.

    A `dict` as body is sent as JSON. Headers are given with underscores.
    """
    if isinstance(body, dict):
        body = json.dumps(body)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method or ("GET" if body is None else "POST"), path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    if answer.headers["content-type"] == "application/json":
        content = json.loads(content)
    return answer.status, content


def ask_raw(port: int, sent: bytes) -> bytes:
    """Send bytes and close this side; return what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(100_000)
        return b""


def main() -> None:
    from kcatalog.recipe.terminal import stopping

    export("picture")
    with stopping.signals():
        serve.serve(recipe("picture"), port=0)


if __name__ == "__main__":
    main()
