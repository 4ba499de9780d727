import numpy as np
import tensorflow as tf
import keras

LEARNING_RATE = 0.01
WEIGHT_DECAY = 0.001


def train(optimizer, steps=4):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(optimizer, loss="mse", run_eagerly=True)
    x = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")
    model.fit(x, x[:, :1], epochs=steps, verbose=0, shuffle=False)
    return model.get_weights()[0].ravel()


print(train(keras.optimizers.AdamW(
    learning_rate=LEARNING_RATE, weight_decay=WEIGHT_DECAY / LEARNING_RATE, beta_2=0.99
)).round(5))
