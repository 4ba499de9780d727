"""Embeddings for TensorBoard's projector, each point with its picture, its label and its match.

Keras's own TensorBoard callback names the tensor as no checkpoint of Keras 3 does, so that the
projector finds nothing (keras issue 20210). Here a table holds the embeddings themselves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kcatalog.recipe.data.files import draw

MOST_SAMPLES = 2500
THUMBNAIL = 40  # pixels; 50 by 50 of them are the largest picture that every browser draws


def write(folder: Path, data, embeddings: np.ndarray, predicted: np.ndarray) -> None:
    """Write the test part's embeddings, labels, nearest labels and pictures.

    Args:
        folder: a directory of TensorBoard's event files, which is what the projector looks in.
        data: what was embedded.
        embeddings: of `data.test`.
        predicted: the label of each one's nearest known sample.
    """
    from tensorboard.plugins import projector

    x, y = data.test
    shown = draw(len(x), MOST_SAMPLES)
    np.savetxt(folder / "embeddings.tsv", embeddings[shown], "%.9g", delimiter="\t")
    config = projector.ProjectorConfig()
    info = config.embeddings.add(tensor_name="embeddings", tensor_path="embeddings.tsv")
    info.metadata_path = "labels.tsv"
    rows = [f"{_name(data, y[i])}\t{_name(data, predicted[i])}\n" for i in shown]
    (folder / "labels.tsv").write_text("label\tnearest\n" + "".join(rows), encoding="utf-8")
    if data.picture is not None:
        sprite([data.picture(x[i]) for i in shown]).save(folder / "pictures.png")
        info.sprite.image_path = "pictures.png"
        info.sprite.single_image_dim.extend([THUMBNAIL, THUMBNAIL])
    projector.visualize_embeddings(str(folder), config)


def sprite(pictures: list[np.ndarray]) -> Image.Image:
    """One square picture of all, row by row, as the projector wants them."""
    columns = int(np.ceil(np.sqrt(len(pictures))))
    whole = Image.new("RGB", (columns * THUMBNAIL, columns * THUMBNAIL), "white")
    for i, picture in enumerate(pictures):
        small = Image.fromarray(np.ascontiguousarray(picture)).resize((THUMBNAIL, THUMBNAIL))
        whole.paste(small, (i % columns * THUMBNAIL, i // columns * THUMBNAIL))
    return whole


def _name(data, label: int) -> str:
    """Put a class's name on one line, without tabs, which would begin a column."""
    return " ".join(data.classes[label].split()) or "?"
