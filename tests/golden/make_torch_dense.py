"""Writes golden values of PyTorch's weight normalization and timm's FRN; see README.md."""

import importlib.metadata
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent


def only_modules_of(*packages):
    """Makes a package's modules importable without running its `__init__`, which needs more."""
    for name in packages:
        package = types.ModuleType(name)
        package.__path__ = list(importlib.util.find_spec(name).submodule_search_locations)
        sys.modules[name] = package


only_modules_of("timm", "timm.layers")

from timm.layers.filter_response_norm import FilterResponseNormTlu2d  # noqa: E402


def write(name, peers, **arrays):
    versions = [f"{p} {importlib.metadata.version(p).split('+')[0]}" for p in peers]
    arrays = {key: np.asarray(array) for key, array in arrays.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(", ".join(versions)), **arrays)


def channels_last(x):
    return x.detach().numpy().transpose(0, 2, 3, 1)


def weight_norm():
    rng = np.random.default_rng(51)
    module = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv2d(4, 3, 3).double())
    g, v = module.parametrizations.weight.original0, module.parametrizations.weight.original1
    with torch.no_grad():
        g.copy_(torch.tensor(rng.uniform(0.5, 2.0, size=g.shape)))
        v.copy_(torch.tensor(rng.normal(size=v.shape).astype("float32")))
        module.bias.copy_(torch.tensor(rng.normal(size=(3,)).astype("float32")))
        g.copy_(g.float())
    x = torch.tensor(rng.normal(size=(2, 4, 5, 6)).astype("float32")).double().requires_grad_()
    output = module(x)
    cotangent = torch.tensor(rng.normal(size=output.shape).astype("float32"))
    (output * cotangent).sum().backward()
    kernels = {"kernel": v, "kernel_gradient": v.grad}
    write(
        "torch_weight_norm",
        ("torch",),
        x=channels_last(x).astype("float32"),
        cotangent=channels_last(cotangent),
        output=channels_last(output),
        x_gradient=channels_last(x.grad),
        kernel_g=g.detach().numpy().reshape(-1),
        kernel_g_gradient=g.grad.numpy().reshape(-1),
        bias=module.bias.detach().numpy(),
        bias_gradient=module.bias.grad.numpy(),
        **{n: k.detach().numpy().transpose(2, 3, 1, 0) for n, k in kernels.items()},
    )


def filter_response_tlu():
    rng = np.random.default_rng(52)
    module = FilterResponseNormTlu2d(4, eps=1e-3).double()
    names = {"gamma": module.weight, "beta": module.bias, "tau": module.tau}
    with torch.no_grad():
        for w in names.values():
            w.copy_(torch.tensor(rng.normal(size=w.shape).astype("float32")))
    x = torch.tensor(rng.normal(size=(2, 4, 5, 6)).astype("float32")).double().requires_grad_()
    output = module(x)
    cotangent = torch.tensor(rng.normal(size=output.shape).astype("float32"))
    (output * cotangent).sum().backward()
    write(
        "timm_filter_response_tlu",
        ("timm", "torch"),
        x=channels_last(x).astype("float32"),
        cotangent=channels_last(cotangent),
        output=channels_last(output),
        x_gradient=channels_last(x.grad),
        **{n: w.detach().numpy().reshape(-1) for n, w in names.items()},
        **{f"{n}_gradient": w.grad.numpy().reshape(-1) for n, w in names.items()},
    )


if __name__ == "__main__":
    weight_norm()
    filter_response_tlu()
