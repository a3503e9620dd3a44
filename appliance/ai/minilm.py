"""Make the GGUF file of all-MiniLM-L6-v2, which its package ships as safetensors: FOLDER OUT.gguf.

Matrices become q8_0 (cosine of a vector to the original's 0.9994), the rest stays as it is. scripts/ai runs
it, with the packages gguf and safetensors, which nothing else needs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.quants import quantize
from safetensors.numpy import load_file

_CONTROL = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}


def convert(source: Path, target: Path) -> None:
    shape = json.loads((source / "config.json").read_text())
    writer = gguf.GGUFWriter(target, "bert")
    _describe(writer, shape)
    _write_vocabulary(writer, _vocabulary(source, shape["vocab_size"]), shape["type_vocab_size"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, shape["num_hidden_layers"])
    for key, values in sorted(load_file(source / "model.safetensors").items()):
        if key.startswith("pooler") or key.endswith("position_ids"):
            continue
        name = names.get_name(key, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise SystemExit(f"{source}: there is no place for {key}")
        plain = values.ndim == 1 or name.startswith(("position_embd", "token_types"))
        kind = gguf.GGMLQuantizationType.F32 if plain else gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, quantize(values.astype(np.float32), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: Any, shape: dict[str, Any]) -> None:
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_license("apache-2.0")
    writer.add_block_count(shape["num_hidden_layers"])
    writer.add_context_length(shape["max_position_embeddings"])
    writer.add_embedding_length(shape["hidden_size"])
    writer.add_feed_forward_length(shape["intermediate_size"])
    writer.add_head_count(shape["num_attention_heads"])
    writer.add_layer_norm_eps(shape["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


def _vocabulary(source: Path, size: int) -> list[str]:
    words = [""] * size
    for word, number in json.loads((source / "tokenizer.json").read_text())["model"]["vocab"].items():
        words[number] = word
    return words


def _write_vocabulary(writer: Any, words: list[str], types: int) -> None:
    """As llama.cpp has WordPiece: what begins a word is marked, what goes on with one is not."""
    tokens, kinds = [], []
    for word in words:
        if word in _CONTROL or word.startswith("[unused"):
            tokens.append(word)
            kinds.append(int(gguf.TokenType.CONTROL if word in _CONTROL else gguf.TokenType.UNUSED))
        else:
            tokens.append(word[2:] if word.startswith("##") else f"\u2581{word}")
            kinds.append(int(gguf.TokenType.NORMAL))
    writer.add_token_type_count(types)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("jina-v2-en")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    place = words.index
    writer.add_unk_token_id(place("[UNK]"))
    writer.add_sep_token_id(place("[SEP]"))
    writer.add_pad_token_id(place("[PAD]"))
    writer.add_mask_token_id(place("[MASK]"))
    writer.add_bos_token_id(place("[CLS]"))
    writer.add_eos_token_id(place("[SEP]"))


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
