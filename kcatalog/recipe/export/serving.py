"""What the exported model takes and gives, as arrays and as tensors."""

from __future__ import annotations

import numpy as np
from keras import ops

from kcatalog.recipe import tasks
from kcatalog.recipe.data import DataInfo
from kcatalog.recipe.tasks import forecasts


def request(x: np.ndarray, info: DataInfo) -> np.ndarray:
    """Raw model inputs as the exported model wants them."""
    if info.task == "next-character":
        return np.array(["".join(map(chr, codes)) for codes in x])
    return x


def dtype(requests: np.ndarray) -> str | None:
    """The type of numbers that requests bring; None for texts.

    >>> dtype(np.zeros(1, "uint8")), dtype(np.array(["a"]))
    ('uint8', None)
    """
    return None if requests.dtype.kind in "OSU" else requests.dtype.name


def expected(outputs: np.ndarray, info: DataInfo) -> dict[str, np.ndarray]:
    """What the exported model should answer, from the live model's outputs."""
    if info.task == "embedding":
        return {"embedding": outputs}
    if info.task == "forecast":
        return dict(zip(forecasts.NAMES, np.moveaxis(outputs, -1, 0), strict=True))
    if info.task == "next-character":
        return {"probabilities": tasks.probabilities(outputs[:, -1])}
    return {"scores": outputs, "probabilities": tasks.probabilities(outputs)}


def outputs(answers: dict[str, np.ndarray], info: DataInfo) -> np.ndarray:
    """The other way round: the model's outputs, as a task scores them, from named answers."""
    if info.task == "embedding":
        return answers["embedding"]
    if info.task == "forecast":
        return np.stack([answers[name] for name in forecasts.NAMES], axis=-1)
    if info.task == "next-character":
        return np.log(np.maximum(answers["probabilities"], np.finfo("float32").tiny))
    return answers["scores"]


def named(outputs, info: DataInfo) -> dict:
    """A model's outputs under their names, as `keras.ops` has them inside a graph."""
    outputs = ops.cast(outputs, "float32")
    if info.task == "embedding":
        return {"embedding": outputs}
    if info.task == "forecast":
        return {name: outputs[..., i] for i, name in enumerate(forecasts.NAMES)}
    return {"scores": outputs, "probabilities": ops.softmax(outputs)}
