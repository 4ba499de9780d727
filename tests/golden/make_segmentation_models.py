"""Writes values of segmentation_models' losses to `segmentation_models.npz`; README.md has more.

Only its losses are imported, without its backbones: `python make_segmentation_models.py FOLDER`,
with the folder of the unpacked wheel.
"""

import importlib
import sys
import types
from pathlib import Path

import numpy as np
import tensorflow as tf

FILE = Path(__file__).parent / "segmentation_models.npz"
random = np.random.default_rng(6)
CASES = {
    "BinaryCELoss": {},
    "BinaryFocalLoss": {"alpha": 0.3, "gamma": 1.5},
    "CategoricalCELoss": {},
    "CategoricalFocalLoss": {"alpha": 0.3, "gamma": 1.5},
    "DiceLoss": {"per_image": True, "smooth": 0.5},
    "JaccardLoss": {"per_image": True, "smooth": 0.5},
}


def main():
    package = types.ModuleType("segmentation_models")
    package.__path__ = [str(Path(sys.argv[1], "segmentation_models"))]
    sys.modules["segmentation_models"] = package
    submodules = {n: getattr(tf.keras, n) for n in ("backend", "layers", "models", "utils")}
    importlib.import_module("segmentation_models.base").KerasObject.set_submodules(**submodules)
    losses = importlib.import_module("segmentation_models.losses")
    logits = random.normal(size=(2, 5, 6, 3))
    classes = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    one_hot = np.eye(3)[random.integers(0, 3, (2, 5, 6))]
    values = {"classes": classes.astype("float32"), "one_hot": one_hot.astype("float32")}
    tensors = {k: tf.constant(v) for k, v in values.items()}
    for name, arguments in CASES.items():
        loss = getattr(losses, name)(**arguments)
        values[name] = np.asarray(loss(tensors["one_hot"], tensors["classes"]))
    peer = f"segmentation_models 1.0.1, tensorflow {tf.__version__}"
    np.savez_compressed(FILE, peer=np.array(peer), **values)
    print({k: v for k, v in values.items() if v.ndim == 0})


if __name__ == "__main__":
    main()
