#!/usr/bin/env python3
"""What other programs ask of the server, asked again: `replayed.py FOLDER`, which has januspro.

captured/*.json say what Open WebUI and SillyTavern send, in which version and file that was read,
and which fields of the answer they read. Every call is made in order, as they make it, with a key
and without; what they read must be there and of the type they take it for. Prints one line.

In a call `path`, `headers`, `body` or `form` are sent, {name} in them standing for what `keeps` took
from an earlier answer, and for a few things below. `reads` has a path of keys, indices and * (each)
and what stands there: a kind (see KINDS), "absent", or a value. `stream` names the way in which the
client takes a stream apart; `reads` is then about what it has in the end.
SPDX-License-Identifier: MIT
"""
import base64
import json
import re
import sys
from pathlib import Path

from _pictures import data_url, picture, size_of
from _server import Server

CAPTURED = Path(__file__).resolve().parent / "captured"
KEY = "a-key-of-the-server"
BOUNDARY = "5f0c2d1e9b7a4c38"
# Names that these programs ask for by themselves, as docs/server.md has it.
NAMES = ["--alias", "dall-e-2", "--alias", "dall-e-3", "--alias", "gpt-image-1"]


def size_of_picture(value):
    """Of base64 without a head, which is how these clients decode it; None where it is none."""
    file = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    return "{}x{}".format(*size_of(file)) if file.startswith(b"\x89PNG\r\n\x1a\n") else None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


KINDS = {
    "text": lambda v: isinstance(v, str) and v != "",
    "number": is_number,
    "whole number": lambda v: is_number(v) and v == int(v),
    "object": lambda v: isinstance(v, dict),
    "list": lambda v: isinstance(v, list),
    "full list": lambda v: isinstance(v, list) and v != [],
    "list of numbers": lambda v: isinstance(v, list) and v != [] and all(map(is_number, v)),
    "JSON in text": lambda v: isinstance(v, str) and isinstance(json.loads(v), dict),
    "picture": lambda v: size_of_picture(v) is not None,
}


def found(value, path):
    """Everything that stands at the path; what is absent is not among it."""
    if not path:
        return [value]
    name, *rest = path
    if name == "*" and isinstance(value, list):
        return [one for each in value for one in found(each, rest)]
    if isinstance(value, list) and name.isdigit() and int(name) < len(value):
        return found(value[int(name)], rest)
    return found(value[name], rest) if isinstance(value, dict) and name in value else []


def wrong(answer, path, wanted):
    """What is amiss with what the client reads at the path; None where all is well."""
    path = path.split(".") if path else []
    values = found(answer, path)
    if wanted == "absent":
        return f"is there: {values}" if values else None
    # Behind a * every element must have it; an empty list is judged by what is said of the list.
    stars = [i for i, name in enumerate(path) if name == "*"]
    expected = len(found(answer, path[:stars[-1] + 1])) if stars else 1
    if len(values) != expected:
        return f"is there {len(values)} times, not {expected}"
    if not isinstance(wanted, str):
        bad = [v for v in values if v != wanted or isinstance(v, bool) != isinstance(wanted, bool)]
    elif size := re.fullmatch(r"picture of (\d+x\d+)", wanted):
        bad = [v for v in values if size_of_picture(v) != size[1]]
    else:
        bad = [v for v in values if not KINDS[wanted](v)]
    return f"is not {wanted!r}: {json.dumps(bad)[:200]}" if bad else None


def filled(value, kept):
    """The value with what {name} stands for; alone in a string it may be of any type."""
    if isinstance(value, dict):
        return {k: filled(v, kept) for k, v in value.items()}
    if isinstance(value, list):
        return [filled(v, kept) for v in value]
    if not isinstance(value, str):
        return value
    if (whole := re.fullmatch(r"\{(\w+)\}", value)) and whole[1] in kept:
        return kept[whole[1]]
    return re.sub(r"\{(\w+)\}", lambda name: str(kept[name[1]]), value)


