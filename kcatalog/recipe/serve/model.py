"""The exported model behind the endpoints: bodies in, what JSON can say out."""

from __future__ import annotations

import numpy as np

from kcatalog.recipe.export import loading
from kcatalog.recipe.export.loading import Exported
from kcatalog.recipe.serve import files, instances
from kcatalog.recipe.serve.answers import RequestError
from kcatalog.recipe.serve.limits import Limits


class Model:
    """An exported version with its limits. All of it runs in the worker's thread."""

    def __init__(self, exported: Exported, limits: Limits):
        self.exported, self.limits = exported, limits
        self.spec = exported.answer.input
        self.writes = exported.facts["task"] == "next-character"

    def instances(self, body: bytes) -> dict:
        """TensorFlow Serving's answer: one output bare, several under their names."""
        x = instances.read(body, self.spec.name, self.spec, self.limits)
        outputs = {name: _plain(values) for name, values in self._outputs(x).items()}
        if len(outputs) == 1:
            return {"predictions": next(iter(outputs.values()))}
        return {"predictions": loading.rows(outputs)}

    def file(self, body: bytes, content_type: str, length: int, seed: int) -> dict:
        """What the model says of a file, or how it goes on from a text."""
        x = files.read(body, content_type, self.exported, self.limits)
        if self.writes:
            return {"continuation": self.exported.go_on(x[0], length, seed)}
        return self.exported.describe(self._outputs(x))[0]

    def _outputs(self, x) -> dict[str, np.ndarray]:
        """The model's outputs, a few samples at a time, so that memory stays flat."""
        import tensorflow as tf

        if not isinstance(x, list):
            instances.fit(x, self.spec, self.limits)
        size = self.limits.batch
        try:
            few = [self.exported.outputs(x[i : i + size]) for i in range(0, len(x), size)]
        except tf.errors.InvalidArgumentError as e:  # such as too few steps for a convolution
            raise RequestError(400, "The model cannot take these samples.") from e
        outputs = {name: np.concatenate([part[name] for part in few]) for name in few[0]}
        for name, values in outputs.items():
            if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
                raise RequestError(
                    400, f"The model's {name} are not finite: its input is too large."
                )
        return outputs


def _plain(values: np.ndarray) -> list:
    """As lists; texts as texts."""
    if values.dtype == object:
        return [v.decode("utf-8", "replace") for v in values.tolist()]
    return values.tolist()
