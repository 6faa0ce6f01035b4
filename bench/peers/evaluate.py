"""lm-evaluation-harness: log-likelihoods of continuations, or greedy answers, by its Hugging Face model. See bench/evaluate.ts."""
import json
import os
import resource
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
configuration = json.loads(sys.stdin.readline())

import lm_eval
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

torch.set_num_threads(configuration["threads"])
model = HFLM(
    pretrained=configuration["checkpoint"], device="cpu", dtype="float32", batch_size=configuration["batchSize"]
)
generation = configuration.get("generation")
kind = "loglikelihood" if generation is None else "generate_until"
arguments = configuration["requests"] if generation is None else [(one, generation) for one in configuration["contexts"]]
requests = [
    Instance(request_type=kind, doc={}, arguments=tuple(one), idx=index) for index, one in enumerate(arguments)
]


def work():
    return getattr(model, kind)(requests, disable_tqdm=True)


first = work()
total = sum(len(one) if generation else float(one[0]) for one in first)
print(json.dumps({"version": lm_eval.__version__, "total": total}), flush=True)
for line in sys.stdin:
    if line.strip() == "end":
        print(json.dumps({"peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)
        break
    started = time.perf_counter()
    work()
    print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)
