from keras import ops

from kcatalog.card import Choice, Example, Paper, Part
from kcatalog.layers.convolution.residual import Residual
from kcatalog.registry import component
from kcatalog.types import Tensor


@component(
    paper=Paper(
        "Deep Residual Learning for Image Recognition",
        "He, Zhang, Ren, Sun",
        2016,
        "https://arxiv.org/abs/1512.03385",
        "equation 2 and figure 5, left",
    ),
    tags=("random",),
    space={"squeeze_ratio": Choice(0.0, 0.0625)},
    example=Example(
        {
            "filters": 2,
            "strides": 2,
            "normalization": Part("keras.layers.BatchNormalization", momentum=0.9),
            "drop_rate": 0.25,
        },
        shape=(5, 6, 3),
    ),
)
class ResidualBlock(Residual):
    """Basic residual block: two convolutions, added to what came in.

    The block of ResNet-18 and ResNet-34; of SE-ResNet with `squeeze_ratio`. For deep CNNs of up
    to about 40 layers; `BottleneckBlock` costs less per layer in deeper and wider ones.

    Maths:
        `y = δ(P(x) + F(x))`, with `F(x) = norm(δ(norm(x ∗ W₁)) ∗ W₂)`, the first convolution with
        `strides`; `P(x) = x` where `F` keeps the shape, else `norm(x ∗ W₀)` with a kernel of one
        pixel. `F` ends with a squeeze-and-excitation if there is a `squeeze_ratio`.

    Args:
        squeeze_ratio: Width of the bottleneck of a squeeze-and-excitation as a share of
            `filters`, a number in [0, 1]; 0 for none. SE-ResNet has 1/16.

    Example:
        A branch that starts at zero leaves only the activation of what came in:

        >>> import keras
        >>> block = ResidualBlock(2, zero_init_residual=True)
        >>> y = block(keras.ops.convert_to_tensor([[[[3.0, -1.0]]]]))
        >>> print(keras.ops.convert_to_numpy(y).ravel())
        [3. 0.]
    """

    def _branch_layers(self, channels):
        return [
            self._spatial("conv1", self.filters, self.strides, activation=self.activation),
            self._spatial("conv2", self.filters, last=True),
            *self._squeeze_excite(self.filters, self.filters),
        ]

    def call_images(self, x: Tensor, training: bool | None) -> Tensor:
        F = self._branch(x, training)
        return self.activation(ops.add(self._shortcut(x, training), F))
