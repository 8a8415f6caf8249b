"""The training phases of REMN and its ablation through the console script, with a tiny network."""

import csv
from pathlib import Path

import pytest
import torch

from tests.end_to_end.test_main_training import write_videos
from tests.end_to_end.tiny import TINY, tiny_train, vosmem

VIDEOS = [
    "datamodule=folder", "datamodule.root=videos", "eval_set=folder", "model=remn_small", "model.backbone=resnet10",
    *[override for override in TINY if not override.startswith(("augmentation", "datamodule.sequences"))],
    "augmentation.size=32", "augmentation.min_object_pixels=16", "datamodule.samples_per_epoch=6",
    "trainer.max_steps=3",
    "validate_every_steps=3", "curriculum.epochs=[0]", "curriculum.skips=[1]",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The weights of a base, local attention taught on top of it, and a gate on top of that."""
    folder = tmp_path_factory.mktemp("remn")
    write_videos(folder / "videos")
    small = ["model=remn_small", "model.backbone=resnet10", "trainer.max_steps=1", "validate_every_steps=1"]
    vosmem(*tiny_train(folder, *small, "hydra.run.dir=base"), cwd=folder)
    main = ["train", "experiment=remn_main", *VIDEOS, "initial_weights=base/checkpoints/last.ckpt"]
    vosmem(*main, "optimizer.lr=1e-3", "hydra.run.dir=main", cwd=folder)
    gate = ["train", "experiment=remn_gate", *VIDEOS, "augmentation.num_frames=6", "datamodule.batch_size=1"]
    weights = ["initial_weights=main/checkpoints/last.ckpt", "phase.temperature.num_steps=2"]
    vosmem(*gate, *weights, "hydra.run.dir=gate", cwd=folder)
    return folder


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.slow
def test_each_stage_adds_its_part_and_leaves_what_it_must(folder):
    base, main, gate = (weights(folder / name) for name in ("base", "main", "gate"))
    assert {name.split(".")[1] for name in main.keys() - base.keys()} == {"modulation"}
    assert main["network.modulation.gain.weight"].abs().sum() > 0, "the filters have learnt"
    assert {name.split(".")[1] for name in gate.keys() - main.keys()} == {"gate"}
    assert all(torch.equal(value, gate[name]) for name, value in main.items()), "only the gate was trained"
    with open(next((folder / "gate").glob("csv/*/metrics.csv"))) as file:
        reported = [row["train/kept_share"] for row in csv.DictReader(file) if row["train/kept_share"]]
    assert len(reported) == 3 and all(0.5 <= float(share) <= 1 for share in reported)


@pytest.mark.slow
def test_the_ablation_is_one_table(folder):
    evaluate = [
        "evaluate",
        "checkpoint=gate/checkpoints/last.ckpt",
        "eval_set=folder",
        "eval_set.root=videos",
        "device=cpu",
    ]
    done = vosmem(*evaluate, "sweep=ablation", "hydra.sweep.dir=ablation", cwd=folder)
    with open(folder / "ablation" / "table.csv") as file:
        rows = {row["ablation"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["base", "local_attention", "update", "gate", "all"] and "| all |" in done.stdout
    assert all(float(row["frames in memory"]) >= 1 and float(row["kept of 100"]) > 0 for row in rows.values())

    plain = ["evaluate", "checkpoint=base/checkpoints/last.ckpt", *evaluate[2:]]
    for override, named in (("memory=dynamic", "no gate"), ("local_attention=features", "matching")):
        done = vosmem(*plain, override, f"hydra.run.dir={named.split()[0]}", cwd=folder, check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and named in done.stderr
