import numpy as np
from tensorflow_addons.activations import *

x = np.array([-1.0, 0.5], "float32")
print(mish(x).numpy().round(4), tanhshrink(x).numpy().round(4))
