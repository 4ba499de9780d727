"""The base of metrics that need all samples at once."""

import warnings
from typing import Any

from keras import ops

from kcatalog import checks
from kcatalog.metrics.metric import Metric, known
from kcatalog.ops.buffer import appended
from kcatalog.ops.replicas import replica_context
from kcatalog.types import Tensor


class KeptSamples(Metric):
    """Base of metrics that keep samples, as many as there is room for.

    Compiled code cannot make room: the variables of a state keep their shapes. So what is left out
    is counted and reported.

    Args:
        capacity: How many samples are kept, an integer in [1, inf). Set it to the size of the set
            or above: later samples are left out, with a warning that tells how many there are.
    """

    def __init__(self, capacity: int = 4096, **kwargs: Any):
        super().__init__(**kwargs)
        self.capacity = checks.integer(self, "capacity", capacity, "[1, inf)")
        self._seen = self.add_variable((), "zeros", "int32", name="seen")
        self._reported = capacity

    def keep(self, samples: Tensor, **kept: Any) -> Tensor:
        """Append a batch of `samples`, and return how many came before.

        Args:
            samples: how many there are.
            kept: for names of variables, their new rows.
        """
        if replica_context() is not None:
            name = type(self).__name__
            raise RuntimeError(
                f"{name} compares all samples with each other, but each replica of tf.distribute "
                "would keep its own. Compile it into a model outside of the strategy's scope and "
                "evaluate that."
            )
        before = ops.copy(self._seen)  # PyTorch assigns in place
        for name, values in kept.items():
            state = getattr(self, f"_{name}")
            state.assign(appended(ops.convert_to_tensor(state), values, before))
        self._seen.assign(before + samples)
        return before

    def report_overflow(self) -> None:
        """Warn of samples that were left out, where their number can be read."""
        seen = known(self._seen)
        if seen is not None and seen > self._reported:
            self._reported = 2 * int(seen)  # `fit` on PyTorch asks after every batch
            name, kept = type(self).__name__, self.capacity
            warnings.warn(
                f"{name}: the result is that of the first {kept} of {seen} samples. "
                f"Construct it with capacity={seen} or more: {name}(capacity={seen}).",
                stacklevel=3,
            )

    def reset_state(self) -> None:
        """Forget all samples."""
        self._reported = self.capacity
        super().reset_state()
