import numpy as np
import tensorflow_addons as tfa

x = np.arange(32, dtype="float32").reshape(1, 4, 4, 2)
pool = tfa.layers.AdaptiveAveragePooling2D((2, 2))
print(pool(x).numpy().ravel())
print(tfa.layers.AdaptiveMaxPooling2D(2)(x).numpy().ravel())
print(tfa.layers.Maxout(num_units=1)(x).numpy().ravel()[:4])
spp = tfa.layers.SpatialPyramidPooling2D([1, 2])
print(spp(x).numpy().shape)
