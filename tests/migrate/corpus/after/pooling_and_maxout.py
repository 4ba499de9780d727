import numpy as np
import kcatalog
import keras

x = np.arange(32, dtype="float32").reshape(1, 4, 4, 2)
pool = keras.layers.AdaptiveAveragePooling2D((2, 2))
print(pool(x).numpy().ravel())
print(keras.layers.AdaptiveMaxPooling2D(2)(x).numpy().ravel())
print(kcatalog.layers.Maxout(num_units=1)(x).numpy().ravel()[:4])
spp = kcatalog.layers.SpatialPyramidPooling2D([1, 2])
print(spp(x).numpy().shape)
