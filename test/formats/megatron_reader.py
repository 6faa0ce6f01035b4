"""Reads a token shard with Megatron's own reader (pip install megatron-core==0.16.1) and prints what it holds as JSON.

Arguments: a prefix, without .bin and .idx.
"""

import hashlib
import json
import sys
import warnings

warnings.filterwarnings("ignore")

from megatron.core.datasets.indexed_dataset import IndexedDataset  # noqa: E402

dataset = IndexedDataset(sys.argv[1], multimodal=False, mmap=True)
documents = [dataset[index] for index in range(len(dataset))]
digest = hashlib.sha256()
for tokens in documents:
    digest.update(tokens.astype("<i4").tobytes())
print(
    json.dumps(
        {
            "sequences": len(dataset),
            "dtype": str(documents[0].dtype),
            "lengths": dataset.sequence_lengths.tolist(),
            "documentIndices": dataset.document_indices.tolist(),
            "sha256": digest.hexdigest(),
            "firstTokens": [tokens[:4].tolist() for tokens in documents[:8]],
            "middle": dataset.get(5, offset=3, length=7).tolist(),
        }
    )
)
