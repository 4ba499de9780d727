from kcatalog.card import Example, Float, Paper, Part
from kcatalog.optimizers.wrappers.sharpness_aware import SharpnessAware
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Sharpness-Aware Minimization for Efficiently Improving Generalization",
        "Foret, Kleiner, Mobahi, Neyshabur",
        2021,
        "https://arxiv.org/abs/2010.01412",
        "algorithm 1",
    ),
    equation="w ← step of the inner optimizer by ∇L(w + ρ g / ‖g‖), with g = ∇L(w)",
    tags=("wrapper", "second-gradient"),
    space={"radius": Float(0.01, 0.5, log=True)},
    example=Example({"inner": Part("keras.optimizers.SGD", learning_rate=0.1), "radius": 0.1}),
)
class SAM(SharpnessAware):
    """Sharpness-aware minimization (SAM): seeks weights in whose neighbourhood the loss is low.

    Each step goes downhill by the gradient at the point of highest loss nearby, so narrow valleys
    repel it. Generalizes better than its inner optimizer for networks that can fit their training
    data, most where labels are noisy or data are few. Little is gained where the model underfits
    or sees each sample once. Costs twice the time; `AlternatingSAM` does not.

    Maths:
        With `g = ∇L(w)` of a batch: `e = ρ g / ‖g‖`, the norm over all weights together, then the
        inner optimizer steps from `w` by `∇L(w + e)` of the same batch, with `ρ` = `radius`.

    Example:
        At `w = 1` the gradient of `w⁴` is 4; the step is by that at 1.1, 5.324:

        >>> import keras
        >>> w = keras.Variable([1.0])
        >>> optimizer = SAM(keras.optimizers.SGD(0.1), radius=0.1)
        >>> (uphill,) = optimizer.perturbed([4 * w.value**3], [w])
        >>> with optimizer.second_gradients():
        ...     optimizer.apply([4 * uphill**3], [w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.4f}")
        0.4676
    """

    def scale(self, w: Tensor) -> Tensor:
        return 1.0
