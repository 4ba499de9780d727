import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

image = tf.constant(np.arange(48, dtype="float32").reshape(4, 4, 3))
print(np.array(tfa.image.shear_x(image, 0.5, 0)).ravel()[12:36])
