"""Convolution in plain loops, as textbooks define it; the reference of this folder's tests."""

import numpy as np


def convolve(x, kernel, strides=1, padding="valid", dilation_rate=1, groups=1):
    """Convolve images with a kernel, channels last; "same" pads the end by the odd pixel."""
    size, s, d = kernel.shape[:2], strides, dilation_rate
    reach = [(k - 1) * d + 1 for k in size]
    if padding == "same":
        sizes = [-(-n // s) for n in x.shape[1:3]]
        total = [
            max(0, (m - 1) * s + r - n) for m, r, n in zip(sizes, reach, x.shape[1:3], strict=True)
        ]
        x = np.pad(x, ((0, 0), *((t // 2, t - t // 2) for t in total), (0, 0)))
    rows, columns = ((n - r) // s + 1 for n, r in zip(x.shape[1:3], reach, strict=True))
    inside, filters = kernel.shape[2:]
    y = np.zeros((len(x), rows, columns, filters))
    for i, j in np.ndindex(rows, columns):
        for u, v in np.ndindex(*size):
            pixel = x[:, i * s + u * d, j * s + v * d]
            for f in range(filters):
                start = f // (filters // groups) * inside
                y[:, i, j, f] += pixel[:, start : start + inside] @ kernel[u, v, :, f]
    return y


def batch_norm(x, epsilon=1e-3):
    """Normalize each channel over the batch and all pixels; scale 1, offset 0."""
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / np.sqrt(variance + epsilon)
