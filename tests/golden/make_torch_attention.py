"""Writes the golden values of timm's attention and attention pooling modules; see README.md."""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch


def only_modules_of(*packages):
    """Makes a package's modules importable without running its `__init__`, which needs more."""
    for name in packages:
        package = types.ModuleType(name)
        package.__path__ = list(importlib.util.find_spec(name).submodule_search_locations)
        sys.modules[name] = package


only_modules_of("timm", "timm.layers")
sys.modules["torchvision"] = types.ModuleType("torchvision")  # a class of it that is not used
sys.modules["torchvision.ops"] = types.ModuleType("torchvision.ops")
sys.modules["torchvision.ops.misc"] = types.ModuleType("torchvision.ops.misc")
sys.modules["torchvision.ops.misc"].FrozenBatchNorm2d = torch.nn.Identity

from timm.layers.attention_pool import AttentionPoolLatent  # noqa: E402
from timm.layers.attention_pool2d import AttentionPool2d  # noqa: E402
from timm.layers.cbam import CbamModule  # noqa: E402
from timm.layers.coord_attn import CoordAttn  # noqa: E402
from timm.layers.eca import EcaModule  # noqa: E402
from timm.layers.global_context import GlobalContext  # noqa: E402
from timm.layers.grn import GlobalResponseNorm  # noqa: E402
from timm.layers.non_local_attn import NonLocalAttn  # noqa: E402

FOLDER = Path(__file__).parent


def channels_last(x):
    x = x.detach()
    return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).numpy()


def keras_layout(w):
    """Kernels as Keras has them: (height, width, in, out), (size, in, out) and (in, out)."""
    w = w.detach().numpy()
    if w.ndim == 4:
        return w.transpose(2, 3, 1, 0)
    return w.T if w.ndim == 2 else w.transpose(2, 1, 0) if w.ndim == 3 else w


def case(layer, shape, images=True, latents=()):
    """Output and gradients of `sum(output * cotangent)` in training, weights drawn anew."""
    rng = np.random.default_rng(37)
    layer = layer.double().train()
    weights = list(layer.named_parameters())
    with torch.no_grad():
        for _, w in weights:
            w.copy_(torch.tensor(rng.normal(0, 0.4, w.shape).astype("float32")))
    x = rng.normal(size=shape).astype("float32")
    inputs = torch.tensor(x, dtype=torch.float64)
    inputs = (inputs.permute(0, 3, 1, 2) if images else inputs).clone().requires_grad_()
    output = layer(inputs)
    cotangent = rng.normal(size=output.shape).astype("float32")
    output.backward(torch.tensor(cotangent, dtype=torch.float64))
    last = channels_last if images else lambda x: x.detach().numpy()
    arrays = {
        "x0": x,
        "output0": last(output),
        "cotangent0": last(torch.tensor(cotangent)),
        "gradient0": last(inputs.grad),
    }
    for i, (name, w) in enumerate(weights):
        layout = (lambda w: w.detach().numpy()) if name in latents else keras_layout
        arrays |= {f"w{i:02}": layout(w).astype("float32"), f"w{i:02}_gradient": layout(w.grad)}
    return arrays


def write(name, cases):
    versions = [f"{p} {importlib.metadata.version(p).split('+')[0]}" for p in ("timm", "torch")]
    arrays = {f"{case}/{key}": a for case, of in cases.items() for key, a in of.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(", ".join(versions)), **arrays)


def channel_attention():
    shape = (3, 5, 4, 8)
    cases = {
        "eca": case(EcaModule(8, gamma=1), shape),  # timm takes a kernel of 3 at least
        "eca_wide": case(EcaModule(64), (2, 1, 2, 64)),
        "cbam": case(CbamModule(8, rd_ratio=1 / 4, spatial_kernel_size=3), shape),
        "coordinate": case(CoordAttn(8, rd_channels=4), shape),
        "context": case(GlobalContext(8, rd_ratio=1 / 2), shape),
        "context_add": case(
            GlobalContext(8, rd_ratio=1 / 2, fuse_add=True, fuse_scale=False), shape
        ),
        "non_local": case(NonLocalAttn(8, rd_channels=4, use_scale=False), shape),
    }
    grn = GlobalResponseNorm(8, channels_last=False)
    write("timm_channel_attention", {**cases, "grn": case(grn, shape)})


def attention_pooling():
    latents = ("latent", "pos_embed")
    norm = {"norm_layer": torch.nn.LayerNorm}
    cases = {
        "latent": case(
            AttentionPoolLatent(6, num_heads=2, q_proj=False, mlp_ratio=2.0, **norm),
            (3, 5, 6),
            images=False,
            latents=latents,
        ),
        "latents": case(
            AttentionPoolLatent(
                6, num_heads=3, q_proj=False, latent_len=2, pool_type="", mlp_ratio=1.0, **norm
            ),
            (3, 5, 6),
            images=False,
            latents=latents,
        ),
        "clip": case(
            AttentionPool2d(6, (3, 4), out_features=5, num_heads=2, qkv_separate=True),
            (3, 3, 4, 6),
            latents=latents,
        ),
    }
    write("timm_attention_pooling", cases)


if __name__ == "__main__":
    channel_attention()
    attention_pooling()
