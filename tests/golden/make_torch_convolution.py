"""Writes the golden values of timm's and torchvision's convolutional blocks; see README.md."""

import importlib.metadata
from collections import OrderedDict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from timm.layers.patch_embed import PatchEmbed
from timm.layers.selective_kernel import SelectiveKernel
from timm.layers.space_to_depth import DepthToSpace, SpaceToDepth
from timm.layers.std_conv import ScaledStdConv2d, StdConv2d
from timm.models._efficientnet_blocks import EdgeResidual, InvertedResidual, SqueezeExcite
from timm.models.resnet import BasicBlock, Bottleneck, downsample_conv
from timm.models.swin_transformer import PatchMerging
from torchvision.ops import FeaturePyramidNetwork

FOLDER = Path(__file__).parent


def write(name, peer, cases):
    versions = [f"{p} {importlib.metadata.version(p).split('+')[0]}" for p in (peer, "torch")]
    arrays = {f"{case}/{key}": a for case, of in cases.items() for key, a in of.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", peer=np.array(", ".join(versions)), **arrays)


def channels_last(x):
    x = x.detach()
    return (x.permute(0, 2, 3, 1) if x.ndim == 4 else x).numpy()


def keras_layout(w):
    """Kernels as Keras has them: (height, width, in, out) and (in, out)."""
    w = w.detach().numpy()
    return w.transpose(2, 3, 1, 0) if w.ndim == 4 else w.T


def case(layer, *shapes, channels_last_already=False):
    """Output and gradients of `sum(output * cotangent)` in training, weights drawn anew."""
    rng = np.random.default_rng(31)
    layer = layer.double().train()
    weights = list(layer.parameters())
    with torch.no_grad():
        for w in weights:
            drawn = 1.0 * (w.ndim == 1) + rng.normal(0, 0.4, w.shape)
            w.copy_(torch.tensor(drawn.astype("float32")))
    xs = [rng.normal(size=shape).astype("float32") for shape in shapes]
    inputs = [torch.tensor(x, dtype=torch.float64) for x in xs]
    if not channels_last_already:
        inputs = [x.permute(0, 3, 1, 2) for x in inputs]
    inputs = [x.clone().requires_grad_() for x in inputs]
    if len(inputs) > 1:
        outputs = list(layer(OrderedDict(enumerate(inputs))).values())
    else:
        outputs = [layer(inputs[0])]
    last = channels_last if not channels_last_already else lambda x: x.detach().numpy()
    arrays, total = {}, 0.0
    for i, (x, y) in enumerate(zip(xs, outputs, strict=True)):
        cotangent = rng.normal(size=y.shape).astype("float32")
        total = total + torch.sum(y * torch.tensor(cotangent, dtype=torch.float64))
        arrays |= {
            f"x{i}": x,
            f"output{i}": last(y),
            f"cotangent{i}": last(torch.tensor(cotangent)),
        }
    total.backward()
    arrays |= {f"gradient{i}": last(x.grad) for i, x in enumerate(inputs)}
    for i, w in enumerate(weights):
        arrays |= {f"w{i:02}": keras_layout(w).astype("float32")}
        arrays |= {f"w{i:02}_gradient": keras_layout(w.grad)}
    return arrays


def residual():
    """Odd sides, where PyTorch's symmetric padding is Keras's "same"."""
    silu = {"act_layer": torch.nn.SiLU}
    next_to = partial(Bottleneck, cardinality=2, base_width=32, **silu)  # 4 * 32 / 64 * 2 = 4 wide
    cases = {
        "basic": case(BasicBlock(6, 6, **silu), (2, 5, 7, 6)),
        "basic_projected": case(
            BasicBlock(4, 6, stride=2, downsample=downsample_conv(4, 6, 1, 2), **silu),
            (2, 5, 7, 4),
        ),
        "bottleneck": case(next_to(16, 4), (2, 5, 7, 16)),
        "bottleneck_projected": case(
            next_to(6, 4, stride=2, downsample=downsample_conv(6, 16, 1, 2)), (2, 5, 7, 6)
        ),
    }
    write("timm_residual", "timm", cases)


def inverted_residual():
    se = partial(SqueezeExcite, rd_channels=2)  # a quarter of 8 channels
    silu = {"act_layer": torch.nn.SiLU, "se_layer": se}
    cases = {
        "inverted": case(InvertedResidual(8, 8, exp_ratio=2.0, **silu), (2, 5, 7, 8)),
        "inverted_strided": case(
            InvertedResidual(8, 6, dw_kernel_size=5, stride=2, exp_ratio=2.0, **silu),
            (2, 5, 7, 8),
        ),
        "fused": case(EdgeResidual(8, 8, exp_ratio=2.0, **silu), (2, 5, 7, 8)),
        "fused_strided": case(EdgeResidual(8, 6, stride=2, exp_ratio=2.0, **silu), (2, 5, 7, 8)),
    }
    write("timm_inverted_residual", "timm", cases)


def selective_kernel():
    make = partial(SelectiveKernel, 6, 8, split_input=False, rd_channels=4)
    dense = make(kernel_size=[3, 5], keep_3x3=False, stride=2)
    # batch normalization of the gates wants images that differ in their means
    cases = {"dilated": case(make(), (8, 3, 3, 6)), "dense": case(dense, (8, 3, 3, 6))}
    write("timm_selective_kernel", "timm", cases)


def standardized_convolution():
    cases = {
        "plain": case(StdConv2d(4, 6, 3, stride=2, groups=2, bias=True), (2, 5, 7, 4)),
        "scaled": case(ScaledStdConv2d(4, 6, 3, dilation=2), (2, 5, 7, 4)),
    }
    write("timm_std_conv", "timm", cases)


def patches():
    embed = PatchEmbed((6, 8), (3, 2), 4, 5, norm_layer=partial(torch.nn.LayerNorm, eps=1e-5))
    cases = {
        "embedding": case(embed, (2, 6, 8, 4)),
        "merging": case(PatchMerging(3), (2, 5, 6, 3), channels_last_already=True),
        "space_to_depth": case(SpaceToDepth(4), (2, 8, 4, 3)),
        "depth_to_space": case(DepthToSpace(2), (2, 3, 5, 8)),
    }
    write("timm_patches", "timm", cases)


def feature_pyramid():
    """Each map is twice the next, so that every way of growing one by 2 agrees."""
    shapes = (2, 8, 12, 3), (2, 4, 6, 4), (2, 2, 3, 5)
    cases = {"pyramid": case(FeaturePyramidNetwork([3, 4, 5], 6), *shapes)}
    write("torchvision_feature_pyramid", "torchvision", cases)


if __name__ == "__main__":
    residual()
    inverted_residual()
    selective_kernel()
    standardized_convolution()
    patches()
    feature_pyramid()
