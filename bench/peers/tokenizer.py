"""Hugging Face's tokenizers: training and encoding of byte-level BPE. See bench/tokenizer.ts."""
import json
import os
import resource
import sys
import time

configuration = json.loads(sys.stdin.readline())
os.environ["RAYON_NUM_THREADS"] = str(configuration["threads"])
os.environ["TOKENIZERS_PARALLELISM"] = "true" if configuration["threads"] > 1 else "false"

import tokenizers
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

call = configuration["call"]
path = configuration["training" if call == "train_from_iterator" else "encoding"]
with open(path, encoding="utf-8") as lines:
    documents = [json.loads(line) for line in lines]
given = Tokenizer.from_file(configuration["file"])


def work():
    if call != "train_from_iterator":
        getattr(given, call)(documents, add_special_tokens=False)
        return
    fresh = Tokenizer(models.BPE())
    fresh.pre_tokenizer = given.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=configuration["vocabularySize"],
        min_frequency=2,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    fresh.train_from_iterator(documents, trainer, length=len(documents))


if call != "train_from_iterator":
    work()
print(json.dumps({"version": tokenizers.__version__}), flush=True)
for line in sys.stdin:
    if line.strip() == "end":
        print(json.dumps({"peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
        break
    started = time.perf_counter()
    work()
    print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)
