import numpy as np
import tensorflow as tf
import keras

model = tf.keras.Sequential([tf.keras.layers.Dense(1, kernel_initializer="ones")])
model.build((None, 2))
optimizer = keras.optimizers.AdamW(learning_rate=1e-2, weight_decay=1e-3 / 1e-2)
x, y = np.array([[1.0, 2.0], [3.0, -1.0]], "float32"), np.array([[1.0], [0.0]], "float32")
for _ in range(5):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(y - model(x)))
    grads = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(grads, model.trainable_variables))
print(model.get_weights()[0].ravel().round(5))
