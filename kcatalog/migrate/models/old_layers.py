"""Layers of TensorFlow Addons whose call, not only whose arguments, differs from its successor."""

from __future__ import annotations

import keras
from keras import ops

import kcatalog


def _multi_head_attention(made, config, args, kwargs, objects):
    tensors = args[0]
    query, key = tensors[:2]
    value = tensors[2] if len(tensors) > 2 else key
    if made is None:
        bias = config["use_projection_bias"]
        made = keras.layers.MultiHeadAttention(
            config["num_heads"],
            config["head_size"],
            dropout=config["dropout"],
            use_bias=bias,
            output_shape=config["output_size"] or value.shape[-1],
            **{
                k: objects.part(k, v)
                for k, v in config.items()
                if k.startswith(("kernel_", "bias_")) or k in ("name", "dtype", "trainable")
            },
        )
        if bias:
            objects.note(
                f"{config['name']}: in further training Keras's MultiHeadAttention learns biases "
                "of query, key and value, too; they start at 0."
            )
    mask = {"attention_mask": kwargs["mask"]} if "mask" in kwargs else {}
    y = made(query, value, key, return_attention_scores=config["return_attn_coef"], **mask)
    return y, made


def _stochastic_depth(made, config, args, kwargs, objects):
    """Addons multiplies the branch by the probability at inference, kcatalog divides in training.

    Multiplied by it before, the two are the same.
    """
    shortcut, branch = args[0]
    p, name = config["survival_probability"], config["name"]
    if made is None:
        made = kcatalog.layers.StochasticDepth(1 - p, name=name)
        objects.note(f"{name}: each sample draws its own depth; in TensorFlow Addons a batch did.")
    branch = made(keras.layers.Rescaling(p, name=f"{name}_rescaling")(branch))
    return keras.layers.Add(name=f"{name}_sum")([shortcut, branch]), made


def _gelu(made, config, args, kwargs, objects):
    return ops.gelu(args[0], approximate=config["approximate"]), None


def _crf(made, config, args, kwargs, objects):
    if made is None:
        names = ("units", "use_boundary", "use_kernel", "chain_initializer", "boundary_initializer")
        settings = {k: objects.part(k, config[k]) for k in names}
        made = kcatalog.layers.CRF(**settings, name=config["name"])
        objects.note(
            f"{config['name']}: the output is one-hot instead of numbers of tags; train it with "
            "kcatalog.losses.CRFCrossentropy."
        )
    return made(args[0], **kwargs), made


# old class -> function of the layer made for its first call, or None, the old config, the call's
# arguments and the maker of objects: returns what is called out, and the layer with the weights
CALLS = {
    "Addons>MultiHeadAttention": _multi_head_attention,
    "Addons>StochasticDepth": _stochastic_depth,
    "Addons>GELU": _gelu,
    "Addons>CRF": _crf,
}
