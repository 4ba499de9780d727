from keras import ops

from kcatalog.card import Choice, Example, Float, Int, Paper
from kcatalog.layers.transformer.transformer_block import TransformerBlock
from kcatalog.ops.masks import mask_of
from kcatalog.registry import component
from kcatalog.types import Shape, Tensor


@component(
    paper=Paper(
        "Attention Is All You Need",
        "Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin",
        2017,
        "https://arxiv.org/abs/1706.03762",
        "section 3.1",
    ),
    tags=("shape-preserving", "random", "masking"),
    space={
        "intermediate_dim": Int(16, 1024, log=True),
        "dropout": Float(0.0, 0.5),
        "normalize_first": Choice(False, True),
    },
    example=Example(
        {"intermediate_dim": 6, "num_heads": 2, "dropout": 0.25, "activation": "gelu"},
        shape=(5, 8),
    ),
    exemptions={
        "onnx_equal": "tf2onnx has no `erfc`, with which TensorFlow computes the exact GELU",
    },
)
class TransformerEncoderBlock(TransformerBlock):
    """Transformer encoder block: self-attention and a feed-forward layer.

    Every step looks at every other, for classification, tagging and encoding. It does not know
    positions: add a `PositionEmbedding`, or set `rotary=True`. Cost grows with the square of the
    steps. To generate sequences use `TransformerDecoderBlock`, which has a cache.

    Maths:
        `h = LN(x + A(x))`, `y = LN(h + W₂ φ(W₁ h))`; with `normalize_first` `h = x + A(LN(x))`,
        `y = h + W₂ φ(W₁ LN(h))`. `A(x) = W (softmax(q kᵀ / √d) v)` over `num_heads` heads of
        `d = features / num_heads`, with `q`, `k`, `v` linear in `x`; `φ` = `activation`.

    Shapes:
        Input `(batch, steps, features)`, output the same.

    Behaviour:
        Dropout acts in training only. Padding, masked by Keras's mask, is attended to by nobody;
        the mask is passed on. A row of padding only gives finite numbers without meaning. `call`
        takes `attention_mask`, `(batch, steps, steps)`, True where step `t` may attend to step `s`,
        and `use_causal_mask=True` to attend to earlier steps only. Fused attention of Keras is
        used, and flash attention where Keras does, except in training with dropout.

    Example:
        Without kernels both sub-layers give 0, and normalization is left:

        >>> block = TransformerEncoderBlock(8, num_heads=2, kernel_initializer="zeros")
        >>> y = block(ops.convert_to_tensor([[[1.0, 2.0, 3.0, 4.0]]]))
        >>> print(ops.convert_to_numpy(y)[0, 0].round(3))
        [-1.342 -0.447  0.447  1.342]
    """

    def build(self, input_shape: Shape) -> None:
        self.build_block(input_shape)

    def call(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        use_causal_mask: bool = False,
        training: bool | None = False,
    ) -> Tensor:
        # Keras passes the mask itself only where `x` is the one tensor among the arguments
        mask = mask_of(x) if mask is None else mask
        x = ops.cast(x, self.compute_dtype)

        def attention(x):
            q = self.turned(self._attention.query_dense(x), 0)
            k, v = self.keys_and_values(self._attention, x, 0)
            options = {"real": mask, "allowed": attention_mask, "causal": use_causal_mask}
            options["bias"] = self.bias(q, k, 0)
            return self.attended(self._attention, q, k, v, training, **options)

        h = self.residual(self._attention_norm, attention, x, training)
        return self.residual(self._forward_norm, self.feed_forward, h, training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
