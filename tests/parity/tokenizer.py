#!/usr/bin/env python3
"""Our tokenizer against the `tokenizers` package: `tokenizer.py FOLDER`, which has tokenizer_ids.

Strings drawn over all of Unicode, with the scripts, white space, digits, emoji and written-out
special tokens that tell pre-tokenisers apart, are encoded by both with each table, and the ids
decoded by both. Prints one line; exits 1 on any difference.
SPDX-License-Identifier: MIT
"""
import gzip
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "golden" / "tokenizer"
STRINGS = {"deepseek-llm": 60_000, "tiny": 40_000, "flags": 20_000}
SPACES = [chr(c) for c in (0x20, 0x20, 0x20, 9, 10, 13, 0xB, 0xC, 0x1C, 0x85, 0xA0, 0x1680, 0x2003, 0x2028, 0x202F, 0x3000, 0x200B, 0xFEFF)]
EMOJI = ["\U0001F636\u200D\U0001F32B\uFE0F", "\U0001F468\u200D\U0001F469\u200D\U0001F467", "\U0001F44D\U0001F3FD", "\U0001F1E9\U0001F1EA", "\u2705", "\U0001F999", "1\uFE0F\u20E3"]
DIGITS = "0123456789\u00BD\u00B2\u0663\u096B\u2167\u3007\u4E09\u0BF0\U0001D7DA\U00010D42\uFF15"
WORDS = "the a naïve Führer øl Àþ don't I'll we've HELLO world straße Ελλάδα мир שלום العربية हिन्दी ไทย 한국어 日本語テスト カタカナ 你好，请描述这张图片。 Tiếng Việt ⅓cup x² e=mc² http://a.b/c?d=e_f C++ 3.14 1,000 \u1780\u17b6\u1793\u17cb ﬁnal Ǆ ﬀ ꭰ 𐐀𐑏 ｆｕｌｌ！（１）".split()
RANGES = [(0x20, 0x7F), (0, 0x20), (0x80, 0x250), (0x250, 0x600), (0x600, 0xE00), (0xE00, 0x2000), (0x2000, 0x2E00), (0x2E00, 0x3100), (0x3100, 0xA000), (0xA000, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000), (0x20000, 0x110000)]


def code_point(rng):
    low, high = rng.choice(RANGES)
    return chr(rng.randrange(low, high))


def draw(rng, tokens):
    """One string: a few parts, each of a kind of its own."""
    kinds = [
        lambda: code_point(rng),
        lambda: "".join(code_point(rng) for _ in range(rng.randint(1, 6))),
        lambda: rng.choice(WORDS),
        lambda: rng.choice(WORDS) + rng.choice(SPACES),
        lambda: "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 5))),
        lambda: " " * rng.randint(1, 6),
        lambda: "\n" * rng.randint(1, 3),
        lambda: "".join(rng.choice(DIGITS) for _ in range(rng.randint(1, 4))),
        lambda: rng.choice(EMOJI),
        lambda: rng.choice(tokens),
        lambda: rng.choice(["wordle", "wordles", "qzx", "qzxq", "_qzx", " \u0416  "]),
        lambda: rng.choice(tokens)[: rng.randint(1, 12)],
        lambda: "".join(chr(rng.randrange(0x21, 0x7F)) for _ in range(rng.randint(1, 8))),
        lambda: "".join(chr(rng.randrange(0x21, 0x250)) for _ in range(rng.randint(1, 8))),
        lambda: rng.choice("aZ=-.\u00e9\u4e2d\U0001F680") * rng.randint(2, 40),
    ]
    return "".join(rng.choice(kinds)() for _ in range(rng.randint(1, 9)))


def every_code_point():
    """Each character between letters, spaces and punctuation, sixteen to a string."""
    for first in range(0, 0x110000, 16):
        if not 0xD800 <= first < 0xE000:
            yield "".join(f"a{c} {c}!{c}{c} " for c in map(chr, range(first, first + 16)))


def tables():
    """Name and JSON of each table; `flags` has the DeepSeek table with every token flag in use."""
    llm = json.loads(gzip.decompress((GOLDEN / "tokenizer.json.gz").read_bytes()))
    yield "deepseek-llm", llm
    yield "tiny", json.loads((GOLDEN / "tiny.json").read_text(encoding="utf-8"))
    plain = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    contents = ["<|User|>", "<|User|>:", "wordle", "  ", "qzx", "\u0416", "\u4e2d"]
    flags = [{}, dict(normalized=True), dict(single_word=True), dict(rstrip=True), dict(lstrip=True, rstrip=True),
             dict(single_word=True, lstrip=True), dict(single_word=True, normalized=True, rstrip=True)]
    added = [dict(plain, id=100015 + i, content=c, **f) for i, (c, f) in enumerate(zip(contents, flags))]
    yield "flags", dict(llm, added_tokens=llm["added_tokens"] + added)


def ours(program, path, lines, *options):
    done = subprocess.run([program, path, *options], input="\n".join(map(json.dumps, lines)) + "\n",
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"tokenizer parity: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


def decoded_by_reference(reference, table, rows):
    """The reference decodes an added token of Latin letters, like DeepSeek's 100014, as if it were
    spelled bytes and so breaks it; ours gives its text. Rows with such tokens are left out."""
    literal = {t["id"] for t in table["added_tokens"] if not t["content"].isascii() and not t["special"]}
    return [reference.decode(ids) if literal.isdisjoint(ids) else None for ids in rows]


def compare(program, name, table, strings):
    """Number of strings encoded or decoded otherwise; the first few are printed."""
    reference = Tokenizer.from_str(json.dumps(table))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(table, file)
        file.flush()
        mine = ours(program, file.name, strings)
        theirs = [e.ids for e in reference.encode_batch(strings, add_special_tokens=False)]
        texts = ours(program, file.name, theirs, "--decode")
    wanted = decoded_by_reference(reference, table, theirs)
    bad = [i for i in range(len(strings))
           if mine[i] != theirs[i] or (wanted[i] is not None and texts[i] != wanted[i])]
    for i in bad[:5]:
        print(f"{name}: {strings[i]!a}\n  ours {mine[i]} {texts[i]!a}\n  reference {theirs[i]} {wanted[i]!a}")
    return len(bad)


def main():
    program = Path(sys.argv[1]) / "tokenizer_ids"
    classes = subprocess.run([sys.executable, ROOT / "tools" / "make_unicode.py", "--check"], check=False)
    rng = random.Random(7)
    total = bad = 0
    for name, table in tables():
        tokens = [t["content"] for t in table["added_tokens"]]
        strings = [draw(rng, tokens) for _ in range(STRINGS[name])]
        if name == "deepseek-llm":
            strings += every_code_point()
        bad += compare(program, name, table, strings)
        total += len(strings)
    print(f"tokenizer parity: {total - bad} of {total} strings encode and decode as the reference does")
    sys.exit(1 if bad or classes.returncode else 0)


if __name__ == "__main__":
    main()
