"""The tables of libraries other than TensorFlow Addons: complete, and true where they say so."""

import ast
import inspect
import json
from pathlib import Path

import keras
import numpy as np
import pytest

import kcatalog
from kcatalog.migrate import table
from kcatalog.migrate.models import arguments
from tests.golden.load import golden
from tests.migrate import (
    test_keras_contrib_rows,
    test_keras_cv_rows,
    test_optax_optimizers,
    test_similarity_rows,
)
from tests.migrate.successors import successor

TESTS = Path(__file__).parents[1]
NAMES = json.loads((TESTS / "golden" / "migration_names.json").read_text(encoding="utf-8"))
ROWS = {(key, row.name): row for key in NAMES for row in table.load(key).rows.values()}


@pytest.mark.parametrize("library", sorted(NAMES))
def test_every_name_has_a_row(library):
    assert set(table.load(library).rows) == set(NAMES[library])


@pytest.mark.parametrize("library", sorted(NAMES))
def test_destinations_exist_and_are_tested(library):
    for row in table.load(library).rows.values():
        if row.to is None:
            continue
        new = arguments.resolve(row.to)
        known = inspect.signature(new).parameters
        later = row.rename.values() if row.signature and not row.hint else ()
        assert all(x in known or "kwargs" in known for x in (*later, *row.add)), row.name
        if row.test.endswith(".py"):
            text = (TESTS / row.test).read_text(encoding="utf-8")
            assert row.to.rpartition(".")[2] in text, row.name
        else:
            assert row.test in GENERIC, row.name


def peer_values(library, prefix):
    stored = golden("migration_losses")
    return {k: v for k, v in stored.items() if k.startswith(prefix)}, stored


def made(library, name, given):
    """Return our loss for the old arguments of a row."""
    row, new = arguments.new_call(ROWS[library, name], given)
    return arguments.resolve(row.to)(**new)


TORCH = {  # loss -> our prediction, our target
    "L1Loss": ("real", "target"),
    "MSELoss": ("real", "target"),
    "HuberLoss": ("real", "target"),
    "SmoothL1Loss": ("real", "target"),
    "NLLLoss": ("log_classes", "labels"),
    "PoissonNLLLoss": ("real", "counts"),
    "KLDivLoss": ("log_classes", "classes"),
    "BCELoss": ("probabilities", "bits"),
    "BCEWithLogitsLoss": ("real", "bits"),
    "SoftMarginLoss": ("real", "bits"),
    "CrossEntropyLoss": ("real", "labels"),
    "MultiLabelSoftMarginLoss": ("real", "bits"),
}


def test_values_of_torch():
    expected, stored = peer_values("torch", "nn.")
    for call, value in expected.items():
        name, _, text = call[3:-1].partition("(")
        if name == "CTCLoss":
            continue
        keywords = ast.parse(f"f({text})", mode="eval").body.keywords
        given = {k.arg: ast.literal_eval(k.value) for k in keywords}
        predicted, right = (stored[x] for x in TORCH[name])
        if name in ("PoissonNLLLoss", "KLDivLoss"):
            predicted = np.exp(predicted)
        loss = made("torch", f"nn.{name}", given)
        np.testing.assert_allclose(loss(right, predicted), value, rtol=1e-5, atol=1e-5)
    loss = keras.losses.CTC(reduction="none")
    ours = loss(stored["words"], stored["utterances"].astype("float32"))
    np.testing.assert_allclose(ours, expected["nn.CTCLoss(reduction='none')"], rtol=1e-4)


