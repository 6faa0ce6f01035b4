"""datatrove's side of the curation benchmark: the FineWeb chain without language id, then MinHash deduplication in 14 x 8.

Language id is left out because its model is a download; that is time datatrove does not spend. Protocol as train_step.py's,
but a step answers with processor seconds beside those of the wall.
"""

import json
import os
import resource
import shutil
import sys
import tempfile
import time

from importlib.metadata import version

os.environ.setdefault("DATATROVE_COLORIZE_LOGS", "0")

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from loguru import logger
import xxhash


def hash_shingle(text):
    return xxhash.xxh64_intdigest(text.encode())


def run(one, folder):
    workers = one["workers"]
    config = MinhashConfig(num_buckets=14, hashes_per_bucket=8, n_grams=5)

    def execute(name, pipeline, tasks=workers):
        LocalPipelineExecutor(
            pipeline=pipeline,
            tasks=tasks,
            workers=min(workers, tasks),
            logging_dir=f"{folder}/logs/{name}",
            # Children of this process, so that the system counts their time; a fork server's would be its own.
            start_method="fork",
        ).run()

    execute(
        "filter",
        [
            JsonlReader(one["folder"], compression=None),
            GopherRepetitionFilter(),
            GopherQualityFilter(),
            C4QualityFilter(filter_no_terminal_punct=False),
            FineWebQualityFilter(),
            JsonlWriter(f"{folder}/filtered", compression=None),
        ],
    )
    kept = JsonlReader(f"{folder}/filtered", compression=None)
    signature = MinhashDedupSignature(f"{folder}/signatures", config=config)
    # datatrove hands over strings, which xxhash 4 no longer takes.
    signature._hash_func = hash_shingle
    execute("signatures", [kept, signature])
    execute("buckets", [MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config)], 14)
    execute("clusters", [MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config=config)], 1)
    execute(
        "deduplicated",
        [kept, MinhashDedupFilter(f"{folder}/remove"), JsonlWriter(f"{folder}/out", compression=None)],
    )
    return sum(sum(1 for _ in open(f"{folder}/out/{name}")) for name in os.listdir(f"{folder}/out"))


def processor_seconds():
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main():
    one = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    logger.remove()
    print(json.dumps({"version": version("datatrove")}), file=answers)
    for line in sys.stdin:
        if line.strip() == "end":
            peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
            print(json.dumps({"peakRssBytes": peak * 1024}), file=answers)
            return
        folder = tempfile.mkdtemp(prefix="tilth-datatrove-")
        try:
            started, used = time.perf_counter(), processor_seconds()
            kept = run(one, folder)
            seconds = {"wallSeconds": time.perf_counter() - started, "seconds": processor_seconds() - used}
            print(json.dumps({**seconds, "kept": kept}), file=answers)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
