import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

stop = tfa.callbacks.TimeStopping(seconds=3600, verbose=0)
model = tf.keras.Sequential([tf.keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)])
model.compile("sgd", "mse", run_eagerly=True)
x = np.array([[1.0, 2.0]], "float32")
history = model.fit(x, x[:, :1], epochs=2, callbacks=[stop], verbose=0)
print(len(history.history["loss"]), model.get_weights()[0].ravel().round(5))
