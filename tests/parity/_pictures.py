# SPDX-License-Identifier: MIT
"""Pictures of every kind that is read: writers from an RGB picture to a file, by name.

What Pillow writes is written by Pillow; the rest (depths, headers, interlacing, run lengths) is put
together here.
"""
import struct
import zlib

import numpy
from PIL import Image, ImageFile

ImageFile.MAXBLOCK = 1 << 25  # progressive JPEGs are written in one piece


def with_alpha(image):
    image = image.copy()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def quantized(image, colours):
    return image.quantize(colours, dither=Image.Dither.NONE)


def small(rng, image):
    """For the writers below, which are slow."""
    return image.crop((0, 0, min(image.width, rng.randint(1, 150)), min(image.height, 150)))


def packed(indices, bits):
    """Rows of indices as rows of bytes, the highest bits first."""
    if bits == 8:
        return [row.astype(numpy.uint8).tobytes() for row in indices]
    planes = (indices[:, :, None] >> numpy.arange(bits - 1, -1, -1)) & 1
    return [numpy.packbits(row.reshape(-1).astype(numpy.uint8)).tobytes() for row in planes]


# --- PNG ------------------------------------------------------------------------------------------

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(path, samples, depth, colour, interlaced, before=b""):
    """`samples` [height, width, channels], as they are stored."""
    height, width, channels = samples.shape
    rows = b""
    for x, y, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = samples[y::dy, x::dx]
        if not part.size:
            continue
        if depth == 16:
            lines = [row.astype(">u2").tobytes() for row in part]
        else:
            lines = packed(part.reshape(part.shape[0], -1), depth)
        rows += b"".join(b"\0" + line for line in lines)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before +
                     png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b""))


def any_png(rng, image, path):
    """A random depth, colour type and interlacing; 16 bits of grey alone are read differently."""
    pixels = numpy.asarray(image)
    colour, depth = rng.choice([(0, 1), (0, 2), (0, 4), (0, 8), (2, 8), (2, 16), (3, 1), (3, 2),
                                (3, 4), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)])
    before = b""
    if colour == 3:
        few = quantized(image, 2**depth)
        palette = bytes(few.getpalette())[:3 * 2**depth]
        before = png_chunk(b"PLTE", palette)
        if rng.random() < 0.5:
            before += png_chunk(b"tRNS", bytes(rng.randint(0, 255) for _ in range(2)))
        samples = numpy.asarray(few)[:, :, None]
    else:
        samples = pixels if colour in (2, 6) else numpy.asarray(image.convert("L"))[:, :, None]
        if colour in (4, 6):
            samples = numpy.concatenate([samples, samples[:, :, :1] ^ 0x5a], axis=2)
        if depth == 16:
            samples = samples.astype(numpy.uint16) * 256 + rng.randint(0, 255)
        elif depth < 8:
            samples = samples >> (8 - depth)
        if colour in (0, 2) and rng.random() < 0.3:
            before = png_chunk(b"tRNS", struct.pack(">H", 1) * (1 if colour == 0 else 3))
    write_png(path, samples, depth, colour, rng.random() < 0.5, before)


def png_writers():
    def plain(convert, **options):
        return lambda rng, image, path: convert(image).save(path, "PNG", **options)

    def palette(rng, image, path):
        quantized(image, rng.randint(2, 256)).save(path, "PNG")

    def bits(n):
        return lambda rng, image, path: quantized(image, 2**n).save(path, "PNG", bits=n)

    return {
        "png rgb": plain(lambda image: image),
        "png rgb transparent colour": plain(lambda image: image, transparency=(1, 2, 3)),
        "png rgba": plain(with_alpha),
        "png grey": plain(lambda image: image.convert("L")),
        "png grey transparent": plain(lambda image: image.convert("L"), transparency=7),
        "png grey alpha": plain(lambda image: with_alpha(image).convert("LA")),
        "png 1 bit": plain(lambda image: image.convert("1")),
        "png palette": palette,
        "png palette transparent": plain(lambda image: quantized(image, 100), transparency=3),
        "png palette 1 bit": bits(1),
        "png palette 2 bits": bits(2),
        "png palette 4 bits": bits(4),
        "png of any depth": any_png,
        "png of any depth, small": lambda rng, image, path: any_png(rng, small(rng, image), path),
    }


