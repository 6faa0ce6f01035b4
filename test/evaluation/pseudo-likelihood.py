"""Pseudo-log-likelihoods of an encoder's checkpoint by transformers 5.24.0, one masked token a forward pass: the oracle of pseudo-likelihood.test.ts.

    python pseudo-likelihood.py <checkpoint folder> <blimp.jsonl>

Prints one JSON object: for each masking (Salazar et al. 2020: `token`; Kauf & Ivanova 2023, within-word left to right: `word`)
the value of each row's good and bad sentence.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForMaskedLM


def score(model, tokenizer, mask, sentence, masking):
    encoded = tokenizer.encode(sentence)
    words = encoded.word_ids
    total = 0.0
    for position, word in enumerate(words):
        if word is None:
            continue
        tokens = torch.tensor([encoded.ids])
        tokens[0, position] = mask
        if masking == "word":
            for later in range(position + 1, len(words)):
                if words[later] == word:
                    tokens[0, later] = mask
        with torch.no_grad():
            logits = model(input_ids=tokens).logits[0, position]
        total += float(torch.log_softmax(logits.double(), -1)[encoded.ids[position]])
    return total


def main():
    checkpoint, questions = sys.argv[1:3]
    model = AutoModelForMaskedLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(os.path.join(checkpoint, "tokenizer.json"))
    mask = tokenizer.token_to_id("[MASK]")
    with open(questions) as file:
        rows = [json.loads(line) for line in file]
    result = {
        masking: [
            [score(model, tokenizer, mask, row[field], masking) for field in ("sentence_good", "sentence_bad")]
            for row in rows
        ]
        for masking in ("token", "word")
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
