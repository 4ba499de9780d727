"""Drawings for TensorBoard."""

import numpy as np
import pytest

from kcatalog.recipe.monitoring import pictures


def darkness(image, row, column, classes):
    """How dark the middle left of a cell is, 0 (empty) to 1 (the whole row)."""
    cell = max(22, 360 // classes)
    margin = image.shape[0] - 8 - cell * classes
    y, x = margin + cell * row + 3, margin + cell * column + 3
    return (255 - image[y, x, 0]) / (255 - 20)


def test_a_row_is_a_true_class():
    labels, predicted = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1])
    image = pictures.confusion_matrix(labels, predicted, ("a", "b"))
    assert image.dtype == np.uint8
    assert image.ndim == 3
    shares = [[darkness(image, r, c, 2) for c in range(2)] for r in range(2)]
    assert np.allclose(shares, [[0.75, 0.25], [0, 1]], atol=0.01)


def test_many_classes_are_cut_to_the_most_frequent():
    labels = np.arange(200) % 100
    image = pictures.confusion_matrix(labels, labels, tuple(map(chr, range(32, 132))))
    assert image.shape[0] < 32 * 22 + 100


def test_samples_show_mistakes_first():
    x = np.zeros((20, 8))
    labels, predicted = np.zeros(20, int), np.zeros(20, int)
    predicted[17] = 1
    shown = []

    def picture(sample):
        shown.append(sample)
        return np.zeros((8, 8, 3), "uint8")

    x[17] = 5
    image = pictures.samples(x, labels, predicted, ("yes", "no"), picture)
    assert shown[0][0] == 5
    assert len(shown) == 16
    red = image[..., 0].astype(int) - image[..., 1]
    assert (red > 50).any()  # the caption of the mistake


@pytest.mark.parametrize("name", ["\n", " ", "字", "a very long class name indeed"])
def test_any_class_name_can_be_drawn(name):
    image = pictures.confusion_matrix(np.array([0, 1]), np.array([0, 0]), (name, "b"))
    assert min(image.shape[:2]) > 2 * 180
