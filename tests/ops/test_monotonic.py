import numpy as np
from keras import ops

from kcatalog.ops.monotonic import stop_probabilities


def test_soft_alignments_where_products_would_vanish():
    """After 200 positions that are passed with probability 1/3, a float32 product is 0."""
    score = np.concatenate([np.full(200, np.log(2.0)), [20.0, 20.0]])[None].astype("float32")
    previous = np.eye(202, dtype="float32")[200:201]
    found = stop_probabilities(ops.convert_to_tensor(score), ops.convert_to_tensor(previous))
    np.testing.assert_allclose(ops.convert_to_numpy(found)[0, 200], 1.0, rtol=1e-5)
