# SPDX-License-Identifier: MIT
"""The same rows in every format that people keep them in, written by Pillow and tarfile: `januspro-train
check` counts them, and two steps of `run` on each lose exactly what they lose on JSON lines, which
steps.py holds against transformers.

    formats.py BIN_DIR        BIN_DIR holds januspro-train
"""
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

import numpy
from PIL import Image

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"

RECIPE = """
seed = 3
[model]
init = "{init}"
[schedule]
steps = 2
[batch]
micro = 4
max_len = 600
workers = {workers}
[log]
every = 1
[[data]]
path = "{path}"
format = "{format}"
"""
CLASSES = ["cat", "cat", "coffee_cup", "dog", "dog", "dog"]


def pictures(folder):
    """Of three formats and no two of one size, in the order of their names."""
    random = numpy.random.default_rng(5)
    folder.mkdir()
    for i, kind in enumerate(["png", "jpg", "webp", "png", "jpg", "webp"]):
        coarse = random.integers(0, 256, (8, 6 + i, 3), numpy.uint8)
        Image.fromarray(coarse).resize((80 + 9 * i, 90), Image.BICUBIC).save(folder / f"{i}.{kind}")
    return sorted(folder.iterdir())


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_shard(path, samples):
    """Samples of (key, {kind: bytes})."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for key, parts in samples:
            for kind, content in parts.items():
                member = tarfile.TarInfo(f"folder/{key}.{kind}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))


def write_drawn(work, files):
    """A picture and what it is drawn from."""
    captions = [f"picture {i} of a wall, {'very ' * i}bright" for i in range(len(files))]
    write_lines(work / "drawn.jsonl", [{"prompt": c, "image": str(f)} for c, f in zip(captions, files)])
    for caption, file in zip(captions, files):
        file.with_suffix(".txt").write_text(f"\n{caption}\r\n")
    told = [{"txt": c.encode()} if i % 2 else {"json": json.dumps({"caption": c, "source": "web"}).encode()}
            for i, c in enumerate(captions)]
    samples = [(str(i), {file.suffix[1:]: file.read_bytes(), **told[i]}) for i, file in enumerate(files)]
    write_shard(work / "drawn-00.tar", samples[:2])
    write_shard(work / "drawn-01.tar", samples[2:])
    return {"folder": (files[0].parent, ""), "webdataset": (work / "drawn-{00..01}.tar", "")}


def write_classes(work, files):
    for kind, file in zip(CLASSES, files):
        (work / "classes" / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, work / "classes" / kind)
    patterns = ["a {}", "a photo of a {}"]
    write_lines(work / "classes.jsonl",
                [{"prompt": patterns[i % 2].format(kind.replace("_", " ")), "image": str(file)}
                 for i, (kind, file) in enumerate(zip(CLASSES, files))])
    return {"classes": (work / "classes", f"template = {json.dumps(patterns)}\n")}


def write_read(work, files):
    """A picture and a conversation about it."""
    def turns(i, keys, roles):
        texts = ["<image>\nWhat is it?", f"Wall {i}.", "Sure?", "Yes."]
        return [dict(zip(keys, (roles[k % 2], text))) for k, text in enumerate(texts)]

    ours = [turns(i, ("role", "content"), ("user", "assistant")) for i in range(len(files))]
    theirs = [turns(i, ("from", "value"), ("human", "gpt")) for i in range(len(files))]
    write_lines(work / "read.jsonl", [{"messages": m, "images": [str(f)]} for m, f in zip(ours, files)])
    rows = [{"id": i, "image": f.name, "conversations": c} for i, (c, f) in enumerate(zip(theirs, files))]
    (work / "read.json").write_text(json.dumps(rows, indent=2))
    write_lines(work / "list.jsonl", rows)
    write_shard(work / "read.tar",
                [(str(i), {"json": json.dumps({"image": "elsewhere.jpg", "conversations": c}).encode(),
                           f.suffix[1:]: f.read_bytes()}) for i, (c, f) in enumerate(zip(theirs, files))])
    images = f'images = "{files[0].parent}"\n'
    return {"llava": (work / "read.json", images), "llava, lines": (work / "list.jsonl", images),
            "webdataset": (work / "read.tar", "")}


def write_described(work, files):
    """The captions of write_drawn() as answers."""
    write_lines(work / "described.jsonl",
                [{"messages": [{"role": "user", "content": "Describe this picture."},
                               {"role": "assistant", "content": f.with_suffix(".txt").read_text().strip()}],
                  "images": [str(f)]} for f in files])
    return {"folder": (files[0].parent, 'task = "understand"\n')}


def recipe(path, source, format, more, workers):
    text = RECIPE.format(init=GOLDEN / "tiny-hf", path=source, format=format, workers=workers) + more
    path.write_text(text)
    return text[text.index("[[data]]"):]


def losses(program, work):
    run = work / "run"
    shutil.rmtree(run, ignore_errors=True)
    subprocess.run([program, "run", work / "run.toml", "-o", run, "--threads", "1"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def checked(program, work):
    """What `check` says of the sources of a recipe."""
    out = subprocess.run([program, "check", work / "all.toml", "--json", "-o", work / "check"], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    found = [json.loads(line) for line in out.splitlines()]
    assert all(pathlib.Path(one["sheet"]).exists() for one in found)
    return [{key: one[key] for key in ("rows", "usable", "tasks", "targets", "length", "broken")} for one in found]


def main():
    program, failed, kinds = pathlib.Path(sys.argv[1]) / "januspro-train", False, []
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        files = pictures(work / "pictures")
        for kind, write in {"drawn": write_drawn, "classes": write_classes, "read": write_read,
                            "described": write_described}.items():
            formats = {"jsonl": (work / f"{kind}.jsonl", ""), **write(work, files)}
            wanted = None
            for workers, (format, (path, more)) in enumerate(formats.items(), 1):
                source = recipe(work / "run.toml", path, format.partition(",")[0], more, workers)
                got = losses(program, work)
                wanted = wanted or got
                kinds.append((kind, format, source, got == wanted and len(got) == 2))
        text = (work / "run.toml").read_text()
        (work / "all.toml").write_text(text[:text.index("[[data]]")] + "".join(kind[2] for kind in kinds))
        lines = None
        for (kind, format, _, same), told in zip(kinds, checked(program, work), strict=True):
            lines = told if format == "jsonl" else lines
            same = same and told == lines and told["usable"] == len(files)
            print(f"{kind} as {format}: {'the same' if same else f'other losses, or {told} for {lines}'}")
            failed |= not same
    return failed


if __name__ == "__main__":
    sys.exit(main())
