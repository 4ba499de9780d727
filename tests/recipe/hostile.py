"""Requests to a served image model, valid and hostile, drawn with a fixed seed.

Each is the bytes as they go over the wire, and the statuses that are right for them. The model
takes 8 x 8 grey images and is called `picture`.
"""

import gzip
import io
import json
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

MODEL = "/v1/models/picture"
PREDICT = f"{MODEL}:predict"
NO_ANSWER = 0  # the client hangs up and does not listen


@dataclass(frozen=True)
class Case:
    """A request: its bytes, the right statuses of its answer, and how the client behaves.

    ends: it ends its side of the connection behind the bytes, as torn requests do.
    """

    name: str
    raw: bytes
    right: tuple[int, ...]
    ends: bool = False


def cases(seed: int, count: int) -> Iterator[Case]:
    """Valid requests and every kind of hostile ones, mixed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield rng.choice(KINDS)(rng)


def every_kind(seed: int) -> Iterator[Case]:
    """One request of each kind."""
    rng = random.Random(seed)
    return (kind(rng) for kind in KINDS)


def request(method="GET", path="/health", body=b"", host="127.0.0.1", **headers) -> bytes:
    """A well-formed request; a header whose value is None is left out."""
    length = str(len(body)) if body or method == "POST" else None
    headers = {"host": host, "content_length": length, **headers}
    lines = [f"{k.replace('_', '-')}: {v}" for k, v in headers.items() if v is not None]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + body


def png(rng, width=8, height=8, kind="PNG") -> bytes:
    """An image of random pixels."""
    file = io.BytesIO()
    pixels = np.frombuffer(rng.randbytes(width * height), "uint8").reshape(height, width)
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that claims to be as large as this."""

    def chunk(kind, content):
        return (
            struct.pack(">I", len(content))
            + kind
            + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def instances(rng, count=None) -> list:
    """Samples as lists."""
    count = count or rng.randint(1, 40)
    return np.frombuffer(rng.randbytes(64 * count), "uint8").reshape(count, 8, 8, 1).tolist()


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in [*pieces, b""])


def posted(body, path=PREDICT, **headers) -> bytes:
    return request("POST", path, body, **{"content_type": "application/json", **headers})


