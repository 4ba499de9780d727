"""The table of TensorFlow Addons: each old call, as the codemod rewrites it, computes the same.

`tests/golden/make_tfa_migration.py` made the old results. What differs is measured here.
"""

import ast
import importlib
import re
import typing
import warnings

import keras
import numpy as np
import pytest

import kcatalog
from kcatalog.migrate import codemod, table
from tests.golden.load import golden

tf = pytest.importorskip("tensorflow")
from tests.migrate import old_calls  # noqa: E402 - it needs TensorFlow

pytestmark = [pytest.mark.once, pytest.mark.tensorflow]
TABLE = table.load("tensorflow_addons")
ROWS = TABLE.rows
OLD = golden("tfa_migration")
CALLS = [(name, example) for name, row in ROWS.items() for example in row.examples]
GENERIC = {
    "trajectory": ("optimizer", "class"),
    "rates": ("schedule",),
    "value": ("function", "loss", "metric", "layer", "cell"),
}
SNIPPET = re.compile(r"[Ww]rite `([^`]+)`(?: with `(\w[^`]*)`)?")


def old(row, example, names=None):
    """Return what the old call computed."""
    name = f"{old_calls.name_of(row, example, names)}/"
    found = {k.removeprefix(name): v for k, v in OLD.items() if k.startswith(name)}
    assert found, f"{name[:-1]} is not in tfa_migration.npz: run tests/golden/make_tfa_migration.py"
    return found


def migrated(row, example):
    """Return the expression that the codemod writes, and None, or None and what it says to do."""
    source = "import tensorflow as tf\nimport tensorflow_addons as tfa\n\n"
    result = codemod.migrate(f"{source}made = tfa.{row}({example})\n", [TABLE], keras3=True)
    todo = {form.todo for form in (ROWS[row], ROWS[row].otherwise) if form}
    left = [f for f in result.of("left") if f.message not in todo]
    if left:
        return None, left[0].message
    scope = {}
    *imports, made = ast.parse(result.code).body
    assert isinstance(made, ast.Assign), result.code
    for statement in imports:
        exec(ast.unparse(statement), scope)  # noqa: S102
    assert "tensorflow_addons" not in result.code
    return ast.unparse(made.value), scope


def new(row, example, names=None):
    """Return what the new call computes; where the codemod leaves it, what its hint computes."""
    code, rest = migrated(row, example)
    space = {"tf": tf, "keras": keras, "kcatalog": kcatalog}
    if code is None:
        return by_hint(row, example, rest)
    return old_calls.outcome(row, example, code, space | rest, names)


def by_hint(row, example, message):
    """Return what the code of a hint gives; its names are the old arguments'."""
    found = SNIPPET.search(message)
    assert found, f"{row}({example}) is left, and the hint has no code: {message}"
    names = list(ROWS[row].signature.names)
    space = dict(old_calls.DATA, tf=tf)
    call = ast.parse(f"f({example})", mode="eval").body
    given = {k: ast.unparse(k_.value) for k_ in call.keywords for k in [k_.arg]}
    given |= {k: ast.unparse(v) for k, v in zip(names, call.args, strict=False)}
    defaults = {k: v for k, v in ROWS[row].signature.defaults.items() if v is not None}
    arguments = {k: old_calls.value_of(v, space) for k, v in (defaults | given).items()}
    space = {"keras": keras, "kcatalog": kcatalog, **arguments}
    for module in re.findall(r"\b(scipy\.\w+)\.", message):
        space["scipy"] = importlib.import_module("scipy")
        importlib.import_module(module)
    if found[2]:
        exec(found[2], space)  # noqa: S102
    return old_calls.arrays(old_calls.flat(old_calls.value_of(found[1], space)))


def same(got, wanted, rtol=1e-5, atol=1e-5):
    """Compare what both have, and nothing of the old may be missing but gradients of hints."""
    for key, value in wanted.items():
        if key == "final" and key not in got:
            continue
        if key.startswith("gradient/") and not any(k.startswith("gradient/") for k in got):
            continue
        mine = got[key.partition(".")[0]]
        mine = mine[int(key.partition(".")[2])] if "." in key else mine
        if "lengths" not in key and mine.size == value.size:
            mine = np.reshape(mine, value.shape)
        np.testing.assert_allclose(mine, value, rtol, atol, err_msg=key)


# --- what differs, as the rows say ------------------------------------------------------


def per_label(got, wanted):
    """A mean over the labels of a sample instead of their sum."""
    labels = next(v for k, v in wanted.items() if k.startswith("gradient/")).shape[-1]
    same({k: labels * v for k, v in got.items()}, wanted)


def but_step_5(got, wanted):
    """The fifth of the steps, which hang on nothing but the gradients."""
    mine, theirs = (np.diff(x["path"], axis=0) for x in (got, wanted))
    others = np.arange(len(theirs)) != 3  # the first step is no difference
    np.testing.assert_allclose(mine[others], theirs[others], rtol=1e-4, atol=1e-6)
    assert np.abs(mine[3] - theirs[3]).max() > 1e-3


