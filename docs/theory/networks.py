"""Neurons and layers

A neuron adds up its weighted inputs and passes the sum through an activation. Layers of neurons are
the whole of a network; this page shows what layers add to a neuron, and loops to layers.
"""

import keras
import numpy as np

from docs.site.plots.figure import figure
from docs.theory.statement import tested_by

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
EXCLUSIVE_OR = np.array([0, 1, 1, 0], "float32")


def classifier(hidden):
    """Return a network of two inputs and one output that has learned the exclusive or."""
    layers = [keras.layers.Dense(hidden, "tanh")] if hidden else []
    model = keras.Sequential([keras.Input((2,)), *layers, keras.layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", jit_compile=False)
    model.fit(np.tile(CORNERS, (100, 1)), np.tile(EXCLUSIVE_OR, 100), 4, epochs=4, verbose=0)
    return model


def right(model):
    """Return the part of the four corners that a network puts on the right side of one half."""
    outputs = model.predict(CORNERS, verbose=0)[:, 0]
    return np.mean((outputs > 0.5) == (EXCLUSIVE_OR > 0.5))


@tested_by("test_networks.py", "test_a_hidden_layer_learns_what_a_neuron_cannot")
def a_hidden_layer_learns_what_a_neuron_cannot():
    """A neuron draws one line, and a hidden layer bends it

    The exclusive or is 1 where exactly one of two inputs is 1. No line separates its ones from its
    zeros, so a neuron gets at most three of the four corners right: here {one:.0%}. With four
    hidden neurons the network gets {two:.0%}.
    """
    models = classifier(0), classifier(4)
    grid = np.stack(np.meshgrid(*[np.linspace(-0.3, 1.3, 60)] * 2), -1).astype("float32")
    with figure(2) as (both, out):
        for axes, model, title in zip(both, models, ("one neuron", "four hidden"), strict=True):
            shown = model.predict(grid.reshape(-1, 2), verbose=0, batch_size=3600)
            axes.contourf(*grid.transpose(2, 0, 1), shown.reshape(60, 60), 8, alpha=0.6)
            axes.scatter(*CORNERS.T, c=EXCLUSIVE_OR, cmap="gray", edgecolor="gray", s=60)
            axes.set_title(title)
    return {"one": right(models[0]), "two": right(models[1])}, out.getvalue()


@tested_by("test_networks.py", "test_layers_without_activations_are_one_layer")
def layers_without_activations_are_one_layer():
    """Layers without activations are one layer

    A product of matrices is a matrix. Three dense layers without activations and the one layer with
    the product of their kernels differ by {linear:.0e} at most, which is rounding; with ReLU
    between them the outputs differ by {bent:.2g}.
    """
    x = np.linspace(-2, 2, 81, dtype="float32")[:, None]

    def outputs(activation):
        keras.utils.set_random_seed(3)
        layers = [keras.layers.Dense(n, activation, use_bias=False) for n in (8, 8)]
        layers.append(keras.layers.Dense(1, use_bias=False))
        model = keras.Sequential([keras.Input((1,)), *layers])
        kernel = np.linalg.multi_dot([layer.get_weights()[0] for layer in layers])
        return model.predict(x, verbose=0)[:, 0], (x @ kernel)[:, 0]

    found = {name: outputs(name) for name in ("linear", "relu")}
    with figure(2) as (both, out):
        for axes, (name, (deep, single)) in zip(both, found.items(), strict=True):
            axes.plot(x[:, 0], deep, label="three layers")
            axes.plot(x[:, 0], single, "--", label="one layer")
            axes.set_title(name)
            axes.legend()
    linear, bent = (np.abs(deep - single).max() for deep, single in found.values())
    return {"linear": linear, "bent": bent}, out.getvalue()


@tested_by("test_networks.py", "test_a_recurrent_network_reads_the_order_of_its_inputs")
def a_recurrent_network_reads_the_order_of_its_inputs():
    """A loop gives a network memory

    A feed-forward network that averages its inputs cannot tell a sequence from its reverse: its
    outputs differ by {forward:.0e}. A recurrent network keeps a state, so the order matters:
    {recurrent:.2g}.
    """
    x = np.random.default_rng(0).normal(size=(1, 20, 3)).astype("float32")
    pooled = keras.Sequential(
        [keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(4, "tanh")]
    )
    looped = keras.layers.SimpleRNN(4)
    answers = {
        name: [np.asarray(keras.ops.convert_to_numpy(layer(v)))[0] for v in (x, x[:, ::-1].copy())]
        for name, layer in {"feed-forward": pooled, "recurrent": looped}.items()
    }
    with figure(2, sharey=True) as (both, out):
        for axes, (name, (there, back)) in zip(both, answers.items(), strict=True):
            axes.bar(np.arange(4) - 0.2, there, 0.4, label="sequence")
            axes.bar(np.arange(4) + 0.2, back, 0.4, label="its reverse")
            axes.set_xticks(range(4))
            axes.set_xlabel("output")
            axes.set_title(name)
        both[0].legend()
    forward, recurrent = (np.abs(a - b).max() for a, b in answers.values())
    return {"forward": forward, "recurrent": recurrent}, out.getvalue()
