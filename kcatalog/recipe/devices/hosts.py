"""Training on many hosts with JAX: each runs the same command and reads its share of the data.

All hosts compute the same steps at the same time, callbacks included, because JAX's collective
operations need every host. Only host 0 writes the run. The others read it when training begins and
write to temporary folders.
"""

from __future__ import annotations

import atexit
import contextlib
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from kcatalog.recipe.files import disk
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.terminal import stopping
from kcatalog.recipe.terminal.errors import RecipeError

MESSAGE_BYTES = 4096
MARK = ".hosts"  # a file by which hosts see that they look at one directory
PATIENCE = 10.0  # seconds until a file written by another host must be seen

UNSUPPORTED = {
    "tensorflow": "on TensorFlow MultiWorkerMirroredStrategy fails under Keras 3 (PerReplica "
    "cannot be converted, keras issue 20585)",
    "torch": "on PyTorch Keras trains on one device of one host",
}
LOST = (
    "The connection to another host is lost. Start all hosts again with --resume: the run "
    "continues after its last finished epoch."
)
CONNECTION_ERRORS = re.compile(
    "gloo|nccl|coordination service|heartbeat|unavailable", re.IGNORECASE
)


class Hosts(NamedTuple):
    """This host's index, and the number of hosts."""

    index: int = 0
    count: int = 1


ALONE = Hosts()


@contextlib.contextmanager
def join(addresses: str | None, index: int | None) -> Iterator[Hosts]:
    """Connect to the other hosts. This must happen before JAX computes anything.

    Args:
        addresses: "host0:port,host1:port", the same on every host; or "auto" on a TPU pod and under
            Slurm, Open MPI or Kubernetes; or None for a single host.
        index: the index of this host's address.
    """
    if addresses is None and index is None:
        yield ALONE
        return
    place = _parse(addresses, index)
    import jax

    keras.utils.set_random_seed(0)  # else Keras broadcasts one; the run sets its own later
    print("Waiting up to five minutes for the other hosts.", flush=True)
    try:
        keras.distribution.initialize(*place)
    except (RuntimeError, ValueError) as e:
        raise RecipeError(f"--hosts {addresses}: the hosts cannot connect. {str(e).strip()}") from e
    try:
        yield Hosts(jax.process_index(), jax.process_count())
    except BaseException as e:
        lost = isinstance(e, Exception) and CONNECTION_ERRORS.search(str(e)) is not None
        # exit without waiting for the others, as JAX would; they notice at once
        atexit.register(stopping.leave, 2 if lost or isinstance(e, RecipeError) else 1)
        if lost and not isinstance(e, RecipeError):
            raise RecipeError(LOST) from e
        raise


def _parse(addresses: str | None, index: int | None) -> tuple[Any, ...]:
    """Return the arguments of `keras.distribution.initialize`."""
    backend = keras.backend.backend()
    if backend in UNSUPPORTED:
        raise RecipeError(
            f"--hosts needs the JAX backend (KERAS_BACKEND=jax): {UNSUPPORTED[backend]}."
        )
    if addresses == "auto" and index is None:
        return None, None, None
    every = (addresses or "").split(",")
    if len(every) < 2 or not all(re.fullmatch(r"\S+:\d+", a) for a in every):
        raise RecipeError(
            "--hosts must be host:port for two hosts or more, separated by commas, or auto "
            f"without --host-index. Received: {addresses!r}."
        )
    if index is None or not 0 <= index < len(every):
        raise RecipeError(
            f"--host-index must be the index of this host in --hosts, from 0 to "
            f"{len(every) - 1}. Received: {index}."
        )
    return addresses, len(every), index


@contextlib.contextmanager
def share_run(
    hosts: Hosts, lead: contextlib.AbstractContextManager, follow: Callable[..., Any]
) -> Iterator[Any]:
    """Enter one run on all hosts, or on none. Yields (run, data).

    Args:
        lead: the context that enters the run and locks its folder, used on host 0.
        follow: a function from the run's path to (run, data), used on the other hosts.
    """
    if hosts.count == 1:
        with lead as entered:
            yield entered
        return
    with contextlib.ExitStack() as stack:
        entered, error = None, None
        try:
            if hosts.index == 0:
                entered = stack.enter_context(lead)
        except Exception as e:
            error = e
        message = _broadcast(_mark(entered[0].path) if entered else "")
        try:
            if hosts.index > 0 and message:
                scratch = stack.enter_context(tempfile.TemporaryDirectory())
                entered = _follow(message, Path(scratch), follow)
        except Exception as e:
            error = e
        _all_or_none(entered is not None, error)
        keras.utils.clear_session()  # host 0 has built a model; from now on all compute the same
        keras.utils.set_random_seed(0)
        yield entered


def _mark(folder: Path) -> str:
    """Leave a mark in a directory; return what others need to find it."""
    text = uuid.uuid4().hex
    with disk.atomic_write(folder / MARK) as file:
        file.write_text(text, encoding="utf-8")
    return f"{text} {folder.resolve()}"


def _seen(file: Path, text: str) -> bool:
    """Wait until a file holds a text, as network file systems lag; return whether it does."""
    deadline = time.monotonic() + PATIENCE
    while not (file.exists() and file.read_text(encoding="utf-8") == text):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _follow(message: str, scratch: Path, follow: Callable[..., Any]) -> tuple[Any, ...]:
    """Return the run that host 0 has entered, with a copy of its files to write to."""
    text, _, path = message.partition(" ")
    if not _seen(file := Path(path) / MARK, text):
        raise RecipeError(
            f"Host 0 works in {path}, and this host does not see its files there. Many hosts "
            "need one file system that all of them see under the same path."
        )
    run, data = follow(file.parent)
    if run.checkpoints.exists():
        shutil.copytree(run.checkpoints, scratch / run.checkpoints.name)
    print(f"This host takes part in {path}. Host 0 reports the progress.", flush=True)
    return Run(scratch, run.facts), data


def _broadcast(text: str) -> str:
    """Return host 0's text on every host."""
    from jax.experimental import multihost_utils

    sent = np.frombuffer(text.encode().ljust(MESSAGE_BYTES, b"\0"), "uint8")
    received = np.asarray(multihost_utils.broadcast_one_to_all(sent)).astype("uint8")
    return received.tobytes().rstrip(b"\0").decode()


def _all_or_none(ready: bool, error: Exception | None) -> None:
    """Return if every host is ready; else raise on each the error of the first that is not."""
    import jax
    from jax.experimental import multihost_utils

    answers = multihost_utils.process_allgather(np.array([ready])).ravel()
    if not answers.all():
        jax.distributed.shutdown()  # in order, while all are connected
        host = int(np.argmin(answers))
        raise error or RecipeError(f"Host {host} cannot take part and reports why. All hosts stop.")
