import keras
import pytest

from kcatalog.layers import Prototypes
from kcatalog.optimizers.wrappers.units import incoming_axes


def axes(layer, *shapes):
    layer.build(*shapes)
    return {v.path.split("/", 1)[1]: incoming_axes(v) for v in layer.trainable_variables}


IMAGE = (None, 8, 8, 3)


@pytest.mark.parametrize(
    ("layer", "shapes", "expected"),
    [
        (keras.layers.Dense(4), [(None, 3)], {"kernel": (0,), "bias": (0,)}),
        (keras.layers.Dense(4, name="query"), [(None, 3)], {"kernel": (0,), "bias": (0,)}),
        (keras.layers.Conv2D(1, 3), [IMAGE], {"kernel": (0, 1, 2), "bias": (0,)}),
        (keras.layers.DepthwiseConv2D(3), [IMAGE], {"kernel": (0, 1), "bias": (0,)}),
        (
            keras.layers.SeparableConv2D(4, 3, use_bias=False),
            [IMAGE],
            {"depthwise_kernel": (0, 1), "pointwise_kernel": (0, 1, 2)},
        ),
        (keras.layers.Embedding(7, 4, name="words"), [(None,)], {"embeddings": (1,)}),
        (Prototypes(3, per_class=2), [(None, 4)], {"prototypes": (2,)}),
        (
            keras.layers.MultiHeadAttention(2, 5),
            [(None, 6, 4), (None, 6, 4)],
            {
                "query/kernel": (0,),
                "key/kernel": (0,),
                "value/kernel": (0,),
                "attention_output/kernel": (0, 1),
                "query/bias": (0, 1),
                "key/bias": (0, 1),
                "value/bias": (0, 1),
                "attention_output/bias": (0,),
            },
        ),
    ],
    ids=lambda x: x.name if isinstance(x, keras.layers.Layer) else None,
)
def test_reference_is_what_feeds_a_unit_of_keras_layers(layer, shapes, expected):
    assert axes(layer, *shapes) == expected


def test_a_scalar_is_one_unit():
    assert incoming_axes(keras.Variable(1.0)) == ()
