"""transformers' side of `npm run bench -- bert-step --peer`: a masked-token training step of a BERT, timed on request.

Protocol: step_protocol.py. Pinned: transformers 5.24, torch 2.9 or later. The loss is BertForMaskedLM's own, over labels of
which all but the hidden tokens are -100.
"""

import torch
import transformers

from step_protocol import serve, training_step


def build(one):
    config = transformers.BertConfig(
        vocab_size=one["vocabularySize"],
        hidden_size=one["width"],
        num_hidden_layers=one["layers"],
        num_attention_heads=one["attentionHeads"],
        intermediate_size=one["mlpWidth"],
        max_position_embeddings=one["context"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="sdpa",
    )
    model = transformers.BertForMaskedLM(config).train()
    shape = (one["sequences"], one["length"])
    tokens = torch.randint(one["vocabularySize"], shape)
    labels = torch.where(torch.rand(shape) < one["rate"], tokens, -100)
    return training_step(one, model, lambda forward: forward(input_ids=tokens, labels=labels).loss)


serve(build, f"transformers {transformers.__version__}, ")
