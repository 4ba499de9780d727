"""Writes what docs/examples/seq2seq_before.py computes; README.md beside it has the environment."""

import runpy
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

FOLDER = Path(__file__).parent
PROGRAM = FOLDER.parents[1] / "docs" / "examples" / "seq2seq_before.py"
PEER = f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}"
EPOCHS, STEPS, BEAMS = 12, 6, 3


def pairs(rng):
    """Return sentences of two to five words, and the same words backwards; 0 is padding."""
    source, target = np.zeros((16, 5), "int32"), np.zeros((16, 7), "int32")
    for x, y in zip(source, target, strict=True):
        n = rng.integers(2, 6)
        x[:n] = rng.integers(3, 12, n)
        y[: n + 2] = [1, *x[:n][::-1], 2]
    return source, target


def main():
    rng = np.random.default_rng(83)
    source, target = pairs(rng)
    program = runpy.run_path(str(PROGRAM))
    program["embedding"](source)  # builds it; the next line builds the other layers
    program["translate"](source, 1)
    cell, values = program["cell"], {}
    parts = {
        "embedding": program["embedding"],
        "encoder": program["encoder"],
        "memory": program["attention"].memory_layer,
        "cell": cell._cell,
        "attention": cell._attention_layers[0],
        "output": program["output_layer"],
    }
    for name, part in parts.items():
        part.set_weights([0.4 * rng.normal(size=w.shape) for w in part.get_weights()])
        for i, w in enumerate(part.get_weights()):
            values[f"{name}_{i}"] = w
    values["losses"] = program["train"](source, target, EPOCHS)
    values["translated"] = program["translate"](source, STEPS)
    values["found"] = program["search"](source, STEPS, BEAMS)
    print(values["losses"][::10], values["translated"][:4], values["found"][:4], target[:4])
    values = {key: np.asarray(value) for key, value in values.items()}
    settings = {"epochs": EPOCHS, "steps": STEPS, "beams": BEAMS}
    np.savez_compressed(
        FOLDER / "tfa_seq2seq.npz",
        peer=np.array(PEER),
        source=source,
        target=target,
        **settings,
        **values,
    )


if __name__ == "__main__":
    main()
