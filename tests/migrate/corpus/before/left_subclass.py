import tensorflow_addons as tfa


class MyScore(tfa.metrics.F1Score):
    def result(self):
        return super().result() * 100


@tfa.optimizers.extend_with_decoupled_weight_decay
class MyOptimizer:
    pass
