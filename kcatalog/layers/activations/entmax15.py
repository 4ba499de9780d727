from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.activations.sparse_probabilities import SparseProbabilities
from kcatalog.ops.simplex import entmax15
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Sparse Sequence-to-Sequence Models",
        "Peters, Niculae, Martins",
        2019,
        "https://arxiv.org/abs/1905.05702",
        "section 3, algorithm 2",
    ),
    tags=("shape-preserving", "masking"),
    space={"axis": Choice(-1, -2)},
    example=Example({"axis": -2}, shape=(4, 3)),
)
class Entmax15(SparseProbabilities):
    """Entmax for α = 1.5: sparse probabilities, smoother than those of sparsemax.

    For attention, where it keeps more positions than `Sparsemax` and its gradient has no jumps. Do
    not put cross-entropy behind it, which is infinite for a probability of 0.

    Maths:
        `p = max(0, z / 2 - τ)²`, with the `τ` for which they sum to 1. Of entmax with `α`, softmax
        is the case 1 and sparsemax the case 2.

    Example:
        >>> import keras
        >>> layer = Entmax15()
        >>> p = layer(keras.ops.convert_to_tensor([[0.5, 1.0, -3.0]]))
        >>> print(keras.ops.convert_to_numpy(p).round(4))
        [[0.326 0.674 0.   ]]
    """

    def probabilities(self, z: Tensor) -> Tensor:
        return entmax15(z, self.axis)
