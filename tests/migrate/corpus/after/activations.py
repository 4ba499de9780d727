import numpy as np
import tensorflow as tf
import kcatalog
import keras

x = np.array([-2.0, -0.3, 0.0, 0.4, 3.0], "float32")
print(keras.layers.Activation("mish")(x).numpy().round(4))
print(keras.activations.gelu(x, approximate=True).numpy().round(4))
print(keras.activations.gelu(x, approximate=False).numpy().round(4))
print(kcatalog.ops.sparsemax(x[None]).numpy().round(4))
dense = tf.keras.layers.Dense(1, activation=keras.activations.mish, kernel_initializer="ones")
print(dense(x[None]).numpy().round(4))
