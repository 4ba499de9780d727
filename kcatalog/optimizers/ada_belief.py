from keras import ops

from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.optimizers.moment_optimizer import MomentOptimizer
from kcatalog.registry import component


@component(
    paper=Paper(
        "AdaBelief Optimizer: Adapting Stepsizes by the Belief in Observed Gradients",
        "Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris, Duncan",
        2020,
        "https://arxiv.org/abs/2010.07468",
        "algorithm 2",
    ),
    equation="w ← w - η m̂ / (√ŝ + ε), s the moving mean of (g - m)²",
    space={
        "learning_rate": Float(1e-4, 0.1, log=True),
        "epsilon": Choice(1e-16, 1e-12, 1e-8),
    },
    example=Example({"learning_rate": 0.05, "beta_1": 0.8, "epsilon": 1e-10}),
)
class AdaBelief(MomentOptimizer):
    """AdaBelief: Adam that takes long steps where gradients are as predicted.

    The second moment is that of the gradient's deviation from its mean, so a direction in which
    gradients agree gets a long step even if they are large, and noise gets a short one. For
    convolutional networks and GANs, between Adam's speed and SGD's generalization. The step
    depends strongly on `ε` where gradients hardly vary, so tune it together with the rate.

    Maths:
        `w ← w - η m̂ / (√ŝ + ε)`, with `m ← β₁ m + (1 - β₁) g`,
        `s ← β₂ s + (1 - β₂)(g - m)² + ε`, `m̂ = m / (1 - β₁ᵗ)` and `ŝ = s / (1 - β₂ᵗ)`.

    Args:
        epsilon: `ε`, in (0, inf). It is added to `s` in each step and to the root, so `√ŝ` is at
            least `√(ε / (1 - β₂))` after many steps. 1e-8 for images, 1e-16 for Transformers.

    Shapes:
        Two slots per weight, `m` and `s`, of the weight's shape.

    Behaviour:
        `AdaBelief` of TensorFlow Addons and pytorch_optimizer has options that the paper has not:
        `rectify` (on by default in TensorFlow Addons) and `amsgrad`. optax adds another constant
        to `s` than to the root.

    Example:
        The first mean is `0.1 g`, so the deviation is `0.9 g` and the step `η / 0.9`:

        >>> import keras
        >>> w, optimizer = keras.Variable([1.0]), AdaBelief(0.1, epsilon=1e-16)
        >>> optimizer.apply([keras.ops.array([5.0])], [w])
        >>> print(f"{keras.ops.convert_to_numpy(w.value)[0]:.4f}")
        0.8889
    """

    slots = {"m": 0.0, "s": 0.0}

    def update(self, w, g, m, s, lr, t, c1, c2):
        m = self.beta_1 * m + (1 - self.beta_1) * g
        s = self.beta_2 * s + (1 - self.beta_2) * (g - m) * (g - m) + self.epsilon
        return w - lr * (m / c1) / (ops.sqrt(s / c2) + self.epsilon), m, s