def but_tiny_gradients(got, wanted):
    """Compare the paths of weights whose gradients (`old_calls`) exceed epsilon by far."""
    large, tiny = [0, 1, 5, 6, 7], [3, 4]
    np.testing.assert_allclose(got["path"][:, large], wanted["path"][:, large], atol=1e-4)
    mine, theirs = (np.ptp(x["path"][:, tiny], axis=0) for x in (got, wanted))
    assert (mine > 1.1 * theirs).all()


def but_longer_first_steps(got, wanted):
    """By about 0.03 where the gradients are smaller, and not much where they are larger."""
    start = np.concatenate(
        [old_calls.drawn("kernel", (3, 2)).ravel(), old_calls.drawn("bias", (2,))]
    )
    mine, theirs = (np.abs(x["path"][0] - start) for x in (got, wanted))
    assert (mine[[0, 1, 5, 6, 7]] > theirs[[0, 1, 5, 6, 7]]).all()
    assert mine[5] < 1.1 * theirs[5]
    alike = kcatalog.optimizers.Yogi(epsilon=1e-3 / np.sqrt(1 - 0.999))
    np.testing.assert_allclose(
        old_calls.trajectory(alike, keras)["path"][0], wanted["path"][0], 1e-5
    )


def within_lengths(got, wanted):
    real = np.arange(5) < old_calls.DATA["lengths"][:, None]
    np.testing.assert_array_equal(got["value0"][real], wanted["value0"][real])
    np.testing.assert_allclose(got["value1"], wanted["value1"], rtol=1e-5)


def in_float64(got, wanted):
    same(got, wanted, rtol=1e-3, atol=1e-3)


def with_batch_axis(got, wanted):
    np.testing.assert_array_equal(got["value0"][0], wanted["value0"])
    np.testing.assert_allclose(got["value1"][0], wanted["value1"], rtol=1e-5)


DIFFERENT = {
    "losses.SigmoidFocalCrossEntropy": per_label,
    "losses.sigmoid_focal_crossentropy": per_label,
    "optimizers.RectifiedAdam(lr=0.01)": but_step_5,
    "optimizers.RectifiedAdam(learning_rate=0.01)": but_step_5,
    "optimizers.LazyAdam()": but_tiny_gradients,
    "optimizers.Yogi()": but_longer_first_steps,
    "text.crf_decode": within_lengths,
    "text.crf_constrained_decode": within_lengths,
    "image.interpolate_spline": in_float64,
}


@pytest.mark.parametrize(
    ("row", "example"),
    [call for call in CALLS if ROWS[call[0]].test in GENERIC],
    ids=lambda text: text,
)
def test_same(row, example):
    """The old call and what is written for it: values, gradients, paths of weights, rates."""
    if (ROWS[row].to or "").startswith("keras_rs"):
        pytest.importorskip("keras_rs")
    name = old_calls.name_of(row, example)
    compare = DIFFERENT.get(name) or DIFFERENT.get(row, same)
    compare(new(row, example), old(row, example))


@pytest.mark.parametrize(
    ("row", "example"),
    [call for call in CALLS if call[0].startswith("activations.")],
    ids=lambda text: text,
)
def test_activation_of_a_functional_tensor(row, example):
    """An activation that is called while a functional model is built gives the old values."""
    x = old_calls.DATA["x"]
    inputs = keras.Input(x.shape[1:])
    code, scope = migrated(row, example)
    model = keras.Model(inputs, old_calls.value_of(code, scope | {"x": inputs}))
    assert_near(model.predict(x, verbose=0), old(row, example)["value0"])


def test_activations_have_examples():
    activations = {row for row in ROWS if row.startswith("activations.")}
    assert activations == {row for row, _ in CALLS if row.startswith("activations.")}


