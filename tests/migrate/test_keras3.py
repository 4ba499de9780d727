"""`kcatalog migrate --keras3`: tf.keras becomes keras."""

import operator
import re

import keras
import numpy as np
import pytest
from keras import ops

import kcatalog
from kcatalog.migrate import codemod, keras3, program, scope

pytestmark = pytest.mark.once

ROWS = keras3.rows().rows.values()
# Keras's own copy of what tf.keras is since TensorFlow 2.16, where the old names still are
OLD = pytest.importorskip("keras._tf_keras.keras", reason="tf.keras is TensorFlow's")


def run(source):
    """Migrate a source, and check that a second run changes nothing."""
    result = codemod.migrate(source, [], keras3=True)
    assert codemod.migrate(result.code, [], keras3=True).code == result.code
    return result


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "import tensorflow as tf\ntf.keras.layers.Dense(1)\n",
            "import keras\nkeras.layers.Dense(1)\n",
        ),
        (
            "import tensorflow as tf\ntf.keras.Input(1)\ntf.zeros(1)\n",
            "import keras\nimport tensorflow as tf\nkeras.Input(1)\ntf.zeros(1)\n",
        ),
        ("from tensorflow import keras\nkeras.Model()\n", "import keras\nkeras.Model()\n"),
        ("from tensorflow import keras as k\nk.Model()\n", "import keras as k\nk.Model()\n"),
        (
            "from tensorflow import data, keras\nkeras.Model(data)\n",
            "from tensorflow import data\nimport keras\nkeras.Model(data)\n",
        ),
        (
            "from tensorflow.keras.layers import (\n    Dense,  # one\n    ReLU,\n)\nDense(ReLU)\n",
            "from keras.layers import (\n    Dense,  # one\n    ReLU,\n)\nDense(ReLU)\n",
        ),
        (
            "from tensorflow.keras.layers import *\nDense(1)\n",
            "from keras.layers import *\nDense(1)\n",
        ),
        (
            "from tensorflow.python.keras.layers import Dense\nDense(1)\n",
            "from keras.layers import Dense\nDense(1)\n",
        ),
        (
            "import tensorflow.keras.backend as K\nK.epsilon()\n",
            "import keras.backend as K\nK.epsilon()\n",
        ),
        (
            "import tensorflow.keras\ntensorflow.keras.Model()\n",
            "import keras\nkeras.Model()\n",
        ),
        (
            "import tensorflow as tf\nkeras = tf.keras\nkeras.Model()\n",
            "import keras\nkeras.Model()\n",
        ),
        (
            "from tensorflow.keras import backend as K\ny = K.mean(x, axis=1) + K.epsilon()\n",
            "import keras\nfrom keras import backend as K\n"
            "y = keras.ops.mean(x, axis=1) + K.epsilon()\n",
        ),
        (
            "from tensorflow.keras import backend as K\ny = K.argmax(K.clip(x, 0, max_value=1))\n",
            "import keras\ny = keras.ops.argmax(keras.ops.clip(x, 0, x_max=1), axis=-1)\n",
        ),
        (
            "from tensorflow.keras.layers.experimental.preprocessing import Rescaling as R\nR(2)\n",
            "from keras.layers import Rescaling as R\nR(2)\n",
        ),
        (
            "import tensorflow as tf\ntf.keras.layers.experimental.preprocessing.Resizing(2, 2)\n",
            "import keras\nkeras.layers.Resizing(2, 2)\n",
        ),
        (
            "from tensorflow.keras.optimizers import Adam\nAdam(lr=0.1)\n",
            "from keras.optimizers import Adam\nAdam(learning_rate=0.1)\n",
        ),
        (
            "import tensorflow as tf\ntf.keras.optimizers.legacy.SGD(0.1, lr_name=1)\n",
            "import keras\nkeras.optimizers.SGD(0.1, lr_name=1)\n",
        ),
        (
            "import tensorflow as tf\nr = tf.keras.losses.Reduction.SUM\n",
            'r = "sum"\n',
        ),
        (
            "import tensorflow as tf\nclass A(tf.keras.optimizers.Adam):\n    pass\n",
            "import keras\nclass A(keras.optimizers.Adam):\n    pass\n",
        ),
    ],
)
def test_rewritten(before, after):
    result = run(before)
    assert result.code == after
    assert not result.of("left")


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("tf.keras.preprocessing.image.ImageDataGenerator()", "image_dataset_from_directory"),
        ("tf.keras.backend.foldl(f, x)", "Keras 3 has no such name"),
        ("tf.keras.backend.learning_phase()", "pass training"),
        ("tf.keras.optimizers.SGD(0.1, decay=0.1)", "give a schedule"),
        ("tf.keras.layers.LocallyConnected1D(2, 3)", "locally connected"),
        ("tf.keras.backend.relu(x, 0.1)", "negative_slope"),
    ],
)
def test_left_with_a_hint(use, message):
    result = run(f"import tensorflow as tf\n{use}\n")
    assert message in result.of("left")[0].message
    assert f"import tensorflow as tf\n{program.MARK}" in result.code
    assert result.code.endswith(f"\n{use}\n")


