"""The base class of samples that stay on disk, which needs no Keras."""


class OnDisk:
    """Samples that are read when they are asked for: `x[indices]` is a batch of them."""