def flipped(rng, content: bytes) -> bytes:
    """A few bytes of it changed."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


# --- valid ------------------------------------------------------------------------------


def a_page(rng):
    paths = ["/", "/health", MODEL, f"{MODEL}/metadata", f"{MODEL}/versions/1", "/?a=b"]
    return Case("page", request(path=rng.choice(paths)), (200,))


def an_image(rng):
    kind = rng.choice(["PNG", "JPEG"])
    body = png(rng, rng.randint(1, 64), rng.randint(1, 64), kind)
    return Case("image", posted(body, "/predict", content_type=f"image/{kind.lower()}"), (200,))


def some_instances(rng):
    samples = instances(rng)
    if rng.random() < 0.5:
        samples = [{"image": sample} for sample in samples]
    body = json.dumps({"instances": samples}).encode()
    if rng.random() < 0.3:
        raw = posted(b"", content_length=None, transfer_encoding="chunked")
        return Case("chunked", raw + chunked(body, rng.randint(100, 5000)), (200,))
    return Case("instances", posted(body), (200,))


# --- JSON -------------------------------------------------------------------------------


def bad_json(rng):
    good = json.dumps({"instances": instances(rng, 2)}).encode()
    deep = rng.choice([50, 2000, 100_000])
    body = rng.choice(
        [
            good[: rng.randrange(len(good))],
            good + b"]",
            b"\xef\xbb\xbf" + good,
            good.decode().encode("utf-16"),
            good.replace(b"1", b"\xff\xfe", 1) + b"\xff",
            b'{"instances": ' + b"[" * deep + b"]" * deep + b"}",
            b"[" * deep,
            b'{"instances": [1], "instances": [2]}',
            b'{"instances": [{"image": [1], "image": [2]}]}',
            b"[]",
            b"null",
            b"7",
            b'"text"',
            b"{}",
            b'{"instances": []}',
            b'{"instances": {}}',
            b'{"instances": null}',
            b'{"instances": [1], "more": 1}',
            b'{"instances": [1], "signature_name": "train"}',
            b'{"instances": [1], "signature_name": ["serving_default"]}',
            json.dumps({"instances": instances(rng, 257)}).encode(),
            rng.randbytes(rng.randint(1, 300)),
        ]
    )
    return Case("bad json", posted(body), (400,))


def bad_number(rng):
    text = rng.choice(
        [
            *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 400, "1" * 5000),
            *("256", "-1", "1.5", "1e3", "1e-5", "0x1", "01", "1_0"),
            *('"7"', "true", "null", "[1]", "{}"),
        ]
    )
    samples = json.dumps({"instances": instances(rng, 2)})
    at = samples.index("[[[[") + 4
    end = samples.index("]", at)
    return Case("bad number", posted((samples[:at] + text + samples[end:]).encode()), (400,))


def bad_shape(rng):
    good = np.array(instances(rng, 2))
    samples = rng.choice(
        [
            good[..., 0].tolist(),
            good[:, :7].tolist(),
            good[..., None].tolist(),
            good.ravel().tolist(),
            [good[0].tolist(), good[1, :3].tolist()],
            [good[0].tolist(), 3],
            [[[]]],
            [[], []],
            [{"picture": good[0].tolist()}],
            [{"image": good[0].tolist(), "more": 1}],
            [{"image": good[0].tolist()}, good[1].tolist()],
            [{}],
        ]
    )
    return Case("bad shape", posted(json.dumps({"instances": samples}).encode()), (400,))


def flipped_json(rng):
    body = json.dumps({"instances": instances(rng, 1)}).encode()
    return Case("flipped json", posted(flipped(rng, body)), (200, 400))


# --- files ------------------------------------------------------------------------------


def bad_file(rng):
    good = png(rng)
    body = rng.choice(
        [
            rng.randbytes(rng.randint(1, 1000)),
            good[: rng.randint(1, len(good) // 2)],
            b"",
            b"\x89PNG\r\n\x1a\n" + rng.randbytes(100),
            png(rng, kind="GIF"),
            png(rng, kind="BMP"),
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            gzip.compress(good),
        ]
    )
    kind = rng.choice(["image/png", "image/jpeg"])
    return Case("bad file", posted(body, "/predict", content_type=kind), (400,))


def a_bomb(rng):
    body = bomb(*rng.choice([(30_000, 30_000), (2**31 - 1, 2**31 - 1), (1, 2**30), (6000, 6000)]))
    return Case("bomb", posted(body, "/predict", content_type="image/png"), (400, 413))


def flipped_image(rng):
    kind = rng.choice(["PNG", "JPEG"])
    body = flipped(rng, png(rng, 30, 30, kind))
    headers = {"content_type": f"image/{kind.lower()}"}
    return Case("flipped image", posted(body, "/predict", **headers), (200, 400, 413))


def wrong_type(rng):
    path, kind = rng.choice(
        [
            ("/predict", "text/plain"),
            ("/predict", "image/gif"),
            ("/predict", "multipart/form-data; boundary=a"),
            ("/predict", "\xff\xfe"),
            ("/predict", None),
            (PREDICT, "text/html"),
            (PREDICT, "image/png"),
        ]
    )
    return Case("wrong type", posted(png(rng), path, content_type=kind), (415,))


def compressed(rng):
    body = gzip.compress(json.dumps({"instances": instances(rng, 1)}).encode())
    return Case("compressed", posted(body, content_encoding="gzip"), (415,))


def bad_query(rng):
    query = rng.choice(["length=1", "seed=0", "a", "=", "%00=%ff", "length=" + "9" * 400])
    raw = posted(png(rng), f"/predict?{query}", content_type="image/png")
    return Case("bad query", raw, (400,))


# --- HTTP -------------------------------------------------------------------------------


def wrong_method(rng):
    method, path = rng.choice(
        [
            *(("PUT", "/"), ("DELETE", MODEL), ("POST", "/"), ("PATCH", "/health")),
            *(("GET", "/predict"), ("OPTIONS", "/predict"), ("TRACE", "/"), ("BREW", "/predict")),
            ("GET", PREDICT),
        ]
    )
    return Case("wrong method", request(method, path), (405,))


def unknown_path(rng):
    path = rng.choice(
        [
            *("/nothing", "/predict/", "//", "/v1/models/other", f"{MODEL}/versions/9", "*", "x"),
            *("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/%00", "/%ff%fe", "/a;b?c#d"),
            *("http://127.0.0.1/nothing", "/" + "a" * 5000, f"{MODEL}:train", "/docs", "/{recipe}"),
        ]
    )
    return Case("unknown path", request(path=path), (404,))


def foreign(rng):
    host = rng.choice(
        [
            *("example.com", "127.0.0.1.example.com", "localhost.", "127.0.0.2", "[::2]", ""),
            *("user@127.0.0.1", "127.0.0.1, example.com", "127.0.0.1:99999999", "\xff"),
            "127.0.0.1\r\n folded",
        ]
    )
    return Case("foreign host", request(host=host), (403,))


def other_page(rng):
    origin = rng.choice(["http://example.com", "null", "https://127.0.0.1", "http://localhost:1"])
    body = json.dumps({"instances": instances(rng, 1)}).encode()
    return Case("other page", posted(body, origin=origin), (403,))


def no_host(rng):
    if rng.random() < 0.5:
        return Case("no host", request(host=None), (400,), ends=True)
    return Case("no host 1.0", b"GET /health HTTP/1.0\r\n\r\n", (403,))


def many_headers(rng):
    flood = {f"x_{i}": "a" * rng.randint(1, 5) for i in range(rng.randint(100, 400))}
    return Case("many headers", request(**flood), (431,))


def long_header(rng):
    return Case("long header", request(x_long="a" * rng.randint(17_000, 300_000)), (431,))


def bad_head(rng):
    raw = rng.choice(
        [
            *(request(content_length=n) for n in ("x", "-1", "1, 2", "1e3", "9" * 30, "+1", "0x5")),
            *(request(transfer_encoding=t) for t in ("gzip", "chunked, chunked", "identity")),
            request(transfer_encoding="chunked", content_length="5") + b"0\r\n\r\n",
            b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: 127.0.0.1\r\n\r\n",
            b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nno colon\r\n\r\n",
            b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nx: \x00\r\n\r\n",
            b"GET  /health  HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
            b"GET /h\xc3\xa9 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
            b"GET /health\r\n\r\n",
            b"GET\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        ]
    )
    return Case("bad head", raw, (400,), ends=True)


def garbage(rng):
    first = rng.choice(b"\x00\x01\x80\xffA{")
    return Case("garbage", bytes([first]) + rng.randbytes(rng.randint(1, 4000)), (400,), ends=True)


def bad_chunks(rng):
    raw = posted(b"", content_length=None, transfer_encoding="chunked")
    body = chunked(json.dumps({"instances": instances(rng, 1)}).encode(), 50)
    torn = rng.choice(
        [
            body[: rng.randrange(len(body) - 2)],
            b"xyz\r\n" + body,
            b"-5\r\nhello\r\n",
            b"f" * 30 + b"\r\n",
            body.replace(b"\r\n", b"\n\n", 3),
            rng.randbytes(200),
        ]
    )
    return Case("bad chunks", raw + torn, (400,), ends=True)


def torn(rng):
    body = json.dumps({"instances": instances(rng, 3)}).encode()
    raw = posted(body)
    return Case("torn", raw[: rng.randrange(1, len(raw))], (400,), ends=True)


def too_short(rng):
    """The body goes on behind its announced end: what follows is no request."""
    body = json.dumps({"instances": instances(rng, 3)}).encode()
    raw = posted(body, content_length=str(rng.randrange(1, len(body))))
    return Case("too short", raw, (400,), ends=True)


def too_large(rng):
    most = 8 * 2**20
    if rng.random() < 0.1:
        return Case("too large", posted(bytes(most + rng.randint(1, 1000))), (413,))
    length = str(rng.choice([most + 1, 2**31, 2**63, 10**19]))
    raw = posted(b"", content_length=length, expect="100-continue")
    return Case("announced too large", raw, (413,))


def hang_up(rng):
    body = json.dumps({"instances": instances(rng)}).encode()
    raw = posted(body)
    return Case("hang up", raw[: rng.randint(0, len(raw))], (NO_ANSWER,))


VALID = (a_page, an_image, some_instances)
JSON = (bad_json, bad_number, bad_shape, flipped_json)
FILES = (bad_file, a_bomb, flipped_image, wrong_type, compressed, bad_query)
HTTP = (
    *(wrong_method, unknown_path, foreign, other_page, no_host, many_headers, long_header),
    *(bad_head, garbage, bad_chunks, torn, too_short, too_large, hang_up),
)
KINDS = (*(3 * VALID), *JSON, *FILES, *HTTP)
