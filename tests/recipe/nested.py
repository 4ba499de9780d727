"""The tiny recipe with models inside the model, a layer of another, and one called twice."""

import dataclasses

import keras
from keras import layers

from tests.recipe import tiny


def build(hp, data):
    """A functional and a Sequential model between dense layers."""
    inputs = keras.Input(data.input_shape, name=data.input_name)
    block_input = keras.Input(data.input_shape)
    block = layers.Dense(2, "tanh", name="body")(block_input)
    block = keras.Model(block_input, block, name="block")
    chain = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="link")], name="chain")
    other_input = keras.Input((2,))
    other = keras.Model(other_input, layers.Dense(2, name="reused")(other_input))
    twice = layers.Dense(2, name="twice")
    x = twice(twice(other.get_layer("reused")(chain(block(inputs)))))
    x = layers.Dense(hp.Choice("units", [4, 8]), "tanh", name="wide")(x)
    model = keras.Model(inputs, layers.Dense(2, name="head")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"], jit_compile=False)
    return model


recipe = dataclasses.replace(tiny.recipe, name="nested", build=build, epochs=4, trials=1)

if __name__ == "__main__":
    recipe.main()
