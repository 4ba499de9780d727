import numpy as np
import tensorflow as tf
from tensorflow.keras.layers import Dense, Conv2D
import keras

layer = keras.layers.SpectralNormalization(Dense(2, kernel_initializer="ones"))
print(layer(np.array([[1.0, 2.0]], "float32"), training=False).numpy().round(4))
conv = keras.layers.SpectralNormalization(
    Conv2D(1, 2, kernel_initializer="ones"), power_iterations=3
)
print(conv(np.ones((1, 2, 2, 1), "float32"), training=False).numpy().round(4).ravel())
