"""JAX on eight devices: in-batch losses see the global batch, in a process of its own."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import jax, keras, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from kcatalog import layers, losses, registry
from kcatalog.conformance.subject import Subject

devices = jax.devices()
assert len(devices) == 8, devices
mesh = jax.sharding.Mesh(np.array(devices), ("batch",))


def by_rows(x):
    return jax.device_put(x, NamedSharding(mesh, PartitionSpec("batch")))


for entry in registry.find(kind="losses", origin="kcatalog"):
    if "in-batch" not in entry.card.tags:
        continue
    subject = Subject.of(entry.load())
    y_true, y_pred = subject.targets_and_predictions(16)
    loss = subject.make()
    step = jax.jit(jax.value_and_grad(lambda p, y: loss(y, p)))
    one = step(y_pred, y_true)
    eight = step(by_rows(y_pred), by_rows(y_true))
    assert len(eight[1].sharding.device_set) == 8, entry.name
    for a, b in zip(one, eight):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=entry.name)
    print(entry.name)


def train(distribution):
    keras.distribution.set_distribution(distribution)
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 5)).astype("float32"), np.arange(64) // 2 % 4
    image, label = keras.Input((5,)), keras.Input((), dtype="int32")
    embeddings = keras.layers.Dense(3)(image)
    remembered = layers.CrossBatchMemory(losses.TripletHard(0.5), 32)(embeddings, label)
    model = keras.Model([image, label], remembered)
    model.compile(keras.optimizers.SGD(0.1), losses.SupervisedContrastive(1.0))
    model.fit([x, y], y, batch_size=16, shuffle=False, epochs=2, verbose=0)
    return [np.array(v.value) for v in model.variables]


alone = train(None)
for a, b in zip(alone, train(keras.distribution.DataParallel())):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
print("equal")
"""


@pytest.mark.skipif(os.environ["KERAS_BACKEND"] != "jax", reason="needs JAX")
def test_reference_is_one_device():
    flags = "--xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip().endswith("equal"), done.stdout + done.stderr[-2000:]
    assert "TripletAll" in done.stdout
