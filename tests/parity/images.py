# SPDX-License-Identifier: MIT
"""Decoding and preprocessing against Pillow, bit for bit, over random pictures of many kinds.

    tests/parity/images.py FOLDER_OF_PROGRAMS [--cases N] [--seed N]

Every case is a picture written by Pillow: random size (squares, portraits, slivers), random content,
PNG of each kind or JPEG of each kind. Compared are the decoded RGB bytes and the results of the
three ways to resize. Prints one line a kind; exits 1 if any byte differs.
"""
import argparse
import collections
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy
from PIL import Image, ImageDraw, ImageFilter

FILL = (127, 127, 127)


def reference_fit(image, side):
    """deepseek-ai/Janus, janus/models/image_processing_vlm.py, VLMImageProcessor."""
    width, height = image.size
    longest = max(width, height)
    size = (max(int(width / longest * side), 14), max(int(height / longest * side), 14))
    if size != image.size:
        image = image.resize(size, Image.BICUBIC)
    square = Image.new("RGB", (side, side), FILL)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def reference_cover(image, side):
    size = [side if n == min(image.size) else round(n * side / min(image.size)) for n in image.size]
    if tuple(size) != image.size:
        image = image.resize(size, Image.BICUBIC)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def random_size(rng):
    shape = rng.choice(["any", "any", "small", "sliver", "square", "large"])
    if shape == "small":
        return rng.randint(1, 40), rng.randint(1, 40)
    if shape == "sliver":
        size = rng.randint(1, 12), rng.randint(200, 3000)
        return size if rng.random() < 0.5 else size[::-1]
    if shape == "square":
        n = rng.choice([1, 14, 63, 64, 383, 384, 385, 768, rng.randint(2, 900)])
        return n, n
    if shape == "large":
        return rng.randint(800, 1600), rng.randint(800, 1600)
    return rng.randint(20, 800), rng.randint(20, 800)


def random_picture(rng, size):
    """Noise (every byte value and hard edges), smooth colours, or drawn shapes."""
    numbers = numpy.random.default_rng(rng.getrandbits(32))
    width, height = size
    kind = rng.choice(["noise", "smooth", "shapes"])
    if kind == "noise":
        return Image.fromarray(numbers.integers(0, 256, (height, width, 3), dtype=numpy.uint8))
    coarse = Image.fromarray(numbers.integers(0, 256, (5, 5, 3), dtype=numpy.uint8))
    image = coarse.resize(size, Image.BICUBIC)
    if kind == "shapes":
        draw = ImageDraw.Draw(image)
        for _ in range(20):
            x, y = rng.randint(0, width), rng.randint(0, height)
            colour = tuple(rng.randint(0, 255) for _ in range(3))
            draw.ellipse((x, y, x + rng.randint(0, width), y + rng.randint(0, height)), fill=colour)
        image = image.filter(ImageFilter.GaussianBlur(0.5))
    return image


def with_alpha(rng, image):
    image = image.copy()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def quantized(rng, image, colours):
    return image.quantize(colours, dither=Image.Dither.NONE)


def png_writers():
    def plain(convert):
        return lambda rng, image, path: convert(rng, image).save(path, "PNG")

    def transparent(convert, value):
        return lambda rng, image, path: convert(rng, image).save(path, "PNG", transparency=value)

    def bits(n):
        return lambda rng, image, path: quantized(rng, image, 2**n).save(path, "PNG", bits=n)

    return {
        "png rgb": plain(lambda rng, image: image),
        "png rgb transparent colour": transparent(lambda rng, image: image, (1, 2, 3)),
        "png rgba": plain(with_alpha),
        "png grey": plain(lambda rng, image: image.convert("L")),
        "png grey transparent": transparent(lambda rng, image: image.convert("L"), 7),
        "png grey alpha": plain(lambda rng, image: with_alpha(rng, image).convert("LA")),
        "png 1 bit": plain(lambda rng, image: image.convert("1")),
        "png palette": plain(lambda rng, image: quantized(rng, image, rng.randint(2, 256))),
        "png palette transparent": transparent(lambda rng, image: quantized(rng, image, 100), 3),
        "png palette 1 bit": bits(1),
        "png palette 2 bits": bits(2),
        "png palette 4 bits": bits(4),
        "png interlaced": lambda rng, image, path: write_interlaced(image, path),
        "png 16 bit rgb": lambda rng, image, path: write_deep(rng, image, path),
    }


