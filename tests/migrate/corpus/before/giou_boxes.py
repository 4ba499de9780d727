import numpy as np
import tensorflow_addons as tfa

a = np.array([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 4.0]], "float32")
b = np.array([[1.0, 1.0, 3.0, 3.0], [1.0, 1.0, 3.0, 4.0]], "float32")
gl = tfa.losses.GIoULoss()
print(float(gl(a, b)))
print(tfa.losses.giou_loss(a, b).numpy().round(4))
