"""Functions of TensorFlow in models: what `kcatalog migrate --keras3` marks, notes and lets be."""

import keras
import pytest

from kcatalog.migrate import codemod, keras3, table

pytestmark = pytest.mark.once

HEAD = """import tensorflow as tf
from tensorflow.keras import Input, Model, layers
from tensorflow.keras.layers import Dense, Lambda
"""


def run(body):
    """Migrate a program, and check that a second run changes nothing."""
    result = codemod.migrate(HEAD + body, [table.load("tensorflow_addons")], keras3=True)
    assert codemod.migrate(result.code, [], keras3=True).code == result.code
    return result


def marked(body):
    """Return the names that are marked in a program."""
    return [f.name for f in run(body).of("left")]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("x = Input((3,))\ny = tf.nn.relu(x)\n", ["tf.nn.relu"]),
        ("x = Dense(3)(Input((3,)))\ny = tf.reduce_mean(x, axis=1)\n", ["tf.reduce_mean"]),
        ("a, b = Input((3,)), 2\nc = tf.concat(values=[a, a], axis=b)\n", ["tf.concat"]),
        ("x = Input((3,))\ny = 1 + x[:, 0] * 2\nz = tf.square(y)\n", ["tf.square"]),
        ("x = Input((3,))\nx += 1\nx: int = tf.abs(x)\n", ["tf.abs"]),
        (
            "x = Input((3,))\ny = tf.reshape(x, (tf.shape(x)[0], 3))\n",
            ["tf.reshape", "tf.shape"],
        ),
        (
            "x, outs = Input((3,)), []\nfor n in (1, 2):\n    outs.append(Dense(n)(x))\n"
            "y = tf.concat(outs, -1)\n",
            ["tf.concat"],
        ),
        (
            "def block(x):\n    y = layers.Conv2D(3, 3)(x)\n    return tf.nn.relu(y)\n",
            ["tf.nn.relu"],
        ),
        (
            "def mish(z):\n    return z * tf.tanh(tf.nn.softplus(z))\ny = mish(Input((3,)))\n",
            ["tf.nn.softplus", "tf.tanh"],
        ),
        (
            "def ends():\n    return Input((3,)), 2\ny, n = ends()\nz = tf.abs(y)\n",
            ["tf.abs"],
        ),
        (
            "class Net:\n    def block(self, x):\n        return tf.abs(x)\n    def make(self):\n"
            "        self.x = Input((3,))\n        return self.block(self.x)\n",
            ["tf.abs"],
        ),
        (
            "from tensorflow.keras.layers import *\ndef block(x):\n"
            "    x = GlobalMaxPooling2D()(x)\n    return tf.reshape(x, (-1, 1))\n",
            ["tf.reshape"],
        ),
        ("base = tf.keras.applications.VGG16()\nx = tf.abs(base.output)\n", ["tf.abs"]),
        ("x = Input((3,))\nif n:\n    x = 2\ny = tf.abs(x)\n", ["tf.abs"]),
        ("x = Input((3,))\nwith tf.name_scope('a'):\n    y = tf.abs(x)\n", ["tf.abs"]),
        ("x = Input((3,))\ntry:\n    y = tf.abs(x)\nfinally:\n    pass\n", ["tf.abs"]),
        ("x = Input((3,))\nys = [tf.abs(z) for z in (x, x)]\n", ["tf.abs"]),
        (
            "x = Input((3,))\na, b = x.shape.as_list()\nn = x.get_shape()\n",
            ["as_list", "get_shape"],
        ),
        ("y = Lambda(lambda t: tf.abs(t))\n", ["tf.abs"]),
        ("y = Lambda(function=tf.abs)\n", ["tf.abs"]),
        ("def f(t):\n    return tf.cast(t, tf.float32)\ny = Lambda(f)\n", ["tf.cast"]),
    ],
)
def test_marked(body, names):
    assert marked(body) == names


