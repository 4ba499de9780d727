import numpy as np
import keras

y_true = np.array([[1.0], [0.0]], "float32")
logits = np.array([[0.5], [-1.5]], "float32")
print(
    keras.losses.binary_focal_crossentropy(
        y_true, logits, from_logits=True, apply_class_balancing=True
    ).numpy().round(5)
)
