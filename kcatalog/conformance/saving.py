"""Checks for layers: files and SavedModels give the same outputs."""

from __future__ import annotations

import os
import tempfile
import warnings

import keras

from kcatalog.conformance import backend
from kcatalog.conformance.exercise import (
    model_around,
    moved_layer,
    repeats,
    run_layer,
)
from kcatalog.conformance.subject import Subject, close
from kcatalog.conformance.suite import check


@check("layers")
def keras_file_equal(s: Subject) -> None:
    """Saved in a `.keras` file and loaded in safe mode, the model gives equal outputs."""
    model, x = model_around(s, moved_layer(s)), s.inputs()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        path = os.path.join(folder, "model.keras")
        model.save(path)
        if not s.has_card:  # Keras builds it in the call that follows
            warnings.filterwarnings("ignore", "`build\\(\\)` was called on layer")
        again = keras.saving.load_model(path, custom_objects={s.name: s.cls})
    y, wanted = run_layer(again, x), run_layer(model, x)
    close(y, wanted if repeats(s) else y, "after saving and loading", 1e-6, 1e-6)


@check("layers", when=lambda s: backend.NAME == "tensorflow", slow=True)
def saved_model_equal(s: Subject) -> None:
    """Exported as a SavedModel and served without Keras, it gives equal outputs."""
    import tensorflow as tf

    model, x = model_around(s, moved_layer(s)), s.inputs()
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, verbose=False)
        served = tf.saved_model.load(folder)
        y = served.serve(x).numpy()
        close(y, run_layer(model, x) if repeats(s) else y, "served from a SavedModel")
