import re
from collections.abc import Sequence
from typing import Any

from kcatalog import checks
from kcatalog.card import Example, Float, Paper, Part
from kcatalog.optimizers.wrappers.delegate import Inner
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.registry import component
from kcatalog.types import Tensor

_PARTS_OF_ATTENTION = re.compile(r"/(query|key|value|attention_output)$")


@component(
    paper=Paper(
        "Universal Language Model Fine-tuning for Text Classification",
        "Howard, Ruder",
        2018,
        "https://arxiv.org/abs/1801.06146",
        "section 3.2, discriminative fine-tuning",
    ),
    tags=("wrapper",),
    space={"decay": Float(0.5, 1.0)},
    example=Example({"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "decay": 0.8}),
)
class LayerwiseDecay(Wrapper):
    """Layer-wise learning rate decay: the nearer a layer is to the input, the slower it learns.

    The first layers of a pretrained network hold what all tasks share, the last ones what the new
    task changes. Use it to fine-tune transformers and deep convolutional networks, at 0.65 to 0.9
    per block. A network that is trained from scratch does not need it.

    Maths:
        `η_l = η decayᵈ` with `d = L - l`, for layer `l` of `L`: the last layer learns at `η`, the
        inner optimizer's learning rate.

    Args:
        decay: The factor from one layer to the one before it, in (0, 1].
        layers: What counts as a layer: None for every layer with weights, in the order in which
            the model made them; a list of regular expressions, from the input to the output, of
            which the first found in a weight's path names its layer; or a function from a
            weight's path to its depth `d`, registered with Keras if the model is to be saved.

    Shapes:
        Weights keep their shapes.

    Behaviour:
        The inner optimizer's weight decay, which Keras multiplies by the learning rate, is scaled
        along, as in timm and BEiT. The step is scaled, not the rate: it is the same for all
        optimizers whose step is in proportion to the rate (of Keras's, all but `Ftrl`). Without
        `layers`, normalization behind a layer is a layer of its own, and the projections of an
        attention layer are one; for blocks write patterns, such as
        `["embedding", "block_0", "block_1", "head"]`. A weight whose path no pattern matches is
        an error when the optimizer is built. Weights outside of any layer count as one layer.

    Example:
        The second layer takes the full step of 1, the first half of it:

        >>> import keras
        >>> ws = [keras.Variable([0.0], name=name) for name in ("first", "second")]
        >>> inner = keras.optimizers.SGD(1.0)
        >>> optimizer = LayerwiseDecay(inner, decay=0.5, layers=["first", "second"])
        >>> optimizer.apply([keras.ops.ones(1), keras.ops.ones(1)], ws)
        >>> print([float(keras.ops.convert_to_numpy(w.value)[0]) for w in ws])
        [-0.5, -1.0]
    """

    transforms_decay = True

    def __init__(
        self, inner: Inner, decay: float = 0.75, layers: Sequence[str] | None = None, **kwargs: Any
    ):
        super().__init__(inner, **kwargs)
        self.decay = checks.number(self, "decay", decay, "(0, 1]")
        if layers is not None and not callable(layers):
            checks.names(self, "layers", layers)
        self.layers = layers

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        paths = [getattr(v, "path", v.name) for v in variables]
        self._scales = [self.decay**depth for depth in self._depths(paths)]
        super().build(variables)

    def _depths(self, paths):
        if callable(self.layers):
            depths = [self.layers(path) for path in paths]
            for depth in depths:
                checks.number("LayerwiseDecay", "depth", depth, "[0, inf)")
            return depths
        found = [self._layer(path) for path in paths]
        order = list(self.layers or dict.fromkeys(found))
        return [len(order) - 1 - order.index(layer) for layer in found]

    def _layer(self, path):
        """Return the pattern that a path has in it, or else the path of the layer."""
        if self.layers is None:
            return _PARTS_OF_ATTENTION.sub("", path.rpartition("/")[0])
        for pattern in self.layers:
            if re.search(pattern, path):
                return pattern
        fix = 'Add a pattern, or ".*" at the end.'
        raise checks.error(self, "layers", f"patterns that match {path!r}, too", self.layers, fix)

    def transform_update(
        self, before: Tensor, after: Tensor, gradient: Tensor, variable: Any
    ) -> Tensor:
        scale = self._scales[self._get_variable_index(variable)]
        return after if scale == 1 else before + scale * (after - before)
