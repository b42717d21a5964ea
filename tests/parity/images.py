# SPDX-License-Identifier: MIT
"""Pictures read and written against Pillow, bit for bit, over random pictures of many kinds.

    tests/parity/images.py FOLDER_OF_PROGRAMS [--cases N] [--seed N] [--kind TEXT]

Every case is a picture of random size (squares, portraits, slivers) and content, written in one of
the kinds of _pictures.py. Compared are the decoded RGB bytes and the results of the three ways to
resize. Then every EXIF orientation is undone in every format that has one, and what januspro
writes is read by Pillow: pixels, and the comment that drawing programs keep in EXIF. Prints one line
a kind; exits 1 if any byte differs.
"""
import argparse
import collections
import io
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

import numpy
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from _pictures import all_writers, png_chunk

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


COMMENT, EXIF_TABLE, ORIENTATION = 0x9286, 0x8769, 0x0112


def exif_block(rng, orientation, comment):
    exif = Image.Exif()
    exif.endian = rng.choice("<>")
    exif[ORIENTATION] = orientation
    if comment is not None:
        exif.get_ifd(EXIF_TABLE)[COMMENT] = comment
    return exif.tobytes()


def write_turned(rng, image, path, kind, exif):
    if kind == "png" and rng.random() < 0.5:
        image.save(path, "PNG")
        data = path.read_bytes()  # Pillow writes it in front of the pixels; it may come behind
        path.write_bytes(data[:-12] + png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")) + data[-12:])
    else:
        image.save(path, kind, exif=exif, lossless=True)


def check_orientations(program, rng, path):
    """Every orientation in every format, with a comment in one of the forms that are about."""
    failures = []
    for kind in ("jpeg", "png", "webp"):
        for orientation in [*range(1, 9), 0, 9]:
            text = rng.choice(["a cat", "Möwe 🐦", '{"prompt": "中文"}'])
            code = rng.choice(["UNICODE\0", "UNICODE\0", "ASCII\0\0\0", "\0" * 8]).encode()
            wide = rng.choice(["utf-16-be", "utf-16-le"]) if "中" not in text else "utf-16-be"
            comment = code + text.encode(wide if code.startswith(b"U") else "utf-8")
            image = random_picture(rng, (rng.randint(1, 90), rng.randint(1, 90)))
            write_turned(rng, image, path, kind, exif_block(rng, orientation, comment))
            with Image.open(path) as stored:
                upright = ImageOps.exif_transpose(stored).convert("RGB")
            size, pixels = program.ask(["upright"], path)
            if size != upright.size or pixels != upright.tobytes():
                failures.append(f"orientation, {kind} {orientation}: {size}")
            _, read = program.ask(["comment"], path)
            if read.decode() != text:
                failures.append(f"orientation, {kind}: comment {read} is not {text}")
    return failures


def check_written(program, rng, path, count):
    """What januspro writes: pixels as Pillow's own writer of the same settings makes them."""
    failures = []
    for case in range(count):
        image = random_picture(rng, (rng.randint(1, 200), rng.randint(1, 200)))
        image.save(path, "PNG")
        kind, quality = rng.choice(["png", "jpeg", "webp"]), rng.choice([0, 0, rng.randint(1, 100)])
        quality *= kind != "png"
        _, data = program.ask(["encode", kind, quality], path)
        written = Image.open(io.BytesIO(data))
        expected = image
        if kind == "jpeg":
            own = io.BytesIO()
            image.save(own, "JPEG", quality=quality or 95, subsampling="4:4:4")
            expected = Image.open(own).convert("RGB")
        elif kind == "webp" and quality:  # encoders differ by version; decoders do not
            path.write_bytes(data)
            expected = Image.frombytes("RGB", image.size, program.ask(["decode"], path)[1])
        if written.format.lower() != kind or written.convert("RGB").tobytes() != expected.tobytes():
            failures.append(f"written, case {case}: {kind} of quality {quality}")
        if kind != "png":
            comment = written.getexif().get_ifd(EXIF_TABLE).get(COMMENT)
        else:
            comment = b"UNICODE\0" + written.text["parameters"].encode("utf-16-be")
        if comment != b"UNICODE\0" + "Möwe 🐦".encode("utf-16-be"):
            failures.append(f"written, case {case}: {kind}: comment {comment}")
    return failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--cases", type=int, default=900)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", default="", help="only kinds with this text in their name")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    warnings.simplefilter("ignore")  # about transparency, which is dropped
    writers = {kind: writer for kind, writer in all_writers().items() if options.kind in kind}
    counts, failures = collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        program = Program(options.programs, scratch)
        path = scratch / "picture"  # no extension: content alone tells
        for case in range(options.cases):
            kind = list(writers)[case % len(writers)]
            writers[kind](rng, random_picture(rng, random_size(rng)), path)
            counts[kind] += 1
            failures += [f"{kind}, case {case}: {wrong}" for wrong in compare(program, rng, path)]
        turned = [wrong for _ in range(8) for wrong in check_orientations(program, rng, path)]
        written = check_written(program, rng, path, 240)
    for kind, count in counts.items():
        bad = sum(failure.startswith(kind + ",") for failure in failures)
        print(f"images: {kind}: {count} pictures, 4 results each, {bad} differ")
    print(f"images: EXIF: 240 pictures, orientation and comment each, {len(turned)} differ")
    print(f"images: written: 240 pictures, pixels and comment each, {len(written)} differ")
    failures += turned + written
    print("\n".join(failures[:40]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
