"""Many hosts train one model, through JAX: each runs the same command and feeds its share.

All of them compute the same thing at the same time, callbacks included, since what JAX computes
on many hosts needs them all. Host 0 alone writes the run; the others read it as it stands when
training begins, and leave what they would write in a scratch directory.
"""

from __future__ import annotations

import atexit
import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from kcatalog.recipe.files import shared
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.terminal import stopping
from kcatalog.recipe.terminal.errors import RecipeError

LONGEST = 4096  # bytes of a message

WHY_NOT = {
    "tensorflow": "on TensorFlow MultiWorkerMirroredStrategy fails under Keras 3 (PerReplica "
    "cannot be converted, keras issue 20585)",
    "torch": "on PyTorch Keras trains on one device of one host",
}
LOST = (
    "Another host is gone, so this one stops. Start all of them again with --resume: the run "
    "goes on from its last finished epoch."
)
SIGNS_OF_LOSS = re.compile("gloo|nccl|coordination service|heartbeat|unavailable", re.IGNORECASE)


@dataclass(frozen=True)
class Hosts:
    """Which host this is, and how many there are."""

    index: int = 0
    count: int = 1

    @property
    def shard(self) -> tuple[int, int]:
        return self.index, self.count


ALONE = Hosts()


@contextlib.contextmanager
def together(addresses: str | None, index: int | None) -> Iterator[Hosts]:
    """Meet the other hosts. This has to come before JAX computes anything.

    Args:
        addresses: "host0:port,host1:port", the same on every host, or "auto" where a TPU pod,
            Slurm, Open MPI or Kubernetes tells. None: there are no others.
        index: this host's place among the addresses.
    """
    if addresses is None and index is None:
        yield ALONE
        return
    place = _understood(addresses, index)
    import jax

    keras.utils.set_random_seed(0)  # without one Keras would agree on one; a run has its own
    print("Waiting for the other hosts, five minutes at most.", flush=True)
    try:
        keras.distribution.initialize(*place)
    except (RuntimeError, ValueError) as e:
        raise RecipeError(f"--hosts {addresses}: the hosts cannot meet. {str(e).strip()}") from e
    try:
        yield Hosts(jax.process_index(), jax.process_count())
    except BaseException as e:
        lost = isinstance(e, Exception) and SIGNS_OF_LOSS.search(str(e)) is not None
        # ends this process without waiting for the others, as JAX would; they notice at once
        atexit.register(stopping.leave, 2 if lost or isinstance(e, RecipeError) else 1)
        if lost and not isinstance(e, RecipeError):
            raise RecipeError(LOST) from e
        raise


def _understood(addresses: str | None, index: int | None) -> tuple:
    """What Keras is to be told: the addresses, their number and this host's own place."""
    backend = keras.backend.backend()
    if backend in WHY_NOT:
        raise RecipeError(f"--hosts needs the JAX backend (KERAS_BACKEND=jax): {WHY_NOT[backend]}.")
    if addresses == "auto" and index is None:
        return None, None, None
    all_of_them = (addresses or "").split(",")
    if len(all_of_them) < 2 or not all(re.fullmatch(r"\S+:\d+", a) for a in all_of_them):
        raise RecipeError(
            "--hosts must be host:port for two hosts or more, separated by commas, or auto "
            f"without --host-index. Received: {addresses!r}."
        )
    if index is None or not 0 <= index < len(all_of_them):
        raise RecipeError(
            f"--host-index must say which of the {len(all_of_them)} hosts this is, from 0 to "
            f"{len(all_of_them) - 1}. Received: {index}."
        )
    return addresses, len(all_of_them), index


@contextlib.contextmanager
def meet(hosts: Hosts, lead: contextlib.AbstractContextManager, follow: Callable) -> Iterator:
    """Enter one run on all hosts, or on none. Yields (run, data).

    Args:
        lead: enters the run; on host 0 it holds its directory.
        follow: takes the run's path and returns (run, data), elsewhere.
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
        message = _broadcast(shared.mark(entered[0].path) if entered else "")
        try:
            if hosts.index > 0 and message:
                scratch = stack.enter_context(tempfile.TemporaryDirectory())
                entered = _beside(message, Path(scratch), follow)
        except Exception as e:
            error = e
        _all_or_none(entered is not None, error)
        keras.utils.clear_session()  # host 0 has built a model; from here on all do the same
        keras.utils.set_random_seed(0)
        yield entered


def _beside(message: str, scratch: Path, follow: Callable) -> tuple:
    """The run that host 0 entered, as a copy to write to."""
    path = shared.find(message, "Host 0")
    run, data = follow(path)
    for name in ("hyperparameters.json", "checkpoints"):
        source = run.path / name
        if source.exists():
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, scratch / name)
    print(f"This host trains along in {path}. Host 0 tells how it goes.", flush=True)
    return Run(scratch, run.facts), data


def _broadcast(text: str) -> str:
    """Host 0's text, on every host."""
    from jax.experimental import multihost_utils

    sent = np.frombuffer(text.encode().ljust(LONGEST, b"\0"), "uint8")
    received = np.asarray(multihost_utils.broadcast_one_to_all(sent)).astype("uint8")
    return received.tobytes().rstrip(b"\0").decode()


def _all_or_none(ready: bool, error: Exception | None) -> None:
    """Go on if every host is ready; else each says why not."""
    import jax
    from jax.experimental import multihost_utils

    answers = multihost_utils.process_allgather(np.array([ready])).ravel()
    if not answers.all():
        jax.distributed.shutdown()  # in order, while nobody is gone
        host = int(np.argmin(answers))
        raise error or RecipeError(f"Host {host} cannot take part; it says why. All of them stop.")
