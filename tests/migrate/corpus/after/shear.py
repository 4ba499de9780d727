import numpy as np
import tensorflow as tf
import keras

image = tf.constant(np.arange(48, dtype="float32").reshape(4, 4, 3))
print(
    np.array(
        keras.ops.image.affine_transform(
            image,
            keras.ops.array([1.0, 0.5, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
            "nearest",
            fill_value=0,
        )
    ).ravel()[12:36]
)