@pytest.mark.parametrize(
    "body",
    [
        "y = Dense(3)(tf.ones((2, 3)))\nprint(tf.reduce_sum(y))\n",
        "x = tf.ones(3)\ny = tf.abs(x)\nx = Input((3,))\n",
        "x = Input((3,))\nx = 2\ny = tf.abs(x)\n",
        "x = Input((3,))\nn = tf.cast(x.shape[1], 'float32')\n",
        "x = Input((3,))\nm = Model(x, Dense(3)(x))\ny = tf.abs(m(tf.ones((2, 3))))\n",
        "x = Input((3,))\nn = tf.constant(len([x]))\nb = tf.constant(x is None)\n",
        "def prepare(x):\n    x = layers.Rescaling(1 / 255)(x)\n    return tf.cast(x, 'float16')\n",
        "class L(layers.Layer):\n    def call(self, x):\n        y = Dense(3)(x)\n"
        "        return tf.abs(y)\n",
        "x = Input((3,))\ny = keras_ops(x)\n",
        "x = Input((3,), dtype=tf.float32)\n",
        "def f():\n    x = Input((3,))\n\ndef g(x):\n    return tf.abs(x)\n",
    ],
)
def test_not_marked(body):
    assert marked(body) == []


def test_marks_stand_above_the_statement_with_what_to_write():
    result = run("x = Input((3,))\ny = tf.nn.relu(x)\nz = tf.nn.lrn(x)\n")
    refused = "on a functional tensor it raises an error in Keras 3"
    assert (
        f"# kcatalog migrate: tf.nn.relu: {refused}; use keras.ops.relu and compare the arguments\n"
        "y = tf.nn.relu(x)\n"
    ) in result.code
    assert f"tf.nn.lrn: {refused}; move it to the `call` of a keras.layers.Layer" in result.code


@pytest.mark.parametrize(
    ("body", "name", "message"),
    [
        ("y = Dense(1, activation=tf.nn.relu)\n", "tf.nn.relu", 'Keras\'s own is "relu"'),
        ("y = layers.Activation(tf.math.erf)\n", "tf.math.erf", "only on TensorFlow"),
        (
            "def loss(y_true, y_pred):\n    return tf.abs(y_true - y_pred)\n",
            "loss",
            "tf.abs: only on TensorFlow; keras.ops has the like",
        ),
        (
            "m.compile(loss=lambda y_true, y_pred: tf.abs(y_pred))\n",
            "lambda",
            "tf.abs: only on TensorFlow; keras.ops has the like",
        ),
    ],
)
def test_noted(body, name, message):
    (note,) = run(body).of("note")
    assert (note.name, note.message.endswith(message)) == (name, True)


# Functions that models call most, and what Keras has instead.
OPERATIONS = {
    "abs": "abs",
    "concat": "concatenate",
    "expand_dims": "expand_dims",
    "gather": "take",
    "identity": None,
    "image.resize": "image.resize",
    "linalg.matmul": "matmul",
    "math.l2_normalize": "normalize",
    "nn.conv2d": None,
    "nn.leaky_relu": "leaky_relu",
    "reduce_max": "max",
    "sparse.add": None,
    "strings.split": None,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name):
    found = OPERATIONS[name]
    assert keras3.operation(f"tensorflow.{name}") == (found and f"keras.ops.{found}")


@pytest.mark.tensorflow
def test_keras_does_what_the_messages_say():
    """TensorFlow refuses a functional tensor, Keras's operation takes it, and so does a layer."""
    tf = pytest.importorskip("tensorflow")
    x = keras.Input((4, 4, 3))

    class Own(keras.layers.Layer):
        def call(self, x):
            return tf.nn.lrn(x)

    for refused in (tf.nn.relu, tf.nn.lrn, tf.shape):
        with pytest.raises(ValueError, match="KerasTensor cannot be used as input"):
            refused(x)
    for attribute in ("get_shape", "set_shape"):
        assert not hasattr(x, attribute)
    assert isinstance(x.shape, tuple)
    assert keras.ops.relu(x).shape == Own()(x).shape == (None, 4, 4, 3)
    assert keras.layers.Lambda(lambda t: tf.nn.relu(t))(x).shape == (None, 4, 4, 3)
