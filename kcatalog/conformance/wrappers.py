"""Checks for optimizer wrappers: the wrapped optimizer's settings, and what each kind changes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import ops

from kcatalog.conformance import backend, descent
from kcatalog.conformance.subject import Subject, close, finite, require
from kcatalog.conformance.suite import check


@check("optimizers", tag="wrapper")
def decays_weights(s: Subject):
    """Without a gradient, the inner optimizer's weight decay is all that acts."""
    optimizer = descent.make(s, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    decayed, kept = (
        keras.Variable(descent.start(), name="w"),
        keras.Variable(descent.start(), name="bias"),
    )
    zero = ops.zeros((4, 3))
    optimizer.apply([zero, zero], [decayed, kept])
    close(
        backend.as_numpy(decayed.value),
        descent.start() * (1 - 0.5 * descent.RATE),
        "a decayed weight",
    )
    close(backend.as_numpy(kept.value), descent.start(), "a weight excluded from decay")


@check("optimizers", tag="wrapper", variants=("clipnorm", "global_clipnorm", "clipvalue"))
def clips(s: Subject, how):
    """One step is no longer than the inner optimizer's clipping allows."""
    gradient = 1000 * descent.gradients(s, 1)
    step = np.abs(descent.run(descent.make(s, **{how: 1e-3}), gradient)[0] - descent.start())
    size = step.max() if how == "clipvalue" else np.linalg.norm(step)
    require(
        size <= 1.01e-3 * descent.RATE,
        f"a step of {size:.3g} where {how} allows {1e-3 * descent.RATE:.3g}",
    )
    require(size > 0, "no step is taken at all")


@check("optimizers", tag="wrapper", when=lambda s: backend.NAME == "tensorflow")
def two_replicas_clip_as_one(s: Subject):
    """Clipping acts on the summed gradient, where Keras alone clips each replica's own."""
    descent.replicas_agree(s, clipnorm=0.02)


@check("optimizers", tag="wrapper")
def averages_like_inner(s: Subject):
    """The inner moving average is kept, and ends in the model."""
    path = descent.run(descent.make(s), descent.gradients(s, 2))
    optimizer = descent.make(s, use_ema=True, ema_momentum=0.75)
    variable = keras.Variable(descent.start(), name="w")
    for g in descent.gradients(s, 2):
        optimizer.apply([ops.convert_to_tensor(g)], [variable])
    optimizer.finalize_variable_values([variable])
    close(backend.as_numpy(variable.value), 0.75 * path[0] + 0.25 * path[1], "the average")


# --- what wrappers wrap ------------------------------------------------------------------


@check("optimizers", tag="wrapper")
def wraps_itself(s: Subject):
    """A wrapper of a wrapper trains, counts its updates, and is saved and loaded."""
    model = descent.model(s.make(inner=descent.make(s)))
    before = descent.fit(model, descent.data(s))
    finite(np.concatenate([w.ravel() for w in before]), "a weight")
    count = int(backend.as_numpy(ops.convert_to_tensor(model.optimizer.iterations)))
    require(count == 6, f"6 steps counted as {count}")
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        again = keras.models.load_model(Path(folder) / "model.keras")
    after = descent.fit(again, descent.data(s))
    descent.all_close(
        after, descent.fit(model, descent.data(s)), "after resuming", rtol=1e-6, atol=1e-7
    )


@check("optimizers", tag="wrapper")
def wraps_by_name(s: Subject):
    """The inner optimizer may be given by name, and anything else is refused."""
    require(isinstance(s.make(inner="adam").inner, keras.optimizers.Adam), "inner='adam'")
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    for bad in ("no_such_optimizer", None, 3, scaled):
        try:
            s.make(inner=bad)
        except ValueError as e:
            require(str(e).startswith(f"{s.name}: `inner` must be "), f"the error: {e}")
        else:
            require(False, f"inner={bad!r} is accepted")


def _alone() -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(descent.RATE)


@check("optimizers", tag="averages-weights")
def gradient_unchanged(s: Subject):
    """The first step is the inner optimizer's own."""
    close(
        descent.run(descent.make(s), descent.gradients(s, 1))[0],
        descent.run(_alone(), descent.gradients(s, 1))[0],
        "step 1",
    )


@check("optimizers", tag="transforms-gradients")
def gradient_changed(s: Subject):
    """The first step differs from the inner optimizer's own."""
    gradient = 100 * descent.gradients(s, 1)
    same = np.allclose(
        descent.run(descent.make(s), gradient)[0], descent.run(_alone(), gradient)[0]
    )
    require(not same, "a wrapper that should change the gradient leaves it as it is")
