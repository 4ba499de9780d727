"""Writes the golden values of PyTorch's peers; README.md beside it names the environment."""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN

FOLDER = Path(__file__).parent


def only_modules_of(*packages):
    """Makes a package's modules importable without running its `__init__`, which needs more."""
    for name in packages:
        package = types.ModuleType(name)
        package.__path__ = list(importlib.util.find_spec(name).submodule_search_locations)
        sys.modules[name] = package


only_modules_of("timm", "timm.layers", "timm.utils")

from timm.layers.blur_pool import BlurPool2d  # noqa: E402
from timm.layers.squeeze_excite import SEModule  # noqa: E402
from timm.utils.agc import adaptive_clip_grad  # noqa: E402


def write(name, peer, **arrays):
    versions = [f"{p} {importlib.metadata.version(p).split('+')[0]}" for p in (peer, "torch")]
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(", ".join(versions)), **arrays)


def float32(x):
    return np.asarray(x, dtype="float32")


def channels_last(x):
    return x.detach().permute(0, 2, 3, 1).numpy()


def run(layer, x, cotangent):
    """Output and gradient of `sum(output * cotangent)`, channels last outside and first inside."""
    inputs = torch.tensor(x, dtype=torch.float64).permute(0, 3, 1, 2).requires_grad_()
    output = layer.double()(inputs)
    if cotangent is None:
        cotangent = float32(np.random.default_rng(29).normal(size=channels_last(output).shape))
    output.backward(torch.tensor(cotangent, dtype=torch.float64).permute(0, 3, 1, 2))
    return channels_last(output), channels_last(inputs.grad), cotangent


def squeeze_excite():
    rng = np.random.default_rng(23)
    x, cotangent = float32(rng.normal(size=(2, 2, 5, 4, 8)))
    weights = {
        "reduce_kernel": rng.normal(size=(8, 4)),
        "reduce_bias": rng.normal(size=4),
        "expand_kernel": 2 * rng.normal(size=(4, 8)),
        "expand_bias": rng.normal(size=8),
    }
    weights = {name: float32(w) for name, w in weights.items()}
    arrays = {}
    for gate in ("sigmoid", "hard_sigmoid"):
        layer = SEModule(8, rd_channels=4, gate_layer=gate)
        with torch.no_grad():
            layer.fc1.weight.copy_(torch.tensor(weights["reduce_kernel"].T[:, :, None, None]))
            layer.fc1.bias.copy_(torch.tensor(weights["reduce_bias"]))
            layer.fc2.weight.copy_(torch.tensor(weights["expand_kernel"].T[:, :, None, None]))
            layer.fc2.bias.copy_(torch.tensor(weights["expand_bias"]))
        arrays[f"{gate}_output"], arrays[f"{gate}_gradient"], _ = run(layer, x, cotangent)
    write("timm_squeeze_excite", "timm", x=x, cotangent=cotangent, **weights, **arrays)


def blur_pool():
    """Even and odd sides; filters of 3 and 5; strides of 2 and 1; the padding reflects."""
    rng = np.random.default_rng(31)
    inputs = {"even": float32(rng.normal(size=(2, 8, 6, 3)))}
    inputs["odd"] = float32(rng.normal(size=(2, 7, 5, 3)))
    arrays = {f"{side}_x": x for side, x in inputs.items()}
    for side, x in inputs.items():
        for size, stride in ((3, 2), (5, 2), (3, 1)):
            case = f"{side}_size{size}_stride{stride}"
            output, gradient, cotangent = run(BlurPool2d(3, size, stride), x, None)
            arrays |= {f"{case}_output": output, f"{case}_gradient": gradient}
            arrays[f"{case}_cotangent"] = cotangent
    write("timm_blur_pool", "timm", **arrays)


def adaptive_clip():
    """Weights are stored in Keras's layout and turned to PyTorch's, output axis first, to clip."""
    rng = np.random.default_rng(13)
    shapes = {
        "conv": (3, 2, 4, 6),
        "conv1d": (3, 4, 6),
        "dense": (5, 7),
        "bias": (7,),
        "scalar": (),
    }
    weights, gradients, clipped = {}, {}, {}
    for name, shape in shapes.items():
        scale = 10.0 ** rng.uniform(-4, 0, size=shape[-1:])
        weights[name] = float32(rng.normal(size=shape))
        gradients[name] = float32(scale * rng.normal(size=shape))
        if len(shape) > 1:
            weights[name][..., 0] = 0
            gradients[name][..., 1] = 0
        turned = torch.nn.Parameter(torch.tensor(weights[name].T, dtype=torch.float64))
        turned.grad = torch.tensor(gradients[name].T, dtype=torch.float64)
        adaptive_clip_grad(turned, clip_factor=0.01, eps=1e-3)
        clipped[name] = turned.grad.numpy().T
    write(
        "timm_adaptive_clip_grad",
        "timm",
        clip_factor=0.01,
        epsilon=1e-3,
        **{f"{name}_weight": w for name, w in weights.items()},
        **{f"{name}_gradient": g for name, g in gradients.items()},
        **{f"{name}_clipped": c for name, c in clipped.items()},
    )


def retrieval():
    """Scores and neighbours, a set against itself and queries against a reference set.

    The peer has no recall@k: precision_at_1 is recall@1; the rest is counted from `neighbours`.
    """
    rng = np.random.default_rng(37)
    labels = np.repeat(np.arange(6), [7, 6, 5, 3, 2, 1])
    x = float32(rng.normal(size=(6, 6))[labels] + 1.2 * rng.normal(size=(24, 6)))
    query_labels = np.array([0, 0, 1, 2, 3, 4, 5, 9])
    query = float32(rng.normal(size=(8, 6)))
    distances = {"cosine": CosineSimilarity(), "l2": LpDistance(normalize_embeddings=False)}
    scores = (
        "precision_at_1",
        "r_precision",
        "mean_average_precision",
        "mean_average_precision_at_r",
        "mean_reciprocal_rank",
    )
    sets = {"self": (x, labels, x, labels, True), "query": (query, query_labels, x, labels, False)}
    arrays = {}
    for distance_name, distance in distances.items():
        knn = CustomKNN(distance)
        for set_name, (q, q_labels, r, r_labels, same) in sets.items():
            q, q_labels, r, r_labels = map(torch.tensor, (q, q_labels, r, r_labels))
            case = f"{set_name}_{distance_name}"
            arrays[f"{case}_neighbours"] = knn(q, 10, r, same)[1].to(torch.int32)
            for average in ("sample", "class"):
                calculator = AccuracyCalculator(
                    include=scores,
                    avg_of_avgs=average == "class",
                    knn_func=knn,
                    kmeans_func=object(),
                    device=torch.device("cpu"),
                )
                results = calculator.get_accuracy(q, q_labels, r, r_labels, same)
                arrays[f"{case}_per_{average}"] = [results[score] for score in scores]
    write(
        "pml_retrieval",
        "pytorch-metric-learning",
        x=x,
        labels=labels.astype("int32"),
        query=query,
        query_labels=query_labels.astype("int32"),
        score=np.array(scores),
        **arrays,
    )


if __name__ == "__main__":
    squeeze_excite()
    blur_pool()
    adaptive_clip()
    retrieval()
