#!/usr/bin/env python3
"""Tables trained by us against those of the `tokenizers` package: `bpe_train.py FOLDER`, which has
bpe_train and tokenizer_ids.

Both train on the same lines; vocabulary and merges must be equal, and the file must load in
`tokenizers` and transformers with the ids that ours gives. Prints one line; exits 1 on a difference.
SPDX-License-Identifier: MIT
"""
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "tokenizer"
COLORS = "red orange yellow green blue purple pink brown black white".split()
THINGS = "apple star cup house tree fish bird boat cloud flower chair lamp key heart moon".split()
PLACES = ["left of", "right of", "above", "below", "next to", "in front of"]
SPECIAL = "<|User|>: How many stars?\n\n<|Assistant|>: 3<image_placeholder>\u00e9\U0001F680 \u4f60\u597d\n"


def sentences(rng, count):
    """Lines like those of the small world."""
    for _ in range(count):
        a, b = (f"{rng.choice(COLORS)} {rng.choice(THINGS)}" for _ in range(2))
        yield rng.choice([f"a {a} {rng.choice(PLACES)} the {b}.", f"Is the {a} {rng.choice(PLACES)} a {b}?",
                          f"{rng.randint(0, 20)} {a}s and one {b}", f"Draw a {a}, please!"])


def other_text():
    """Real words of many scripts: the texts of the published vectors, and Python's own sources."""
    rows = json.loads((GOLDEN / "vectors.json").read_text(encoding="utf-8"))
    yield from (line for kind in rows.values() for row in kind for line in row["text"].split("\n"))
    for source in sorted(Path(json.__file__).parent.glob("*.py")):
        yield from source.read_text(encoding="utf-8").split("\n")


def reference_table(template, lines, entries):
    """Vocabulary and merges as `tokenizers` trains them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = template.pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=entries, min_frequency=2, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(lines, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(m) for m in model["merges"]]


def problems(programs, lines, entries):
    """What differs for one corpus."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([programs / "bpe_train", folder, str(entries)], input="\n".join(lines) + "\n", text=True, check=True)
        path = Path(folder) / "tokenizer.json"
        table = json.loads(path.read_text(encoding="utf-8"))
        loaded = Tokenizer.from_file(str(path))
        auto = AutoTokenizer.from_pretrained(folder)
        texts = [*lines[:2000], SPECIAL]
        named_ids = auto(texts, add_special_tokens=False)["input_ids"]
        done = subprocess.run([programs / "tokenizer_ids", path], input="\n".join(map(json.dumps, texts)) + "\n",
                              capture_output=True, text=True, check=True)
    ours = [json.loads(line) for line in done.stdout.splitlines()]
    vocab, merges = reference_table(loaded, lines, entries)
    if table["model"]["vocab"] != vocab or [tuple(m) for m in table["model"]["merges"]] != merges:
        yield "the tables differ"
    if ours != [e.ids for e in loaded.encode_batch(texts)]:
        yield "tokenizers gives other ids"
    if ours != named_ids:
        yield "transformers gives other ids"
    named = [auto.bos_token, auto.eos_token, auto.pad_token]
    if named != [t["content"] for t in table["added_tokens"][:3]]:
        yield f"transformers names other special tokens: {named}"


def main():
    programs = Path(sys.argv[1])
    rng = random.Random(3)
    corpora = [("small world", list(sentences(rng, 20_000)), 1024), ("other text", list(other_text()), 2048)]
    bad = [f"{name}: {problem}" for name, lines, entries in corpora for problem in problems(programs, lines, entries)]
    print("bpe_train parity: " + ("; ".join(bad) or f"{len(corpora)} corpora give the reference's tables and ids"))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
