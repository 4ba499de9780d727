"""Custom layers; the path of each is `kcatalog.layers.<Class>`."""

from kcatalog.layers.convolution.squeeze_excite import SqueezeExcite

__all__ = ["SqueezeExcite"]
