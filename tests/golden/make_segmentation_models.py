"""Writes values of segmentation_models to `segmentation_models.npz`; README.md has more.

Only its losses and metrics are imported, without its backbones. Run it with the folder of the
unpacked wheel: `python make_segmentation_models.py FOLDER`.
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
METRICS = {
    "IOUScore": {"threshold": 0.5},
    "FScore": {"beta": 2, "threshold": 0.5},
    "Precision": {"threshold": 0.5},
    "Recall": {"threshold": 0.5},
}
FUNCTIONS = {
    "losses": "binary_crossentropy categorical_crossentropy binary_focal_loss "
    "categorical_focal_loss dice_loss jaccard_loss",
    "metrics": "f1_score f2_score iou_score precision recall",
}


def main():
    package = types.ModuleType("segmentation_models")
    package.__path__ = [str(Path(sys.argv[1], "segmentation_models"))]
    sys.modules["segmentation_models"] = package
    submodules = {n: getattr(tf.keras, n) for n in ("backend", "layers", "models", "utils")}
    importlib.import_module("segmentation_models.base").KerasObject.set_submodules(**submodules)
    losses = importlib.import_module("segmentation_models.losses")
    metrics = importlib.import_module("segmentation_models.metrics")
    logits = random.normal(size=(2, 5, 6, 3))
    classes = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    one_hot = np.eye(3)[random.integers(0, 3, (2, 5, 6))]
    values = {"classes": classes.astype("float32"), "one_hot": one_hot.astype("float32")}
    tensors = {k: tf.constant(v) for k, v in values.items()}
    for name, arguments in CASES.items():
        loss = getattr(losses, name)(**arguments)
        values[name] = np.asarray(loss(tensors["one_hot"], tensors["classes"]))
    # as certain as a metric needs them: each pixel has one class above 1/2
    guess = np.eye(3)[random.integers(0, 3, (2, 5, 6))]
    guess = np.where(random.random((2, 5, 6, 1)) < 0.6, one_hot, guess)
    values["certain"] = (0.1 + 0.7 * guess).astype("float32")
    truth, certain = tensors["one_hot"], tf.constant(values["certain"])
    one = {"one_class": (truth[..., :1], certain[..., :1]), "three": (truth, certain)}
    for classes, pair in one.items():
        for name, arguments in METRICS.items():
            metric = getattr(metrics, name)(**arguments)
            values[f"{name}, {classes}"] = np.asarray(metric(*pair))
    for module, names in FUNCTIONS.items():
        for name in names.split():
            function = getattr({"losses": losses, "metrics": metrics}[module], name)
            hard = (truth[:1, ..., :1], tf.round(certain[:1, ..., :1]))
            pair = hard if module == "metrics" else (truth[:1], tensors["classes"][:1])
            values[f"{module}.{name}"] = np.asarray(function(*pair))
    peer = f"segmentation_models 1.0.1, tensorflow {tf.__version__}"
    np.savez_compressed(FILE, peer=np.array(peer), **values)
    print({k: v for k, v in values.items() if np.ndim(v) == 0})


if __name__ == "__main__":
    main()
