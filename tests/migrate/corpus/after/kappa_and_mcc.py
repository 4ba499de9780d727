import numpy as np
import kcatalog
from kcatalog.metrics import MatthewsCorrelation

y = np.eye(3, dtype="float32")[[0, 1, 2, 1]]
p = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6], [0.5, 0.3, 0.2]], "float32")
kappa = kcatalog.metrics.CohenKappa(num_classes=3, weights="quadratic")
kappa.update_state(y, p)
mcc = MatthewsCorrelation(num_classes=3, name="MatthewsCorrelationCoefficient")
mcc.update_state(y, p)
print(round(float(kappa.result()), 4), round(float(mcc.result()), 4))
