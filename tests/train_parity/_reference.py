# SPDX-License-Identifier: MIT
"""What a row of training data is worth to transformers' Janus classes: the template, the places of
the targets and the sum of the losses, written down from the published descriptions and not from
januspro. A module for the scripts beside it."""
import json
import pathlib
import sys

import numpy
import torch
from PIL import Image
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy, normalize

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "parity"))

BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
BOI, EOI, IMAGE = "<begin_of_image>", "<end_of_image>", "<image_placeholder>"
USER, ASSISTANT = "<|User|>", "<|Assistant|>"
SYSTEM = ("You are a helpful language and vision assistant. You are able to understand the visual content "
          "that the user provides, and assist the user with a variety of tasks using natural language.")


class Reference:
    def __init__(self, model, folder):
        self.model, self.folder = model, folder
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.id = self.tokenizer.token_to_id
        vision = model.config.vision_config
        self.side, self.patches = vision.image_size, (vision.image_size // vision.patch_size) ** 2
        processor = folder / "processor_config.json"
        stated = json.loads(processor.read_text()) if processor.exists() else {}
        self.system = stated.get("system_prompt", SYSTEM)

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def pixels(self, path):
        """A picture of the model's own size -> [1, 3, S, S], -1..1."""
        picture = Image.open(path).convert("RGB")
        assert picture.size == (self.side, self.side), "no resizing here"
        return torch.from_numpy(numpy.asarray(picture, numpy.float32) / 127.5 - 1).permute(2, 0, 1)[None]

    @torch.no_grad()
    def codes(self, path):
        """The official rule, both sides of length one; transformers' own encode lacks that."""
        codec = self.model.model.vqmodel
        z = codec.quant_conv(codec.encoder(self.pixels(path)))
        z = normalize(z.permute(0, 2, 3, 1).flatten(0, 2), dim=-1)
        book = normalize(codec.quantize.embedding.weight, dim=-1)
        return (z.square().sum(1, keepdim=True) + book.square().sum(1) - 2 * z @ book.T).argmin(1)

    def hidden(self, vectors):
        return self.model.model.language_model(inputs_embeds=vectors[None], use_cache=False).last_hidden_state[0]

    def drawing(self, row, folder):
        """Begin-of-image gives the first code, each code the next; the last is no input."""
        inner = self.model.model
        codes = torch.tensor(row["target_codes"]) if "target_codes" in row else self.codes(folder / row["image"])
        ids = self.encode(f"{USER}: {row['prompt']}\n\n{ASSISTANT}:")
        ids = torch.tensor([self.id(BOS)] + ids + [self.id(BOI)])
        drawn = inner.generation_aligner(inner.generation_embeddings(codes[:-1]))
        hidden = self.hidden(torch.cat([inner.language_model.embed_tokens(ids), drawn]))
        logits = inner.generation_head(hidden[len(ids) - 1:])
        return cross_entropy(logits, codes, reduction="sum"), len(codes)

    def conversation(self, row):
        """ids and which of them are replies, the end token with them: found by role and colon."""
        system = row.get("system", self.system)
        text = system + "\n\n" if system else ""
        for message in row["messages"]:
            content = message["content"].strip()
            if message["role"] == "user":
                text += f"{USER}: {content}\n\n".replace("<image>", IMAGE)
            else:
                text += f"{ASSISTANT}: {content}{EOS}"
        ids = [self.id(BOS)]
        for i in self.encode(text):
            ids += [self.id(BOI)] + [i] * self.patches + [self.id(EOI)] if i == self.id(IMAGE) else [i]
        replies = torch.zeros(len(ids), dtype=torch.bool)
        for role in [at for at, i in enumerate(ids) if i == self.id(ASSISTANT)]:
            replies[role + 2:ids.index(self.id(EOS), role) + 1] = True
        return torch.tensor(ids), replies

    def reading(self, row, folder):
        inner = self.model.model
        ids, replies = self.conversation(row)
        vectors = inner.language_model.embed_tokens(ids)
        if row.get("images"):
            pixels = torch.cat([self.pixels(folder / path) for path in row["images"]])
            seen = inner.aligner(inner.vision_model(pixel_values=pixels).last_hidden_state).flatten(0, 1)
            vectors = vectors.masked_scatter((ids == self.id(IMAGE))[:, None], seen)
        logits = self.model.lm_head(self.hidden(vectors)[:-1][replies[1:]])
        return cross_entropy(logits, ids[1:][replies[1:]], reduction="sum"), int(replies.sum())

    def loss(self, row, folder):
        """-> (sum of -log p with its gradient, number of targets)"""
        return self.drawing(row, folder) if "prompt" in row else self.reading(row, folder)
