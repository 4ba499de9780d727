from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.activations.sparse_probabilities import SparseProbabilities
from kcatalog.ops.simplex import sparsemax
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "From Softmax to Sparsemax: A Sparse Model of Attention and Multi-Label Classification",
        "Martins, Astudillo",
        2016,
        "https://arxiv.org/abs/1602.02068",
        "equations 2 and 3",
    ),
    tags=("shape-preserving", "masking"),
    space={"axis": Choice(-1, -2)},
    example=Example({"axis": -2}, shape=(4, 3)),
)
class Sparsemax(SparseProbabilities):
    """Sparsemax: probabilities most of which are exactly 0.

    For attention and outputs that shall rule most options out. Train outputs with
    `kcatalog.losses.Sparsemax`: cross-entropy of a probability of 0 is infinite. Entries without
    probability get no gradient, so they may never come back; `Entmax15` is milder.
    `keras.activations.sparsemax` of Keras 3.15 is wrong: it gives [0, 0.25, 0] for the example. As
    an activation write `activation=Sparsemax()`: the function `kcatalog.ops.sparsemax` would be
    saved by its name, and loaded as Keras's.

    Maths:
        `p = argmin ‖p - z‖²` over probabilities `p`, which is `max(0, z - τ)` with the `τ`
        for which they sum to 1.

    Example:
        >>> import keras
        >>> layer = Sparsemax()
        >>> p = layer(keras.ops.convert_to_tensor([[0.5, 1.0, -3.0]]))
        >>> print(keras.ops.convert_to_numpy(p))
        [[0.25 0.75 0.  ]]
    """

    def probabilities(self, z: Tensor) -> Tensor:
        return sparsemax(z, self.axis)
