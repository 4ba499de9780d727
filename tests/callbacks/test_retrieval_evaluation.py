import keras
import numpy as np
import pytest
from keras import ops

from kcatalog.callbacks import BestCheckpoints, RetrievalEvaluation


def make():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    return model


def reference(model, queries, references, k):
    """Recall@k and mean reciprocal rank by sorting each query's references."""
    embed = lambda x: ops.convert_to_numpy(model(x))  # noqa: E731
    (x, labels), (y, others) = queries, references or queries
    hits, reciprocal = [], []
    for i, q in enumerate(embed(x)):
        distances = [np.linalg.norm(q - r) for r in embed(y)]
        order = [j for j in np.argsort(distances) if references or j != i]
        ranks = [n for n, j in enumerate(order, 1) if others[j] == labels[i]]
        if ranks:
            hits.append(ranks[0] <= k)
            reciprocal.append(1 / ranks[0])
    return np.mean(hits), np.mean(reciprocal)


@pytest.mark.parametrize("with_references", [False, True])
def test_reference(rng, tmp_path, with_references):
    def drawn(samples):
        return rng.normal(size=(samples, 4)).astype("float32"), rng.integers(5, size=samples)

    queries, references = drawn(20), drawn(30) if with_references else None
    scores = ["recall_at_k", "mean_reciprocal_rank"]
    evaluation = RetrievalEvaluation(queries, references, 2, "euclidean", scores, batch_size=7)
    best = BestCheckpoints(tmp_path, "retrieval_recall_at_k", "max", keep=2)
    model, found = make(), []

    class Expected(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found.append(reference(model, queries, references, 2))

    x = rng.normal(size=(16, 4))
    callbacks = [Expected(), evaluation, best]
    history = model.fit(x, x[:, :3], epochs=3, verbose=0, callbacks=callbacks).history
    recall, reciprocal = zip(*found, strict=True)
    np.testing.assert_allclose(history["retrieval_recall_at_k"], recall, rtol=1e-6)
    np.testing.assert_allclose(history["retrieval_mean_reciprocal_rank"], reciprocal, rtol=1e-5)
    assert best.checkpoints[0]["value"] == max(recall)


def test_epochs_between_evaluations_have_the_last_scores(rng, monkeypatch):
    x, labels = rng.normal(size=(8, 4)), np.arange(8) % 2
    evaluation = RetrievalEvaluation((x, labels), every_epochs=2, prefix="r_")
    values = iter([0.1, 0.2, 0.3])
    monkeypatch.setattr(evaluation, "evaluate", lambda: {"r_recall_at_k": next(values)})
    history = make().fit(x, x[:, :3], epochs=4, verbose=0, callbacks=[evaluation]).history
    assert history["r_recall_at_k"] == [0.1, 0.2, 0.2, 0.3]


def test_a_collapsed_model_finds_nobody(rng):
    x, labels = rng.normal(size=(8, 4)), np.arange(8) % 2
    model = make()
    model.layers[0].kernel.assign(np.zeros((4, 3)))
    evaluation = RetrievalEvaluation((x, labels))
    evaluation.set_model(model)
    assert evaluation.evaluate() == {"retrieval_recall_at_k": 0.0}


def test_arguments():
    with pytest.raises(ValueError, match=r"`queries` must be a tuple \(x, labels\)"):
        RetrievalEvaluation((np.zeros((2, 3)), ["a", "b"]))
    with pytest.raises(ValueError, match="`scores` must be a list of names"):
        RetrievalEvaluation((np.zeros((2, 3)), [0, 1]), scores=["accuracy"])
