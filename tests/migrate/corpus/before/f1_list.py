import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

CLASSES = ["a", "b", "c"]
metrics = [
    tf.keras.metrics.CategoricalAccuracy(),
    tfa.metrics.F1Score(num_classes=len(CLASSES), average="macro", name="f1"),
    tfa.metrics.FBetaScore(num_classes=len(CLASSES), beta=2.0, threshold=0.5),
]
y = np.eye(3, dtype="float32")[[0, 1, 2, 1]]
p = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6], [0.5, 0.3, 0.2]], "float32")
for metric in metrics:
    metric.update_state(y, p)
    print(metric.name, np.round(metric.result(), 4))
