import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers, losses
from kcatalog.conformance.backend import as_numpy, value_and_gradients
from tests.losses.triplets import distance


def reference(batches, capacity, warm_up_steps, margin):
    """Algorithm 1 with batch-hard triplets: the loss of each batch, by plain loops."""
    memory = []
    for step, (x, y) in enumerate(batches):
        batch = list(zip(x, y, strict=True))
        in_use = len(memory) >= capacity and step >= warm_up_steps
        references = batch + (memory if in_use else [])
        values = []
        for a, (x_a, y_a) in enumerate(batch):
            others = [r for i, r in enumerate(references) if i != a]
            positives = [distance(x_a, x_r, "euclidean") for x_r, y_r in others if y_r == y_a]
            negatives = [distance(x_a, x_r, "euclidean") for x_r, y_r in others if y_r != y_a]
            if positives and negatives:
                values.append(max(0.0, margin + max(positives) - min(negatives)))
        yield np.mean(values) if values else 0.0
        memory = (batch + memory)[:capacity]


def batches_of(rng, steps=6, batch=5):
    for _ in range(steps):
        yield rng.normal(size=(batch, 3)).astype("float32"), rng.integers(0, 3, batch)


@pytest.mark.parametrize(("capacity", "warm_up_steps"), [(8, 0), (8, 4), (3, 0), (12, 1)])
def test_reference(rng, capacity, warm_up_steps):
    batches = list(batches_of(rng))
    loss = losses.TripletHard(margin=0.7)
    memory = layers.CrossBatchMemory(loss, capacity, warm_up_steps)
    expected = list(reference(batches, capacity, warm_up_steps, 0.7))
    for (x, y), value in zip(batches, expected, strict=True):
        out = memory(ops.convert_to_tensor(x), ops.convert_to_tensor(y), training=True)
        np.testing.assert_array_equal(as_numpy(out), x)
        np.testing.assert_allclose(as_numpy(memory.losses[0]), value, rtol=1e-5)


def test_gradient_reaches_the_batch_through_remembered_references(rng):
    """The memory is constant: the gradient is that of the anchors against fixed references."""
    (x0, y0), (x, y) = batches_of(rng, steps=2, batch=6)
    memory = layers.CrossBatchMemory(losses.TripletAll(margin=0.7), capacity=6)
    memory(ops.convert_to_tensor(x0), ops.convert_to_tensor(y0), training=True)
    state = [as_numpy(v) for v in memory.variables]

    def loss(x):
        for variable, value in zip(memory.variables, state, strict=True):
            variable.assign(value)
        memory(x, ops.convert_to_tensor(y), training=True)
        return memory.losses[0]

    def together(x):
        every = ops.concatenate([x, ops.convert_to_tensor(x0)], axis=0)
        labels = ops.convert_to_tensor(np.concatenate([y, y0]))
        S, N = losses.TripletAll(margin=0.7).compare(labels, every, anchors=6)
        return ops.sum(S) / ops.sum(N)

    value, (gradient,) = value_and_gradients(together, [x])
    if keras.backend.backend() == "jax":  # a layer with state is used outside a gradient only
        np.testing.assert_allclose(as_numpy(loss(ops.convert_to_tensor(x))), value, rtol=1e-5)
        return
    ours, (slope,) = value_and_gradients(loss, [x])
    np.testing.assert_allclose(ours, value, rtol=1e-5)
    np.testing.assert_allclose(slope, gradient, rtol=1e-5, atol=1e-7)


def test_evaluation_reads_the_batch_alone_and_remembers_nothing(rng):
    (x, y), (x1, y1) = batches_of(rng, steps=2)
    memory = layers.CrossBatchMemory(losses.TripletHard(), capacity=5)
    memory(ops.convert_to_tensor(x), ops.convert_to_tensor(y), training=True)
    before = [as_numpy(v) for v in memory.variables]
    memory(ops.convert_to_tensor(x1), ops.convert_to_tensor(y1))
    alone = losses.TripletHard()(y1, x1)
    np.testing.assert_allclose(as_numpy(memory.losses[0]), as_numpy(alone), rtol=1e-6)
    for old, new in zip(before, memory.variables, strict=True):
        np.testing.assert_array_equal(as_numpy(new), old)