@pytest.mark.parametrize("kind", ["Average", "Max"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_pooling_to_one(kind, rank):
    """An output size of 1 trains, and is the mean or the maximum with axes of length 1."""
    row, n = f"layers.Adaptive{kind}Pooling{rank}D", rank * (1,)
    x = np.random.default_rng(rank).normal(size=(2, *rank * (6,), 3)).astype("float32")
    for size in ("1", str(n), str(list(n))):
        code, scope = migrated(row, f"output_size={size}, name='pool'")
        assert code == f"keras.layers.Global{kind}Pooling{rank}D(name='pool', keepdims=True)"
    pool = old_calls.value_of(code, scope)
    dense = keras.layers.Dense(1)
    model = keras.Sequential([keras.Input(x.shape[1:]), dense, pool, keras.layers.Flatten()])
    model.compile("sgd", "mse")
    before = keras.ops.convert_to_numpy(dense.kernel)
    model.fit(x, np.ones((2, 1)), verbose=0)
    assert np.abs(before - keras.ops.convert_to_numpy(dense.kernel)).max() > 0
    reduce = {"Average": np.mean, "Max": np.max}[kind]
    assert_near(pool(x), reduce(x, axis=tuple(range(1, rank + 1)), keepdims=True))


def test_adaptive_pooling_to_other_sizes():
    """The layer of Keras stays where the size is not 1, or not certain; a note says what fails."""
    for size in ("3", "(1, 3)", "n"):
        source = (
            f"import tensorflow_addons as tfa\npool = tfa.layers.AdaptiveMaxPooling2D({size})\n"
        )
        result = codemod.migrate(source, [TABLE])
        assert f"keras.layers.AdaptiveMaxPooling2D({size})" in result.code
        assert any("Keras 3.15 raises an error in `fit`" in f.message for f in result.of("note"))
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, keras.layers.AdaptiveMaxPooling2D((1, 3))(x))
    if keras.__version__.startswith("3.15."):
        with pytest.raises(ValueError, match="AdaptiveMaxPooling2D"):
            model.predict(np.zeros((1, 8, 8, 3)), verbose=0)
    subclass = "import tensorflow_addons as tfa\nclass A(tfa.layers.AdaptiveMaxPooling2D): pass\n"
    (left,) = codemod.migrate(subclass, [TABLE]).of("left")
    assert left.message.endswith("derive from keras.layers.AdaptiveMaxPooling2D")


PASSED_ON = [
    name
    for name, row in ROWS.items()
    if row.reference and row.test in GENERIC and old_calls.kind_of(name) != "function"
]


@pytest.mark.parametrize("row", PASSED_ON)
def test_passed_on(row):
    """A name that is passed on becomes a callable that does the same as the old one, or raises."""
    source = f"import tensorflow_addons as tfa\n\nmade = [tfa.{row}][0]\n"
    result = codemod.migrate(source, [TABLE])
    assert not result.of("left")
    scope, same_calls = {}, 0
    exec(result.code, scope)  # noqa: S102
    for example in ROWS[row].examples:
        space = {"tf": tf, "keras": keras, **scope}
        try:
            code = f"made({example})".replace("legacy.", "")
            got = old_calls.outcome(row, example, code, space)
        except (TypeError, ValueError, AttributeError, NameError):
            continue
        name = old_calls.name_of(row, example)
        compare = DIFFERENT.get(name) or DIFFERENT.get(row, same)
        compare(got, old(row, example))
        same_calls += 1
    assert same_calls


def one_threshold_a_channel(got, wanted):
    assert wanted["gradient/tau"].shape == (4, 6, 2)
    assert got["gradient/tau"].shape == (2,)


def shared_rows(got, wanted):
    """The means of rows 0 and 1, 1 and 2, 2 and 3 instead of the first three rows."""
    x = old_calls.DATA["images"].reshape(2, 4, 3, 2, 2).mean(3)
    assert_near(wanted["value0"], x[:, :3].reshape(2, 9, 2))
    assert_near(got["value0"], ((x[:, :3] + x[:, 1:]) / 2).reshape(2, 9, 2))


def mean_of_shared(got, wanted):
    """Two maxima with one place are averaged; elsewhere both are the same."""
    differ = np.abs(got["value0"] - wanted["value0"]) > 1e-6
    assert differ.any()
    assert_near(2 * got["value0"][differ], wanted["value0"][differ])


def without_bins(got, wanted):
    """Near each other, since the bins are coarse; the exact one has a test of its own."""
    assert 1e-3 < abs(got["value0"] - wanted["value0"]) < 0.1


def not_nan(got, wanted):
    assert np.isnan(wanted["value0"])
    assert got["value0"] == 0


def merged(got, wanted):
    """Islands of several levels are one."""
    assert got["value0"].max() < wanted["value0"].max()
    assert not np.any((got["value0"] == 0) != (wanted["value0"] == 0))


def after_a_change(got, wanted):
    """The same while the rate is the first one, and not any more when it falls."""
    np.testing.assert_allclose(got["path"][:3], wanted["path"][:3], 1e-5, 1e-6)
    assert np.abs(got["path"][-1] - wanted["path"][-1]).max() > 1e-2


def above_half(got, wanted):
    """All predictions are below 1, so that the old metric counts none."""
    assert (wanted["value0"][:, :, 1] == 0).all()
    assert (got["value0"][:, :, 1].sum(1) == (old_calls.DATA["chances"] > 0.5).sum(0)).all()


def not_equal(got, wanted):
    assert not np.allclose(got["value0"], wanted["value0"], atol=1e-3)


def hard_triplets(got, wanted):
    """The mean over anchors with a positive, and over all, where the last one's distance is 0."""
    labels, x = data("one_alone", "embeddings")
    losses = []
    for anchor, label in zip(x, labels, strict=True):
        d = np.linalg.norm(x - anchor, axis=1)
        losses.append(max(d[labels == label].max() - d[labels != label].min() + 1, 0))
    assert_near(got["value0"], np.mean(losses[:-1]))
    assert_near(wanted["value0"], np.mean(losses))


def cost_of_classes(got, wanted):
    """The mean cost of the true classes, and the cost of their mean."""
    y, p = (x.astype("float64") for x in data("soft", "probabilities"))
    classes, n = np.arange(3), len(y)
    costs = (classes[:, None] - classes) ** 2
    below = y.sum(0) @ costs @ p.sum(0) / n
    mean = (y @ classes)[:, None]
    for value, above in ((got, (y @ costs * p).sum()), (wanted, ((mean - classes) ** 2 * p).sum())):
        assert_near(value["value0"], np.log(above / below + 1e-6))


OTHERWISE = {
    "layers.TLU": one_threshold_a_channel,
    "layers.CorrelationCost": not_equal,
    "layers.SpatialPyramidPooling2D": shared_rows,
    "layers.MaxUnpooling2D": mean_of_shared,
    "metrics.MultiLabelConfusionMatrix": above_half,
    "metrics.KendallsTauB": without_bins,
    "metrics.KendallsTauC": without_bins,
    "metrics.SpearmansRank": without_bins,
    "losses.TripletSemiHardLoss": not_nan,
    "losses.TripletHardLoss": hard_triplets,
    "losses.WeightedKappaLoss": cost_of_classes,
    "image.connected_components": merged,
    "optimizers.NovoGrad": after_a_change,
}


@pytest.mark.parametrize(("row", "example", "names"), old_calls.OTHERS, ids=lambda x: str(x))
def test_differs(row, example, names):
    """A difference that a row states is there, and as large as it says."""
    assert ROWS[row].differs
    OTHERWISE[row](new(row, example, names), old(row, example, names))


def test_decay_follows_the_rate():
    """As `AdamW` and `SGDW` say: when a callback lowers the rate, the decay falls with it."""
    for row in ("optimizers.AdamW", "optimizers.SGDW"):
        code, scope = migrated(row, "weight_decay=0.1, learning_rate=0.5")
        optimizer, w = old_calls.value_of(code, scope), keras.Variable([1.0])
        optimizer.build([w])
        optimizer.learning_rate = 0.05
        optimizer.apply([keras.ops.zeros(1)], [w])
        assert_near(w, [0.99])


def test_conditional_gradient_at_rest():
    code, scope = migrated("optimizers.ConditionalGradient", "0.9")
    w = keras.Variable([1.0])
    old_calls.value_of(code, scope).apply([keras.ops.zeros(1)], [w])
    assert_near(w, [1.0])


# --- tests of single rows ---------------------------------------------------------------


def assert_near(x, y, **kwargs):
    x, y = (keras.ops.convert_to_numpy(z) for z in (x, y))
    np.testing.assert_allclose(x, y, **{"rtol": 1e-5, "atol": 1e-5} | kwargs)


def data(*names):
    return [old_calls.DATA[name] for name in names]


def test_rrelu():
    """The same without training; in training each slope is drawn between the bounds."""
    for example in ROWS["activations.rrelu"].examples:
        same(new("activations.rrelu", example), old("activations.rrelu", example))
    x = tf.constant(old_calls.DATA["x"])
    code, scope = migrated("activations.rrelu", "x, lower=0.2, upper=0.4, training=True")
    slopes = (keras.ops.convert_to_numpy(old_calls.value_of(code, scope | {"x": x})) / x.numpy())[
        x.numpy() < 0
    ]
    assert slopes.min() >= 0.2
    assert slopes.max() <= 0.4
    assert np.ptp(slopes) > 0.05


def test_gelu_layer():
    """Exact in both cases, as it was with `approximate=False`."""
    exact = old("layers.GELU", "approximate=False")
    same(new("layers.GELU", "approximate=False"), exact)
    same(new("layers.GELU", ""), exact)
    difference = np.abs(exact["value0"] - old("layers.GELU", "")["value0"]).max()
    assert 1e-5 < difference < 5e-4


def test_gelu_without_a_call():
    code, _ = migrated("activations.gelu", "x")
    source = "import tensorflow_addons as tfa\na = f(activation=tfa.activations.gelu)\n"
    assert "approximate=True" in code
    assert "activation=keras.activations.gelu" in codemod.migrate(source, [TABLE]).code


def test_equalize():
    got, wanted = new("image.equalize", "scene"), old("image.equalize", "scene")
    assert np.abs(got["value0"] - wanted["value0"].astype("float32")).max() <= 10


def test_random_cutout():
    """Each image loses one square of the given size, at a place of its own."""
    images = np.ones((64, 8, 8, 2), "float32")
    space = {"images": images, "mask_size": 4, "constant_values": 0, "keras": keras}
    code, size = re.findall("`([^`]+)`", ROWS["image.random_cutout"].hint)
    exec(size, space)  # noqa: S102 - of our table
    lost = 1 - keras.ops.convert_to_numpy(eval(code, space))  # noqa: S307
    assert (lost.sum((1, 2)) == 16).all()
    assert (lost.any(2).sum(1) == 4).all()
    assert len({image.tobytes() for image in lost}) > 10


def test_noisy_dense():
    """The same without noise; in training each call has another."""
    for example in ROWS["layers.NoisyDense"].examples:
        same(new("layers.NoisyDense", example), old("layers.NoisyDense", example))
    layer, (x,) = kcatalog.layers.NoisyDense(4), data("x")
    first, second = (keras.ops.convert_to_numpy(layer(x, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


def test_first_batch():
    """`WeightNormalization` gives outputs of variance 1; before, they depended on the kernel."""
    x, first = (
        data("x")[0],
        OLD["layers.WeightNormalization(tf.keras.layers.Dense(3)) first/value0"],
    )
    dense = keras.layers.Dense(3)
    layer = kcatalog.layers.WeightNormalization(dense)
    layer.build(x.shape)
    dense.kernel.assign(old_calls.drawn("kernel", (6, 3)))
    assert_near(np.std(layer(x, training=True), axis=0), np.ones(3), atol=1e-4)
    length = np.linalg.norm(old_calls.drawn("kernel", (6, 3)), axis=0)
    assert_near(np.std(first, axis=0), 1 / length, atol=1e-4)


@pytest.mark.parametrize("example", ROWS["layers.MultiHeadAttention"].examples)
def test_multi_head_attention(example):
    """As the hint says to write it, with the weights of the old layer.

    The old one had one bias, of its output; the others are 0 to begin with.
    """
    wanted, x = old("layers.MultiHeadAttention", example), tf.constant(*data("series"))
    biased = "False" not in example
    layer = keras.layers.MultiHeadAttention(
        num_heads=2, key_dim=3, use_bias=biased, output_shape=5 if biased else None
    )
    layer(x, x, x)
    kernels = [w for w in layer.weights if w.name == "kernel"]
    for w, name in zip(kernels, ("query", "key", "value", "projection"), strict=True):
        kernel = old_calls.drawn(f"{name}_kernel", (2, 3, w.shape[-1]))
        w.assign(kernel if name == "projection" else kernel.transpose(1, 0, 2))
    if biased:
        layer.weights[-1].assign(old_calls.drawn("projection_bias", (5,)))
    other = tf.identity(x)
    with tf.GradientTape() as tape:
        tape.watch([x, other])
        y = layer(x, other, other)
        total = old_calls.total([y])
    assert_near(y, wanted["value0"])
    for i, g in enumerate(tape.gradient(total, [x, other])):
        assert_near(g, wanted[f"gradient/x{i}"])


def test_polynomial_crossing():
    keras_rs = pytest.importorskip("keras_rs")
    wanted, (x0, x) = old("layers.PolynomialCrossing", "use_bias=False"), data("x", "real")
    layer = keras_rs.layers.FeatureCross(use_bias=False)
    layer(x0, x)
    (w,) = layer.weights
    w.assign(old_calls.drawn("kernel", w.shape))
    assert_near(layer(x0, x), wanted["value0"])


def test_crf():
    """Best tags and loss of the layer and of the model wrapper."""
    x, tags = data("series", "tokens")
    for example in ROWS["layers.CRF"].examples:
        arguments = {"use_kernel": False} if "False" in example else {}
        layer = kcatalog.layers.CRF(3, **arguments)
        layer(x)
        for name, w in old_calls.weights_of(layer):
            w.assign(old_calls.drawn(name, w.shape))
        path = layer(x)
        best = keras.ops.convert_to_numpy(path).argmax(-1)
        np.testing.assert_array_equal(best, old("layers.CRF", example)["value0"])
        if not arguments:
            got = kcatalog.losses.CRFCrossentropy(reduction="none")(tags, path)
            wanted = old("text.CRFModelWrapper", "")["value0"]
            assert_near(got, wanted)


def test_contrastive():
    """From the embeddings, as the row offers, it is the same."""
    a, b, y = data("a", "b", "same")
    loss = kcatalog.losses.Contrastive(margin=0.8)
    pairs = keras.ops.stack([a, b], axis=1)
    assert_near(loss(y, pairs), old("losses.ContrastiveLoss", "margin=0.8")["value0"])


def test_stochastic_depth():
    """The same at inference; in training each sample has its own draw, and no factor."""
    peer = golden("tfa_stochastic_depth")
    pair = [peer["shortcut"], peer["residual"]]
    for survival, wanted in zip(peer["survival_probability"], peer["output"], strict=True):
        layer = old_calls.value_of(*migrated("layers.StochasticDepth", f"{float(survival)}"))
        assert_near(layer(pair), wanted)
    layer = old_calls.value_of(*migrated("layers.StochasticDepth", ""))
    many = [np.zeros((64, 1), "float32"), np.ones((64, 1), "float32")]
    assert set(np.unique(layer(many, training=True))) == {0.0, 1.0}


def test_type_of_calls_with_two_destinations():
    """Calls of `AdamW` become one of two types, so each of them is asked for."""
    source = """import tensorflow_addons as tfa
optimizers = [tfa.optimizers.AdamW(1e-3, 0.1), tfa.optimizers.AdamW(1e-3, f())]
def g(x: tfa.optimizers.AdamW): return isinstance(x, tfa.optimizers.AdamW)
"""
    result = codemod.migrate(source, [TABLE])
    assert not result.of("left")
    scope = {"f": lambda: 0.1}
    exec(result.code, scope)  # noqa: S102
    assert len({type(x) for x in scope["optimizers"]}) == 2
    assert all(map(scope["g"], scope["optimizers"]))
    assert not scope["g"](keras.optimizers.SGD())


def test_types():
    """A hint of any type, by each way to it."""
    source = """import tensorflow_addons as tfa
from tensorflow_addons.utils.types import Number as N, TensorLike

def f(x: TensorLike, n: N = 1) -> tfa.types.FloatTensorLike:
    return n * x
"""
    result = codemod.migrate(source, [TABLE])
    assert not result.of("left")
    scope = {}
    exec(result.code, scope)  # noqa: S102
    assert set(scope["f"].__annotations__.values()) == {typing.Any}


def test_npairs():
    a, b, labels, paired = data("a", "b", "labels", "paired")
    pairs = keras.ops.stack([a, b], axis=1)
    for y, loss, names in (
        (labels, kcatalog.losses.NPairs(), ("NpairsLoss", "npairs_loss")),
        (
            paired,
            kcatalog.losses.NPairsMultilabel(),
            ("NpairsMultilabelLoss", "npairs_multilabel_loss"),
        ),
    ):
        for name in names:
            row = f"losses.{name}"
            assert_near(loss(y, pairs), old(row, *ROWS[row].examples)["value0"])


def test_means():
    (x,) = data("positive")
    mean = keras.metrics.Mean()
    mean.update_state(keras.ops.log(x))
    assert_near(keras.ops.exp(mean.result()), old("metrics.GeometricMean", "")["value0"])
    mean = keras.metrics.Mean()
    mean.update_state(1 / x)
    assert_near(1 / mean.result(), old("metrics.HarmonicMean", "")["value0"])


def test_pearson():
    """Equal in one batch of whole numbers, each of which has its own bin; two are a mean."""
    (example,) = ROWS["metrics.PearsonsCorrelation"].examples
    code, scope = migrated("metrics.PearsonsCorrelation", example)
    wanted = old("metrics.PearsonsCorrelation", example)["value0"]
    metric, (y, p) = old_calls.value_of(code, scope), data("grades_true", "grades")
    metric.update_state(y[:, None], p[:, None])
    assert_near(metric.result(), wanted)
    metric.reset_state()
    for half in (slice(None, 10), slice(10, None)):
        metric.update_state(y[half, None], p[half, None])
    assert abs(float(metric.result()) - wanted) > 1e-3


def test_adjusted_r_square_runs_eagerly():
    """Keras's metric fails in a compiled model; the comment says what helps."""
    x, y = data("x", "real")
    code, scope = migrated("metrics.RSquare", "num_regressors=2")
    results = []
    for eager in (True, False):
        model = keras.Sequential([keras.Input(x.shape[1:]), keras.layers.Identity()])
        metric = old_calls.value_of(code, scope)
        model.compile("sgd", "mse", metrics=[metric], run_eagerly=eager)
        if not eager and keras.__version__.startswith("3.15."):
            with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
                model.evaluate(x, y, verbose=0)
        else:
            results += model.evaluate(x, y, verbose=0, return_dict=True).values()
    assert np.isfinite(results).all()
    source = "import tensorflow_addons as tfa\nr = tfa.metrics.RSquare(num_regressors=0)\n"
    assert codemod.migrate(source, [TABLE]).code.endswith('R2Score(name="r_square")\n')
    source = source.replace("=0", "=2")
    assert "run_eagerly=True" in codemod.migrate(source, [TABLE]).of("left")[0].message


def test_hamming():
    """The mean of what the function gives for each sample; classes ignore the threshold."""
    row, (example,) = "metrics.hamming_loss_fn", ROWS["metrics.hamming_loss_fn"].examples
    code, scope = migrated(row, example)
    names = dict(zip(("multilabels", "chances"), data("multilabels", "chances"), strict=True))
    assert_near(old_calls.value_of(code, scope | names), old(row, example)["value0"].mean())
    code, scope = migrated("metrics.HammingLoss", "'multiclass', threshold=0.9")
    rows, chances = data("rows", "chances")
    wrong = np.mean(rows.argmax(-1) != chances.argmax(-1))
    assert_near(old_calls.value_of(code, scope)(rows, chances), wrong)
    assert migrated("metrics.HammingLoss", "'multilabel'")[0] is None


def test_sequence_loss():
    """Equal for a mask; for other weights the sum is divided by their sum."""
    code, scope = migrated("seq2seq.SequenceLoss", "")
    tags, potentials, mask, weights = data("tags", "potentials", "step_mask", "step_weights")
    loss = old_calls.value_of(code, scope)
    assert_near(loss(tags, potentials, mask), old("seq2seq.SequenceLoss", "")["value0"])
    over_both = old("seq2seq.sequence_loss", "potentials, tags, step_weights")["value0"]
    assert_near(loss(tags, potentials, weights), over_both)
    options = "average_across_timesteps=True, average_across_batch=True, "
    code, scope = migrated(
        "seq2seq.SequenceLoss", options + "sum_over_timesteps=False, sum_over_batch=False"
    )
    assert_near(old_calls.value_of(code, scope)(tags, potentials, weights), over_both)
    assert migrated("seq2seq.SequenceLoss", "average_across_timesteps=True")[0] is None


# --- optimizers and decoders that are written anew --------------------------------------


def test_decoupled_weight_decay():
    """A wrapper in place of a class, also of one made by the function."""
    row = "optimizers.extend_with_decoupled_weight_decay"
    (example,) = ROWS[row].examples
    adamax = keras.optimizers.Adamax(learning_rate=0.01)
    optimizer = kcatalog.optimizers.DecoupledWeightDecay(adamax, 0.01)
    same(old_calls.trajectory(optimizer, keras), old(row, example))


def test_averaging_wrapper():
    """A subclass whose `after_update` averages as `average_op` of the old one did."""

    class HalfAverage(kcatalog.optimizers.Wrapper):
        slots = {"average": "weight"}

        def after_update(self, weight, average, step):
            return weight, (average + weight) / 2

        def final_weight(self, weight, average, step):
            return average

    optimizer, w = HalfAverage(keras.optimizers.SGD(1.0)), keras.Variable([2.0])
    for _ in range(2):
        optimizer.apply([keras.ops.ones(1)], [w])
    optimizer.finalize_variable_values([w])
    assert_near(w, [0.75])  # ((2 + 1) / 2 + 0) / 2


def test_legacy_optimizer():
    class Descent(kcatalog.optimizers.Optimizer):
        slots = {}

        def update(self, w, g, lr, t):
            return (w - lr * g,)

    w = keras.Variable([2.0])
    Descent(0.5).apply([keras.ops.ones(1)], [w])
    assert_near(w, [1.5])


def test_multi_optimizer():
    if not hasattr(keras.optimizers, "OptimizerMap"):
        pytest.skip("Keras has it from 3.15 on")
    chosen = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1))
    chosen["slow"] = keras.optimizers.SGD(0.01)
    fast, slow = (keras.Variable([1.0], name=name) for name in ("fast", "slow"))
    optimizer = keras.optimizers.MultiOptimizer(chosen)
    optimizer.apply([keras.ops.ones(1)] * 2, [fast, slow])
    assert_near(fast, [0.9])
    assert_near(slow, [0.99])


def test_basic_decoder():
    """Cell, embedding and output layer are shared by training and by the decoders."""
    keras.utils.set_random_seed(3)
    cell, embedding = keras.layers.GRUCell(4), keras.layers.Embedding(5, 3)
    output, start = keras.layers.Dense(5), np.ones((2, 1), "int32")
    layers = kcatalog.layers
    greedy = layers.SamplingDecoder(cell, embedding, output, max_steps=4, temperature=0)
    found = greedy(start)
    tokens = keras.ops.convert_to_numpy(found[0] if isinstance(found, tuple | list) else found)
    right = np.concatenate([start, tokens[:, :-1]], axis=1)
    z = output(keras.layers.RNN(cell, return_sequences=True)(embedding(right)))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(z).argmax(-1), tokens)
    forced = layers.ScheduledSampling(cell, embedding, output, rate=0.0)
    assert_near(forced(right, training=True), z)


# --- callbacks --------------------------------------------------------------------------


@pytest.fixture
def fitted():
    """A function that trains a small model with callbacks."""

    def fit(*callbacks, optimizer="sgd", **kwargs):
        keras.utils.set_random_seed(5)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
        model.compile(optimizer, "mse")
        x, y = data("x", "real")
        options = {"epochs": 2, "verbose": 0, "batch_size": 2} | kwargs
        history = model.fit(x, y[:, :1], callbacks=list(callbacks), **options)
        return model, history

    return fit


def made(row, example):
    code, scope = migrated(row, example)
    return old_calls.value_of(code, scope)


def test_average_model_checkpoint(fitted, tmp_path):
    """The file holds the averages, and training goes on from the weights of training."""
    path = tmp_path / "best.weights.h5"
    callback = made(
        "callbacks.AverageModelCheckpoint", f"False, {str(path)!r}, save_weights_only=True"
    )
    average = kcatalog.optimizers.MovingAverage(keras.optimizers.SGD(0.1), average_decay=0.5)
    model, _ = fitted(callback, optimizer=average)
    ended = [keras.ops.convert_to_numpy(w) for w in average.averages]
    model.load_weights(path)
    for w, expected in zip(model.weights, ended, strict=True):
        assert_near(w, expected)
    assert migrated("callbacks.AverageModelCheckpoint", "True, 'x.keras'")[0] is None


def test_progress_bar(fitted, capsys):
    pytest.importorskip("tqdm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted(made("callbacks.TQDMProgressBar", "show_epoch_progress=True"))
    assert "2/2" in capsys.readouterr().err
    assert migrated("callbacks.TQDMProgressBar", "show_epoch_progress=False")[0].endswith(
        "(verbose=0)"
    )


def test_what_is_to_do_is_marked():
    """A call that is rewritten, and leaves something to do, is open until its comment is gone."""
    source = "import tensorflow_addons as tfa\nbars = tfa.callbacks.TQDMProgressBar()\n"
    first = codemod.migrate(source, [TABLE])
    second = codemod.migrate(first.code, [TABLE])
    assert "give `fit` verbose=0" in first.code.partition("bars = tqdm.keras.TqdmCallback()")[0]
    assert second.code == first.code
    assert second.of("left")[0].message.endswith("Then remove the comment")
    code = "".join(x for x in first.code.splitlines(True) if not x.startswith("#"))
    assert not codemod.migrate(code, [TABLE]).findings


def test_notes_are_not_to_do():
    """Texts on rewritten calls that are only shown do not say what to install or to give."""
    rewritten = [row for row in ROWS.values() if row.to and not row.hint]
    forms = [form for row in rewritten for form in (row, row.otherwise) if form]
    texts = [text for form in forms for text in (form.differs, form.also)]
    assert not [text for text in texts if re.search(r"\b([Ii]nstall |[Gg]ive `)", text)]


def test_time_stopping(fitted):
    _, history = fitted(made("callbacks.TimeStopping", "seconds=0.001, verbose=1"), epochs=50)
    assert len(history.epoch) == 1
    assert made("callbacks.TimeStopping", "").seconds == 86400


EARLIER = ("options.TF_ADDONS_PY_OPS",)  # names of earlier versions

# --- the table as a whole ---------------------------------------------------------------


def test_names_and_signatures():
    """Every public name has a row, with the parameters that it had."""
    names = golden("tfa_names")
    wanted = dict(zip(names["name"].tolist(), names["signature"].tolist(), strict=True))
    assert set(ROWS) == {*wanted, *EARLIER}
    for name, row in ROWS.items():
        if not row.signature:
            continue
        parts = wanted[name].replace("*args, ", "").replace("<dtype: 'string'>", "tf.string")
        theirs = table.Signature.parse(parts)
        assert row.signature.names == theirs.names, name
        assert row.signature.extra == theirs.extra, name
        if name != "text.crf_log_likelihood":
            assert dict(row.signature.defaults) == dict(theirs.defaults), name


def test_every_row_has_a_test_or_a_reason():
    here = globals()
    for name, row in ROWS.items():
        if not row.to:
            assert row.reason, name
            continue
        if row.test in GENERIC:
            assert row.examples, name
            assert old_calls.kind_of(name) in GENERIC[row.test], name
            continue
        module, _, function = row.test.rpartition("::")
        if module:
            path = module.removesuffix(".py").replace("/", ".")
            assert hasattr(importlib.import_module(path), function), f"{name}: {row.test}"
        else:
            assert callable(here.get(row.test)), f"{name}: {row.test}"


def test_what_has_no_counterpart_is_left():
    for name, row in ROWS.items():
        if row.to and not row.hint:
            continue
        source = (
            f"import tensorflow_addons as tfa\n\nx = tfa.{name}({', '.join(row.examples[:1])})\n"
        )
        result = codemod.migrate(source, [TABLE])
        assert result.of("left"), name
        assert f"{source.splitlines()[2]}\n" in result.code, name


def test_destinations_exist():
    for name, row in ROWS.items():
        for form in filter(None, (row, row.otherwise)):
            if form.to and not form.to.startswith(("keras_rs", "scipy", "tqdm")):
                if form.to == "keras.optimizers.MultiOptimizer":
                    continue  # test_multi_optimizer
                roots = {"keras": keras, "kcatalog": kcatalog, "typing": typing}
                thing = roots[form.to.split(".")[0]]
                for part in form.to.split(".")[1:]:
                    assert hasattr(thing, part), f"{name}: {form.to}"
                    thing = getattr(thing, part)
