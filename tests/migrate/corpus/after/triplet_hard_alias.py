import numpy as np
import kcatalog

emb = np.random.RandomState(5).normal(size=(6, 3)).astype("float32")
ids = np.array([0, 0, 1, 1, 2, 2])
for soft in (False, True):
    print(round(float(kcatalog.losses.TripletHard(margin=0.5, soft=soft)(ids, emb)), 4))
