"""KerasTuner's chief and client, from the modules that nothing public leads to.

`Tuner.search` would start KerasTuner's chief; that one never ends where a worker has died, looks
every 20 seconds whether it may, and shares its port with a second chief. So its service is put
on a server here, and its client asks through a stub that waits for a chief that restarts.

Trials go over the wire by their names alone. KerasTuner's messages leave out why a trial failed,
and put the space in another order; so hyperparameters and results are read from the trial's
folder, where they stand to the last bit.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent import futures

import grpc
import keras_tuner
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.distribute.oracle_client import OracleClient

from kcatalog.recipe.terminal.errors import RecipeError

__all__ = ["OracleClient", "OracleServicer"]
TERMS = "terms-bin"  # beside the chief's first answer: what workers have to know
ANSWER = 15.0  # seconds that one answer may take
CHANNEL = [  # tries again every second; gRPC itself would soon wait for two minutes
    *((f"grpc.{which}_reconnect_backoff_ms", 1000) for which in ("initial", "min", "max")),
    ("grpc.enable_http_proxy", 0),
]
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def named(trial_id: str, status: str) -> keras_tuner.engine.trial.Trial:
    """A trial as it goes over the wire."""
    return keras_tuner.engine.trial.Trial(keras_tuner.HyperParameters(), trial_id, status)


def created(trial_id: str, status: str):
    """The answer to a worker that wants a trial."""
    return protos.get_service().CreateTrialResponse(trial=named(trial_id, status).to_proto())


def ended():
    """The answer to a worker that has ended a trial."""
    return protos.get_service().EndTrialResponse()


def greeting(context, terms: dict):
    """The answer to a worker's first question."""
    context.set_trailing_metadata(((TERMS, json.dumps(terms).encode()),))
    return protos.get_service().GetSpaceResponse()


@contextlib.contextmanager
def serving(servicer: OracleServicer, address: str) -> Iterator[str]:
    """Answer at "host:port" meanwhile; as the address that it became, where the port was 0."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=1), options=[("grpc.so_reuseport", 0)]
    )
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"{address.rpartition(':')[0]}:{port}"
    finally:
        server.stop(grace=1).wait()


@contextlib.contextmanager
def working_for(address: str, name: str) -> Iterator[None]:
    """What a tuner has to find in the environment to be a worker."""
    host, _, port = address.rpartition(":")
    told = {"KERASTUNER_TUNER_ID": name}
    told |= {"KERASTUNER_ORACLE_IP": host, "KERASTUNER_ORACLE_PORT": port}
    os.environ.update(told)
    try:
        yield
    finally:
        for variable in told:
            del os.environ[variable]


class Asking:
    """A chief's stub, whose every call waits for a chief that is away.

    Args:
        address: "host:port".
        patience: seconds to wait.
        say: takes a sentence on it.
    """

    def __init__(self, address: str, patience: float, say: Callable[[str], None]):
        self.address, self._patience, self._say = address, patience, say
        self._stub = protos.get_service_grpc().OracleStub(
            grpc.insecure_channel(address, options=CHANNEL)
        )

    def __getattr__(self, name: str) -> Callable:
        return lambda request, **_: self._call(getattr(self._stub, name), request)[0]

    def terms(self) -> dict:
        """What the chief says to a worker that comes."""
        request = protos.get_service().GetSpaceRequest()
        beside = dict(self._call(self._stub.GetSpace, request)[1].trailing_metadata())
        if TERMS not in beside:
            raise RecipeError(f"What answers at {self.address} is not the chief of a recipe.")
        return json.loads(beside[TERMS])

    def _call(self, method, request) -> tuple:
        deadline, waiting = time.monotonic() + self._patience, False
        while True:
            left = deadline - time.monotonic()
            try:
                return method.with_call(request, timeout=max(0.1, min(ANSWER, left)))
            except grpc.RpcError as e:
                if e.code() not in AWAY:
                    raise RecipeError(f"The chief at {self.address} stopped. {e.details()}") from e
                if time.monotonic() >= deadline:
                    raise RecipeError(
                        f"The chief at {self.address} has not answered for "
                        f"{self._patience:g} seconds. Start it, with --resume if it ran before."
                    ) from e
            if not waiting:
                self._say(
                    f"The chief at {self.address} does not answer. Waiting up to "
                    f"{self._patience:g} seconds for it."
                )
                waiting = True
            time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
