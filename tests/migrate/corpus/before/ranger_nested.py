import tensorflow as tf
from tensorflow_addons.optimizers import Lookahead, RectifiedAdam


def ranger(lr=1e-3, sync=6):
    return Lookahead(
        RectifiedAdam(learning_rate=lr),  # rectified
        sync_period=sync,
        slow_step_size=0.5,
    )


layer = tf.keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)
layer.build((None, 2))
opt = ranger(0.01, 2)
for _ in range(4):
    opt.apply_gradients([(tf.constant([[0.5], [-1.0]]), layer.trainable_variables[0])])
print(layer.get_weights()[0].ravel().round(4))
