"""Code for a model card that loads each form of an export, and calls it with zeros."""

from __future__ import annotations

from typing import Any

from kcatalog.recipe.data import DataInfo

ONNX_TYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}

TENSORFLOW = """\
import tensorflow as tf

model = tf.saved_model.load(".")
samples = {samples}
print(model.signatures["serving_default"]({name}=samples))
"""
SERVING = """\
import json
import urllib.request

import numpy as np

body = json.dumps({{"instances": {samples}.tolist()}}).encode()
with urllib.request.urlopen("http://localhost:8501/v1/models/{recipe}:predict", body) as answer:
    print(json.load(answer))
"""
LITERT = """\
import numpy as np
from ai_edge_litert.interpreter import Interpreter

run = Interpreter("{file}").get_signature_runner()
print(run(**{samples}))
"""
ONNX = """\
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
names = [output.name for output in session.get_outputs()]
print(dict(zip(names, session.run(names, {samples}))))
"""
KERAS = """\
import keras
import tensorflow as tf

layer = keras.layers.TFSMLayer(".", call_endpoint="serving_default")
samples = {samples}
print(layer(samples))
"""


def paragraphs(recipe: str, info: DataInfo, manifest: dict[Any, Any]) -> list[str]:
    """Return the section's paragraphs: one program for each form that was exported."""
    ((name, (dtype, shape)),) = manifest["signatures"]["serving_default"]["inputs"].items()
    open_shape = len(shape) != len(info.input_shape) + 1
    shape = [1, *((n or 1) for n in (shape[1:] if open_shape else info.input_shape))]
    tensor, array = f"tf.zeros({shape}, {dtype!r})", _zeros(dtype, shape)
    found = [
        "Run these in this folder. The zeros stand for your samples.",
        *_block("TensorFlow", TENSORFLOW.format(name=name, samples=tensor)),
        *_block("Keras, as a layer (with TensorFlow)", KERAS.format(samples=tensor)),
        f"TensorFlow Serving, started in the folder of versions, which holds this one:\n\n"
        f'```sh\ndocker run -p 8501:8501 -v "$PWD:/models/{recipe}" -e MODEL_NAME={recipe} '
        "tensorflow/serving\n```",
        *_block("and a request to it", SERVING.format(recipe=recipe, samples=array)),
    ]
    for form, code in (("LiteRT", LITERT), ("ONNX", ONNX)):
        rows = (row for row in manifest.get("variants", {}).values() if "file" in row)
        row = next((row for row in rows if row["format"] == form), None)
        if row:
            entries = [f"{n!r}: {_zeros(*about)}" for n, about in row["inputs"].items()]
            samples = "{" + ", ".join(entries) + "}"
            found += _block(form, code.format(file=row["file"], samples=samples))
    return found


def _block(title: str, code: str) -> list[str]:
    return [f"{title}:", f"```python\n{code}```"]


def _zeros(kind: str, shape: list[Any]) -> str:
    """Return an expression for zeros of a type, as the runtimes name types; empty texts."""
    shape = [n or 1 for n in shape]
    if kind == "string":
        return f'np.full({shape}, "")'
    return f"np.zeros({shape}, {ONNX_TYPES.get(kind, kind.removeprefix('tensor(').rstrip(')'))!r})"
