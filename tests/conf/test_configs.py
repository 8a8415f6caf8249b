"""Every experiment composes, overrides the defaults, and fits the constructors."""

import inspect
from importlib.resources import files

import pytest
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from vosmem.commands.common import resolved
from vosmem.data.sources.video_layouts import LAYOUTS

CONF = files("vosmem.conf")
EXPERIMENTS = sorted(path.name.removesuffix(".yaml") for path in (CONF / "experiment").iterdir())
GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and not path.name.startswith("_"))
CHOICES = [
    (group, path.name.removesuffix(".yaml"))
    for group in GROUPS
    if group not in ("ablation", "debug", "experiment", "eviction", "launcher", "local", "sweep", "paths")
    for path in sorted((CONF / group).iterdir(), key=lambda path: path.name)
    if path.name.endswith(".yaml")
]
FILL = ["paths.output_dir=out", "paths.images=images", "trainer.max_steps=10"]
WITHOUT_STEPS = FILL[:2]


@pytest.fixture(autouse=True)
def _hydra():
    GlobalHydra.instance().clear()
    with initialize_config_module("vosmem.conf", version_base="1.3"):
        yield


def composed(*overrides: str, command: str = "train") -> DictConfig:
    return compose(command, overrides=list(overrides))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes_without_missing_values(name):
    fill = FILL if name != "pretrain_embedded" else FILL[:1]
    config = resolved(composed(f"experiment={name}", *fill))
    assert config["name"] == name
    assert config["trainer"]["max_steps"] > 0


