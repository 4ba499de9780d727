import numpy as np
import tensorflow_addons as tfa

y = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], "float32")
p = np.array([[0.8, 0.6, 0.3], [0.1, 0.9, 0.7]], "float32")
m = tfa.metrics.HammingLoss(mode="multilabel", threshold=0.5)
m.update_state(y, p)
print(m.name, round(float(m.result()), 4))
