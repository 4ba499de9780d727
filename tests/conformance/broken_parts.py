"""Parts with one fault each, and the check that has to find it."""

import keras
from keras import ops

from kcatalog import checks
from kcatalog.card import Choice, Example, Float, Paper
from kcatalog.ops.step_time import step_time
from kcatalog.registry import component

PAPER = Paper("A fault on purpose", "Nobody", 2026, "https://example.org")
FOUND_BY: dict[type, set[str]] = {}


def broken(*found_by: str, **card):
    """Registers a part under the names of the checks that must fail for it."""
    card = {"paper": PAPER, "equation": "y = x", "example": Example(shape=(4, 3)), **card}

    def register(cls):
        FOUND_BY[cls] = set(found_by)
        return component(**card)(cls)

    return register


SEQUENCE = Example(shape=(4, 3))
SCORES = Example({"margin": 2.0}, shape=(5,), targets="labels")


# --- the traps the project knows --------------------------------------------------------


@broken("config_complete", example=SCORES)
class ForgetsItsConfig(keras.losses.Loss):
    """Leaves its margin out of the config: it reloads with the default."""

    def __init__(self, margin=1.0, **kwargs):
        super().__init__(**kwargs)
        self.margin = checks.number(self, "margin", margin, "[0, inf)")

    def call(self, y_true, y_pred):
        return ops.maximum(0.0, self.margin - ops.max(y_pred, axis=-1))

    def get_config(self):
        return super().get_config()


@broken("config_complete", example=Example({"degrees": 90.0}, shape=(4, 3)))
class StoresWhatItDerived(keras.regularizers.Regularizer):
    """Keeps radians under the name of an argument in degrees."""

    def __init__(self, degrees=45.0):
        self.degrees = checks.number(self, "degrees", degrees, "[0, 360)") * 3.14159 / 180

    def __call__(self, w):
        return self.degrees * ops.sum(ops.square(w))


@broken("config_complete", example=SCORES)
class SaysTooMuch(keras.losses.Loss):
    """Writes to the config what its constructor does not take."""

    def __init__(self, margin=1.0, **kwargs):
        super().__init__(**kwargs)
        self.margin = checks.number(self, "margin", margin, "[0, inf)")

    def call(self, y_true, y_pred):
        return ops.maximum(0.0, self.margin - ops.max(y_pred, axis=-1))

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "half": self.margin / 2}


@broken("dtype_survives", example=Example(shape=(5,)))
class ForgetsItsDtype(keras.losses.Loss):
    """Leaves the config to Keras, which drops the dtype of a loss."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    def get_config(self):
        return super().get_config()


@broken("config_complete", example=Example({"inner": "sgd"}))
class ForgetsItsOptimizer(keras.optimizers.SGD):
    """Leaves the config to Keras: it reloads with the default arguments."""

    def __init__(self, inner="adam", **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def get_config(self):
        return super().get_config()


@broken("config_unchanged_by_use", example=Example({"units": 2}, shape=(4, 3)))
class OverwritesInBuild(keras.layers.Layer):
    """Stores in build what it was not given."""

    def __init__(self, units=None, **kwargs):
        super().__init__(**kwargs)
        self.units = checks.integer(self, "units", units, "[1, inf)", optional=True)

    def build(self, input_shape):
        self.units = input_shape[-1]

    def call(self, x):
        return x * 2.0


@broken(
    "degenerate_input-float32",
    example=Example(shape=(3,), targets="labels", classes=3),
    tags=("in-batch",),
)
class NanAtZeroDistance(keras.losses.Loss):
    """The square root's gradient at zero."""

    def call(self, y_true, y_pred):
        d = ops.sqrt(ops.sum(ops.square(y_pred[:, None] - y_pred[None]), axis=-1))
        return ops.sum(d, axis=-1)


