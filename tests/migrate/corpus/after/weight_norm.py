import numpy as np
import tensorflow as tf
import kcatalog

wn = kcatalog.layers.WeightNormalization(
    tf.keras.layers.Dense(2, kernel_initializer="ones"), data_init=False
)
print(wn(np.array([[1.0, 2.0]], "float32")).numpy().round(4))
