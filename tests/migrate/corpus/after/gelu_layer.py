import numpy as np
import keras

x = np.array([[-2.0, -0.3, 0.0, 0.4, 3.0]], "float32")
print(keras.layers.Activation(activation="gelu")(x).numpy().round(4))
