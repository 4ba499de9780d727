import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa
from tensorflow.keras import layers

x = np.random.RandomState(0).normal(size=(2, 8, 8, 3)).astype("float32")


def downsample(filters, size, apply_norm=True):
    block = tf.keras.Sequential()
    block.add(layers.Conv2D(filters, size, strides=2, padding="same", kernel_initializer="ones"))
    if apply_norm:
        block.add(tfa.layers.InstanceNormalization())  # one mean for each image
    block.add(layers.LeakyReLU())
    return block


y = downsample(4, 3)(x).numpy()
print(y.shape, y.mean().round(4), y.std().round(4))
