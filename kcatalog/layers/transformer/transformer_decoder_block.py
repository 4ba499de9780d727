from keras import ops

from kcatalog import checks
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
    tags=("shape-preserving", "random", "masking", "recurrent"),
    space={
        "intermediate_dim": Int(16, 1024, log=True),
        "dropout": Float(0.0, 0.5),
        "normalize_first": Choice(False, True),
    },
    example=Example(
        {"intermediate_dim": 6, "num_heads": 2, "dropout": 0.25, "rotary": True, "gated": True},
        shape=(5, 8),
    ),
)
class TransformerDecoderBlock(TransformerBlock):
    """Transformer decoder block: causal self-attention, optional cross-attention, feed-forward.

    Every step looks at itself and earlier ones, so that a stack of these blocks can predict the
    next token of each step. With a second input, the encoded source, it also looks at all of that.
    In generation a cache keeps the keys and values of earlier steps, so that a step costs time
    linear in the length.

    Maths:
        `h = LN(x + A(x, x))`, `c = LN(h + B(h, encoded))`, `y = LN(c + W₂ φ(W₁ c))`; with
        `normalize_first` `h = x + A(LN(x), LN(x))` and so on. `A` and `B` are attention with
        `num_heads` heads, as in `TransformerEncoderBlock`; without `encoded`, `c = h`.

    Shapes:
        Input `x` `(batch, steps, features)`, and optionally `encoded`
        `(batch, source steps, source features)`; output as `x`. With a cache, output and new cache.

    Behaviour:
        Dropout acts in training only. Padding of either input, masked by Keras's mask, is attended
        to by nobody; the mask of `x` is passed on. A row of padding only gives finite numbers
        without meaning. `call` takes `use_causal_mask=False` to attend to later steps as well, and
        `attention_mask`, `(batch, steps, steps)`. To generate, call with `cache`, from
        `make_cache`, and `cache_index`, the position of the first step of `x`: keys and values are
        written into the cache, shapes are static, and the outputs are those of the whole sequence.

    Example:
        Two steps at once, and one after the other:

        >>> block = TransformerDecoderBlock(8, num_heads=2, rotary=True)
        >>> x = ops.convert_to_tensor([[[1.0, 2.0, 3.0, 4.0], [4.0, 1.0, 0.0, 2.0]]])
        >>> y = block(x)
        >>> cache = block.make_cache(batch_size=1, max_length=2)
        >>> _, cache = block(x[:, :1], cache=cache, cache_index=0)
        >>> last, cache = block(x[:, 1:], cache=cache, cache_index=1)
        >>> print(ops.convert_to_numpy(ops.max(ops.abs(y[:, 1:] - last))).round(4))
        0.0
    """

    def build(self, x_shape: Shape, encoded_shape: Shape | None = None) -> None:
        self.build_block(x_shape)
        self._cross = None
        if encoded_shape is not None:
            checks.rank(self, encoded_shape, 3, "(batch, source steps, source features)")
            checks.known_axis(self, encoded_shape, -1, "source features")
            self._cross = self.heads(x_shape, encoded_shape, "cross_attention")
            self._cross_norm = self.norm(x_shape, "cross_attention_norm")

    def make_cache(
        self,
        batch_size: int,
        max_length: int,
        encoded: Tensor | None = None,
        encoded_mask: Tensor | None = None,
    ) -> list[Tensor]:
        """Return an empty cache: keys, values and mask of `max_length` steps, then of the source.

        A list of tensors with the batch first; beam search may reorder their rows.
        """
        if not self.built:
            raise ValueError(f"{self.name}: call the block, or `build`, before `make_cache`.")
        self._check_encoded(encoded is not None)
        heads = (batch_size, max_length, self.num_heads, self._attention.key_dim)
        shapes = (heads, heads, heads[:2])
        cache = [ops.zeros(shape, self.compute_dtype) for shape in shapes]
        if encoded is None:
            return cache
        mask = mask_of(encoded) if encoded_mask is None else encoded_mask
        encoded = ops.cast(encoded, self.compute_dtype)
        mask = ops.ones(ops.shape(encoded)[:2]) if mask is None else mask
        k, v = self.keys_and_values(self._cross, encoded)
        return [*cache, k, v, ops.cast(mask, self.compute_dtype)]

    def call(
        self,
        x: Tensor,
        encoded: Tensor | None = None,
        mask: Tensor | None = None,
        encoded_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        use_causal_mask: bool = True,
        cache: list[Tensor] | None = None,
        cache_index: int = 0,
        training: bool | None = False,
    ) -> Tensor:
        mask = mask_of(x) if mask is None else mask
        x = ops.cast(x, self.compute_dtype)
        cached, start = (None, 0) if cache is None else (list(cache), cache_index)
        source = cached[3:] if cached else []
        self._check_encoded(encoded is not None or bool(source))
        if cached and isinstance(start, int) and not 0 <= start <= cached[0].shape[1] - x.shape[1]:
            rule = f"a position that leaves room for {x.shape[1]} of {cached[0].shape[1]} steps"
            raise checks.error(self, "cache_index", rule, start)

        def self_attention(x):
            q = self.turned(self._attention.query_dense(x), start)
            k, v = self.keys_and_values(self._attention, x, start)
            real = mask
            if cached:
                real = ops.ones(ops.shape(x)[:2]) if mask is None else mask
                new = zip(cached[:3], (k, v, real), strict=True)
                cached[:3] = [_written(old, cache_index, n) for old, n in new]
                k, v, real = cached[:3]
            options = {"real": real, "allowed": attention_mask, "causal": use_causal_mask}
            options["bias"] = self.bias(q, k, start)
            return self.attended(self._attention, q, k, v, training, start=start, **options)

        def cross_attention(x):
            q = self._cross.query_dense(x)
            if source:
                k, v, real = source
            else:
                memory = ops.cast(encoded, self.compute_dtype)
                k, v, real = *self.keys_and_values(self._cross, memory), encoded_mask
            return self.attended(self._cross, q, k, v, training, real=real)

        h = self.residual(self._attention_norm, self_attention, x, training)
        if self._cross:
            h = self.residual(self._cross_norm, cross_attention, h, training)
        y = self.residual(self._forward_norm, self.feed_forward, h, training)
        return (y, cached) if cached else y

    def _check_encoded(self, given):
        """Refuse a second input for which there are no weights, and a missing one."""
        if given != (self._cross is not None):
            rule = "given in every call, or in none" if self._cross else "None"
            fix = "The block was built without it." if given else "The block was built with it."
            raise checks.error(self, "encoded", rule, "a tensor" if given else None, fix)

    def compute_output_shape(
        self, x_shape: Shape, encoded_shape: Shape | None = None, cache_shape: Shape | None = None
    ) -> Shape:
        return x_shape if cache_shape is None else (x_shape, list(cache_shape))


def _written(old, start, new):
    """Write steps from `start` on into a cache."""
    at = (0, start, *(0 for _ in old.shape[2:]))
    return ops.slice_update(old, at, ops.cast(new, old.dtype))