# Values of each experiment that differ from the defaults, of a group and of the primary config itself: `_self_` in
# the wrong place would lose the second.
OVERRIDDEN = {
    "pretrain": {"model.backbone": "resnet50", "validate_every_steps": 10_000},
    "main": {
        "augmentation.frame_transforms.0.rotate": [-15, 15],
        "validate_every_steps": 2000,
        "phase.detach_masks": False,
    },
    "main_davis": {"model.backbone": "resnet50", "validate_every_steps": 9420},
    "main_youtubevos": {"train_videos.frame_step": 5, "validate_every_steps": 9420},
    "main_davis_youtubevos": {"train_videos.weights.davis": 5, "validate_every_steps": 9420},
    "main_small": {"phase.frozen_stages": 2, "validate_every_steps": 260},
    "main_rendered": {"curriculum.skips": [10], "validate_every_steps": 200},
    "remn_pretrain": {"model.local_attention.strength": 0.5, "validate_every_steps": 10_000},
    "remn_main": {"augmentation.pasting.away": 1.5, "validate_every_steps": 9420},
    "remn_gate": {"phase.num_queries": 2, "validate_every_steps": 5000},
    "remn_gate_rendered": {"augmentation.num_frames": 12, "validate_every_steps": 200},
    "remn_main_rendered": {"model.local_attention.locality": 4.0, "validate_every_steps": 200},
    "pretrain_embedded": {"model.weights": "bundled", "calibration.teacher": "remn_small", "validate_every_steps": 30},
    "pretrain_small": {"augmentation.size": 256, "validate_every_steps": 650},
    "pretrain_long": {"augmentation.size": 256, "validate_every_steps": 300},
    "finetune_embedded": {
        "initial_weights": "remn_small",
        "model.local_attention.strength": 0.5,
        "validate_every_steps": 50,
    },
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_override_defaults(name):
    experiment, default = composed(f"experiment={name}", *FILL[:1]), composed(*FILL)
    for key, value in OVERRIDDEN[name].items():
        assert OmegaConf.select(experiment, key) == value
        assert OmegaConf.select(default, key) != value


@pytest.mark.parametrize("name", ["main_davis", "main_youtubevos", "main_davis_youtubevos"])
def test_the_papers_scale_of_main_training(name):
    config = composed(f"experiment={name}", *WITHOUT_STEPS)
    clips = config.datamodule.samples_per_epoch // config.datamodule.batch_size
    assert config.datamodule.samples_per_epoch == 3771 and config.datamodule.batch_size == 4
    assert config.trainer.max_steps == 260 * clips
    assert (
        config.augmentation.size == 384 and config.augmentation.num_frames == 3 and config.augmentation.max_objects == 3
    )
    assert config.optimizer.lr == 1e-5 and config.model.backbone == "resnet50"
    schedule = instantiate(config.curriculum)
    assert [schedule(epoch) for epoch in (0, 20, 99, 100, 259)] == [0, 5, 20, 25, 25]


@pytest.mark.parametrize(
    ("name", "steps", "batch", "scale"),
    [
        (
            "remn_pretrain",
            300_000,
            8,
            {"augmentation.max_objects": 1, "scheduler.milestones": [150_000], "optimizer.lr": 1e-5},
        ),
        (
            "remn_main",
            150_000,
            4,
            {"augmentation.num_frames": 3, "scheduler.milestones": [125_000], "optimizer.lr": 1e-5},
        ),
        (
            "remn_gate",
            20_000,
            4,
            {
                "model.gate": True,
                "datamodule.redundancy": 0.5,
                "datamodule.returning": 0.5,
                "curriculum.skips": [25],
                "optimizer.lr": 1e-3,
            },
        ),
    ],
)
def test_the_scale_of_remns_phases(name, steps, batch, scale):
    config = composed(f"experiment={name}", *WITHOUT_STEPS)
    assert config.trainer.max_steps == steps and config.datamodule.batch_size == batch
    assert config.model.backbone == "resnet50" and config.augmentation.size == 384
    assert config.model.local_attention.strength > 0
    assert {key: OmegaConf.select(config, key) for key in scale} == scale


def test_the_papers_scale():
    config = composed("experiment=pretrain", *FILL[:2])
    assert config.trainer.max_steps == 500_000
    assert config.datamodule.batch_size == 4
    assert config.augmentation.size == 384 and config.augmentation.num_frames == 3
    assert config.optimizer._target_ == "torch.optim.Adam" and config.optimizer.lr == 1e-5
    assert config.scheduler._target_.endswith("ConstantLR") and config.scheduler.factor == 1
    assert config.model.backbone == "resnet50"
    assert (config.model.key_channels, config.model.value_channels, config.model.decoder_channels) == (128, 512, 256)
    assert config.memory.interval == 5


def targets(node: object, path: str = "") -> list[tuple[str, DictConfig]]:
    """All nodes with a `_target_`, and their keys."""
    found = []
    if isinstance(node, DictConfig):
        if "_target_" in node:
            found.append((path, node))
        children = [(key, node._get_node(key)) for key in node]
    elif isinstance(node, ListConfig):
        children = [(index, node._get_node(index)) for index in range(len(node))]
    else:
        return found
    for key, child in children:
        if not (isinstance(child, (DictConfig, ListConfig)) and child._is_interpolation()):
            found += targets(child, f"{path}.{key}")
    return found


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_key_is_a_keyword_of_its_constructor(group, choice):
    evaluated = dict.fromkeys(("eval_set", "method", "local_attention", "zoom"), "evaluate")
    command = {**evaluated, "scene": "gallery"}.get(group, "train")
    if group == "first_mask":  # a part of an augmentation, off by default
        config = composed(f"+first_mask@augmentation.rough={choice}")
        nodes = targets(config.augmentation.rough)
    else:
        config = composed(f"{group}={choice}", command=command)
        nodes = targets(config[group])
    for path, node in nodes:
        target = node["_target_"]
        try:
            callable_ = get_class(target)
        except ValueError:
            from hydra.utils import get_method

            callable_ = get_method(target)
        parameters = dict(inspect.signature(callable_).parameters)
        for base in getattr(callable_, "__mro__", ()):
            taken = inspect.signature(base).parameters
            parameters |= taken
            if "settings" not in taken:  # else the class hands its further keywords on
                break
        if "layout" in node and target.endswith(("evaluation_set", "training_videos")):  # hand keywords to the layout
            parameters |= inspect.signature(LAYOUTS[node["layout"]]).parameters
        parameters.pop("settings", None)
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            continue
        unknown = [key for key in node if not key.startswith("_") and key not in parameters]
        assert unknown == [], f"{group}/{choice}{path}: {target} has no {unknown}"


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("stm", 38.93),
        ("stm_r18", 17.2),
        ("stm_small", 7),
        ("stm_tiny", 7.3),
        ("stcn", 54.43),
        ("remn", 54.43),
        ("remn_r18", 25),
        ("remn_small", 8),
    ],
)
def test_models_have_the_size_that_docs_say(name, millions):
    weights = ["model.weights=none", *(["model.value_weights=none"] if not name.startswith("stm") else [])]
    network = instantiate(composed(f"model={name}", *weights).model)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.1)


