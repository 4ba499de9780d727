import numpy as np
from tensorflow_addons.losses import SigmoidFocalCrossEntropy

y_true = np.array([[1.0], [0.0], [1.0]], "float32")
y_pred = np.array([[0.9], [0.4], [0.2]], "float32")
fl = SigmoidFocalCrossEntropy()
print(fl(y_true, y_pred).numpy().round(5))
