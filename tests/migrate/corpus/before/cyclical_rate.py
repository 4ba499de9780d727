import numpy as np
import tensorflow_addons as tfa

clr = tfa.optimizers.CyclicalLearningRate(initial_learning_rate=1e-4,
    maximal_learning_rate=1e-2,
    scale_fn=lambda x: 1/(2.**(x-1)),
    step_size=4)
tri = tfa.optimizers.TriangularCyclicalLearningRate(1e-4, 1e-2, step_size=3)
print([round(float(clr(np.float32(step))), 6) for step in range(0, 12, 2)])
print([round(float(tri(np.float32(step))), 6) for step in range(6)])
