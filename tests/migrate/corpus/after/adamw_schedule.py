import numpy as np
import tensorflow as tf
import kcatalog
import keras

schedule = tf.keras.optimizers.schedules.ExponentialDecay(0.02, 2, 0.5)
optimizer = kcatalog.optimizers.DecoupledWeightDecay(
    keras.optimizers.Adam(learning_rate=schedule), decay=0.001
)
layer = tf.keras.layers.Dense(1, kernel_initializer="ones")
layer.build((None, 2))
x = np.array([[1.0, 2.0], [3.0, -1.0]], "float32")
for step in range(6):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(x) - 1.0))
    optimizer.apply_gradients(zip(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables))
print(layer.get_weights()[0].ravel().round(5))
