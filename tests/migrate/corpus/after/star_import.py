import numpy as np
from keras.activations import mish, tanh_shrink

x = np.array([-1.0, 0.5], "float32")
print(mish(x).numpy().round(4), tanh_shrink(x).numpy().round(4))
