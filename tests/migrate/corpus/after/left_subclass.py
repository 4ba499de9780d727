import tensorflow_addons as tfa


# kcatalog migrate: metrics.F1Score: a subclass depends on how its base works; derive from keras.metrics.F1Score
class MyScore(tfa.metrics.F1Score):
    def result(self):
        return super().result() * 100


# kcatalog migrate: optimizers.extend_with_decoupled_weight_decay: it is passed on, and its arguments change; use kcatalog.optimizers.DecoupledWeightDecay
@tfa.optimizers.extend_with_decoupled_weight_decay
class MyOptimizer:
    pass
