import numpy as np
import kcatalog

a = np.array([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 4.0]], "float32")
b = np.array([[1.0, 1.0, 3.0, 3.0], [1.0, 1.0, 3.0, 4.0]], "float32")
gl = kcatalog.losses.GIoU()
print(float(gl(a, b)))
print(kcatalog.losses.GIoU(reduction="none")(a, b).numpy().round(4))
