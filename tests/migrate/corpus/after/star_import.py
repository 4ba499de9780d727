import numpy as np
import keras
from keras.activations import tanh_shrink

x = np.array([-1.0, 0.5], "float32")
print(keras.layers.Activation("mish")(x).numpy().round(4), tanh_shrink(x).numpy().round(4))