@broken("search_space_valid", space={"rate": Float(0.1, 0.4)}, example=Example({"rate": 0.2}))
class DefaultOutsideItsSpace(keras.regularizers.Regularizer):
    """The tuner could never try the default."""

    def __init__(self, rate=0.9):
        self.rate = checks.number(self, "rate", rate, "[0, 1)")

    def __call__(self, w):
        return self.rate * ops.sum(ops.square(w))


@broken("mask_passed_on")
class DropsTheMask(keras.layers.Layer):
    """Does not say that it supports masks, so Keras drops them."""

    def build(self, input_shape):
        pass

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, x):
        return ops.tanh(x)


# --- each promise of the suite ----------------------------------------------------------


@broken("card_complete", paper=None)
class NamesNoPaper(DropsTheMask.__bases__[0]):
    """A loss without a summary that says what it is."""

    def call(self, x):
        return x * 1.5


@broken("docstring_complete")
class SaysTooLittle(keras.layers.Layer):
    """A summary and nothing else."""

    def call(self, x):
        return x * 1.5


@broken("docstring_example")
class PrintsSomethingElse(keras.layers.Layer):
    """Claims what is not so.

    Example:
        >>> 1 + 1
        3
    """

    def call(self, x):
        return x * 1.5


@broken("unknown_argument_raises", example=Example())
class SwallowsKeywords(keras.regularizers.Regularizer):
    """A misspelt argument is lost."""

    def __init__(self, **kwargs):
        pass

    def __call__(self, w):
        return ops.sum(ops.square(w))


@broken("bad_values_raise", example=Example({"rate": 0.2}, shape=(4, 3)))
class ChecksNothing(keras.regularizers.Regularizer):
    """Takes any rate."""

    def __init__(self, rate=0.1):
        self.rate = rate

    def __call__(self, w):
        return self.rate * ops.sum(ops.square(w))


@broken(
    "search_space_corners",
    space={"mode": Choice("fine", "broken")},
    example=Example({"mode": "fine"}, shape=(4, 3)),
)
class BreaksAtACorner(keras.regularizers.Regularizer):
    """One of its choices gives NaN."""

    def __init__(self, mode="fine"):
        self.mode = checks.choice(self, "mode", mode, ("fine", "broken"))

    def __call__(self, w):
        return ops.sum(w) * (float("nan") if self.mode == "broken" else 1.0)


@broken("config_round_trip", example=Example({"rate": 0.2}, shape=(4, 3)))
class ReloadsAsAnother(keras.regularizers.Regularizer):
    """Doubles its rate each time it is loaded."""

    def __init__(self, rate=0.1):
        self.rate = checks.number(self, "rate", rate, "[0, inf)")

    def __call__(self, w):
        return self.rate * ops.sum(ops.square(w))

    @classmethod
    def from_config(cls, config):
        return cls(rate=2 * config["rate"])


