"""Layers of a model at any depth."""

import keras


def all_layers(model: keras.Model) -> list[keras.Layer]:
    """Return a model and the layers within it, at any depth, each once."""
    found = [model]
    for layer in found:
        for held in keras.tree.flatten(list(vars(layer).values())):
            if isinstance(held, keras.Layer) and held not in found:
                found.append(held)
    return found
