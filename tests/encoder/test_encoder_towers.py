import open_clip
import pytest
import timm
from torch import nn

import cfft


def refused(reason):
    return pytest.raises(cfft.WeightsError, match=rf"{reason}.*cfft works with .*ViT-B-32")


def test_a_resnet_of_open_clip_is_refused(preprocessing):
    tower = open_clip.modified_resnet.ModifiedResNet([1, 1, 1, 1], 8, 2, 32, width=8)
    with refused("cannot use ModifiedResNet as encoder"):
        cfft.Encoder(tower, preprocessing)


def test_a_module_of_another_library_is_refused(preprocessing):
    with refused("cannot use Linear .* it comes from 'torch'"):
        cfft.Encoder(nn.Linear(2, 2), preprocessing)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pool_type": "avg"}, "not the class token's"),
        ({"attentional_pool": True, "attn_pooler_heads": 4}, "not the class token's"),
        ({"patch_dropout": 0.5}, "patch_dropout drops at random with prob=0.5"),
        ({"qk_norm": True}, "its blocks are CustomResidualAttentionBlock"),
        ({"image_size": (16, 28)}, r"\(16, 28\) pixels are no whole number of patches"),
    ],
    ids=str,
)
def test_open_clip_towers_that_cannot_be_run_are_refused(changes, reason, preprocessing):
    sizes = {"image_size": (16, 24), "patch_size": 8, "width": 32, "layers": 2, "heads": 4}
    tower = open_clip.transformer.VisionTransformer(**{**sizes, "mlp_ratio": 2.0, **changes})
    with refused(reason):
        cfft.Encoder(tower, preprocessing)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"global_pool": "avg"}, "pooled by 'avg'"),
        ({"global_pool": "map"}, "pooled by 'map'"),
        ({"proj_drop_rate": 0.1}, "drops at random with p=0.1"),
        ({"attn_drop_rate": 0.1}, "attn_drop drops at random"),
        ({"drop_path_rate": 0.1}, "drop_path1 drops at random with drop_prob"),
        ({"patch_drop_rate": 0.1}, "patch_drop drops at random"),
        ({"block_fn": timm.models.vision_transformer.ParallelScalingBlock}, "its blocks are Para"),
    ],
    ids=str,
)
def test_timm_towers_that_cannot_be_run_are_refused(changes, reason, timm_tower, preprocessing):
    tower = timm_tower(**changes)
    with refused(reason):
        cfft.Encoder(tower, preprocessing)


@pytest.mark.parametrize("name", ["eva02_tiny_patch14_224", "resnet18"])
def test_other_timm_architectures_are_refused(name, preprocessing):
    with refused("it is another architecture"):
        cfft.Encoder(timm.create_model(name), preprocessing)


@pytest.mark.parametrize("name", ["deit_tiny_patch16_224", "vit_small_patch14_reg4_dinov2"])
def test_usual_timm_models_are_taken(name):
    tower = timm.create_model(name, num_classes=0, depth=1)
    size = tower.patch_embed.img_size
    preprocessing = cfft.Preprocessing(size, size[0], "bicubic", (0, 0, 0), (1, 1, 1))
    assert cfft.Encoder(tower, preprocessing).dim == tower.num_features
