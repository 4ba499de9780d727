"""Trials on a Ray cluster: Ray places them by cores, GPUs and memory, and retries those of hosts
that die. The trial's folder is on a file system that all hosts share."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

from kcatalog.recipe import devices
from kcatalog.recipe.search import process
from kcatalog.recipe.search.runners import Script, Scripted, threads
from kcatalog.recipe.terminal.errors import RecipeError

RETRIES = 10  # how often a trial may lose its host


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Be connected to a Ray cluster, if an address is given ("auto" finds this machine's)."""
    if address is None:
        yield
        return
    try:
        import ray
    except ImportError as e:
        raise RecipeError("--cluster needs Ray: pip install 'kcatalog[cluster]'.") from e
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        _reach(address)
        ray.init(address, log_to_driver=False, logging_level="ERROR")
    except (OSError, ValueError, RuntimeError) as e:
        raise RecipeError(
            f"--cluster {address}: cannot connect to a Ray cluster. Start one with `ray start "
            f"--head`, and add hosts with `ray start --address=HOST:6379`. ({e})"
        ) from e
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray's handler would not say how to resume
    try:
        yield
    finally:
        ray.shutdown()  # which ends the trials


def _reach(address: str) -> None:
    """Raise an error at once where nobody listens: Ray would try for some minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if address != "auto":
        socket.create_connection((host, int(port)), timeout=10).close()


class RayCluster(Scripted):
    """Runs trials on the hosts of the Ray cluster that this process is connected to.

    Args:
        script: the recipe's, which all hosts see under the same path.
        parallel: trials at once on each host.
    """

    on_cluster = True

    def __init__(self, script: Script, parallel: int):
        import ray

        super().__init__(script)
        self._ray = ray
        resources = self._hosts()
        cores = max(1, int(min((host["CPU"] for host in resources), default=1)) // parallel)
        gpus = _gpus(script.devices, max((host.get("GPU", 0) for host in resources), default=0))
        memory = (script.memory or 0) * process.GB
        needs = {"CPU": cores, "GPU": gpus, "memory": memory}
        self._needs = {name: amount for name, amount in needs.items() if amount}
        if not any(map(self._fits, resources)):
            raise RecipeError(f"No host of the cluster has what a trial needs: {self._needs}.")
        path = os.environ.get("PYTHONPATH")
        self._environment = threads(cores) | ({"PYTHONPATH": path} if path else {})
        ray.cloudpickle.register_pickle_by_value(process)
        self._task = ray.remote(
            num_cpus=cores,
            num_gpus=gpus,
            memory=memory or None,
            max_retries=RETRIES,
            scheduling_strategy="SPREAD",
        )(process.run)

    def submit(self, work):
        return self._task.remote(**self.call(work, self._environment)).future()

    @property
    def slots(self) -> int:
        """Return the number of trials that the hosts have room for now, at least one.

        Hosts come and go. Ray keeps a trial until there is room.
        """
        return max(1, sum(map(self._fits, self._hosts())))

    def _hosts(self) -> list[dict[Any, Any]]:
        """Return the resources of the hosts that compute."""
        alive = (node["Resources"] for node in self._ray.nodes() if node["Alive"])
        return [resources for resources in alive if resources.get("CPU")]

    def _fits(self, host: dict[Any, Any]) -> int:
        return min(int(host.get(name, 0) // amount) for name, amount in self._needs.items())


def _gpus(asked: str, found: float) -> int:
    """Return how many GPUs a trial needs, where a host has `found`."""
    kind, count = devices.parse(asked)
    if kind == "tpu":
        raise RecipeError("--devices must be auto, all, cpu or gpu with --cluster.")
    return {"cpu": 0, "gpu": count, "auto": min(1, int(found)), "all": int(found)}[kind]
