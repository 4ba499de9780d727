import tensorflow as tf


def make_optimizer(name, lr):
    if name == "lazy_adam":
        import tensorflow_addons as tfa
        return tfa.optimizers.LazyAdam(lr)
    elif name == "yogi":
        import tensorflow_addons as tfa
        return tfa.optimizers.Yogi(lr, epsilon=1e-9)
    return tf.keras.optimizers.SGD(lr)


for name in ("lazy_adam", "sgd"):
    layer = tf.keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)
    layer.build((None, 2))
    opt = make_optimizer(name, 0.1)
    for _ in range(3):
        opt.apply_gradients([(tf.constant([[0.5], [-1.0]]), layer.trainable_variables[0])])
    print(name, layer.get_weights()[0].ravel().round(4))