def png_chunk(kind, data):
    import struct
    import zlib
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(path, size, depth, colour, interlace, rows):
    import struct
    import zlib
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlace)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) +
                   png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b""))


def write_interlaced(image, path):
    """Adam7, which Pillow reads and does not write."""
    pixels = numpy.asarray(image)
    rows = b""
    for x, y, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                         (1, 0, 2, 2), (0, 1, 1, 2)]:
        part = pixels[y::dy, x::dx]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    write_png(path, image.size, 8, 2, 1, rows)


def write_deep(rng, image, path):
    deep = numpy.asarray(image).astype(">u2") * 256 + rng.randint(0, 255)
    write_png(path, image.size, 16, 2, 0, b"".join(b"\0" + row.tobytes() for row in deep.astype(">u2")))


def jpeg_writers():
    def jpeg(convert=lambda image: image, **options):
        def write(rng, image, path):
            convert(image).save(path, "JPEG", quality=rng.randint(5, 100), **options)
        return write

    def without_adobe(rng, image, path):
        """CMYK whose Adobe marker was cut out."""
        image.convert("CMYK").save(path, "JPEG", quality=90)
        data = path.read_bytes()
        at = data.index(b"\xff\xee")
        length = int.from_bytes(data[at + 2:at + 4], "big")
        path.write_bytes(data[:at] + data[at + 2 + length:])

    def ycck(rng, image, path):
        """CMYK data whose Adobe marker declares YCCK."""
        image.convert("CMYK").save(path, "JPEG", quality=95)
        data = bytearray(path.read_bytes())
        at = data.index(b"\xff\xee")
        data[at + 15] = 2
        path.write_bytes(data)

    return {
        "jpeg 4:2:0": jpeg(subsampling="4:2:0"),
        "jpeg 4:2:2": jpeg(subsampling="4:2:2"),
        "jpeg 4:4:4": jpeg(subsampling="4:4:4"),
        "jpeg progressive": jpeg(progressive=True),
        "jpeg optimised": jpeg(optimize=True),
        "jpeg grey": jpeg(lambda image: image.convert("L")),
        "jpeg cmyk": jpeg(lambda image: image.convert("CMYK")),
        "jpeg cmyk without adobe": without_adobe,
        "jpeg ycck": ycck,
        "jpeg rgb": jpeg(keep_rgb=True),
        "jpeg restarts": jpeg(restart_marker_blocks=3),
    }


class Program:
    def __init__(self, folder, scratch):
        self.out = scratch / "out.rgb"
        self.process = subprocess.Popen([folder / "picture"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, command, path):
        print(*command, self.out, path, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().strip()
        if answer.startswith("error:"):
            return answer, b""
        return tuple(int(n) for n in answer.split()), self.out.read_bytes()


def compare(program, rng, path):
    """Names of the steps whose bytes differ from Pillow's."""
    image = Image.open(path).convert("RGB")
    side = rng.choice([384, 384, 384, 64, 96, 100])
    size = rng.randint(1, 500), rng.randint(1, 500)
    expected = [
        (["decode"], image),
        (["fit", side], reference_fit(image, side)),
        (["cover", side], reference_cover(image, side)),
        (["resize", *size], image.resize(size, Image.BICUBIC)),
    ]
    wrong = []
    for command, reference in expected:
        got_size, got = program.ask(command, path)
        if got_size != reference.size or got != reference.tobytes():
            wrong.append(f"{' '.join(map(str, command))} of {image.size}: {got_size}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--cases", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    writers = png_writers() | jpeg_writers()
    counts, failures = collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        program = Program(options.programs, scratch)
        for case in range(options.cases):
            kind = list(writers)[case % len(writers)]
            path = scratch / "picture"  # no extension: content alone tells
            writers[kind](rng, random_picture(rng, random_size(rng)), path)
            counts[kind] += 1
            failures += [f"{kind}, case {case}: {wrong}" for wrong in compare(program, rng, path)]
    for kind, count in counts.items():
        bad = sum(failure.startswith(kind + ",") for failure in failures)
        print(f"images: {kind}: {count} pictures, 4 results each, {bad} differ")
    print("\n".join(failures[:40]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
