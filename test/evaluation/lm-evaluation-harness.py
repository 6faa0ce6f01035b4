"""What lm-evaluation-harness 0.4.13 says of a checkpoint on the questions beside this file.

    python lm-evaluation-harness.py <checkpoint folder> <questions folder>

Prints one JSON object: for each task the log-likelihood of every choice, whether greedy, and the accuracies. The layouts of
the tasks are those of the harness's own YAML files; only the place of the data is changed.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

import lm_eval
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

FAMILIES = {
    "blimp": ("blimp", "adjunct_island.yaml"),
    "arc": ("arc", "arc_easy.yaml"),
    "hellaswag": ("hellaswag", "hellaswag.yaml"),
    "piqa": ("piqa", "piqa.yaml"),
    "boolq": ("super_glue/boolq", "default.yaml"),
    "openbookqa": ("openbookqa", "openbookqa.yaml"),
    "winogrande": ("winogrande", "default.yaml"),
    "lambada": ("lambada", "lambada_openai.yaml"),
}


def configuration(name, questions):
    """The harness's own description of a task, reading our file."""
    folder, file = FAMILIES[name]
    base = os.path.join(os.path.dirname(lm_eval.__file__), "tasks", folder)
    config = load_yaml(os.path.join(base, file), resolve_func=True)
    config.update(
        task=f"ours_{name}",
        dataset_path="json",
        dataset_name=None,
        dataset_kwargs={"data_files": {"validation": os.path.join(questions, f"{name}.jsonl")}},
        training_split=None,
        validation_split="validation",
        test_split=None,
        fewshot_split=None,
        num_fewshot=0,
    )
    for key in ("tag", "group", "include"):
        config.pop(key, None)
    return config


def main():
    checkpoint, questions = sys.argv[1:3]
    results = {}
    tasks = [configuration(name, questions) for name in FAMILIES]
    output = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": checkpoint, "dtype": "float32", "max_length": 128},
        tasks=tasks,
        task_manager=TaskManager(),
        device="cpu",
        batch_size=1,
        log_samples=True,
        bootstrap_iters=0,
    )
    for name in FAMILIES:
        task = f"ours_{name}"
        samples = sorted(output["samples"][task], key=lambda sample: sample["doc_id"])
        results[name] = {
            "logLikelihoods": [[float(one[0]) for one in sample["filtered_resps"]] for sample in samples],
            "greedy": [[bool(one[1]) for one in sample["filtered_resps"]] for sample in samples],
            "accuracy": output["results"][task].get("acc,none"),
            "accuracyNormalized": output["results"][task].get("acc_norm,none"),
        }
    print(json.dumps({"version": lm_eval.__version__, "tasks": results}))


if __name__ == "__main__":
    main()
