import tensorflow as tf
import tensorflow_addons as tfa

# kcatalog migrate: optimizers.AdamW: it is passed on, and its arguments change; use keras.optimizers.AdamW
# kcatalog migrate: optimizers.LAMB: it is passed on, and its arguments change; use keras.optimizers.Lamb
OPTIMIZERS = {
    "adam": tf.keras.optimizers.Adam,
    "adamw": tfa.optimizers.AdamW,
    "lamb": tfa.optimizers.LAMB,
}
# kcatalog migrate: layers.InstanceNormalization: saved models name it; convert them with `kcatalog migrate-model`
model = tf.keras.models.load_model(
    "model.h5", custom_objects={"InstanceNormalization": tfa.layers.InstanceNormalization}
)
