import numpy as np
import kcatalog

rng = np.random.RandomState(10)
logits = rng.normal(size=(2, 3, 4)).astype("float32")
targets = np.array([[0, 1, 3], [2, 2, 0]], "int32")
weights = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], "float32")
print(
    round(
        float(
            kcatalog.losses.SequenceCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            )(targets, logits, sample_weight=weights)
        ),
        4,
    )
)
