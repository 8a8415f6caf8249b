"""SAM 2 through transformers, as a tiny model with random weights: no real weights were run."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from tests.discs import two_discs
from tests.messages import naming
from vosmem.errors import InputError
from vosmem.inference.engine.engine import Engine
from vosmem.inference.prompts.promptable import PromptableModel
from vosmem.inference.sequences.streaming import Segmenter
from vosmem.inputs.prompts import Prompt

FRAME = two_discs()[0]
CPU = torch.device("cpu")
needs_transformers = pytest.mark.skipif(
    find_spec("transformers") is None, reason="SAM needs transformers: pip install transformers"
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    """A folder with a tiny SAM 2."""
    from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model, Sam2Processor

    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "global_attention_blocks": [3],
        "image_size": [64, 64],
        "window_size_per_stage": [4, 4, 4, 4],
        "window_positional_embedding_background_size": [4, 4],
    }
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": [64, 32, 16, 8],
        "fpn_hidden_size": 32,
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
    }
    prompts = {"hidden_size": 32, "image_size": 64, "patch_size": 16}
    decoder = {"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("sam")
    side = {"height": 64, "width": 64}
    model = Sam2Model(Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder))
    model.save_pretrained(folder)
    Sam2Processor(Sam2ImageProcessor(size=side, mask_size=side)).save_pretrained(folder)
    return str(folder)


@needs_transformers
def test_each_kind_of_prompt_gives_a_mask_of_the_frame_and_a_quality(weights):
    model = PromptableModel(weights, CPU)
    box, point, off = (18, 18, 62, 62), ((40.0, 40.0),), ((100.0, 40.0),)
    prompts = [Prompt(box), Prompt(points=point), Prompt(points=point, not_points=off), Prompt(box, point, off)]
    for prompt in prompts:
        mask, quality = model.mask(FRAME, prompt)
        assert mask.shape == (80, 140) and mask.dtype == bool and mask.any() and 0 <= quality <= 1
        assert np.array_equal(mask, model.mask(FRAME, prompt)[0])


@needs_transformers
def test_the_prompt_and_the_best_mask_reach_the_model(weights, monkeypatch):
    """Points and boxes arrive at the model's scale, and of several masks that of the highest score is taken."""
    model, received = PromptableModel(weights, CPU), {}

    def forward(**inputs):
        received.update(inputs)
        masks = torch.full((1, 1, 3, 16, 16), -1.0)
        masks[:, :, 1, :, :8] = 1
        return type("Found", (), {"pred_masks": masks, "iou_scores": torch.tensor([[[0.1, 1.2, 0.3]]])})

    monkeypatch.setattr(model, "_model", forward)
    mask, quality = model.mask(FRAME, Prompt((0, 0, 70, 80), ((70.0, 40.0),), ((140.0, 0.0),)))
    assert mask[:, :69].all() and not mask[:, 71:].any() and quality == 1
    torch.testing.assert_close(received["input_boxes"].float(), torch.tensor([[[0.0, 0, 32, 64]]]))
    torch.testing.assert_close(received["input_points"].float(), torch.tensor([[[[32.0, 32], [64, 0]]]]))
    assert received["input_labels"].tolist() == [[[1, 0]]] and received["multimask_output"] is False
    model.mask(FRAME, Prompt(points=((70.0, 40.0),)))
    assert received["multimask_output"] is True


@needs_transformers
def test_a_segmenter_uses_it_by_its_weights(weights, small_stm):
    segmenter = Segmenter(small_stm, Engine(CPU))
    first = segmenter.first_mask(FRAME, boxes=[(18, 18, 62, 62)], cut=f"sam:{weights}")
    assert np.array_equal(first.ids > 0, PromptableModel(weights, CPU).mask(FRAME, Prompt((18, 18, 62, 62)))[0])
    assert len(first.notes) == 1


@needs_transformers
@pytest.mark.parametrize(
    ("prompt", "message"),
    [(Prompt(strokes=np.zeros((80, 140), np.uint16)), "not strokes"), (Prompt(), "neither a box nor a point")],
)
def test_other_prompts_are_refused(weights, prompt, message):
    with pytest.raises(InputError, match=naming(message)):
        PromptableModel(weights, CPU).mask(FRAME, prompt)


@needs_transformers
def test_a_folder_without_weights_is_one_line(tmp_path):
    with pytest.raises(InputError, match=naming(str(tmp_path), "holds no SAM 2 or EdgeTAM")):
        PromptableModel(str(tmp_path), CPU)


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setattr("vosmem.inference.prompts.promptable.find_spec", lambda name: None)
    with pytest.raises(InputError, match=naming("pip install 'vosmem[sam]'")):
        PromptableModel("folder", CPU)