def form_of(parts):
    """As aiohttp writes it: a type for every part, texts too."""
    out = b""
    for part in parts:
        text = "value" in part
        name = f'; filename="{part["filename"]}"' if not text else ""
        kind = "text/plain; charset=utf-8" if text else part["type"]
        out += (f'--{BOUNDARY}\r\nContent-Type: {kind}\r\n'
                f'Content-Disposition: form-data; name="{part["name"]}"{name}\r\n\r\n').encode()
        out += (part["value"].encode() if text else picture()) + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode()


def read_by_lines(text):
    """Open WebUI: line by line, what does not begin with data: aside."""
    got = {"content": "", "done": False}
    for line in text.split("\n"):
        if not line.startswith("data:"):
            continue
        if line[5:].strip() == "[DONE]":
            got["done"] = True
            continue
        chunk = json.loads(line[5:].strip())
        assert isinstance(chunk, dict) and "error" not in chunk, chunk
        got |= {"usage": chunk["usage"]} if chunk.get("usage") else {}
        for choice in chunk.get("choices", [])[:1]:
            got |= {"finish_reason": choice["finish_reason"]} if choice.get("finish_reason") else {}
            got["content"] += choice.get("delta", {}).get("content") or ""
    return got


def read_by_events(text):
    """SillyTavern: events between empty lines; every one until [DONE] must have a list of choices."""
    got = {"content": "", "swipes": [], "logprobs": [], "done": False}
    for event in re.split(r"\r\n\r\n|\r\r|\n\n", text)[:-1]:
        data = "\n".join(line[5:].removeprefix(" ") for line in re.split(r"\r\n|\n|\r", event)
                         if line.startswith("data:"))
        if data == "[DONE]":
            got["done"] = True
            break
        if not data:
            continue
        chunk = json.loads(data)
        assert not chunk.get("error") and not chunk.get("message"), chunk
        choice = chunk["choices"][0] if chunk["choices"] else {}
        piece = choice.get("delta", {}).get("content") or ""
        if choice.get("index", 0) > 0:
            got["swipes"] += [""] * (choice["index"] - len(got["swipes"]))
            got["swipes"][choice["index"] - 1] += piece
        else:
            got["content"] += piece
        got["logprobs"] += (choice.get("logprobs") or {}).get("content") or []
    return got


STREAMS = {"lines": read_by_lines, "events": read_by_events}


def replay(server, call, kept):
    headers = filled(call["headers"], kept)
    body = filled(call["body"], kept) if "body" in call else None
    if "body_with" in call:
        body = {**body, **filled(call["body_with"], kept)}
    if "form" in call:
        body = form_of(call["form"])
        headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
    if isinstance(body, dict):
        body = json.dumps(body)
    status, told, answer = server.call(call["method"], call["path"], body, **headers)
    assert status == call.get("status", 200), f"answered {status}: {answer}"
    if "stream" in call:
        assert told["Content-Type"].startswith("text/event-stream"), told["Content-Type"]
        answer = STREAMS[call["stream"]](answer.decode())
    for path, wanted in call["reads"].items():
        amiss = wrong(answer, path, wanted)
        assert not amiss, f"{path or 'the answer'} {amiss}"
    for name, path in call.get("keeps", {}).items():
        kept[name], = found(answer, path.split(".") if path else [])


def main():
    calls = 0
    files = sorted(CAPTURED.glob("*.json"))
    assert files, f"nothing in {CAPTURED}"
    for key in ("", KEY):
        with Server(sys.argv[1], *NAMES, *(["--api-key", key] if key else [])) as server:
            pair = base64.b64encode(f"user:{key}".encode()).decode() if key else ""
            url = data_url(picture())
            for file in files:
                captured = json.loads(file.read_text())
                kept = {"key": key, "pair": pair, "picture_url": url, "address": server.url}
                for call in captured["calls"]:
                    try:
                        replay(server, call, kept)
                    except Exception as error:
                        raise SystemExit(f"{file.name}, {call['what']} ({call['method']} {call['path']}, "
                                         f"{'with' if key else 'without'} a key): {error!r}") from error
                    calls += 1
            code, log = server.end()
            assert code == 0, log
    print(f"replayed: {calls} calls of {', '.join(f.stem for f in files)}, with a key and without")


main()
