"""Small images of every kind that Keras reads, folders of them, and ways to damage them."""

import io
import math
import struct
import time
import zlib
from functools import cache

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from PIL import Image

from tasks.images.exif import turned
from tasks.images.headers import announced_size

# Adam7: first row and column, and the steps, of each pass (PNG specification, section 8.2).
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
_ADAM7 += ((1, 0, 2, 1),)


def pixels(seed, height=37, width=53, dtype=np.uint8):
    """Return smooth random pixels with some noise, as of a photograph."""
    random = np.random.default_rng(seed)
    waves = random.standard_normal((height, width, 3)).cumsum(0).cumsum(1)
    waves = (waves - waves.min()) / max(np.ptp(waves), 1e-9)
    top = np.iinfo(dtype).max
    return np.clip((waves + random.normal(0, 0.03, waves.shape)) * top, 0, top).astype(dtype)


def encoded(image, kind, **options):
    """Return a picture of Pillow's, or an array, as the bytes of a file."""
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def small_png(number):
    """Return the bytes of a PNG; another number is another image."""
    return encoded(np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8), "PNG")


def png(values, *, interlaced=False):
    """Return an RGB PNG of 8 or 16 bits a channel, as Pillow cannot write it."""
    height, width, _ = values.shape
    bits = 8 * values.dtype.itemsize
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    parts = [values[y::dy, x::dx].astype(f">u{bits // 8}") for y, x, dy, dx in passes]
    rows = [b"\0" + row.tobytes() for part in parts if part.size for row in part]
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, interlaced)
    return png_of_chunks(header, zlib.compress(b"".join(rows)))


def bomb(side):
    """Return a small PNG of side × side black pixels of one bit."""
    packer = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return png_of_chunks(struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0), data)


