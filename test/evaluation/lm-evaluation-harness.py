"""What lm-evaluation-harness 0.4.13 says of a checkpoint on the questions beside this file.

    python lm-evaluation-harness.py <checkpoint folder> <questions folder>

Prints one JSON object: for each task the log-likelihood of every choice, whether greedy, and the accuracies; for tasks that are
answered in writing, what was written and the exact matches. The layouts of the tasks are those of the harness's own YAML files; only
the place of the data is changed, and the length and end of answers. "<task>+2" has the first two questions as examples before each.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

import lm_eval
from lm_eval.api.metrics import exact_match_fn
from lm_eval.filters import build_filter_ensemble
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
    "triviaqa": ("triviaqa", "default.yaml"),
    "gsm8k": ("gsm8k", "gsm8k.yaml"),
}
WRITTEN = {"triviaqa", "gsm8k"}
SHOTS = {name: 0 for name in FAMILIES} | {f"{name}+2": 2 for name in FAMILIES}


def configuration(title, questions):
    """The harness's own description of a task, reading our file."""
    name = title.removesuffix("+2")
    folder, file = FAMILIES[name]
    base = os.path.join(os.path.dirname(lm_eval.__file__), "tasks", folder)
    config = load_yaml(os.path.join(base, file), resolve_func=True)
    config.update(
        task=f"ours_{title}",
        dataset_path="json",
        dataset_name=None,
        dataset_kwargs={"data_files": {"validation": os.path.join(questions, f"{name}.jsonl")}},
        training_split=None,
        validation_split="validation",
        test_split=None,
        fewshot_split="validation",
        fewshot_config={"sampler": "first_n"},
        num_fewshot=SHOTS[title],
    )
    if name in WRITTEN:
        config["generation_kwargs"]["max_gen_toks"] = 24
        config["generation_kwargs"]["until"].append("pp")
    for key in ("tag", "group", "include"):
        config.pop(key, None)
    return config


def exact_matches(questions):
    """By task: whether each written answer of exact-match.json is right, by the task's own filters and metric."""
    with open(os.path.join(questions, "exact-match.json")) as file:
        cases = json.load(file)
    results = {}
    for name, pairs in cases.items():
        config = configuration(name, questions)
        metric = {key: value for key, value in config["metric_list"][0].items() if key.startswith(("ignore", "regexes"))}
        results[name] = {}
        for chain in config["filter_list"]:
            filters = build_filter_ensemble(chain["name"], [[f["function"], {k: v for k, v in f.items() if k != "function"}] for f in chain["filter"]])
            found = []
            for written, answers in pairs:
                responses = [[written]]
                for one in filters.filters:
                    responses = one().apply(responses, [{}])
                answer = list(responses)[0]
                answers = answers if isinstance(answers, list) else [answers]
                score = exact_match_fn(references=answers, predictions=[answer] * len(answers), **metric)["exact_match"]
                found.append(bool(score > 0))
            results[name][chain["name"]] = found
    return results


def main():
    checkpoint, questions = sys.argv[1:3]
    results = {}
    tasks = [configuration(name, questions) for name in SHOTS]
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
    for name in SHOTS:
        task = f"ours_{name}"
        of = output["results"][task]
        samples = sorted(output["samples"][task], key=lambda sample: sample["doc_id"])
        if name.removesuffix("+2") in WRITTEN:
            # One sample for each filter; what was written is the same in all.
            first = {sample["doc_id"]: sample["resps"][0][0] for sample in samples}
            results[name] = {
                "completions": [first[index] for index in sorted(first)],
                "exactMatch": {key.split(",")[1]: value for key, value in of.items() if key.startswith("exact_match,")},
            }
            continue
        results[name] = {
            "logLikelihoods": [[float(one[0]) for one in sample["filtered_resps"]] for sample in samples],
            "greedy": [[bool(one[1]) for one in sample["filtered_resps"]] for sample in samples],
            "accuracy": of.get("acc,none"),
            "accuracyNormalized": of.get("acc_norm,none"),
        }
    version = lm_eval.__version__
    print(json.dumps({"version": version, "tasks": results, "exactMatches": exact_matches(questions)}))


if __name__ == "__main__":
    main()
