"""Writes what KerasCV's losses and layers compute, as the examples of its table call them.

Run it from the repository's root with PYTHONPATH=. in the environment that README.md names. Random
layers have factors that leave nothing to chance, or are drawn many times.
"""

import os
import tomllib
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import keras_cv
import numpy as np

from tests.migrate import other_calls

FOLDER = Path(__file__).parent
TABLE = FOLDER.parents[1] / "kcatalog" / "migrate" / "tables" / "keras_cv.toml"
PEER = f"keras-cv {keras_cv.__version__}, keras {keras.__version__}"


def tensors_for(layer):
    """Return a function that gives the layer a dictionary of tensors, as it wants."""

    def call(batch, training):
        return layer(
            {k: keras.ops.convert_to_tensor(v) for k, v in batch.items()}, training=training
        )

    return call


def main():
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    keras.utils.set_random_seed(7)
    values = {}
    for name, row in rows.items():
        for example in row.get("examples", ()):
            call = f"keras_cv.{name}({example})"
            made = eval(call)  # noqa: S307 - of our table
            try:
                if row["test"] == "cv_chance":
                    tensors = tensors_for(made) if name.endswith(("CutMix", "MixUp")) else made
                    for what, value in other_calls.drawn(name, tensors).items():
                        values[f"{name}({example})/{what}"] = value
                    continue
                values[f"{name}({example})"] = other_calls.outcome(name, made)
            except Exception as e:
                print(f"{call}: {type(e).__name__}: {str(e)[:200]}")
    np.savez_compressed(FOLDER / "keras_cv_rows.npz", peer=np.array(PEER), **values)
    print(len(values))


if __name__ == "__main__":
    main()
