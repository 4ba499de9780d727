import numpy as np
import tensorflow_addons as tfa

y_true = np.array([[1.0], [0.0]], "float32")
logits = np.array([[0.5], [-1.5]], "float32")
print(tfa.losses.sigmoid_focal_crossentropy(y_true, logits, from_logits=True).numpy().round(5))
