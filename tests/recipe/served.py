"""Servers for tests, and clients on raw sockets.

As a program: write a small model and serve it, in a folder of its own.

    python served.py picture|text '{"limit": value, ...}'
"""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from kcatalog.recipe import Recipe, data
from tests.recipe.hostile import NO_ANSWER, Case

ROOT = Path(__file__).parents[2]
FACTS = {
    "picture": {
        "task": "classification",
        "input_name": "image",
        "input_shape": [8, 8, 1],
        "classes": list("abcdefghij"),
    },
    "text": {
        "task": "next-character",
        "input_name": "characters",
        "input_shape": [128],
        "classes": list("\nabc"),
    },
}
SOURCES = {"picture": data.Images(), "text": data.Text()}


def recipe(name: str) -> Recipe:
    """A recipe that reads files; it never trains."""
    return Recipe(name, SOURCES[name], build=main, baseline=main)


def export(name: str, version: int = 1) -> None:
    """Write a small model as a recipe's export would stand in this folder."""
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.uint8, name="image")])
        def picture(self, image):
            """The rows' brightness decides."""
            scores = tf.reduce_mean(tf.cast(image, tf.float32), [2, 3])
            scores = tf.concat([scores, scores[:, :2]], 1)
            label = tf.gather(FACTS["picture"]["classes"], tf.argmax(scores, 1))
            p = tf.nn.softmax(scores)
            return {"scores": scores, "probabilities": p, "label": label}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def text(self, text):
            """After a comes b, after b c, after ? any character, after all else a."""
            last = tf.strings.substr(text, -1, 1)
            follows = tf.where(last == "a", 2, tf.where(last == "b", 3, 1))
            known = tf.one_hot(follows, 4)
            return {"probabilities": tf.where(last[:, None] == "?", 0.25, known)}

    model, folder = Model(), Path("saved_models") / name / str(version)
    tf.saved_model.save(model, str(folder), {"serving_default": getattr(model, name)})
    (folder / "manifest.json").write_text(json.dumps({"data": FACTS[name]}))


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen
    port: int
    said: str
    errors: Path

    @property
    def memory(self) -> int:
        """Resident kilobytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    @property
    def open_files(self) -> int:
        """Files and connections."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@contextlib.contextmanager
def running(command: list, folder: Path):
    """A server, once it says that it serves. What still runs at the end is killed."""
    errors = folder / "stderr"
    environment = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow", "PYTHONUNBUFFERED": "1"}
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            said = process.stdout.readline() + process.stdout.readline()
            assert "Serving" in said, errors.read_text()
            port = int(said.split("http://127.0.0.1:")[1].split()[0])
            yield Server(process, port, said, errors)
        finally:
            process.kill()


class Client:
    """A connection that is opened when it is needed, and kept while the server keeps it."""

    def __init__(self, port: int):
        self.port, self.socket = port, None

    def ask(self, case: Case) -> tuple[int, dict, bytes]:
        """Status, headers and body of the answer; NO_ANSWER where the server hung up.

        Where it had hung up on a kept connection before the request came, the request is sent
        once more, as every HTTP client does.
        """
        kept = self.socket is not None
        answer = self._ask(case)
        return self._ask(case) if kept and answer[0] == NO_ANSWER not in case.right else answer

    def _ask(self, case: Case) -> tuple[int, dict, bytes]:
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        with contextlib.suppress(ConnectionError):  # an answer may stand there all the same
            self.socket.sendall(case.raw)
            if case.ends:
                self.socket.shutdown(socket.SHUT_WR)
        if case.right == (NO_ANSWER,):
            self.close()
            return NO_ANSWER, {}, b""
        answer = http.client.HTTPResponse(self.socket)
        try:
            answer.begin()
            body = answer.read()
        except (ConnectionError, http.client.HTTPException):
            self.close()
            return NO_ANSWER, {}, b""
        headers = {name.lower(): value for name, value in answer.getheaders()}
        if answer.will_close or case.ends or case.name in ("too short",):
            self.close()
        return answer.status, headers, body

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def main(name: str, limits: str) -> None:
    from kcatalog.recipe import serve
    from kcatalog.recipe.serve.limits import Limits
    from kcatalog.recipe.terminal import stopping

    export(name)
    with stopping.signals():
        serve.serve(recipe(name), port=0, limits=Limits(**json.loads(limits)))


if __name__ == "__main__":
    main(*sys.argv[1:])
