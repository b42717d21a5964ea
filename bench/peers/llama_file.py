#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a language model of Janus-Pro-1B's sizes with random weights, as llama.cpp loads it.

    llama_file.py FILE.gguf bf16|q8_0|q4_0|q4_k_m TYPE_OF_HEAD

q4_k_m is q4_k but for attn_v and ffn_down of every second layer, which are q6_k: of 24 layers llama.cpp's own tool for
quantising takes other twelve.

Embeddings are bf16 as januspro has them. Time does not depend on values, so all matrices of a shape and type have the same, and
there is no vocabulary, only its size.
"""
import sys

import gguf
import numpy

LAYERS, WIDTH, HEADS, MLP, VOCABULARY, CONTEXT = 24, 2048, 16, 5632, 102400, 16384
TYPES = gguf.GGMLQuantizationType
# Of a block: the byte at which an f16 scale begins, and that scale, for values of some hundredths.
SCALES = {TYPES.Q8_0: {0: 3e-4}, TYPES.Q4_0: {0: 5e-3}, TYPES.Q4_K: {0: 1e-4, 2: 8e-4}, TYPES.Q6_K: {208: 2e-5}}


class Matrices:
    def __init__(self):
        self.random, self.known = numpy.random.default_rng(1), {}

    def of(self, kind, rows, columns):
        """[rows, bytes of a row]"""
        if (kind, rows, columns) not in self.known:
            self.known[kind, rows, columns] = self.make(kind, rows, columns)
        return self.known[kind, rows, columns]

    def make(self, kind, rows, columns):
        if kind == TYPES.BF16:
            floats = self.random.standard_normal((rows, columns), numpy.float32) * 0.02
            return (floats.view(numpy.uint32) >> 16).astype(numpy.uint16).view(numpy.uint8)
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = self.random.integers(0, 256, (rows * columns // elements, size), numpy.uint8)
        for at, scale in SCALES[kind].items():
            blocks[:, at:at + 2] = numpy.array([scale], numpy.float16).view(numpy.uint8)
        return blocks.reshape(rows, -1)


def main():
    path, mix = sys.argv[1], sys.argv[2] == "q4_k_m"
    kind = TYPES.Q4_K if mix else TYPES[sys.argv[2].upper()]
    head = TYPES[sys.argv[3].upper()]
    writer, matrices = gguf.GGUFWriter(path, "llama"), Matrices()
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("no_vocab")

    def matrix(name, type_, rows, columns):
        writer.add_tensor(name + ".weight", matrices.of(type_, rows, columns), raw_dtype=type_)

    def norm(name):
        writer.add_tensor(name + ".weight", numpy.ones(WIDTH, numpy.float32))

    matrix("token_embd", TYPES.BF16, VOCABULARY, WIDTH)
    matrix("output", head, VOCABULARY, WIDTH)
    norm("output_norm")
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        norm(block + "attn_norm")
        norm(block + "ffn_norm")
        finer = TYPES.Q6_K if mix and layer % 2 == 0 else kind
        for name, type_ in (("attn_q", kind), ("attn_k", kind), ("attn_v", finer), ("attn_output", kind)):
            matrix(block + name, type_, WIDTH, WIDTH)
        matrix(block + "ffn_gate", kind, MLP, WIDTH)
        matrix(block + "ffn_up", kind, MLP, WIDTH)
        matrix(block + "ffn_down", finer, WIDTH, MLP)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
