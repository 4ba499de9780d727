import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

x = np.array([-2.0, -0.3, 0.0, 0.4, 3.0], "float32")
print(tfa.activations.mish(x).numpy().round(4))
print(tfa.activations.gelu(x).numpy().round(4))
print(tfa.activations.gelu(x, approximate=False).numpy().round(4))
print(tfa.activations.sparsemax(x[None]).numpy().round(4))
dense = tf.keras.layers.Dense(1, activation=tfa.activations.mish, kernel_initializer="ones")
print(dense(x[None]).numpy().round(4))