@broken("shapes_agree", "shape_preserved", tags=("shape-preserving",))
class DeclaresAnotherShape(keras.layers.Layer):
    """Says that its output has the input's shape."""

    def call(self, x):
        return ops.mean(x, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return input_shape


@broken("data_formats_agree", example=Example(shape=(2, 3, 4)))
class TakesRowsForChannels(keras.layers.Layer):
    """Sums over the last axis, whatever the data format."""

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = checks.choice(self, "data_format", data_format, ("channels_first", None))

    def call(self, x):
        return x / (1 + ops.sum(ops.square(x), axis=-1, keepdims=True))

    def compute_output_shape(self, input_shape):
        return input_shape


@broken("samples_independent")
class MixesTheBatch(keras.layers.Layer):
    """Subtracts the batch's mean at inference."""

    def call(self, x):
        return x - ops.mean(x, axis=0, keepdims=True)


@broken("half_precision-mixed_float16", "half_precision-mixed_bfloat16")
class InsistsOnFloat32(keras.layers.Layer):
    """Casts to float32 and leaves it so."""

    def call(self, x):
        return ops.cast(x, "float32") * 2.0


@broken("gradients_exact")
class LosesItsGradient(keras.layers.Layer):
    """Stops the gradient of half of its sum."""

    def call(self, x):
        return x * x + ops.stop_gradient(x * x)


@broken("extreme_input-huge")
class Overflows(keras.layers.Layer):
    """exp of anything."""

    def call(self, x):
        return ops.exp(x)


@broken("identity_at_inference", tags=("identity-at-inference",))
class ChangesAtInference(keras.layers.Layer):
    """Is on when it should be off."""

    def call(self, x, training=False):
        return x * 1.01


@broken("randomness_seeded", tags=("random",))
class IgnoresItsSeed(keras.layers.Layer):
    """Draws the same numbers every time."""

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = checks.integer(self, "seed", seed, "[0, inf)", optional=True)

    def call(self, x, training=False):
        return x + keras.random.normal(ops.shape(x), seed=1) if training else x


@broken("training_deterministic")
class HidesItsRandomness(keras.layers.Layer):
    """Is random and does not say so."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._generator = keras.random.SeedGenerator(1)

    def call(self, x, training=False):
        return x + keras.random.normal(ops.shape(x), seed=self._generator) if training else x


@broken("causal", tags=("recurrent",))
class SeesTheFuture(keras.layers.Layer):
    """Uses the mean over all steps."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x):
        return x - ops.mean(x, axis=1, keepdims=True)


@broken("cell_steps", "stacks_of_cells", tags=("cell",))
class SpeedsUp(keras.layers.Layer):
    """A cell that counts its steps in Python, where RNN traces one."""

    state_size = output_size = 3

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._steps = 0

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, 3))]

    def call(self, x, states):
        self._steps += 1
        h = states[0] + x * float(self._steps)
        return h, [h]


RECURRENT = {"tags": ("recurrent",), "example": Example({"units": 3}, shape=(4, 3))}


@broken("states_handed_on", "stateful_continues", **RECURRENT)
class BeginsAnew(keras.layers.SimpleRNN):
    """Forgets the states that it is given."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        zeros = [ops.zeros_like(h) for h in initial_state]
        return super().inner_loop(sequences, zeros, mask, training)


@broken("padding_skipped", "lengths_mixed", **RECURRENT)
class StepsThroughPadding(keras.layers.SimpleRNN):
    """Takes masked steps for real ones."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        return super().inner_loop(sequences, initial_state, None, training)


@broken("directions_mirrored", **RECURRENT)
class AlwaysGoesForwards(keras.layers.RNN):
    """Reads from the start, whatever it is told."""

    def __init__(self, units, go_backwards=False, **kwargs):
        super().__init__(keras.layers.SimpleRNNCell(units), **kwargs)
        self.units = units


@broken("dropout_of_states", **RECURRENT)
class DropsNothing(keras.layers.RNN):
    """Has an argument for recurrent dropout, and no recurrent dropout."""

    def __init__(self, units, recurrent_dropout=0.0, seed=None, **kwargs):
        super().__init__(keras.layers.SimpleRNNCell(units), **kwargs)
        self.units, self.recurrent_dropout, self.seed = units, recurrent_dropout, seed


@broken("served_at_any_length", "onnx_equal", **RECURRENT)
class NeedsALength(keras.layers.SimpleRNN):
    """Gives another output where the number of steps is unknown."""

    def call(self, sequences, *args, **kwargs):
        y = super().call(sequences, *args, **kwargs)
        return 0 * y if sequences.shape[1] is None else y


@broken("litert_equal", "onnx_equal", **RECURRENT)
class NeedsTensorFlow(keras.layers.SimpleRNN):
    """Computes with an operation that neither LiteRT nor ONNX has."""

    def call(self, sequences, *args, **kwargs):
        return ops.erfinv(0.5 * super().call(sequences, *args, **kwargs))