def png_of_chunks(header, data, *others):
    chunks = ((b"IHDR", header), *others, (b"IDAT", data), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def top_down_bmp(values):
    """Return a 24-bit BMP whose first row comes first: its height is below zero."""
    content = bytearray(encoded(values[::-1], "BMP"))
    content[22:26] = struct.pack("<i", -len(values))
    return bytes(content)


def bmp(values, *, header=40, bits=24, compression=0, masks=b"", palette=b"", data=None):
    """Return a BMP of RGB or grey pixels with a header as given; `data` is what stands after it."""
    height, width = values.shape[:2]
    if data is None:
        order = {8: values, 24: values[..., ::-1]}.get(bits)
        if order is None:
            order = np.dstack([values[..., ::-1], np.full((height, width), 255, np.uint8)])
        rows = [row.tobytes() for row in order[::-1]]
        data = b"".join(row + bytes(-len(row) % 4) for row in rows)
    sizes = struct.pack("<IHHHH", header, width, height, 1, bits)
    if header >= 40:
        sizes = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
        sizes = struct.pack("<I", header) + sizes[4:] + masks
    head = sizes + bytes(max(0, header - len(sizes))) + palette
    start = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + data


def masks(*order):
    """Return the masks of a 32-bit BMP for red, green, blue [and alpha], by their bytes' places."""
    return b"".join(struct.pack("<I", 0xFF << 8 * place) for place in order)


def grey_palette(count=256):
    """Return a BMP's palette of grey values."""
    return b"".join(bytes([n, n, n, 0]) for n in range(count))


def tiff(*, width=10, height=6, more=None, lzw=False):
    """Return a TIFF of black pixels by its tags, with whole numbers of four bytes as values."""
    data = bytes(180)
    tags = {256: [width], 257: [height], 258: [8] * 3, 259: [5 if lzw else 1], 262: [2]}
    tags |= {273: [8], 277: [3], 278: [height], 279: [len(data)]} | (more or {})
    entries, values, start = [], b"", 8 + len(data) + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        packed = struct.pack(f"<{len(tags[tag])}I", *tags[tag])
        place = struct.pack("<I", start + len(values)) if len(packed) > 4 else packed
        values += packed if len(packed) > 4 else b""
        entries.append(struct.pack("<HHI", tag, 4, len(tags[tag])) + place)
    directory = struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + values


def large_avif(side):
    """Return an AVIF that says that it has side × side pixels."""
    size = struct.pack(">II", *pixels(0).shape[1::-1])
    return encoded(pixels(0), "AVIF").replace(
        b"ispe\0\0\0\0" + size, struct.pack(">4sIII", b"ispe", 0, side, side)
    )


def many_scans(content, count):
    """Return a progressive JPEG with its last scan repeated; libjpeg warns, and reads them all."""
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * count + content[-2:]


def with_orientation(content, number, order="<"):
    """Return a JPEG with EXIF data of one tag, the orientation."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    tag = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, number, 0)
    exif = start + struct.pack(f"{order}IH", 8, 1) + tag + bytes(4)
    segment = b"Exif\0\0" + exif
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:]


def rotated(upright, number, kind, **options):
    """Return a picture as a camera stores it that is held so: turned, with its EXIF orientation."""
    back = {6: 8, 8: 6}.get(number, number)
    exif = Image.Exif()
    exif[0x0112] = number
    return encoded(np.ascontiguousarray(turned(upright, back)), kind, exif=exif, **options)


@cache
def every_kind():
    """Return the bytes of images by file name: each format that Keras reads, in all its kinds."""
    values = pixels(0)
    image = Image.fromarray(values)
    frames = [Image.fromarray(pixels(n)) for n in (1, 2)]
    palette = image.quantize(16)
    sizes = {"1x1": (1, 1), "2x301": (2, 301), "301x2": (301, 2), "8x8": (8, 8)}
    odd = {name: Image.fromarray(pixels(0, *size)) for name, size in sizes.items()}
    grey16 = pixels(0, dtype=np.uint16)[..., 0]
    return {
        "rgb.jpg": encoded(image, "JPEG", quality=90),
        "444.jpg": encoded(image, "JPEG", quality=95, subsampling=0),
        "422.jpg": encoded(image, "JPEG", subsampling=1),
        "grey.jpg": encoded(image.convert("L"), "JPEG"),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "progressive.jpg": encoded(image, "JPEG", progressive=True),
        "restarts.jpg": encoded(image, "JPEG", restart_marker_blocks=4),
        "rgb.png": encoded(image, "PNG"),
        "grey.png": encoded(image.convert("L"), "PNG"),
        "black-and-white.png": encoded(image.convert("1"), "PNG"),
        "grey-16.png": encoded(grey16, "PNG"),
        "rgb-16.png": png(pixels(0, dtype=np.uint16)),
        "palette.png": encoded(palette, "PNG"),
        "palette-transparent.png": encoded(palette, "PNG", transparency=bytes(range(0, 256, 16))),
        "rgba.png": encoded(np.dstack([values, values[..., :1]]), "PNG"),
        "grey-alpha.png": encoded(image.convert("LA"), "PNG"),
        "interlaced.png": png(values, interlaced=True),
        "static.gif": encoded(palette, "GIF"),
        "animated.gif": encoded(image, "GIF", save_all=True, append_images=frames),
        "rgb.bmp": encoded(image, "BMP"),
        "top-down.bmp": top_down_bmp(values),
        "rgba.bmp": encoded(np.dstack([values, values[..., :1]]), "BMP"),
        "grey.bmp": encoded(image.convert("L"), "BMP"),
        **{f"{name}.jpg": encoded(picture, "JPEG") for name, picture in odd.items()},
        **{f"{name}.png": encoded(picture, "PNG") for name, picture in odd.items()},
        **{f"{name}.gif": encoded(picture.quantize(8), "GIF") for name, picture in odd.items()},
        **{f"{name}.bmp": encoded(picture, "BMP") for name, picture in odd.items()},
    }


@cache
def refused_images():
    """Return images by file name that are refused, each by its header or what it unpacks to."""
    values = pixels(0)
    grey = values[..., 0]
    header = struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    zeros = b"".join(packer.compress(bytes(2**20)) for _ in range(200)) + packer.flush()
    return {
        "palette.bmp": bmp(grey, bits=8, palette=grey_palette(200)),
        "jpeg.bmp": bmp(values, compression=4),
        "large.avif": large_avif(20_000),
        "large.tif": tiff(width=20_000, height=20_000),
        "tiles.tif": tiff(more={322: [30_000], 323: [30_000], 324: [8], 325: [9]}),
        "parts.tif": tiff(height=300_000, more={278: [1]}),
        "same-place.tif": tiff(height=9, more={278: [1], 273: [0] * 9, 279: [150] * 9}, lzw=True),
        "tags.tif": tiff(more={n: [1] for n in range(400, 1500)}),
        "float.tif": tiff(more={258: [32] * 3, 339: [3] * 3}),
        "camera.tif": tiff(more={254: [1]}),
        "lzma.tif": tiff(more={259: [34_925]}),
        "jpeg-xl.png": b"\xff\x0a" + bytes(40),
        "jpeg-xl-boxes.jpg": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40),
        "large.png": bomb(14_000),
        "packed.png": png_of_chunks(header, zeros),
        "scans.jpg": many_scans(encoded(values, "JPEG", progressive=True), 600),
    }


@st.composite
def damaged(draw, *endings):
    """Draw the bytes of an image of some endings: cut short, overwritten, or with some left out.

    None of them announces more than 20 megapixels: what cannot be tried in a moment.
    """
    kinds = every_kind()
    content = kinds[draw(st.sampled_from([name for name in kinds if name.endswith(endings)]))]
    place = draw(st.integers(0, len(content) - 1) | st.integers(0, min(len(content) - 1, 700)))
    kind = draw(st.sampled_from(["cut", "overwritten", "left out"]))
    wrong = draw(st.binary(min_size=1, max_size=20)) if kind == "overwritten" else b""
    left_out = len(wrong) or draw(st.integers(1, 20))
    rest = b"" if kind == "cut" else content[place + left_out :]
    damaged = content[:place] + wrong + rest
    assume(math.prod(announced_size(damaged)) < 20_000_000)
    return damaged


def write(path, content):
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_classes(folder, classes=("cat", "dog"), count=5):
    """Write `count` PNG files for each class, all different, and let them age."""
    for number in range(count * len(classes)):
        write(folder / classes[number // count] / f"{number:03}.png", small_png(number))
    grow_old()
    return folder


def grow_old():
    """Wait until what was just written is older than a tick of the file system's clock."""
    from tasks.datasets.known_files import CLOCK_TICK_NS

    time.sleep(2 * CLOCK_TICK_NS / 1e9)
