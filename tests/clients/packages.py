#!/usr/bin/env python3
"""The server as packages from PyPI use it, unchanged: `packages.py FOLDER`, which has januspro. openai:
synchronous, asynchronous, streamed, pictures, edits from files, errors; webuiapi: A1111's interface.
Prints one line. SPDX-License-Identifier: MIT
"""
import asyncio
import base64
import io
import sys
import warnings

from _pictures import data_url, half_mask, picture, size_of
from _server import Server

try:
    import openai
    import webuiapi
    from PIL import Image
except ImportError as missing:
    print(f"packages: skipped: {missing} (script/python-env clients makes an environment that has it)")
    sys.exit()

HI = [{"role": "user", "content": "What is in the picture?"}]


def openai_talks(client):
    assert client.models.list().data[0].owned_by == "januspro"
    whole = client.chat.completions.create(model="gpt-4o", messages=HI, max_tokens=12)
    pieces = list(client.chat.completions.create(model="gpt-4o", messages=HI, max_tokens=12, stream=True))
    assert "".join(p.choices[0].delta.content or "" for p in pieces) == whole.choices[0].message.content
    assert pieces[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    for call, error in ((lambda: client.chat.completions.create(model="other", messages=HI), openai.NotFoundError),
                        (lambda: client.images.generate(prompt="x", size="1x2"), openai.BadRequestError)):
        try:
            call()
        except error as refused:
            assert refused.code, refused
        else:
            raise SystemExit("not refused")


def openai_draws(client):
    image = client.images.generate(model="gpt-4o", prompt="a red ball", n=1)
    assert base64.b64decode(image.data[0].b64_json).startswith(b"\x89PNG")
    kinds = [event.type for event in client.images.generate(model="gpt-4o", prompt="a red ball", stream=True, partial_images=2)]
    assert kinds == ["image_generation.partial_image"] * 2 + ["image_generation.completed"], kinds


def openai_edits(client):
    square = picture(96)
    edited = client.images.edit(model="gpt-4o", image=("a.png", square), mask=("m.png", half_mask(96)), prompt="a red ball", n=1)
    assert base64.b64decode(edited.data[0].b64_json).startswith(b"\x89PNG")
    kinds = [event.type for event in client.images.edit(
        model="gpt-4o", image=[("a.png", square)], prompt="a red ball", stream=True, partial_images=1)]
    assert kinds == ["image_edit.partial_image", "image_edit.completed"], kinds
    warnings.simplefilter("ignore", DeprecationWarning)  # of variations, which people still use
    assert client.images.create_variation(model="gpt-4o", image=("a.png", square), n=2).data[1].b64_json


def openai_embeds(client):
    texts = ["a red ball", "a blue star"]
    both = client.embeddings.create(model="gpt-4o", input=texts).data  # asks for base64
    numbers = client.embeddings.create(model="gpt-4o", input=texts[1], encoding_format="float").data[0].embedding
    assert both[1].embedding == numbers and both[0].embedding != numbers
    assert abs(sum(value * value for value in numbers) - 1) < 1e-4
    url = data_url(picture(96))
    seen = client.embeddings.create(model="gpt-4o", input=[{"type": "image_url", "image_url": {"url": url}}])
    assert len(seen.data) == 1 and seen.usage.prompt_tokens > 100, seen.usage


async def openai_at_once(url):
    client = openai.AsyncOpenAI(base_url=url + "v1", api_key="none", max_retries=0)
    answers = await asyncio.gather(*(client.chat.completions.create(model="", messages=HI, max_tokens=5) for _ in range(4)))
    assert len({answer.choices[0].message.content for answer in answers}) == 1


def webuiapi_draws(server):
    api = webuiapi.WebUIApi(host="127.0.0.1", port=server.port)
    drawn = api.txt2img(prompt="a red ball", seed=7, cfg_scale=5, width=96, height=96, batch_size=2)
    assert len(drawn.images) == 2 and drawn.image.size == (96, 96) and drawn.info["all_seeds"] == [7, 8], drawn.info
    same = server.call("POST", "/v1/images/generations", {"prompt": "a red ball", "seed": 7, "guidance": 5})[2]
    mine = Image.open(io.BytesIO(base64.b64decode(same["data"][0]["b64_json"]))).convert("RGB")
    assert mine.tobytes() == drawn.image.convert("RGB").tobytes(), "another picture than by OpenAI's interface"
    before = Image.open(io.BytesIO(picture(96))).convert("RGB")
    white = Image.new("RGB", (96, 96))
    white.paste((255, 255, 255), (0, 0, 40, 96))
    after = api.img2img(images=[before], mask_image=white, prompt="a red ball", seed=7, width=96, height=96).image.convert("RGB")
    right = (70, 0, 96, 96)
    assert after.crop(right).tobytes() == before.crop(right).tobytes(), "what was not white has changed"
    assert after.tobytes() != before.tobytes()
    assert api.get_progress()["progress"] == 0
    assert api.get_samplers() and api.get_sd_models() and api.get_options()
    api.interrupt()


with Server(sys.argv[1], "--alias", "gpt-4o") as served:
    assert size_of(picture(96)) == (96, 96)
    openai_client = openai.OpenAI(base_url=served.url + "v1", api_key="none", max_retries=0)
    openai_talks(openai_client)
    openai_draws(openai_client)
    openai_edits(openai_client)
    openai_embeds(openai_client)
    asyncio.run(openai_at_once(served.url))
    webuiapi_draws(served)
print("packages: openai talks, streams, draws, edits and embeds; webuiapi draws, paints over, watches")