def test_values_of_optax():
    """The rows' hints, call by call."""
    expected, s = peer_values("optax", "losses.")
    k = keras.losses
    bits, real = s["bits"], s["real"]
    pairs = np.stack([0 * real[:, 0], real[:, 0]], -1)
    ours = {
        "squared_error": k.MeanSquaredError()(s["target"], real),
        "l2_loss": k.MeanSquaredError()(s["target"], real) / 2,
        "huber_loss": k.Huber(0.5)(s["target"], real),
        "log_cosh": k.LogCosh()(s["target"], real),
        "cosine_similarity": -k.CosineSimilarity()(s["target"], real),
        "cosine_distance": 1 + k.CosineSimilarity()(s["target"], real),
        "sigmoid_binary_cross_entropy": k.BinaryCrossentropy(from_logits=True)(bits, real),
        "sigmoid_focal_loss": k.BinaryFocalCrossentropy(True, 0.3, 1.5, from_logits=True)(
            bits, real
        ),
        "softmax_cross_entropy": k.CategoricalCrossentropy(from_logits=True)(s["classes"], real),
        "softmax_cross_entropy_with_integer_labels": k.SparseCategoricalCrossentropy(
            from_logits=True
        )(s["labels"], real),
        "hinge_loss": k.Hinge()(bits, real),
        "kl_divergence": k.KLDivergence()(s["classes"], np.exp(s["log_classes"])),
        "sparsemax_loss": kcatalog.losses.Sparsemax()(s["labels"] % 2, pairs),
        "ctc_loss": k.CTC()(s["words"], s["utterances"].astype("float32")),
        "binary_dice_loss": kcatalog.losses.FocalTversky(
            0.5, 0.5, gamma=1.0, epsilon=0.5, from_logits=True
        )(bits[None, :, :, None], real[None, :, :, None]),
    }
    ours["safe_softmax_cross_entropy"] = ours["softmax_cross_entropy"]
    ours["kl_divergence_with_log_targets"] = ours["kl_divergence"]
    assert {f"losses.{n}" for n in ours} == set(expected)
    for name, value in ours.items():
        peer = expected[f"losses.{name}"]
        apart = 0.03 if name == "binary_dice_loss" else 1e-5  # which smooths otherwise
        np.testing.assert_allclose(value, peer, rtol=1e-4, atol=apart, err_msg=name)


def test_values_of_segmentation_models():
    """Means over three classes there are sums here."""
    stored = golden("segmentation_models")
    for name, given, factor in (
        ("BinaryCELoss", {}, 1),
        ("BinaryFocalLoss", {"alpha": 0.3, "gamma": 1.5}, 1),
        ("CategoricalCELoss", {}, 3),
        ("CategoricalFocalLoss", {"alpha": 0.3, "gamma": 1.5}, 3),
        ("DiceLoss", {"per_image": True, "smooth": 0.5}, 1),
        ("JaccardLoss", {"per_image": True, "smooth": 0.5}, 1),
    ):
        loss = made("segmentation_models", f"losses.{name}", given)
        ours = loss(stored["one_hot"], stored["classes"])
        np.testing.assert_allclose(ours, factor * stored[name], rtol=1e-4, err_msg=name)


def scored(metric, y, p):
    metric.update_state(y, p)
    return metric.result()


def test_hints_of_segmentation_models():
    """The code in the hints of functions and metrics; of one image, where those differ."""
    stored, tried = golden("segmentation_models"), 0
    truth, certain = stored["one_hot"], stored["certain"]
    rows = [row for (key, _), row in ROWS.items() if key == "segmentation_models" and row.hint]
    for row in rows:
        module, name = row.name.split(".")
        one_class = name in ("Precision", "Recall") or name.islower()
        old = {"num_classes": 3, "threshold": 0.5} | ({"beta": 2} if name == "FScore" else {})
        made = successor(row, old)
        if module == "losses":
            factor = 3 if name.startswith("categorical") else 1
            ours, peer = made(truth[:1], stored["classes"][:1]) / factor, stored[row.name]
        else:
            images = 1 if name.islower() else 2
            y, p = (x[:images, ..., : 1 if one_class else 3] for x in (truth, certain))
            if "FBeta" in row.to:
                y, p = (x.reshape(-1, x.shape[-1]) for x in (y, p))
            peer = stored[
                row.name if name.islower() else f"{name}, {'one_class' if one_class else 'three'}"
            ]
            ours = scored(made, y, p)
        np.testing.assert_allclose(ours, peer, rtol=1e-4, err_msg=row.name)
        tried += 1
    assert tried == 15
    for name in ("Precision", "Recall"):  # of several classes
        metric = getattr(keras.metrics, name)
        each = [scored(metric(thresholds=0.5, class_id=i), truth, certain) for i in range(3)]
        np.testing.assert_allclose(np.mean(each), stored[f"{name}, three"], rtol=1e-4)


GENERIC = {
    "cv_chance": test_keras_cv_rows.test_law,
    "cv_value": test_keras_cv_rows.test_value,
    "path": test_optax_optimizers.test_path,
    "value": test_values_of_torch,
    "optax_value": test_values_of_optax,
    "sm_value": test_values_of_segmentation_models,
    "optax_other": test_optax_optimizers.test_others,
    "similarity_value": test_similarity_rows.test_rows,
    "contrib_value": test_keras_contrib_rows.test_rows,
}
