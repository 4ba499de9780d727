"""Writes the golden values of PyTorch's Transformer layers and of timm's MLPs and positions.

Weights and their gradients, `gradient_<weight>`, are named and laid out as in kcatalog's layers.
See README.md.
"""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent
HEADS, FEATURES, HIDDEN = 2, 8, 6


def only_modules_of(*packages):
    """Makes a package's modules importable without running its `__init__`, which needs more."""
    for name in packages:
        package = types.ModuleType(name)
        package.__path__ = list(importlib.util.find_spec(name).submodule_search_locations)
        sys.modules[name] = package


only_modules_of("timm", "timm.layers")

from timm.layers.mlp import GluMlp, SwiGLU  # noqa: E402
from timm.layers.pos_embed_sincos import (  # noqa: E402
    apply_rot_embed,
    build_rotary_pos_embed,
    build_sincos2d_pos_embed,
)


def write(name, peers, **arrays):
    versions = [f"{p} {importlib.metadata.version(p).split('+')[0]}" for p in peers]
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(", ".join(versions)), **arrays)


def numbers(rng, *shape):
    """float32 numbers as float64."""
    return torch.tensor(rng.normal(size=shape).astype("float32")).double().requires_grad_()


def move(module, rng):
    """Moves all parameters off zeros and ones."""
    for p in module.parameters():
        p.data = torch.tensor(
            (p.detach().numpy() + 0.2 * rng.normal(size=p.shape)).astype("float32")
        ).double()
    return module.double()


def dense(linear, name):
    return {f"{name}/kernel": linear.weight.T, f"{name}/bias": linear.bias}


def attention(layer, name):
    """Splits the stacked projections of `torch.nn.MultiheadAttention` by head."""
    size, found = FEATURES // HEADS, {}
    parts = zip(
        ("query", "key", "value"),
        layer.in_proj_weight.chunk(3),
        layer.in_proj_bias.chunk(3),
        strict=True,
    )
    for part, w, b in parts:
        found[f"{name}/{part}/kernel"] = w.T.reshape(FEATURES, HEADS, size)
        found[f"{name}/{part}/bias"] = b.reshape(HEADS, size)
    found[f"{name}/attention_output/kernel"] = layer.out_proj.weight.T.reshape(
        HEADS, size, FEATURES
    )
    found[f"{name}/attention_output/bias"] = layer.out_proj.bias
    return found


def norm(layer, name):
    return {f"{name}/gamma": layer.weight, f"{name}/beta": layer.bias}


def encoder_names(layer):
    found = attention(layer.self_attn, "self_attention") | norm(layer.norm1, "self_attention_norm")
    found |= dense(layer.linear1, "hidden") | dense(layer.linear2, "output")
    return found | norm(layer.norm2, "feed_forward_norm")


def decoder_names(layer):
    found = encoder_names(layer) | norm(layer.norm2, "cross_attention_norm")
    found |= attention(layer.multihead_attn, "cross_attention")
    return found | norm(layer.norm3, "feed_forward_norm")


def arrays_of(tensors, prefix=""):
    """Copies, since a view of a parameter would follow it."""
    return {f"{prefix}{name}": t.detach().numpy().copy() for name, t in tensors.items()}


def with_gradients(module, names, output, cotangent, **inputs):
    """Output, inputs, weights and the gradients of sum(output * cotangent) for both."""
    found = arrays_of({"output": output, "cotangent": cotangent, **inputs, **names(module)})
    parameters = list(module.parameters())
    gradients = torch.autograd.grad((output * cotangent).sum(), [*inputs.values(), *parameters])
    found |= arrays_of(dict(zip(inputs, gradients, strict=False)), "gradient_")
    for parameter, gradient in zip(parameters, gradients[len(inputs) :], strict=True):
        parameter.data = gradient  # so that it is laid out as the weight is
    return found | arrays_of(names(module), "gradient_")


def blocks():
    """Rows of 5, 3 and 4 steps, the cotangent zero in the padding; the decoder is causal."""
    rng = np.random.default_rng(61)
    mask, encoded_mask = (np.arange(n) < np.array([[n], [3], [n - 1]]) for n in (5, 4))
    padding, encoded_padding = (torch.tensor(~m) for m in (mask, encoded_mask))
    future = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
    for first in (False, True):
        arguments = (FEATURES, HEADS, HIDDEN, 0.0, "gelu" if first else "relu")
        options, where = {"batch_first": True, "norm_first": first}, "pre" if first else "post"
        x, encoded = numbers(rng, 3, 5, FEATURES), numbers(rng, 3, 4, FEATURES)
        cotangent = numbers(rng, 3, 5, FEATURES) * torch.tensor(mask)[:, :, None]

        encoder = move(torch.nn.TransformerEncoderLayer(*arguments, **options), rng)
        y = encoder(x, src_key_padding_mask=padding)
        found = with_gradients(encoder, encoder_names, y, cotangent, x=x)
        write(f"torch_transformer_encoder_{where}", ["torch"], mask=mask, **found)

        decoder = move(torch.nn.TransformerDecoderLayer(*arguments, **options), rng)
        y = decoder(x, encoded, future, None, padding, encoded_padding)
        found = with_gradients(decoder, decoder_names, y, cotangent, x=x, encoded=encoded)
        masks = {"mask": mask, "encoded_mask": encoded_mask}
        write(f"torch_transformer_decoder_{where}", ["torch"], **masks, **found)


def gated():
    """Write `SwiGLU` of timm, and as GEGLU `GluMlp`, which gates by its second half."""
    rng = np.random.default_rng(62)
    x, cotangent = numbers(rng, 3, 5), numbers(rng, 3, 5)
    swiglu = move(SwiGLU(5, 7), rng)
    found = with_gradients(swiglu, swiglu_names, swiglu(x), cotangent, x=x)
    write("timm_swiglu", ["timm", "torch"], **found)
    geglu = move(GluMlp(5, 14, act_layer=torch.nn.GELU), rng)
    found = with_gradients(geglu, geglu_names, geglu(x), cotangent, x=x)
    write("timm_geglu", ["timm", "torch"], **found)


def swiglu_names(m):
    return dense(m.fc1_g, "gate") | dense(m.fc1_x, "up") | dense(m.fc2, "down")


def geglu_names(m):
    (up, gate), (up_bias, gate_bias) = m.fc1.weight.chunk(2), m.fc1.bias.chunk(2)
    found = {"gate/kernel": gate.T, "gate/bias": gate_bias, "up/kernel": up.T, "up/bias": up_bias}
    return found | dense(m.fc2, "down")


def positions():
    rng = np.random.default_rng(63)
    x = numbers(rng, 2, 6, 8)
    found = {"x": x.detach()}
    for half in (False, True):
        sin, cos = build_rotary_pos_embed(
            [6], dim=16, in_pixels=False, temperature=100.0, rotate_half=half
        )
        name = "half" if half else "interleaved"
        found[name] = apply_rot_embed(x, sin.double(), cos.double(), half=half).detach()
    found["grid"] = build_sincos2d_pos_embed(
        [3, 5], dim=8, temperature=100.0, interleave_sin_cos=True
    )
    write("timm_positions", ["timm", "torch"], **found)


blocks()
gated()
positions()
