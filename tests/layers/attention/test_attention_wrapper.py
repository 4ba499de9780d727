import keras
import numpy as np
import pytest
from keras import ops

from kcatalog import layers
from kcatalog.conformance.backend import value_and_gradients
from tests.golden.load import golden
from tests.layers.attention import mechanisms


def wrapper(cell=None, **options):
    cell = cell or keras.layers.SimpleRNNCell(4)
    options = {"return_sequences": True, **options}
    return layers.AttentionWrapper(cell, layers.LuongAttention(4), **options)


def drawn(rng, *shapes):
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def reference(layer, x, memory, real):
    """The steps of a plain recurrent cell, in float64, for one sequence; padding is left out."""
    W, U, b = (np.asarray(w, "float64") for w in layer.cell.get_weights())
    w = mechanisms.weights_of(layer.attention_mechanism)
    last = np.asarray(layer._W, "float64")
    h, a, outputs, scores = np.zeros(len(U)), np.zeros(last.shape[1]), [], []
    for x_t in x:
        h = np.tanh(np.concatenate([x_t, a]) @ W + h @ U + b)
        e = np.array([mechanisms.multiplicative(w, h, m) for m in memory[:real]])
        α = np.append(mechanisms.softmax(e) if real else e, np.zeros(len(memory) - real))
        a = np.tanh(np.concatenate([h, α @ memory]) @ last)
        outputs.append(a)
        scores.append(α)
    return np.array(outputs), np.array(scores)


def test_reference(rng):
    layer = wrapper(attention_layer_size=3, attention_layer_activation="tanh")
    x, memory = drawn(rng, (3, 4, 2), (3, 5, 3))
    real = [5, 3, 0]
    mask = ops.convert_to_tensor(np.arange(5) < np.array(real)[:, None])
    layer.build(x.shape, memory.shape)
    layer.set_weights(drawn(rng, *(w.shape for w in layer.weights)))
    y, scores = layer(x, memory, memory_mask=mask, return_attention_scores=True)
    for n in range(3):
        wanted = reference(layer, x[n], memory[n], real[n])
        mechanisms.assert_close(y[n], wanted[0])
        mechanisms.assert_close(scores[n], wanted[1])


PEERS = {
    "bahdanau": layers.BahdanauAttention(4),
    "bahdanau_normalized": layers.BahdanauAttention(4, normalize=True),
    "luong": layers.LuongAttention(4),
    "luong_scaled": layers.LuongAttention(4, scale=True),
    "bahdanau_recursive": layers.BahdanauAttention(4, monotonic="soft"),
    "bahdanau_parallel": layers.BahdanauAttention(4, monotonic="soft"),
    "luong_hard": layers.LuongAttention(4, monotonic="hard"),
}


def own_name(path):
    """The name that a weight of the peer has here."""
    *owner, last = path.split("/")
    if "memory_layer" in owner:
        return "memory_kernel"
    if owner[-1] == "attention_layer":
        return "attention"
    if owner[-1].startswith("simple_rnn_cell"):
        return last
    scale = "scale" if owner[-1].startswith("Luong") else "length"
    names = {"kernel": "query_kernel", "attention_v": "scores", "attention_b": "bias"}
    return {**names, "attention_g": scale, "attention_score_bias": "score_bias"}[last]


