import numpy as np
import tensorflow_addons as tfa
from tensorflow_addons.metrics import MatthewsCorrelationCoefficient as MCC

y = np.eye(3, dtype="float32")[[0, 1, 2, 1]]
p = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6], [0.5, 0.3, 0.2]], "float32")
kappa = tfa.metrics.CohenKappa(num_classes=3, weightage="quadratic")
kappa.update_state(y, p)
mcc = MCC(num_classes=3)
mcc.update_state(y, p)
print(round(float(kappa.result()), 4), round(float(mcc.result()), 4))
