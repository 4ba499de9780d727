import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

cell = tfa.rnn.LayerNormLSTMCell(3)
rnn = tf.keras.layers.RNN(cell, return_sequences=True)
x = np.random.RandomState(8).normal(size=(1, 4, 2)).astype("float32")
rnn(x)
weights = rnn.get_weights()
weights[:2] = [np.random.RandomState(0).normal(size=w.shape) for w in weights[:2]]
rnn.set_weights(weights)
print(rnn(x).numpy().round(4)[0, -1])
