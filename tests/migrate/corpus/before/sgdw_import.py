import numpy as np
import tensorflow as tf
from tensorflow_addons.optimizers import SGDW

layer = tf.keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)
layer.build((None, 2))
opt = SGDW(learning_rate=0.1, weight_decay=0.01, momentum=0.9)
for _ in range(4):
    opt.apply_gradients([(tf.constant([[0.5], [-1.0]]), layer.trainable_variables[0])])
print(np.round(layer.get_weights()[0].ravel(), 5))