@broken("unrolled_equal", **RECURRENT)
class UnrollsToZero(keras.layers.SimpleRNN):
    """Gives another output when it is unrolled."""

    def call(self, sequences, *args, **kwargs):
        y = super().call(sequences, *args, **kwargs)
        return 0 * y if self.unroll else y


@broken("mask_honoured", tags=("masking",))
class AveragesPadding(keras.layers.Layer):
    """Claims to honour masks and averages over padding."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None):
        return x - ops.mean(x, axis=1, keepdims=True)


@broken("keras_file_equal")
class LosesAWeight(keras.layers.Layer):
    """Its weight is not saved."""

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1],), "random_normal")

    def call(self, x):
        return x * self.w

    def save_own_variables(self, store):
        pass

    def load_own_variables(self, store):
        pass


@broken("compiled_equals_eager-graph", "compiled_equals_eager-xla", "saved_model_equal")
class CountsItsCalls(keras.layers.Layer):
    """Keeps count in Python, which a compiled function does once."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._calls = 0

    def call(self, x):
        self._calls += 1
        return x * float(self._calls)


@broken("compiled_training_runs")
class DividesByNothing(keras.layers.Layer):
    """Every output is NaN."""

    def call(self, x):
        return x * 0.0 / 0.0 * ops.sqrt(-1.0 - ops.square(x))


# --- losses -----------------------------------------------------------------------------


@broken("reduction_shapes", example=Example(shape=(3,)))
class ReturnsAScalar(keras.losses.Loss):
    """Reduces by itself, so that sample weights cannot reach the samples."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred))


@broken("samples_independent", example=Example(shape=(3,)))
class ComparesInSecret(keras.losses.Loss):
    """Depends on the batch and does not say so."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_pred - ops.mean(y_pred, axis=0)), axis=-1)


@broken("batch_matters", example=Example(shape=(3,)), tags=("in-batch",))
class ClaimsToCompare(keras.losses.Loss):
    """Says that it depends on the batch and does not."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


@broken("batch_order_irrelevant", example=Example(shape=(3,)))
class CountsItsSamples(keras.losses.Loss):
    """Weights the first sample more than the last."""

    def call(self, y_true, y_pred):
        each = ops.mean(ops.square(y_true - y_pred), axis=-1)
        return each * ops.cast(1 + ops.arange(ops.shape(each)[0]), each.dtype)


@broken(
    "label_forms_equal-column",
    "right_score_lowers_loss",
    example=Example(shape=(5,), targets="labels"),
    tags=("integer-labels", "logits"),
)
class TakesLabelsLiterally(keras.losses.Loss):
    """Computes with the class index as if it were a number."""

    def call(self, y_true, y_pred):
        return ops.mean(y_pred, axis=-1) * (1 + ops.cast(ops.shape(y_true), "float32")[-1])


@broken(
    "one_hot_equals_indices",
    example=Example(shape=(5,), targets="labels"),
    tags=("one-hot-labels",),
)
class CountsTargetNumbers(keras.losses.Loss):
    """Weights a sample by how many numbers its target has."""

    def call(self, y_true, y_pred):
        numbers = 1 if len(y_true.shape) < 2 else y_true.shape[-1]
        return numbers * ops.square(y_pred[:, 0])


@broken(
    "ten_thousand_classes",
    example=Example(shape=(5,), targets="labels"),
    tags=("logits",),
)
class DrownsAmongManyClasses(keras.losses.Loss):
    """Multiplies probabilities where logarithms belong: with many classes nothing is left."""

    def call(self, y_true, y_pred):
        return ops.prod(ops.softmax(y_pred, axis=-1), axis=-1)


@broken(
    "nothing_to_compare_is_zero",
    example=Example(shape=(5,), targets="labels", classes=3),
    tags=("in-batch", "integer-labels", "embeddings"),
)
class ComparesWithItself(keras.losses.Loss):
    """Counts a sample among its own neighbours, and shortens it."""

    def call(self, y_true, y_pred):
        return ops.sum(ops.square(y_pred), axis=-1)


@broken(
    "two_replicas_equal_one",
    example=Example(shape=(5,)),
    tags=("in-batch",),
)
class LooksNoFartherThanItsReplica(keras.losses.Loss):
    """Compares with the mean of the rows at hand, which are not all under data parallelism."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_pred - ops.mean(y_pred, axis=0)), axis=-1)


