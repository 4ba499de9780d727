"""Skip-grams of TensorFlow Addons with a window of fixed size: see README.md."""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

ids = np.random.default_rng(0).integers(0, 30, 25)
targets, contexts = tfa.text.skip_gram_sample(tf.constant(ids), min_skips=2, max_skips=2)
np.savez_compressed(
    Path(__file__).parent / "tfa_skip_grams.npz",
    ids=ids,
    targets=targets,
    contexts=contexts,
    peer=f"tensorflow-addons {tfa.__version__}, tensorflow {tf.__version__}",
)