# --- JPEG -----------------------------------------------------------------------------------------

def jpeg_writers():
    def jpeg(convert=lambda image: image, **options):
        def write(rng, image, path):
            convert(image).save(path, "JPEG", quality=rng.randint(5, 100), **options)
        return write

    def cmyk(rng, image, path, **options):
        """Four channels that are all used."""
        channels = [*image.split(), image.convert("L").point(lambda value: value // 2)]
        Image.merge("CMYK", channels).save(path, "JPEG", quality=rng.randint(30, 100), **options)

    def without_adobe(rng, image, path):
        """CMYK whose Adobe marker was cut out."""
        cmyk(rng, image, path)
        data = path.read_bytes()
        at = data.index(b"\xff\xee")
        length = int.from_bytes(data[at + 2:at + 4], "big")
        path.write_bytes(data[:at] + data[at + 2 + length:])

    def ycck(rng, image, path, **options):
        """CMYK data whose Adobe marker declares YCCK."""
        cmyk(rng, image, path, **options)
        data = bytearray(path.read_bytes())
        data[data.index(b"\xff\xee") + 15] = 2
        path.write_bytes(data)

    return {
        "jpeg 4:2:0": jpeg(subsampling="4:2:0"),
        "jpeg 4:2:2": jpeg(subsampling="4:2:2"),
        "jpeg 4:4:4": jpeg(subsampling="4:4:4"),
        "jpeg progressive": jpeg(progressive=True),
        "jpeg progressive 4:4:4": jpeg(progressive=True, subsampling="4:4:4"),
        "jpeg optimised": jpeg(optimize=True),
        "jpeg grey": jpeg(lambda image: image.convert("L")),
        "jpeg grey progressive": jpeg(lambda image: image.convert("L"), progressive=True),
        "jpeg cmyk": cmyk,
        "jpeg cmyk progressive": lambda *a: cmyk(*a, progressive=True),
        "jpeg cmyk without adobe": without_adobe,
        "jpeg ycck": ycck,
        "jpeg ycck progressive": lambda *a: ycck(*a, progressive=True),
        "jpeg rgb": jpeg(keep_rgb=True),
        "jpeg restarts": jpeg(restart_marker_blocks=3),
    }


# --- WebP -----------------------------------------------------------------------------------------

def webp_on_canvas(rng, image, path):
    """An animation whose first frame covers a part of its canvas; places are even by the format."""
    image = small(rng, image)
    width, height = image.size
    alpha = rng.random() < 0.5
    (with_alpha(image) if alpha else image).save(path, "WEBP", lossless=rng.random() < 0.5, quality=60)
    data = path.read_bytes()[12:]
    if data.startswith(b"VP8X"):
        data = data[18:]
    left, top = 2 * rng.randint(0, 20), 2 * rng.randint(0, 20)

    def three(*numbers):
        return b"".join(number.to_bytes(3, "little") for number in numbers)

    def chunk(kind, content):
        return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    frame = three(left // 2, top // 2, width - 1, height - 1, 100) + bytes([rng.randint(0, 3)]) + data
    body = chunk(b"VP8X", bytes([0x02 | 0x10 * alpha, 0, 0, 0]) +
                 three(left + width + rng.randint(0, 9) - 1, top + height + rng.randint(0, 9) - 1))
    body += chunk(b"ANIM", bytes(rng.randint(0, 255) for _ in range(4)) + b"\0\0")
    body += chunk(b"ANMF", frame) + chunk(b"ANMF", frame)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)


def webp_writers():
    def webp(convert=lambda image: image, **options):
        def write(rng, image, path):
            convert(image).save(path, "WEBP", quality=rng.randint(0, 100), method=rng.randint(0, 4),
                                **options)
        return write

    def animated(**options):
        def write(rng, image, path):
            frames = [with_alpha(image.rotate(90 * i)) if options else image.rotate(90 * i)
                      for i in (1, 2)]
            first = with_alpha(image) if options else image
            first.save(path, "WEBP", save_all=True, append_images=frames, duration=100,
                       lossless=rng.random() < 0.5, quality=50, method=0, **options)
        return write

    return {
        "webp lossy": webp(),
        "webp lossy alpha": webp(with_alpha),
        "webp lossless": webp(lossless=True),
        "webp lossless alpha": webp(with_alpha, lossless=True, exact=True),
        "webp palette": webp(lambda image: quantized(image, 12).convert("RGB"), lossless=True),
        "webp grey": webp(lambda image: image.convert("L")),
        "webp exif and xmp": webp(exif=b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0", xmp=b"<x/>"),
        "webp animated": animated(),
        "webp animated alpha": animated(background=(9, 99, 200, 255)),
        "webp animated, on a canvas": webp_on_canvas,
    }


# --- GIF ------------------------------------------------------------------------------------------

def lzw(indices, bits, clear_often):
    """Codes of GIF's LZW. Once its table is full it is cleared, or kept to the end."""
    clear, end = 1 << bits, (1 << bits) + 1
    value = filled = 0
    out = bytearray()
    width = bits + 1
    table = {}

    def put(code):
        nonlocal value, filled
        value |= code << filled
        filled += width
        while filled >= 8:
            out.append(value & 255)
            value >>= 8
            filled -= 8

    put(clear)
    prefix, upcoming = None, end + 1
    for index in indices:
        known = index if prefix is None else table.get((prefix, index))
        if known is not None:
            prefix = known
            continue
        put(prefix)
        if upcoming < 4096:
            table[(prefix, index)] = upcoming
            if upcoming == 1 << width and width < 12:
                width += 1
            upcoming += 1
        elif clear_often:
            put(clear)
            table, upcoming, width = {}, end + 1, bits + 1
        prefix = index
    put(prefix)
    if upcoming == 1 << width and width < 12:
        width += 1
    put(end)
    if filled:
        out.append(value & 255)
    return bytes([bits]) + b"".join(bytes([len(out[i:i + 255])]) + out[i:i + 255]
                                    for i in range(0, len(out), 255)) + b"\0"


def any_gif(rng, image, path):
    """A frame somewhere on, or past, a canvas; palettes of the file and of the frame; extensions."""
    bits = rng.randint(1, 8)
    few = quantized(small(rng, image), 2**bits)
    indices = numpy.asarray(few)
    height, width = indices.shape
    interlaced = rng.random() < 0.4
    if interlaced:
        order = [y for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, height, step)]
        indices = indices[order]
    entries = 2**rng.choice([bits, bits, rng.randint(1, 8)])
    palette = bytes(rng.randint(0, 255) for _ in range(3 * entries))
    flags = 0x80 | entries.bit_length() - 2
    own, general = rng.choice([(True, True), (True, False), (False, True), (False, True), (False, False)])
    left, top = rng.choice([(0, 0), (rng.randint(0, 30), rng.randint(0, 30))])
    canvas = rng.choice([(width, height), (width + left, height + top),
                         (width + rng.randint(0, 50), height + rng.randint(0, 50)), (1, 1)])
    extensions = b""
    if rng.random() < 0.3:
        extensions += b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0" + b"!\xfe\x05hello\0"
    if rng.random() < 0.6:
        extensions += bytes([0x21, 0xf9, 4, rng.randint(0, 1) | rng.randint(0, 3) << 2, 0, 0,
                             rng.randint(0, 2**bits - 1), 0])
    other = bytes(range(255, 255 - 3 * entries, -1)) if entries <= 64 else palette[::-1]
    path.write_bytes(
        b"GIF89a" + struct.pack("<HHBBB", *canvas, flags if general else 0, rng.randint(0, 255), 0) +
        (other if general else b"") + extensions + b"," +
        struct.pack("<HHHHB", left, top, width, height,
                    (flags if own else 0) | (0x40 if interlaced else 0)) +
        (palette if own else b"") +
        lzw(indices.reshape(-1).tolist(), max(bits, 2), rng.random() < 0.7) + b";")


def gif_writers():
    def plain(convert, **options):
        return lambda rng, image, path: convert(rng, image).save(path, "GIF", **options)

    def animated(rng, image, path):
        frames = [quantized(image.rotate(90 * i), 60) for i in (1, 2)]
        quantized(image, 100).save(path, "GIF", save_all=True, append_images=frames,
                                   disposal=rng.randint(0, 3), transparency=rng.randint(0, 99))

    return {
        "gif palette": plain(lambda rng, image: quantized(image, rng.randint(2, 256))),
        "gif not interlaced": plain(lambda rng, image: quantized(image, 200), interlace=0),
        "gif transparent": plain(lambda rng, image: quantized(image, 64), transparency=3),
        "gif grey": plain(lambda rng, image: image.convert("L")),
        "gif 1 bit": plain(lambda rng, image: image.convert("1")),
        "gif animated": animated,
        "gif on a canvas": any_gif,
        "gif on a canvas, once more": any_gif,
    }


# --- BMP ------------------------------------------------------------------------------------------

MASKS = {
    32: [(0xff0000, 0xff00, 0xff, 0), (0xff000000, 0xff0000, 0xff00, 0),
         (0xff000000, 0xff0000, 0xff00, 0xff), (0xff, 0xff00, 0xff0000, 0xff000000),
         (0xff0000, 0xff00, 0xff, 0xff000000), (0, 0, 0, 0)],
    24: [(0xff0000, 0xff00, 0xff, 0)],
    16: [(0xf800, 0x7e0, 0x1f, 0), (0x7c00, 0x3e0, 0x1f, 0)],
}


def write_bmp(rng, path, size, bits, rows, palette=b"", compression=0, masks=None, core=False):
    """`rows` from the top, as bytes; or for run lengths the data themselves."""
    width, height = size
    top_down = not core and not isinstance(rows, bytes) and rng.random() < 0.3
    if not isinstance(rows, bytes):
        padded = [row + b"\0" * (-len(row) % 4) for row in rows]
        rows = b"".join(padded if top_down else padded[::-1])
    colours = len(palette) // 3
    if core:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
        # The palette of this header is always a full one.
        table = b"".join(palette[i:i + 3][::-1] for i in range(0, len(palette), 3))
        table += b"\0" * (3 * 2**bits - len(table)) if bits <= 8 else b""
    else:
        length = rng.choice([40, 52, 56, 64, 108, 124])
        header = struct.pack("<IiiHHIIiiII", length, width, -height if top_down else height, 1, bits,
                             compression, 0 if rng.random() < 0.5 else len(rows), 2835, 2835,
                             colours, 0)
        stored = struct.pack("<IIII", *masks) if masks else b""
        if length == 40:
            header += stored[:12]
        else:
            header += (stored + b"\0" * 84)[:length - 40]
        table = b"".join(palette[i:i + 3][::-1] + b"\0" for i in range(0, len(palette), 3))
    gap = b"gaps" if rng.random() < 0.3 else b""
    offset = 14 + len(header + table + gap)
    if not gap and not core and bits <= 8 and rng.random() < 0.2:
        offset = 14 + len(header)  # as some writers have it, though the palette comes first
    path.write_bytes(b"BM" + struct.pack("<IHHI", offset + len(rows), 0, 0, offset) + header + table +
                     gap + rows)


def palette_of(few, colours):
    """Not a ramp of greys: those Pillow reads by rules of their own."""
    palette = bytearray(few.getpalette()[:3 * colours])
    palette += b"\7\3\5" * (colours - len(palette) // 3)
    palette[0:3] = b"\x10\x20\x30"
    return bytes(palette)


def bmp_indices(bits):
    def write(rng, image, path):
        few = quantized(image, 2**bits)
        core = rng.random() < 0.3
        colours = 2**bits if core else rng.randint(2, 2**bits)
        write_bmp(rng, path, image.size, bits, packed(numpy.asarray(few), bits),
                  palette_of(few, colours), core=core)
    return write


def bmp_colours(bits):
    def write(rng, image, path):
        pixels = numpy.asarray(image).astype(numpy.uint32)
        masks = rng.choice(MASKS[bits] + [None])
        red, green, blue, _ = masks if masks and any(masks) else (
            (0x7c00, 0x3e0, 0x1f, 0) if bits == 16 else (0xff0000, 0xff00, 0xff, 0))
        values = numpy.zeros(pixels.shape[:2], numpy.uint32)
        for channel, mask in enumerate((red, green, blue)):
            low = (mask & -mask).bit_length() - 1
            used = mask.bit_length() - low
            values |= (pixels[:, :, channel] >> (8 - used)) << low
        rest = (1 << bits) - 1 & ~(red | green | blue)
        values |= numpy.uint32(rest & rng.getrandbits(32))
        rows = [row.astype("<u4").view(numpy.uint8).reshape(-1, 4)[:, :bits // 8].tobytes()
                for row in values]
        core = bits == 24 and masks is None and rng.random() < 0.4
        write_bmp(rng, path, image.size, bits, rows, compression=3 if masks else 0, masks=masks,
                  core=core)
    return write


def run_lengths(rng, indices, four):
    """Runs, single indices and ends of rows, for rows from the bottom. Skips, and odd numbers of single
    indices, are left out: Pillow takes two bytes too many for the one, and one too few for the other.
    """
    out = bytearray()
    for row in indices[::-1]:
        row = row.tolist()
        x = 0
        while x < len(row):
            run = 1
            while x + run < len(row) and run < 255 and row[x + run] == row[x]:
                run += 1
            plain = min(len(row) - x, rng.randint(3, 40)) // 2 * 2
            if run < 3 and plain >= 3:
                part = row[x:x + plain]
                data = bytes(a << 4 | b for a, b in zip(part[::2], part[1::2])) if four else bytes(part)
                out += bytes([0, plain]) + data + b"\0" * (len(data) % 2)
                x += plain
            else:
                out += bytes([run, row[x] * 17 if four else row[x]])
                x += run
        out += b"\0\0"
    return bytes(out) + b"\0\1"


def bmp_runs(bits):
    def write(rng, image, path):
        image = small(rng, image)
        few = quantized(image, 2**bits if bits == 4 else rng.randint(2, 256))
        write_bmp(rng, path, image.size, bits, run_lengths(rng, numpy.asarray(few), bits == 4),
                  palette_of(few, 2**bits), compression=2 if bits == 4 else 1)
    return write


def bmp_writers():
    def plain(convert):
        return lambda rng, image, path: convert(image).save(path, "BMP")

    return {
        "bmp rgb": plain(lambda image: image),
        "bmp rgba": plain(with_alpha),
        "bmp grey": plain(lambda image: image.convert("L")),
        "bmp 1 bit, black and white": plain(lambda image: image.convert("1")),
        "bmp palette": plain(lambda image: quantized(image, 99)),
        "bmp 1 bit": bmp_indices(1),
        "bmp 4 bits": bmp_indices(4),
        "bmp 8 bits": bmp_indices(8),
        "bmp 16 bits": bmp_colours(16),
        "bmp 24 bits": bmp_colours(24),
        "bmp 32 bits": bmp_colours(32),
        "bmp run lengths of 4 bits": bmp_runs(4),
        "bmp run lengths of 8 bits": bmp_runs(8),
    }


def all_writers():
    return png_writers() | jpeg_writers() | webp_writers() | gif_writers() | bmp_writers()
