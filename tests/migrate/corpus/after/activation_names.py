import numpy as np
from keras.activations import mish, tanh_shrink
from keras.activations import soft_shrink

x = np.array([-2.0, -0.3, 0.0, 0.4, 3.0], "float32")
for f in (mish, tanh_shrink, soft_shrink):
    print(f(x).numpy().round(4))
