"""Layouts: weights of a layer of TensorFlow Addons as those of the layer that replaces it.

A layout is a function of the new layer and the old arrays by name. It returns the new arrays by
name: the last part of a weight's path, or its last two where that is not enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np

import kcatalog
from kcatalog.migrate.models.error import ModelError

Arrays = Mapping[str, np.ndarray]


def _renamed(**names: str) -> Callable:
    """Return a layout that renames; names of both sides may lead through sublayers by `__`."""
    pairs = {old.replace("__", "/"): new.replace("__", "/") for old, new in names.items()}

    def layout(layer, old: Arrays) -> dict:
        return {pairs.get(k, k): v for k, v in old.items()}

    return layout


def _weight_normalization(layer, old: Arrays) -> dict:
    """`g` and `v` have the same meaning; a kernel whose `g` was never set is its own direction."""
    new = {k: v for k, v in old.items() if k not in ("g", "initialized") and "/" not in k}
    kernel = "recurrent_kernel" if "recurrent_kernel" in old else "kernel"
    inner = layer.layer
    transposed = "Transpose" in type(inner).__name__
    if kernel not in old:
        raise ModelError(f"WeightNormalization {layer.name!r} has no kernel in the file.")
    v, axes = old[kernel], tuple(range(old[kernel].ndim - 1))
    if transposed and "initialized" in old:
        raise ModelError(
            f"WeightNormalization {layer.name!r} wraps a transposed convolution, whose kernel "
            "TensorFlow Addons normalizes for each input channel and kcatalog for each output "
            "channel. Call its remove() in the old environment, and save the plain layer."
        )
    if not old.get("initialized", True):
        new[f"{kernel}_g"] = np.sqrt(np.sum(v * v, axes))
    elif "g" in old:
        new[f"{kernel}_g"] = old["g"]
    if kernel == "recurrent_kernel" and "kernel" in old:  # which only kcatalog normalizes
        new["kernel_g"] = np.sqrt(np.sum(old["kernel"] ** 2, 0))
    return new


def _noisy_dense(layer, old: Arrays) -> dict:
    """Addons stores the product of factorised noise, kcatalog its factors."""
    new = {k: v for k, v in old.items() if not k.startswith("eps_")}
    if "eps_kernel" in old:
        inputs, units = old["eps_kernel"], old.get("eps_bias")
        if layer.use_factorised and units is None:  # a product of rank one
            units = inputs[np.argmax(np.abs(inputs).sum(1))]
        if layer.use_factorised:
            j = np.argmax(np.abs(units))
            product = inputs
            inputs = inputs[:, j] / units[j] if units[j] else np.zeros(len(inputs))
            if not np.allclose(np.outer(inputs, units), product, atol=1e-5):
                raise ModelError(f"NoisyDense {layer.name!r} has noise that is no product.")
        new["noise_inputs"] = inputs
        new["noise_units"] = np.zeros(layer.units) if units is None else units
    return new


def _multi_head_attention(layer, old: Arrays) -> dict:
    """Addons has heads first, Keras the inputs; Keras also has biases of the first three."""
    if "query_kernel" not in old:
        return dict(old)
    new = {}
    for part in ("query", "key", "value"):
        new[f"{part}/kernel"] = old[f"{part}_kernel"].transpose(1, 0, 2)
        if "projection_bias" in old:
            heads, _, size = old[f"{part}_kernel"].shape
            new[f"{part}/bias"] = np.zeros((heads, size), "float32")
    new["attention_output/kernel"] = old["projection_kernel"]
    if "projection_bias" in old:
        new["attention_output/bias"] = old["projection_bias"]
    return new


def _layer_norm_lstm(layer, old: Arrays) -> dict:
    """Biases that are only ever added are one here."""
    biases = [old[k] for k in ("bias", "kernel_norm/beta", "recurrent_norm/beta") if k in old]
    names = {
        "kernel": "kernel",
        "recurrent_kernel": "recurrent_kernel",
        "kernel_norm/gamma": "kernel_gamma",
        "recurrent_norm/gamma": "recurrent_gamma",
        "state_norm/gamma": "state_gamma",
        "state_norm/beta": "state_beta",
    }
    return {"bias": sum(biases), **{new: old[k] for k, new in names.items()}}


def _peephole_lstm(layer, old: Arrays) -> dict:
    new = {k: v for k, v in old.items() if not k.endswith("_peephole_weights")}
    gates = [old[f"{gate}_gate_peephole_weights"] for gate in ("input", "forget", "output")]
    return {**new, "peepholes": np.stack(gates)}


def _thresholds(layer, old: Arrays) -> dict:
    """Addons has a threshold for each position, kcatalog one for each channel."""
    new = {}
    for name, value in old.items():
        first = value.reshape(-1, value.shape[-1])[0]
        if not np.array_equal(value, np.broadcast_to(first, value.shape)):
            raise ModelError(
                f"TLU {layer.name!r} has learned a threshold for each position; "
                "kcatalog.layers.ThresholdedLinearUnit has one for each channel."
            )
        new[name] = first
    return new


def _filter_response(layer, old: Arrays) -> dict:
    return {k: v.reshape(() if k == "learned_epsilon" else -1) for k, v in old.items()}


LAYOUTS = {
    kcatalog.layers.WeightNormalization: _weight_normalization,
    keras.layers.SpectralNormalization: _renamed(sn_u="vector_u"),
    kcatalog.layers.CRF: _renamed(dense__kernel="kernel", dense__bias="bias"),
    kcatalog.layers.NoisyDense: _noisy_dense,
    keras.layers.MultiHeadAttention: _multi_head_attention,
    kcatalog.layers.LayerNormLSTMCell: _layer_norm_lstm,
    kcatalog.layers.LayerNormSimpleRNNCell: _renamed(layernorm__gamma="gamma"),
    kcatalog.layers.PeepholeLSTMCell: _peephole_lstm,
    kcatalog.layers.NASCell: _renamed(projection_weights="projection"),
    kcatalog.layers.EchoStateCell: _renamed(),
    kcatalog.layers.ThresholdedLinearUnit: _thresholds,
    kcatalog.layers.FilterResponseNormalization: _filter_response,
}


def _listed(*names: str, **sublayers: tuple[str, ...]) -> Callable:
    """Return names for the arrays that `.keras` numbers: a layer's own ones, and its sublayers'."""

    def numbered(layer) -> dict[str, str]:
        found = {f"vars/{i}": name for i, name in enumerate(names)}
        for path, parts in sublayers.items():
            found |= {f"{path}/vars/{i}": name for i, name in enumerate(parts)}
        return found

    return numbered


def _with_bias(*names: str, **sublayers: tuple[str, ...]) -> Callable:
    """Return the same for layers whose names with `bias` are missing if they have none."""

    def numbered(layer) -> dict[str, str]:
        kept = [n for n in names if "bias" not in n or layer.use_bias]
        return _listed(*kept, **sublayers)(layer)

    return numbered


def _norm(part: str) -> tuple[str, str]:
    return f"{part}/gamma", f"{part}/beta"


def _filter_response_numbered(layer) -> dict[str, str]:
    learned = ("learned_epsilon",) if layer.learned_epsilon else ()
    return _listed(*learned, "gamma", "beta")(layer)


NUMBERED = {
    kcatalog.layers.WeightNormalization: _listed("g", "kernel", "initialized", layer=("bias",)),
    keras.layers.SpectralNormalization: _listed("", "sn_u", layer=("kernel", "bias")),
    kcatalog.layers.CRF: _listed(
        "chain_kernel",
        "left_boundary",
        "right_boundary",
        _dense_layer=("dense/kernel", "dense/bias"),
    ),
    kcatalog.layers.NoisyDense: _with_bias(
        "sigma_kernel", "mu_kernel", "sigma_bias", "mu_bias", "eps_kernel", "eps_bias"
    ),
    keras.layers.MultiHeadAttention: _listed(
        "query_kernel", "key_kernel", "value_kernel", "projection_kernel", "projection_bias"
    ),
    kcatalog.layers.LayerNormLSTMCell: _listed(
        "kernel",
        "recurrent_kernel",
        "bias",
        **{part: _norm(part) for part in ("kernel_norm", "recurrent_norm", "state_norm")},
    ),
    kcatalog.layers.LayerNormSimpleRNNCell: _with_bias(
        "kernel", "recurrent_kernel", "bias", layernorm=("layernorm/gamma",)
    ),
    kcatalog.layers.PeepholeLSTMCell: _with_bias(
        "kernel",
        "recurrent_kernel",
        "bias",
        "input_gate_peephole_weights",
        "forget_gate_peephole_weights",
        "output_gate_peephole_weights",
    ),
    kcatalog.layers.NASCell: _with_bias("recurrent_kernel", "kernel", "bias", "projection_weights"),
    kcatalog.layers.EchoStateCell: _listed("recurrent_kernel", "kernel", "bias"),
    kcatalog.layers.ThresholdedLinearUnit: _listed("tau", "alpha"),
    kcatalog.layers.FilterResponseNormalization: _filter_response_numbered,
}
