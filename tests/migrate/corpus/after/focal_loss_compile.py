import numpy as np
import tensorflow as tf
import keras

model = tf.keras.Sequential([tf.keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones")])
model.compile(
    optimizer="sgd",
    loss=keras.losses.BinaryFocalCrossentropy(
        alpha=0.25, gamma=2.0, reduction="sum_over_batch_size", apply_class_balancing=True
    ),
    metrics=["accuracy"],
    run_eagerly=True,
)
x = np.array([[1.0, 2.0], [0.5, -1.0]], "float32")
print(np.round(model.evaluate(x, np.array([[1.0], [0.0]], "float32"), verbose=0), 5))
