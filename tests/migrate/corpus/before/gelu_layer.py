import numpy as np
import tensorflow_addons as tfa

x = np.array([[-2.0, -0.3, 0.0, 0.4, 3.0]], "float32")
print(tfa.layers.GELU(approximate=False)(x).numpy().round(4))
