import numpy as np
import kcatalog

clr = kcatalog.optimizers.schedules.Cyclical(initial_learning_rate=1e-4,
    maximal_learning_rate=1e-2,
    mode="triangular2",
    half_cycle_steps=4)
tri = kcatalog.optimizers.schedules.Cyclical(1e-4, 1e-2, half_cycle_steps=3)
print([round(float(clr(np.float32(step))), 6) for step in range(0, 12, 2)])
print([round(float(tri(np.float32(step))), 6) for step in range(6)])
