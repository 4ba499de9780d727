"""Embeddings for TensorBoard's projector, each point with its picture, its label and its match.

Keras's own TensorBoard callback names the tensor as no checkpoint of Keras 3 does, so that the
projector finds nothing (keras issue 20210). Here a table holds the embeddings themselves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kcatalog.recipe.data.files import Files, draw

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
    columns = {
        "label": [data.classes[y[i]] for i in shown],
        "nearest": [data.classes[predicted[i]] for i in shown],
        **({"file": [x.name(i) for i in shown]} if isinstance(x, Files) else {}),
    }
    rows = [tuple(columns), *zip(*columns.values(), strict=True)]
    lines = "".join("\t".join(map(_cell, row)) + "\n" for row in rows)
    (folder / "labels.tsv").write_text(lines, encoding="utf-8")
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


def _cell(name: str) -> str:
    """Put a name on one line, without tabs, which would begin a column."""
    return " ".join(name.split()) or "?"
