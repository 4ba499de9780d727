"""Image files decoded inside a TensorFlow graph, to the pixels that `read_image` gives.

TensorFlow decodes PNG, JPEG, BMP and GIF, as they are stored. The functions here turn them as their
EXIF data say, lay them on white, and scale 16 bits to 8.
"""

from __future__ import annotations

from kcatalog.recipe.data import DataInfo

PNG, JPEG = b"\x89PNG", b"\xff\xd8\xff"
HEADER = 8  # bytes before a PNG's first chunk
DEPTH, KIND = 24, 25  # places of a PNG's bits per channel and of the kind of its colours
ORIENTATION = 0x0112  # the tag in EXIF data
MOST_BYTES = 2**20  # of a file, in which the EXIF data begin
MOST_TAGS = 256  # looked at
PADDING = 12 * MOST_TAGS + 64  # zeros behind a file, in case it says that more is to come


def decoded(files, raw, info: DataInfo):
    """Return image files as a batch of the raw input's size and type.

    Args:
        files: a tensor of strings.
        raw: the `tf.TensorSpec` of the model's input.
        info: of the data; its details may say how 16 bits are scaled.
    """
    import tensorflow as tf

    height, width, channels = raw.shape[1:]
    scale = getattr(info.details, "integers", None)

    def decode(content):
        is_png = tf.strings.substr(content, 0, len(PNG)) == PNG
        image = tf.cond(is_png, lambda: _png(content, scale), lambda: _other(content))
        image = _turned(image, _orientation(content, is_png))
        if channels == 1:  # which TensorFlow decodes to from PNG and JPEG alone
            image = tf.image.rgb_to_grayscale(image)
        scaled = tf.image.resize(image, (height, width), "bicubic", antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(scaled), 0, 255), raw.dtype)

    kind = tf.TensorSpec(raw.shape[1:], raw.dtype)
    return tf.map_fn(decode, files, fn_output_signature=kind)


def _other(content):
    """Decode JPEG, BMP and GIF."""
    import tensorflow as tf

    image = tf.cond(
        tf.strings.substr(content, 0, len(JPEG)) == JPEG,
        lambda: tf.io.decode_jpeg(content, 3, dct_method="INTEGER_ACCURATE"),  # as Pillow does
        lambda: tf.io.decode_image(content, 3, expand_animations=False),
    )
    return tf.cast(image, tf.float32)


def _png(content, scale):
    """Decode a PNG, transparency laid on white."""
    import tensorflow as tf

    head = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 0, KIND + 1), tf.uint8), tf.int32)
    bits, grey = head[DEPTH], head[KIND] == 0

    def deep():
        values = tf.cast(tf.io.decode_png(content, 1, tf.uint16), tf.float32)
        low, high = scale or (0.0, _full(tf.reduce_max(values)))
        grey = tf.clip_by_value((values - low) * (255 / (high - low)), 0, 255)
        return tf.repeat(tf.round(grey), 3, axis=-1)

    def shallow():
        image = tf.cast(tf.io.decode_png(content, 4), tf.float32)
        filled = 2.0 ** tf.cast(tf.minimum(bits, 8), tf.float32) - 1  # with, where there was none
        alpha = image[..., 3:]
        alpha = tf.where(tf.reduce_all(alpha == filled), 255.0, alpha) / 255
        return tf.round(image[..., :3] * alpha + 255 * (1 - alpha))

    return tf.cond(grey & (bits == 16), deep, shallow)


def _full(highest):
    """Return the end of the range that holds the highest value, as `pixels.full_range` does."""
    import tensorflow as tf

    ends = tf.constant([1.0, *(2.0**bits - 1 for bits in range(8, 17))])
    return tf.reduce_min(tf.where(ends >= highest, ends, ends[-1]))


def _turned(image, orientation):
    """Turn and mirror an image by its orientation, 1 to 8."""
    import tensorflow as tf

    def among(*orientations):
        return tf.reduce_any(orientation == tf.constant(orientations))

    image = tf.cond(among(5, 6, 7, 8), lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    image = tf.cond(among(2, 3, 6, 7), lambda: image[:, ::-1], lambda: image)
    return tf.cond(among(3, 4, 7, 8), lambda: image[::-1], lambda: image)


def _orientation(content, is_png):
    """Return the orientation that a file's EXIF data say, 1 without any."""
    import tensorflow as tf

    begin = tf.strings.substr(content, 0, MOST_BYTES)
    stored = tf.cast(tf.io.decode_raw(begin, tf.uint8), tf.int32)
    data, size = tf.pad(stored, [[0, PADDING]]), tf.size(stored)

    def number(place, count, little=False):
        weights = tf.constant([256**i for i in reversed(range(count))])
        place = tf.clip_by_value(place, 0, size)
        values = data[place : place + count]
        return tf.reduce_sum(tf.where(little, values[::-1], values) * weights)

    def begins(place, text):
        place = tf.clip_by_value(place, 0, size)
        return tf.reduce_all(data[place : place + len(text)] == tf.constant(list(text)))

    def found(place):
        jpeg = (number(place, 2) == 0xFFE1) & begins(place + 4, b"Exif\0\0")
        return tf.where(is_png, begins(place + 4, b"eXIf"), jpeg)

    def ended(place):
        jpeg = (data[place] != 0xFF) | (data[place + 1] == 0xDA)
        return (place >= size) | tf.where(is_png, begins(place + 4, b"IDAT"), jpeg)

    def following(place):
        length = tf.where(is_png, 12 + number(place, 4), 2 + number(place + 2, 2))
        return place + tf.clip_by_value(length, 2, size)

    def searched(place):
        return ~found(place) & ~ended(place)

    first = tf.where(is_png, HEADER, 2)
    place = tf.while_loop(searched, lambda place: (following(place),), (first,))[0]
    tiff = place + tf.where(is_png, 8, 10)
    little = data[tf.clip_by_value(tiff, 0, size)] == ord("I")
    entries = tf.clip_by_value(tiff + number(tiff + 4, 4, little), 0, size)
    count = tf.clip_by_value(number(entries, 2, little), 0, MOST_TAGS)
    rows = tf.reshape(data[entries + 2 : entries + 2 + 12 * count], (-1, 12))
    low = tf.where(little, 0, 1)
    tags = tf.gather(rows, low, axis=1) + 256 * tf.gather(rows, 1 - low, axis=1)
    values = tf.gather(rows, 8 + low, axis=1)
    said = tf.reduce_max(tf.where(tags == ORIENTATION, values, 0))
    return tf.where(found(place) & (said >= 1) & (said <= 8), said, 1)
