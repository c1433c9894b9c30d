"""Run files that are wrong, each in its own way."""

from __future__ import annotations

GOOD = """\
name: fine
model: {from: ./weights}
data: {from: ./rows.json}
"""


def _with(text: str) -> str:
    return GOOD + text


WRONG: dict[str, str] = {
    # form
    "empty": "",
    "only a comment": "# later\n",
    "a list": "- name: x\n",
    "just text": "hello\n",
    "a tab": "name: x\nmodel:\n\tfrom: ./weights\n",
    "an open bracket": "name: [x\n",
    "two documents": GOOD + "---\nname: other\n",
    "key twice": GOOD + "name: again\n",
    "section twice": _with("limits: {hours: 1}\nlimits: {hours: 2}\n"),
    "key twice in a section": _with("limits: {hours: 1, hours: 2}\n"),
    "a python tag": _with("tags: !!python/object/apply:os.system ['true']\n"),
    "a tag on a value": _with("collect: {to: !secret x}\n"),
    "a merge key": _with("limits:\n  <<: {hours: 1}\n"),
    "a list as key": _with("? [a, b]\n: 1\n"),
    "an alias that contains itself": _with("tags: &a\n  x: *a\n"),
    "aliases that multiply": _with(
        "tags:\n  a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"  {new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
        )
    ),
    "deep nesting": _with("tags: " + "[" * 3000 + "]" * 3000 + "\n"),
    # the file
    "nothing required": "cloud: azure\n",
    "model without from": "name: x\nmodel: {}\ndata: {from: ./rows.json}\n",
    "section left empty": _with("limits:\n"),
    "section as text": _with("machine: Standard_D2s_v5\n"),
    "section as list": _with("limits: [hours]\n"),
    "unknown key": _with("colect: {to: ./x}\n"),
    "unknown key with no neighbour": _with("zzzzzz: 1\n"),
    "key of another section": _with("hours: 3\n"),
    "key of a nested section": _with("factor: 3\n"),
    "key in the wrong case": _with("Limits: {hours: 3}\n"),
    "not yet: after": _with("after: {infer: prompts.jsonl}\n"),
    "not yet: relaunch": _with("checkpoints: {relaunch: true}\n"),
    "not yet: wish": _with("machine: {gpus: 4xA100-80GB}\n"),
    "not yet: nodes": _with("machine: {nodes: 2}\n"),
    "not yet: curation": "name: x\nmodel: {from: ./weights}\ndata: {from: ./rows.json, curation: []}\n",
    # name, cloud, account
    "name in capitals": GOOD.replace("fine", "Fine"),
    "name too long": GOOD.replace("fine", "a" * 25),
    "name ends with a dash": GOOD.replace("fine", "fine-"),
    "name is a number": GOOD.replace("fine", "7"),
    "name is empty": GOOD.replace("fine", '""'),
    "unknown cloud": _with("cloud: aws\n"),
    "cloud misspelt": _with("cloud: rehersal\n"),
    "subscription is a name": _with("subscription: pay-as-you-go\n"),
    "tag of ours": _with("tags: {llamalift-run: x}\n"),
    "tag with a bad character": _with("tags: {a/b: x}\n"),
    "tag value is a number": _with("tags: {cost-centre: 42}\n"),
    "unknown on_failure": _with("on_failure: ask\n"),
    "a secret's value": _with("secrets: [hf_abcdef]\n"),
    "secrets as a mapping": _with("secrets: {HF_TOKEN: hf_abcdef}\n"),
    # machine, storage
    "size without Standard": _with("machine: {size: NC96ads_A100_v4}\n"),
    "size misspelt key": _with("machine: {siz: Standard_D2s_v5}\n"),
    "region with a space": _with("machine: {regions: [East US]}\n"),
    "regions as text": _with("machine: {regions: eastus}\n"),
    "no region": _with("machine: {regions: []}\n"),
    "region twice": _with("machine: {regions: [eastus, eastus]}\n"),
    "zone as text": _with('machine: {zones: ["1"]}\n'),
    "zone 4": _with("machine: {zones: [4]}\n"),
    "yes for true": _with("machine: {spot: yes}\n"),
    "max_price on demand": _with("machine: {max_price: 3}\n"),
    "max_price of nothing": _with("machine: {spot: true, max_price: 0}\n"),
    "image in two parts": _with("machine: {image: ubuntu:24.04}\n"),
    "small system disk": _with("machine: {os_disk_gib: 30}\n"),
    "processes misspelt": _with("machine: {processes: all}\n"),
    "no process": _with("machine: {processes: 0}\n"),
    "user root": _with("machine: {admin_username: root}\n"),
    "user with a capital": _with("machine: {admin_username: Ada}\n"),
    "SSH open to the world": _with("machine: {allow_from: 0.0.0.0/0}\n"),
    "SSH from a name": _with("machine: {allow_from: home}\n"),
    "workspace as text": _with('storage: {workspace_gib: "512"}\n'),
    "workspace with a unit": _with("storage: {workspace_gib: 512GB}\n"),
    "workspace in fractions": _with("storage: {workspace_gib: 512.5}\n"),
    "unknown disk type": _with("storage: {disk_type: Premium}\n"),
    "premium v2 without a zone": _with("storage: {disk_type: PremiumV2_LRS}\n"),
    "mount over the system": _with("storage: {mount: /usr}\n"),
    "other mount in rehearsal": _with("storage: {mount: /data}\n"),
    # sources
    "model as a bare hub name": GOOD.replace("./weights", "huggyllama/llama-7b"),
    "model is a data set": GOOD.replace("./weights", "hf://datasets/a/b"),
    "model folder without config": GOOD.replace("./weights", "./empty"),
    "model is not there": GOOD.replace("./weights", "./gone"),
    "model on s3": GOOD.replace("./weights", "s3://bucket/x"),
    "model on the web": GOOD.replace("./weights", "https://example.com/x"),
    "model in a blob": GOOD.replace("./weights", "az://account/container"),
    "hub name without owner": GOOD.replace("./weights", "hf://llama"),
    "hub path that climbs": GOOD.replace("./weights", "hf://a/b/../c"),
    "data is a model": GOOD.replace("./rows.json", "hf://a/b/c.json"),
    "data without a file": GOOD.replace("./rows.json", "hf://datasets/a/b"),
    "data is parquet": GOOD.replace("./rows.json", "./rows.parquet"),
    "data is not there": GOOD.replace("./rows.json", "./gone.json"),
    "unknown prompt format": GOOD.replace("./rows.json", "./rows.json, prompt_format: vicuna"),
    "sync to an absolute path": _with("sync: [{from: ./rows.json, to: /etc/x}]\n"),
    "sync out of the workspace": _with("sync: [{from: ./rows.json, to: ../x}]\n"),
    "sync over the runs": _with("sync: [{from: ./rows.json, to: llamalift/x}]\n"),
    "sync without to": _with("sync: [{from: ./rows.json}]\n"),
    "sync as a mapping": _with("sync: {from: ./rows.json, to: x}\n"),
    "sync from nowhere": _with("sync:\n- from: ./gone\n  to: x\n"),
    # train
    "flag misspelt": _with("train: {learning_rat: 1e-5}\n"),
    "further flag misspelt": _with("train: {weight_deca: 0.1}\n"),
    "flag of nobody": _with("train: {quantum: true}\n"),
    "further flag of the wrong kind": _with("train: {weight_decay: much}\n"),
    "further flag is a list": _with("train: {max_steps: [1]}\n"),
    "quoted number": _with('train: {learning_rate: "2e-5"}\n'),
    "learning rate as text": _with("train: {learning_rate: low}\n"),
    "negative learning rate": _with("train: {learning_rate: -1e-5}\n"),
    "learning rate without end": _with("train: {learning_rate: .inf}\n"),
    "learning rate is no number": _with("train: {learning_rate: .nan}\n"),
    "half an accumulation": _with("train: {gradient_accumulation_steps: 1.5}\n"),
    "no rows": _with("train: {per_device_train_batch_size: 0}\n"),
    "both precisions": _with("train: {fp16: true, bf16: true}\n"),
    "output_dir": _with("train: {output_dir: ./x}\n"),
    "model as a flag": _with("train: {model_name_or_path: ./x}\n"),
    "a token in the file": _with("train: {hub_token: hf_abc}\n"),
    "fsdp": _with("train: {fsdp: full_shard}\n"),
    "save by epoch": _with("train: {save_strategy: epoch}\n"),
    "unknown deepspeed config": _with("train: {deepspeed: zero4}\n"),
    "deepspeed file is not there": _with("train: {deepspeed: ./gone.json}\n"),
    # checkpoints, collect, limits
    "interval that grows": _with("checkpoints: {shrink: {from: 4, to: 8}}\n"),
    "interval that grows from save_steps": _with("train: {save_steps: 4}\ncheckpoints: {shrink: {to: 8}}\n"),
    "factor of one": _with("checkpoints: {shrink: {factor: 1}}\n"),
    "auto misspelt": _with("checkpoints: {keep: aut}\n"),
    "two intervals": _with("train: {save_steps: 100}\ncheckpoints: {shrink: {from: 50}}\n"),
    "two numbers to keep": _with("train: {save_total_limit: 3}\ncheckpoints: {keep: 2}\n"),
    "share as percent": _with("checkpoints: {max_share: 5}\n"),
    "collect to a blob": _with("collect: {to: az://a/b}\n"),
    "dollars without end": _with("limits: {dollars: .inf}\n"),
    "dollars with a sign": _with("limits: {dollars: $50}\n"),
    "no hours": _with("limits: {hours: 0}\n"),
    "a year": _with("limits: {hours: 8760}\n"),
    "hours as null": _with("limits: {hours: null}\n"),
    "never idle": _with("limits: {idle_minutes: 0}\n"),
    "never discarded": _with("limits: {discard_after_days: 365}\n"),
    # several at once
    "many at once": "name: Bad\ncloud: azur\nmodel: {from: ./gone}\nlimits: {hours: 0, hour: 1}\n"
    "train: {weight_deca: 1, bf16: 3}\n",
}