@pytest.mark.parametrize("kind", PEERS)
def test_golden(kind):
    """Values and gradients; the soft form equals the peer's recursive and parallel ones."""
    peer, mechanism = golden("tfa_attention"), PEERS[kind]
    mechanism = type(mechanism).from_config(mechanism.get_config())
    layer = layers.AttentionWrapper(
        keras.layers.SimpleRNNCell(4), mechanism, 3, return_sequences=True
    )
    x, memory = peer["x"], peer["memory"]
    layer.build(x.shape, memory.shape)
    cells = [f"cell/{w.name}" for w in layer.cell.weights]
    names = {id(w): n for w, n in zip(layer.cell.weights, cells, strict=True)}
    order = [names.get(id(w), w.name) for w in layer.trainable_variables]
    weights, gradients = {}, {}
    for key, value in peer.items():
        if not key.startswith(f"{kind}/") or key.count("/") < 2:
            continue
        _, what, path = key.split("/", 2)
        name = own_name(path) if "/" in path else path
        name = f"cell/{name}" if "simple_rnn" in path else name
        (weights if what == "weight" else gradients)[name] = value
    mask = np.arange(6) < peer["lengths"][:, None]

    def total(x, memory, *values):
        (y, scores), _ = layer.stateless_call(
            list(values), other, x, memory, memory_mask=mask, return_attention_scores=True
        )
        found.update(y=y, scores=scores)
        return ops.sum(ops.multiply(y, peer["cotangent"]))

    found, other = {}, [v.value for v in layer.non_trainable_variables]
    arrays = [x, memory, *(weights[name] for name in order)]
    total(*map(ops.convert_to_tensor, arrays))
    mechanisms.assert_close(found["y"], peer[f"{kind}/output"])
    mechanisms.assert_close(found["scores"], peer[f"{kind}/alignments"])
    if mechanism.monotonic != "hard":  # which the peer does not train
        _, grads = value_and_gradients(total, arrays)
        for name, gradient in zip(["x", "memory", *order], grads, strict=True):
            mechanisms.assert_close(gradient, gradients[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("monotonic", [None, "soft"])
def test_states_continue_a_sequence(rng, monotonic):
    """The states that come out are those to begin with, the alignments among them."""
    cell = keras.layers.StackedRNNCells([keras.layers.LSTMCell(3), keras.layers.GRUCell(4)])
    layer = layers.AttentionWrapper(
        cell,
        layers.BahdanauAttention(4, monotonic=monotonic),
        return_sequences=True,
        return_state=True,
    )
    x, memory = drawn(rng, (2, 6, 2), (2, 5, 3))
    whole, *_ = layer(x, memory)
    first, *states = layer(x[:, :2], memory)
    second, *_ = layer(x[:, 2:], memory, initial_state=states)
    mechanisms.assert_close(whole, ops.concatenate([first, second], 1))


def test_padded_inputs(rng):
    """A masked step keeps the states and repeats the output, also with the scores."""
    layer = wrapper(output_attention=False, return_state=True)
    x, memory = drawn(rng, (2, 4, 2), (2, 5, 3))
    mask = ops.convert_to_tensor([[True] * 4, [True, True, False, False]])
    y, scores, *states = layer(x, memory, sequences_mask=mask, return_attention_scores=True)
    short, _, *before = layer(x[:, :2], memory, return_attention_scores=True)
    for got, wanted in zip(
        [y[1, 3], *(s[1] for s in states)], [short[1, 1], *(s[1] for s in before)], strict=True
    ):
        mechanisms.assert_close(got, wanted)
    mechanisms.assert_close(scores[1, 3], scores[1, 1])


def test_cell_with_dropout(rng):
    """Its masks are drawn once for all steps, and anew in the next call."""
    cell = keras.layers.GRUCell(4, dropout=0.5, recurrent_dropout=0.5, seed=1)
    layer = wrapper(cell)
    x, memory = drawn(rng, (2, 4, 2), (2, 5, 3))
    model = keras.Model([i := keras.Input((None, 2)), m := keras.Input((None, 3))], layer(i, m))
    model.compile("sgd", "mse")
    model.train_on_batch([x, memory], np.zeros((2, 4, 3), "float32"))
    one, two = (ops.convert_to_numpy(layer(x, memory, training=True)) for _ in range(2))
    assert not np.allclose(one, two)
    mechanisms.assert_close(layer(x, memory), layer(x, memory))


def test_masks_and_unknown_lengths_in_a_functional_model(rng, tmp_path):
    tokens, source = (keras.Input((None,), dtype="int32") for _ in range(2))
    memory = keras.layers.Embedding(9, 3, mask_zero=True)(source)
    inputs = keras.layers.Embedding(7, 2, mask_zero=True)(tokens)
    model = keras.Model([tokens, source], wrapper(keras.layers.LSTMCell(4))(inputs, memory))
    t, s = np.array([[1, 2, 3]]), np.array([[4, 5, 0, 0]])
    short = model.predict_on_batch([t, s[:, :2]])
    mechanisms.assert_close(model.predict_on_batch([t, s]), short)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    mechanisms.assert_close(again.predict_on_batch([t, s]), short)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cell": keras.layers.GRU(4)}, "Give its cell: layer.cell."),
        ({"attention_mechanism": keras.layers.Attention()}, "a BahdanauAttention or a Luong"),
    ],
)
def test_refused(arguments, words):
    good = {"cell": keras.layers.GRUCell(4), "attention_mechanism": layers.LuongAttention(4)}
    with pytest.raises(ValueError, match=words):
        layers.AttentionWrapper(**{**good, **arguments})


def test_states_of_another_cell_are_refused(rng):
    x, memory = drawn(rng, (2, 4, 2), (2, 5, 3))
    with pytest.raises(ValueError, match="`initial_state` must be the cell's 1 states, or"):
        wrapper()(x, memory, initial_state=drawn(rng, (2, 4), (2, 4)))
