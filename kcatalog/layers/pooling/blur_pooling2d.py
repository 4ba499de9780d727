from kcatalog.card import Choice, Example, Paper
from kcatalog.layers.pooling.blur_pooling import BlurPooling
from kcatalog.registry import component


@component(
    paper=Paper(
        "Making Convolutional Networks Shift-Invariant Again",
        "Zhang",
        2019,
        "https://arxiv.org/abs/1904.11486",
        "section 3.2",
    ),
    equation="y = (x ∗ k kᵀ) at every strides-th pixel,  k = binomial coefficients / 2ⁿ⁻¹",
    space={"kernel_size": Choice(2, 3, 5), "strides": Choice(1, 2)},
    example=Example({"kernel_size": 5}, shape=(8, 7, 3)),
)
class BlurPooling2D(BlurPooling):
    """Anti-aliased downsampling: a fixed binomial blur, then every `strides`-th pixel.

    Striding alone lets fine patterns reappear as false coarse ones, and an object shifted by a
    pixel changes the output. In place of a strided convolution take the convolution with stride
    1, its activation, then this; in place of max pooling, max pooling with stride 1, then this.

    Maths:
        `y[i, j] = Σ k[u] k[v] x[s i + u - pad, s j + v - pad]`, with `n` = `kernel_size`,
        `s` = `strides`, `k[u] = (n-1 choose u) / 2ⁿ⁻¹` and `pad = (s + n - 2) // 2` pixels on
        every side.

    Shapes:
        Input `(batch, height, width, channels)`; output
        `(batch, (height + 2 pad - n) // s + 1, (width + 2 pad - n) // s + 1, channels)`.
        `channels` must be known.

    Behaviour:
        Training and inference are the same. Deterministic, without trainable weights. A map
        too small to be mirrored at once is mirrored over and over.

    Example:
        A single bright pixel, one half of it kept along each axis:

        >>> import keras
        >>> x = keras.ops.reshape(keras.ops.eye(5)[2:3] * keras.ops.eye(5)[:, 2:3], (1, 5, 5, 1))
        >>> y = BlurPooling2D(kernel_size=3, strides=2)(x)
        >>> tuple(y.shape), float(y[0, 1, 1, 0])
        ((1, 3, 3, 1), 0.25)
    """
