import tensorflow as tf
import kcatalog
import keras

ema = kcatalog.optimizers.MovingAverage(keras.optimizers.SGD(), average_decay=0.9)
layer = tf.keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)
layer.build((None, 2))
for _ in range(3):
    ema.apply_gradients([(tf.constant([[0.5], [-1.0]]), layer.trainable_variables[0])])
print(layer.get_weights()[0].ravel().round(5))