@broken("rotation_irrelevant", example=Example(shape=(5,)), tags=("embeddings",))
class LovesItsFirstAxis(keras.losses.Loss):
    """Looks at one coordinate only."""

    def call(self, y_true, y_pred):
        return ops.square(y_pred[:, 0])


@broken("compiled_equals_eager-graph", "compiled_equals_eager-xla", example=Example(shape=(3,)))
class CountsItsBatches(keras.losses.Loss):
    """Keeps count in Python, which a compiled function does once."""

    calls = 0

    def call(self, y_true, y_pred):
        self.calls += 1
        return self.calls * ops.mean(ops.square(y_true - y_pred), axis=-1)


@broken("gradient_exact", example=Example(shape=(3,)))
class LosesHalfItsGradient(keras.losses.Loss):
    """Stops the gradient of half of its value."""

    def call(self, y_true, y_pred):
        error = ops.mean(ops.square(y_true - y_pred), axis=-1)
        return error + ops.stop_gradient(error)


@broken("sample_weight_scales", "training_in_a_model", example=Example(shape=(3,)))
class IgnoresWeights(keras.losses.Loss):
    """Overrides what Keras does with weights, and is infinite in the end."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        return ops.mean(ops.square(y_pred), axis=-1) * float("inf")

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_pred), axis=-1)


# --- metrics, constraints, initializers, schedules --------------------------------------


@broken(
    "sample_weight_counts",
    "half_precision-float16",
    "half_precision-bfloat16",
    "evaluation_in_a_model-graph",
    "evaluation_in_a_model-xla",
    example=Example(shape=(3,)),
)
class AddsItsWeights(keras.metrics.Metric):
    """Sums weights instead of scores, minds the dtype and the number of updates ever made."""

    updates = 0

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.total = self.add_weight(initializer="zeros", name="total")

    def update_state(self, y_true, y_pred, sample_weight=None):
        AddsItsWeights.updates += 1
        weight = 0.0 if sample_weight is None else ops.sum(sample_weight)
        self.total.assign_add(weight + float(AddsItsWeights.updates))

    def result(self):
        return ops.convert_to_tensor(self.total)


class MeanMiss(keras.metrics.MeanMetricWrapper):
    """Nothing wrong with it: the lower the better."""

    def __init__(self, **kwargs):
        super().__init__(keras.losses.mean_absolute_error, **kwargs)
        del self._direction  # Keras knows this one

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype}


@broken("direction_true", example=Example(shape=(3,)), better="higher")
class SaysMoreErrorIsBetter(MeanMiss):
    """Would stop training when it begins to work."""


@broken("direction_true", example=Example(shape=(3,)))
class SaysNoDirection(MeanMiss):
    """Leaves callbacks in the dark."""


@broken("reset_forgets", "parts_equal_whole", example=Example(shape=()), tags=("streaming",))
class NeverForgets(keras.metrics.Metric):
    """Keeps the last batch only, and keeps it through a reset."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.total = self.add_weight(initializer="zeros", name="total")
        self.calls = self.add_weight(initializer="zeros", name="calls")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.calls.assign_add(1.0)
        self.total.assign(ops.mean(y_pred) * self.calls)

    def result(self):
        return ops.convert_to_tensor(self.total)

    def reset_state(self):
        pass


@broken("projection_idempotent", example=Example(shape=(4, 3)), tags=("projection",))
class ShrinksForever(keras.constraints.Constraint):
    """Halves the weight each time."""

    def __call__(self, w):
        return w / 2.0