def model_of(memory):
    x, y = keras.Input((3,)), keras.Input((), dtype="int32")
    embeddings = keras.layers.Dense(2, name="embed")(x)
    model = keras.Model([x, y], memory(embeddings, y))
    model.compile(keras.optimizers.SGD(0.1))
    return model, keras.Model(x, embeddings)


@pytest.mark.slow
def test_trains_saves_and_serves_without_labels(rng, tmp_path):
    x, y = rng.normal(size=(24, 3)).astype("float32"), np.arange(24) % 3
    memory = layers.CrossBatchMemory(losses.TripletAll(0.5), capacity=8, warm_up_steps=1)
    model, embed = model_of(memory)
    model.fit([x, y], batch_size=4, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    kept = loaded.get_layer(memory.name)
    assert isinstance(kept.loss, losses.TripletAll)
    for mine, theirs in zip(memory.variables, kept.variables, strict=True):
        np.testing.assert_array_equal(as_numpy(mine), as_numpy(theirs))
    assert np.any(as_numpy(kept.variables[0]))
    again = [m.fit([x, y], batch_size=4, shuffle=False, verbose=0) for m in (model, loaded)]
    np.testing.assert_allclose(*[h.history["loss"] for h in again], rtol=1e-5)
    kernel, bias = embed.layers[-1].get_weights()
    np.testing.assert_allclose(embed.predict(x, verbose=0), x @ kernel + bias, 1e-4, 1e-6)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_two_replicas_remember_the_same_as_one(rng):
    from kcatalog.conformance.descent import two_replicas

    x, y = rng.normal(size=(32, 3)).astype("float32"), np.arange(32) // 2 % 4
    ends = []
    for strategy in (two_replicas(), None):
        keras.utils.set_random_seed(1)
        # squared: roots of small distances magnify what the order of the rows rounds
        loss = losses.TripletHard(0.5, distance="squared_euclidean")
        with strategy.scope() if strategy else keras.name_scope("one"):
            model, _ = model_of(layers.CrossBatchMemory(loss, capacity=8))
        model.fit([x, y], batch_size=8, shuffle=False, verbose=0)
        ends.append([as_numpy(v.value) for v in model.variables])
    for one, two in zip(*ends, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_a_loss_that_compares_nothing_is_refused():
    with pytest.raises(ValueError, match="`loss` must be an in-batch loss on labels and emb"):
        layers.CrossBatchMemory(keras.losses.MeanSquaredError())


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has whole numbers of 32 bits")
def test_labels_of_64_bits_stay_apart():
    memory = layers.CrossBatchMemory(losses.TripletHard(margin=2.0), capacity=2)
    x = ops.convert_to_tensor([[0.0], [1.0]])
    memory(ops.convert_to_tensor([[3.0], [9.0]]), np.array([2**32 + 4] * 2), training=True)
    memory(x, np.array([4, 4]), training=True)
    np.testing.assert_allclose(as_numpy(memory.losses[0]), 0.5)  # as in the docstring


def test_labels_that_are_not_one_a_sample():
    memory = layers.CrossBatchMemory(losses.TripletHard(), capacity=2)
    x = np.zeros((4, 3), "float32")
    for wrong in (np.eye(4, dtype="int32"), np.arange(3)):
        with pytest.raises(ValueError, match="CrossBatchMemory: `labels` must be one label"):
            memory(x, wrong)


def test_a_nan_is_a_nan():
    memory = layers.CrossBatchMemory(losses.TripletHard(), capacity=2)
    x = np.eye(4, dtype="float32")
    x[0, 0] = np.nan
    memory(x, np.array([0, 0, 1, 1]), training=True)
    assert np.isnan(as_numpy(memory.losses[0]))
