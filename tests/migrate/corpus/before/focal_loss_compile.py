import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

model = tf.keras.Sequential([tf.keras.layers.Dense(1, activation="sigmoid", kernel_initializer="ones")])
model.compile(
    optimizer="sgd",
    loss=tfa.losses.SigmoidFocalCrossEntropy(alpha=0.25, gamma=2.0, reduction=tf.keras.losses.Reduction.SUM_OVER_BATCH_SIZE),
    metrics=["accuracy"],
    run_eagerly=True,
)
x = np.array([[1.0, 2.0], [0.5, -1.0]], "float32")
print(np.round(model.evaluate(x, np.array([[1.0], [0.0]], "float32"), verbose=0), 5))