@broken("extreme_values-zero", example=Example(shape=(4, 3)))
class DividesByZero(keras.constraints.Constraint):
    """Normalizes without a floor."""

    def __call__(self, w):
        return w / ops.sqrt(ops.sum(ops.square(w)))


@broken("penalty_scalar", example=Example(shape=(4, 3)), tags=("penalty",))
class PaysForWeights(keras.regularizers.Regularizer):
    """A negative penalty."""

    def __call__(self, w):
        return -ops.sum(ops.square(w))


@broken("sum_over_samples", example=Example(shape=(4, 3)), tags=("activity",))
class PaysByTheSample(keras.regularizers.Regularizer):
    """A mean over samples, which Keras would divide by their number once more."""

    def __call__(self, h):
        return ops.mean(ops.square(h))


@broken("shape_and_dtype-float16", example=Example(shape=(4,)))
class OneDtypeOnly(keras.initializers.Initializer):
    """Gives float32 whatever is asked."""

    def __call__(self, shape, dtype=None):
        return ops.ones(shape, "float32")


@broken("seeded", example=Example(shape=(4,)))
class SeedForShow(keras.initializers.Initializer):
    """Has a seed and does not use it."""

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        return ops.ones(shape, dtype or "float32")


@broken("rates_valid", example=Example(), tags=("schedule",))
class TurnsNegative(keras.optimizers.schedules.LearningRateSchedule):
    """Falls below zero."""

    def __call__(self, step):
        return 0.1 - 0.02 * step_time(step)


@broken("computes_in_floatx", example=Example(), tags=("schedule",))
class KnowsSinglePrecision(keras.optimizers.schedules.LearningRateSchedule):
    """Computes in float32 whatever Keras's default is."""

    def __call__(self, step):
        return 0.1 / (1 + ops.cast(step, "float32"))


@broken("weights_untouched", example=Example(), tags=("monitoring",))
class Meddles(keras.callbacks.Callback):
    """Watches by changing."""

    def on_train_batch_end(self, batch, logs=None):
        w = self.model.trainable_variables[0]
        w.assign(w * 0.9)


@broken("copies", example=Example())
class CannotBeCopied(keras.callbacks.Callback):
    """Holds something that no copy can be made of."""

    def __init__(self):
        super().__init__()
        self.log = (line for line in ())


@broken("gradient_exact", "extreme_weights-huge", example=Example(shape=(4, 3)))
class OverflowsWithoutGradient(keras.regularizers.Regularizer):
    """Infinite for huge weights, and half of it has no gradient."""

    def __call__(self, w):
        return ops.sum(ops.exp(w)) + ops.stop_gradient(ops.sum(ops.square(w)))


@broken("training_in_a_model", example=Example(shape=(4, 3)))
class PoisonsItsWeight(keras.constraints.Constraint):
    """NaN whatever it is given."""

    def __call__(self, w):
        return w * float("nan")


@broken("compiled_equals_eager", example=Example(shape=(4, 3)))
class CountsItsUses(keras.constraints.Constraint):
    """Keeps count in Python, which a compiled function does once."""

    uses = 0

    def __call__(self, w):
        CountsItsUses.uses += 1
        return w * float(CountsItsUses.uses)


@broken("bias_vector", example=Example(shape=(2, 3, 4)), tags=("bias",))
class NoBias(keras.initializers.Initializer):
    """Says that it fills a bias and is tried on a kernel."""

    def __call__(self, shape, dtype=None):
        return ops.ones(shape, dtype or "float32")


@broken(
    "compiled_equals_eager-graph",
    "compiled_equals_eager-xla",
    "computes_in_floatx",
    "applied_by_an_optimizer",
    example=Example(),
)
class CountsInPython(keras.optimizers.schedules.LearningRateSchedule):
    """Depends on how often it was asked, not on the step."""

    def __init__(self):
        self._calls = 0

    def __call__(self, step):
        self._calls += 1
        return ops.convert_to_tensor(0.1 * self._calls)