def test_history_and_last_checkpoints_may_be_kept_at_the_same_steps():
    config = composed("callbacks=history", "validate_every_steps=500", *FILL)
    keys = [
        instantiate(callback).state_key for name, callback in config.callbacks.items() if "every_n" in str(callback)
    ]
    assert len(keys) == 2 and len(set(keys)) == 2


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize("name", ["joblib", "submitit_local", "submitit_slurm"])
def test_every_launcher_composes(name, command):
    """Its schema, which comes with the launcher, knows every key; that of Ray is not installed with the others."""
    config = compose(command, overrides=[f"launcher={name}"], return_hydra_config=True)
    assert config.hydra.runtime.choices["hydra/launcher"] == name


@pytest.mark.parametrize(
    ("environment", "devices", "nodes"),
    [
        ({}, "auto", 1),
        ({"LOCAL_WORLD_SIZE": "8", "GROUP_WORLD_SIZE": "2"}, 8, 2),
        ({"SLURM_NTASKS_PER_NODE": "4", "SLURM_NNODES": "3"}, 4, 3),
    ],
)
def test_ddp_reads_the_launcher_environment(monkeypatch, environment, devices, nodes):
    for name in ("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "SLURM_NTASKS_PER_NODE", "SLURM_NNODES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    config = composed("trainer=ddp", *FILL)
    assert (config.trainer.devices, config.trainer.num_nodes) == (devices, nodes)


def test_an_unknown_key_is_refused():
    with pytest.raises(ConfigCompositionException, match="no_such_key"):
        composed("model.no_such_key=1")


MECHANISMS = {  # policy, whether it is gated, locality
    "base": ("EveryN", False, 0),
    "local_attention": ("EveryN", False, 4),
    "update": ("Adaptive", False, 0),
    "gate": ("EveryN", True, 0),
    "all": ("Adaptive", True, 4),
}


@pytest.mark.parametrize("row", MECHANISMS)
def test_rows_of_the_ablation(row):
    config = composed(f"ablation={row}", command="evaluate")
    policy, attention = instantiate(config.memory), instantiate(config.local_attention)
    assert (type(policy).__name__, policy.gated, attention.locality) == MECHANISMS[row]
    swept = composed("sweep=ablation", command="evaluate")
    assert "ablation" not in swept and row in str((CONF / "sweep" / "ablation.yaml").read_text())


@pytest.mark.parametrize("choice", ["all", "oldest", "random", "usage", "novelty", "gate"])
@pytest.mark.parametrize("memory", ["every_n", "adaptive", "dynamic"])
def test_every_memory_takes_every_eviction_policy(choice, memory):
    policy = instantiate(composed(f"memory={memory}", f"eviction={choice}", "+max_frames=5", command="evaluate").memory)
    assert policy.gated == (choice == "gate")
    if choice in ("oldest", "random", "usage", "novelty"):
        assert policy.eviction == choice and policy.max_frames == 5
    if choice == "all":
        assert policy.max_frames is None


def test_training_without_local_attention_is_the_default():
    attention = instantiate(composed("model=remn_small", *FILL).model.local_attention)
    assert not attention.on
    chosen = composed("model=remn_small", "local_attention@model.local_attention=both", *FILL)
    assert instantiate(chosen.model.local_attention).strength == 0.5
