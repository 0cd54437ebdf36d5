import ast
import copy
import math
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.testing import assert_close

import cfft

LABELS = torch.tensor([3, 1])
MAPS = pytest.mark.parametrize("scores_of", [cfft.relevance_scores, cfft.grad_cam_scores])
VECTORS = Path(__file__).parents[1] / "data" / "parity.safetensors"


def encoded(classifier, images):
    capture = cfft.Capture()
    return capture, classifier(images, capture=capture).logits


def plain_attention(attn, normed):
    """Return open_clip's attention output and its maps, materialised."""
    stacked = normed @ attn.in_proj_weight.T + attn.in_proj_bias
    q, k, v = (p.unflatten(-1, (attn.num_heads, -1)).transpose(1, 2) for p in stacked.chunk(3, -1))
    attention = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
    return attn.out_proj((attention @ v).transpose(1, 2).flatten(2)), attention


def open_clip_logits_and_maps(classifier, images):
    tower, maps = classifier.encoder.tower, []
    tokens = tower._embeds((images - classifier.encoder.mean) / classifier.encoder.std)
    for block in tower.transformer.resblocks:
        attended, attention = plain_attention(block.attn, block.ln_1(tokens))
        maps.append(attention)
        tokens = tokens + block.ls_1(attended)
        tokens = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
    return classifier.head(tower.ln_post(tokens)[:, 0] @ tower.proj), maps


def timm_logits_and_maps(classifier, images):
    """Let timm's own forward materialise attention, and listen where its dropout would be."""
    tower, maps = classifier.encoder.tower, []
    for block in tower.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda _, inputs, output: maps.append(output))
    features = tower((images - classifier.encoder.mean) / classifier.encoder.std)
    return classifier.head(features), maps


def plain_relevance(logits, maps, start_layer=0):
    gradients = torch.autograd.grad(logits.gather(1, LABELS[:, None]).sum(), maps)
    total = torch.eye(maps[0].shape[-1]).expand(2, -1, -1)
    for attention, gradient in list(zip(maps, gradients, strict=True))[start_layer:]:
        total = total + (gradient * attention).clamp(min=0).mean(1) @ total
    return total.detach()


@pytest.fixture
def plain_pass(classifier):
    open_clip = type(classifier.encoder.tower).__module__.startswith("open_clip")
    return open_clip_logits_and_maps if open_clip else timm_logits_and_maps


@pytest.mark.parametrize("start_layer", [0, 1, 2])
def test_relevance_is_the_class_row_of_the_whole_product(
    start_layer, classifier, images, plain_pass
):
    capture, logits = encoded(classifier, images)
    scores = cfft.relevance_scores(capture, logits, LABELS, start_layer)
    product = plain_relevance(*plain_pass(classifier, images), start_layer)
    row = product[:, 0, capture.prefix_tokens :]
    assert_close(scores, row.unflatten(1, (2, 3)), rtol=1e-4, atol=1e-7)


def test_relevance_of_an_image_does_not_depend_on_its_neighbour(classifier, images):
    both = cfft.relevance_scores(*encoded(classifier, images), LABELS)
    alone = cfft.relevance_scores(*encoded(classifier, images[1:]), LABELS[1:])
    assert_close(both[1:], alone, rtol=1e-4, atol=1e-7)


def test_grad_cam_weighs_activations_by_the_summed_gradient(classifier, images):
    capture, logits = encoded(classifier, images)
    chosen, normed = logits[0, 3] + logits[1, 1], capture.layers[-1].normed
    (gradient,) = torch.autograd.grad(chosen, normed, retain_graph=True)
    every_token = torch.einsum("bc,btc->bt", gradient.sum(1), normed).relu()
    patches = every_token[:, capture.prefix_tokens :].unflatten(1, (2, 3))
    assert_close(cfft.grad_cam_scores(capture, logits, LABELS), patches, rtol=1e-4, atol=1e-6)


@pytest.fixture
def vectors():
    return load_file(VECTORS)


@pytest.fixture
def vector_classifier(vectors):
    from open_clip.transformer import QuickGELU, VisionTransformer

    with safe_open(VECTORS, "pt") as file:
        facts = {
            key: ast.literal_eval(v) for key, v in file.metadata().items() if v[0] in "(0123456789"
        }
    size = facts["image_size"]
    tower = VisionTransformer(
        size, facts["patch_size"], facts["width"], facts["layers"], facts["heads"], 4.0,
        output_dim=facts["embed_dim"], act_layer=QuickGELU,
    )  # fmt: skip
    preprocessing = cfft.Preprocessing((size, size), size, "bicubic", facts["mean"], facts["std"])
    head = cfft.Head(vectors["student.head.weight"], vectors["student.head.bias"], normalised=True)
    classifier = cfft.Classifier(cfft.Encoder(tower, preprocessing), head)
    prefix = "student."
    weights = {k.removeprefix(prefix): v for k, v in vectors.items() if k.startswith(prefix)}
    classifier.load_weights(weights)
    return classifier


