from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kcatalog import checks
from kcatalog.callbacks import periodic
from kcatalog.card import Example, Paper
from kcatalog.ops.retrieval import retrieval_scores
from kcatalog.registry import component

SCORES = ("recall_at_k", "precision_at_k", "r_precision", "map_at_r", "mean_reciprocal_rank")
SCORES += ("ndcg_at_k", "nearest_neighbour_accuracy")


@component(
    paper=Paper(
        "A Metric Learning Reality Check",
        "Musgrave, Belongie, Lim",
        2020,
        "https://arxiv.org/abs/2003.08505",
        "section 3.2, accuracy metrics",
    ),
    equation="at the end of an epoch: scores of queries searched for in an index",
    tags=("monitoring",),
    example=Example(
        {
            "queries": ([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0]], [0, 1]),
            "references": ([[1.0, 2.0, 3.1], [3.0, 1.0, 2.1], [0.0, 0.0, 1.0]], [0, 1, 1]),
            "scores": ["recall_at_k", "map_at_r"],
            "prefix": "gallery_",
        }
    ),
)
class RetrievalEvaluation(keras.callbacks.Callback):
    """Retrieval evaluation: logs how well queries find their class, after each epoch.

    For models that embed, where the validation loss says little. Unlike metrics such as `RecallAtK`
    it searches in a set of its own, of any size, with the weights at the end of the epoch.

    Maths:
        With embeddings `f(q)` and `f(r)` of all queries and references, each query's references
        are ranked by `distance`. `recall_at_k` is the share of queries with one of their class
        among the first `k`; `kcatalog.ops.retrieval_scores` states the others.

    Args:
        queries: Samples and their labels, a tuple `(x, labels)`.
        references: The set to search in, a tuple `(x, labels)`, or None to search for each query
            among the other queries.
        k: How many neighbours count, an integer in [1, inf).
        distance: `"cosine"`, `"euclidean"` or `"squared_euclidean"`.
        scores: List of names: `"recall_at_k"`, `"precision_at_k"`, `"r_precision"`, `"map_at_r"`,
            `"mean_reciprocal_rank"`, `"ndcg_at_k"` or `"nearest_neighbour_accuracy"`.
        prefix: What the names begin with in the logs, a string.
        every_epochs: Epochs from one evaluation to the next, an integer in [1, inf).
        batch_size: Samples that the model embeds at once, an integer in [1, inf).

    Shapes:
        `labels`: `(samples,)`. The model's output must be embeddings, `(samples, features)`. Each
        score is a number in the logs of the epoch. Of several outputs the first one counts.

    Behaviour:
        The scores stand in `history` and in the logs that callbacks after this one see, so put it
        before `EarlyStopping` and `BestCheckpoints`, and give these `mode="max"`. An epoch without
        an evaluation has the last scores. Embeds in inference, without dropout. Memory is that
        of the embeddings and of `1024 · references` distances. Queries without a reference of
        their class are left out. To evaluate averages, put it inside `SwapAveragedWeights`.

    Example:
        On a line, 0 and 1 are of one class, 3 and 9 of another; only 3 is nearer to a negative:

        >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        >>> model = keras.Sequential([keras.Input((1,)), layer])
        >>> model.compile(keras.optimizers.SGD(0.0), "mse")
        >>> x, labels = np.array([[0.0], [1.0], [3.0], [9.0]]), np.array([7, 7, 8, 8])
        >>> evaluation = RetrievalEvaluation((x, labels), distance="euclidean")
        >>> history = model.fit(x, x, verbose=0, callbacks=[evaluation])
        >>> history.history["retrieval_recall_at_k"]
        [0.75]
    """

    def __init__(
        self,
        queries: Any,
        references: Any = None,
        k: int = 1,
        distance: str = "cosine",
        scores: Sequence[str] = ("recall_at_k",),
        prefix: str = "retrieval_",
        every_epochs: int = 1,
        batch_size: int = 128,
    ):
        super().__init__()
        self.queries = _samples(self, "queries", queries)
        self.references = references and _samples(self, "references", references)
        self.k = checks.integer(self, "k", k, "[1, inf)")
        distances = ("cosine", "euclidean", "squared_euclidean")
        self.distance = checks.choice(self, "distance", distance, distances)
        if not isinstance(scores, list | tuple) or not scores or not set(scores) <= set(SCORES):
            raise checks.error(self, "scores", f"a list of names among {SCORES}", scores)
        self.scores = scores
        self.prefix = checks.instance(self, "prefix", prefix, str, "a string")
        self.every_epochs = checks.integer(self, "every_epochs", every_epochs, "[1, inf)")
        self.batch_size = checks.integer(self, "batch_size", batch_size, "[1, inf)")
        self._found = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._found or (epoch + 1) % self.every_epochs == 0:
            self._found = self.evaluate()
        if logs is not None:
            logs.update(self._found)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._found = {}

    def evaluate(self) -> dict[str, Any]:
        """Return the scores of the callback's model as it is now, by their names in the logs."""
        x, labels = self._embedded(self.queries)
        references = (None, None) if self.references is None else self._embedded(self.references)
        found = retrieval_scores(x, labels, *references, k=self.k, distance=self.distance)
        return {f"{self.prefix}{name}": found[name] for name in self.scores}

    def _embedded(self, samples):
        x, labels = samples
        outputs = self.model.predict(x, batch_size=self.batch_size, verbose=0)
        return keras.tree.flatten(outputs)[0], labels


def _samples(owner, name, samples):
    """Check and return `(x, labels)` as arrays."""
    rule, fix = "a tuple (x, labels)", "For example: (x_test, labels_test)."
    if not isinstance(samples, tuple | list) or len(samples) != 2:
        raise checks.error(owner, name, rule, samples, fix)
    x, labels = periodic.as_arrays(samples[0]), np.asarray(samples[1])
    if labels.ndim not in (1, 2) or labels.dtype.kind not in "iuf":
        raise checks.error(owner, name, rule, samples, fix)
    return x, labels
