# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What are the results of a sweep?
#
# Set `SWEEP` to the folder of any multirun of `vosmem train` or `vosmem evaluate`, or to a folder of runs. Without it,
# the notebook runs a small sweep over the memory interval, on two rendered videos with an untrained network. Its scores
# have no meaning; they show the form of tables and plots.

# %%
import subprocess
import sys
from pathlib import Path

import numpy as np
from IPython.display import Image, Markdown

from vosmem.checkpoints.weights_file import Weights, write_weights
from vosmem.commands import compose
from vosmem.commands.common import resolved
from vosmem.commands.sweeps import collect_sweep
from vosmem.commands.training import calibrated_network
from vosmem.evaluation.finished import finished_scores
from vosmem.evaluation.tables import as_markdown
from vosmem.visualization.percentiles import plot_percentiles
from vosmem.visualization.sweep import plot_sweep

SWEEP = None  # "outputs/sweeps/evaluate/2026-01-31_12-00-00"

# %%
if SWEEP is None:
    config = compose("train", "experiment=pretrain_embedded", "datamodule.num_workers=0", "calibration.batches=4")
    weights = Weights(resolved(config.model), calibrated_network(config).state_dict())
    path = write_weights(Path("untrained.safetensors"), weights)
    small = ["eval_set=rendered", "eval_set.count=2", "eval_set.scene.num_frames=8"]
    small += ["eval_set.scene.height=96", "eval_set.scene.width=160", "eval_set.scene.num_objects=[1,1]"]
    command = ["evaluate", "-m", "memory.interval=1,2,4", f"checkpoint={path}", *small, "hydra.sweep.dir=sweep"]
    subprocess.run([sys.executable, "-m", "vosmem.cli", *command], check=True, capture_output=True)
    SWEEP = "sweep"

# %% [markdown]
# ## The table
#
# One row per job, with its changed keys. Scores are percentages.

# %%
table, varied = collect_sweep(Path(SWEEP))
Markdown(as_markdown(table))

# %% [markdown]
# ## The plot
#
# A line plot over a numeric key, a bar plot over any other key.

# %%
Image(str(plot_sweep(table, varied, Path("plot.png"))), width=900)

# %% [markdown]
# ## Distribution of scores
#
# J of every object and frame, sorted from worst to best: Figure 7 of the STM paper. Two curves with equal means can
# differ: one network loses objects, the other segments all of them roughly. Only runs of `vosmem evaluate` have it.

# %%
runs = sorted(path.parent for path in Path(SWEEP).glob("*/sequences"))
spread = {run.name: np.concatenate([score.values["J"] for score in finished_scores(run)]) for run in runs}
Image(str(plot_percentiles(spread, Path("percentiles.png"))), width=600) if spread else "no run of vosmem evaluate"
