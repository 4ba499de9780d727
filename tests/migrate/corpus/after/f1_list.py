import numpy as np
import tensorflow as tf
import keras

CLASSES = ["a", "b", "c"]
metrics = [
    tf.keras.metrics.CategoricalAccuracy(),
    keras.metrics.F1Score(average="macro", name="f1"),
    keras.metrics.FBetaScore(beta=2.0, threshold=0.5),
]
y = np.eye(3, dtype="float32")[[0, 1, 2, 1]]
p = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6], [0.5, 0.3, 0.2]], "float32")
for metric in metrics:
    metric.update_state(y, p)
    print(metric.name, np.round(metric.result(), 4))
