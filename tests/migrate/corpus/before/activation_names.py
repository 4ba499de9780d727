import numpy as np
from tensorflow_addons.activations import mish, tanhshrink
from tensorflow_addons.activations import softshrink as shrink

x = np.array([-2.0, -0.3, 0.0, 0.4, 3.0], "float32")
for f in (mish, tanhshrink, shrink):
    print(f(x).numpy().round(4))