@pytest.mark.parametrize("name", ["features", "logits", "cam.relevance", "cam.gradcam"])
def test_features_logits_and_maps_are_those_of_the_parity_vectors(name, vectors, vector_classifier):
    capture = cfft.Capture()
    student = vector_classifier(vectors["images"], capture=capture)
    relevance = cfft.relevance_scores(capture, student.logits, vectors["labels"])
    grad_cam = cfft.grad_cam_scores(capture, student.logits, vectors["labels"])
    found = {
        "features": student.features,
        "logits": student.logits,
        "cam.relevance": relevance.flatten(1),
        "cam.gradcam": grad_cam.flatten(1),
    }
    expected = vectors[name]
    assert_close(found[name], expected, rtol=0, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize("execution", ["gather", "mask"])
@pytest.mark.parametrize("rate", ["0.25", "0.5", "0.75"])
def test_features_without_dropped_tokens_are_those_of_the_parity_vectors(
    rate, execution, vectors, vector_classifier
):
    vector_classifier.encoder.execution = execution
    dropped = vectors[f"mask.random.{rate}"].unflatten(1, vector_classifier.encoder.grid)
    features = vector_classifier(vectors["images"], dropped).features
    assert_close(features, vectors[f"features.random.none.{rate}"], rtol=1e-4, atol=1e-5)


@MAPS
def test_a_map_leaves_no_trace(scores_of, classifier, images):
    capture, logits = encoded(classifier.train(), images)
    state, drawn = copy.deepcopy(classifier.state_dict()), torch.get_rng_state()
    scores_of(capture, logits, LABELS)
    assert [p.grad for p in classifier.parameters() if p.grad is not None] == []
    assert all(module.training for module in classifier.modules())
    assert_close(classifier.state_dict(), state, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), drawn)


@MAPS
def test_a_map_does_not_change_the_gradients_of_a_later_loss(scores_of, classifier, images):
    parameters = list(classifier.parameters())
    capture, logits = encoded(classifier, images)
    scores_of(capture, logits, LABELS)
    after = torch.autograd.grad(logits.square().sum(), parameters)
    plain = torch.autograd.grad(classifier(images).logits.square().sum(), parameters)
    assert_close(after, plain, rtol=0, atol=0)


@MAPS
def test_a_map_is_detached_single_precision_and_not_negative(scores_of, classifier, images):
    scores = scores_of(*encoded(classifier, images), LABELS)
    assert scores.shape == (2, 2, 3)
    assert (scores.dtype, scores.requires_grad) == (torch.float32, False)
    assert scores.min() >= 0
    assert scores.max() > 0


@MAPS
def test_a_frozen_student_has_the_map_of_a_trained_one(scores_of, classifier, images):
    trained = scores_of(*encoded(classifier, images), LABELS)
    frozen = scores_of(*encoded(classifier.requires_grad_(False), images), LABELS)
    assert_close(frozen, trained)
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


@MAPS
def test_a_map_under_autocast_is_near_the_exact_one(scores_of, classifier, images):
    exact = scores_of(*encoded(classifier, images), LABELS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = scores_of(*encoded(classifier, images), LABELS)
    assert rough.dtype == torch.float32
    assert_close(rough, exact, rtol=0, atol=0.05 * exact.max().item())


@MAPS
def test_small_gradients_survive_half_precision(scores_of, classifier, images):
    with torch.no_grad():
        classifier.head.weight.mul_(2.0**-19)  # gradients near the smallest float16
    exact = scores_of(*encoded(classifier, images), LABELS)
    with torch.autocast("cpu", dtype=torch.float16):
        rough = scores_of(*encoded(classifier, images), LABELS)
    assert_close(rough, exact, rtol=0, atol=0.05 * exact.max().item())


@MAPS
def test_a_map_without_gradients_says_what_to_do(scores_of, classifier, images):
    with torch.no_grad():
        capture, logits = encoded(classifier, images)
    with pytest.raises(ValueError, match=r"encode outside torch\.no_grad"):
        scores_of(capture, logits, LABELS)


@MAPS
def test_an_empty_capture_says_what_to_do(scores_of, classifier, images):
    logits = classifier(images).logits
    with pytest.raises(ValueError, match="capture is empty: run the encoder with it"):
        scores_of(cfft.Capture(), logits, LABELS)


@pytest.mark.parametrize("start_layer", [-1, 3])
def test_a_start_layer_that_does_not_exist_is_refused(start_layer, classifier, images):
    capture, logits = encoded(classifier, images)
    message = rf"start_layer {start_layer} does not exist: the encoder has 3 layers, .*0\.\.2"
    with pytest.raises(cfft.ConfigError, match=message):
        cfft.relevance_scores(capture, logits, LABELS, start_layer)
