import numpy as np
import tensorflow_addons as tfa

y = np.eye(3, dtype="float32")[[0, 1, 2, 1]]
p = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.3, 0.6], [0.5, 0.3, 0.2]], "float32")
kappa_loss = tfa.losses.WeightedKappaLoss(num_classes=3, weightage="linear", epsilon=1e-3)
print(round(float(kappa_loss(y, p)), 4))
print(round(float(tfa.losses.SparsemaxLoss()(y, p * 3)), 4))