def test_what_stays_with_tensorflow_keeps_its_import():
    before = "from tensorflow.keras.preprocessing.text import Tokenizer, Other\nTokenizer()\n"
    assert "from tensorflow.keras.preprocessing.text import Tokenizer, Other" in run(before).code


def test_operations_of_tensorflow_in_a_layer_are_noted():
    source = """import tensorflow as tf
class L(tf.keras.layers.Layer):
    def call(self, x):
        return tf.reshape(x, [-1]) + tf.math.exp(x)
class Other:
    def call(self, x):
        return tf.reshape(x, [-1])
"""
    (note,) = run(source).of("note")
    assert (note.line, note.name) == (3, "L.call")
    assert note.message.startswith("tf.math.exp, tf.reshape: only on TensorFlow")


# --- the table --------------------------------------------------------------------------

X = ops.convert_to_tensor(np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -0.75]], "float32"))
VALUES = {
    "x": X,
    "y": ops.convert_to_tensor(np.array([[1.0, 2.0, 0.5], [0.25, 3.0, 1.0]], "float32")),
    "i": ops.convert_to_tensor([1, 0]),
    "t": ops.convert_to_tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
    "p": ops.convert_to_tensor([[0.2, 0.7, 0.1], [0.6, 0.3, 0.1]]),
}
EXAMPLES = [
    pytest.param(row, example, id=f"{row.name}({example})")
    for row in ROWS
    if row.test in ("value", "same")
    for example in row.examples
]


def evaluated(source, **names):
    """Return the value of a migrated expression."""
    code = run(f"import tensorflow as tf\nresult = {source}\n").code
    code = code.replace("import tensorflow as tf\n", "")
    assert "tf." not in code
    exec(code, names)  # noqa: S102
    return names["result"]


@pytest.mark.parametrize(("row", "example"), EXAMPLES)
def test_value(row, example):
    """The old function and what replaces it give the same."""
    old = eval(f"keras.{row.name}({example})", {"keras": OLD, **VALUES})  # noqa: S307
    new = evaluated(f"tf.keras.{row.name}({example})", **VALUES)
    if isinstance(old, str | int):
        assert old == new
    else:
        np.testing.assert_allclose(np.array(old), np.array(new), rtol=1e-5)


@pytest.mark.parametrize(("row", "example"), EXAMPLES)
def test_functional(row, example):
    """Functional tensors go through each replacement, as through the old function."""
    if row.name == "backend.get_value":
        pytest.skip("functional tensors have no values")
    example = example.replace("x[None]", "one")  # Keras indexes functional tensors with tuples only
    tensors = {"one": keras.KerasTensor((1, 2, 3))}
    for name, value in VALUES.items():
        dtype = keras.backend.standardize_dtype(value.dtype)
        tensors[name] = keras.KerasTensor(value.shape, dtype)
    evaluated(f"tf.keras.{row.name}({example})", **tensors)


def test_square_roots_of_negative_numbers_differ():
    assert not np.isnan(OLD.backend.sqrt(X)).any()
    assert np.isnan(ops.sqrt(X)).any()


@pytest.mark.parametrize("row", [r for r in ROWS if r.to], ids=lambda r: r.name)
def test_destination_exists(row):
    package, _, path = row.to.partition(".")
    assert operator.attrgetter(path)({"keras": keras, "kcatalog": kcatalog}[package])
    if package == "keras":
        assert keras3.public(path) == path.count(".") + 1
    for example in row.examples if row.test == "exists" else ():
        made = evaluated(f"tf.keras.{row.name}({example})")
        assert type(made).__name__ == row.to.rpartition(".")[2]


@pytest.mark.parametrize("row", [r for r in ROWS if not r.to], ids=lambda r: r.name)
def test_names_without_destination_are_gone(row):
    assert not keras3.public(row.name)


def test_every_row_has_a_test():
    assert {row.test for row in ROWS if row.to} == {"value", "same", "exists"}
    assert all(row.examples or row.hint or row.reference for row in ROWS if row.to)


def test_public_names_are_those_of_keras():
    names = [n for n in dir(keras) if not n.startswith("_") and n not in ("src", "version")]
    assert [n for n in names if not keras3.public(n)] == []
    assert keras3.public("layers.Dense.from_config") == 2
    assert keras3.public("layers.NoSuchLayer") == 0
    assert scope.canonical("tensorflow.keras.layers") == "keras.layers"
    assert not re.match("keras", scope.canonical("tensorflow.kerasx"))
