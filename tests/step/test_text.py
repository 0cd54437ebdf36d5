"""The text towers of a step: what is trained, what is kept, and what is drawn."""

import pytest
import torch
from torch.testing import assert_close

import cfft
from cfft.step.engine import TrainingStep
from cfft.step.text import TextSide
from cfft.testing import tiny_classifier, tiny_text_side
from cfft.testing.models import TinyText

BOTH = frozenset({"student.text", "teacher.text"})


class Counting(TinyText):
    """Remember what was asked for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def forward(self, prompts):
        self.asked.append(list(prompts))
        return super().forward(prompts)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def side(tower, *needs: str) -> TextSide:
    return TextSide(tower, ("sea_lion", "dog"), ("a {}.", "{}"), frozenset(needs))


def test_the_trained_tower_is_a_copy_and_the_one_given_is_frozen():
    tower = TinyText()

    towers = side(tower, "student.text", "teacher.text")

    assert towers.frozen is tower
    assert [p.requires_grad for p in tower.parameters()] == [False, False]
    assert [p.requires_grad for p in towers.tower.parameters()] == [True, True]
    assert_close(towers.tower.state_dict(), tower.state_dict())


def test_only_the_towers_that_terms_look_at_are_held():
    assert side(TinyText(), "student.text").frozen is None
    assert side(TinyText(), "teacher.text").student is None


@pytest.mark.parametrize(
    ("needs", "ask", "missing"),
    [
        ("teacher.text", lambda text: text(["a"]), r"student\.text"),
        ("teacher.text", lambda text: text.logit_scale, r"student\.text"),
        ("student.text", lambda text: text.pretrained(["a"]), r"teacher\.text"),
        ("student.text", lambda text: text.pretrained.of_classes(), r"teacher\.text"),
    ],
)
def test_a_tower_that_no_term_named_is_missing(needs, ask, missing):
    with pytest.raises(ValueError, match=rf"{missing} was not computed.*`needs`"):
        ask(side(TinyText(), needs).at(rng()))


def test_captions_are_drawn_by_the_generator_of_the_step_alone():
    labels = torch.arange(2).repeat(8)
    captions = [
        side(TinyText(), "student.text").at(rng(seed)).captions(labels) for seed in (1, 1, 2)
    ]

    assert captions[0] == captions[1] != captions[2]
    assert set(captions[0]) == {"a sea lion.", "sea lion", "a dog.", "dog"}


def test_an_average_that_nobody_keeps_up_is_missing():
    with pytest.raises(ValueError, match="needs --average"):
        _ = side(TinyText(), "student.text").at(rng()).averaged


def test_the_averaged_tower_gives_features_without_a_graph():
    text = tiny_text_side(frozenset({"student.text", "average.text"})).at(rng())

    assert_close(text.averaged(["cat"]), TinyText(seed=1)(["cat"]).detach())
    assert not text.averaged(["cat"]).requires_grad
    assert not text.averaged.logit_scale.requires_grad
    assert_close(text.averaged.of_classes()[1, 1], TinyText(seed=1)(["dog"])[0].detach())


def test_prompts_that_occur_twice_in_a_step_are_encoded_once():
    towers = side(Counting(), "student.text")
    text = towers.at(rng())

    features = text(["a", "b", "a"])
    text(["a", "b", "a"])

    assert towers.tower.asked == [["a", "b"]]
    assert_close(features, TinyText()(["a", "b", "a"]))


def test_gradients_of_repeated_prompts_add_up():
    towers, plain = side(TinyText(), "student.text"), TinyText()

    towers.at(rng())(["ab", "c", "ab"]).square().sum().backward()
    plain(["ab", "c", "ab"]).square().sum().backward()

    assert_close(towers.tower.letters.grad, plain.letters.grad)


def test_the_pre_trained_tower_encodes_each_list_once():
    tower = Counting()
    towers = side(tower, "teacher.text")

    first = towers.at(rng()).pretrained(["b", "a", "b"])
    again = towers.at(rng()).pretrained(["b", "a", "b"])

    assert tower.asked == [["b", "a"]]
    assert_close(first, TinyText()(["b", "a", "b"]).detach())
    assert_close(again, first, rtol=0, atol=0)
    assert not first.requires_grad


def test_the_pre_trained_tower_encodes_class_prompts_once_whichever_of_them_are_asked_for():
    tower = Counting()
    towers = side(tower, "teacher.text")

    found = towers.at(rng()).pretrained(["dog", "a sea lion.", "dog"])
    towers.at(rng()).pretrained(["sea lion"])
    towers.at(rng()).pretrained.of_classes()

    assert tower.asked == [["a sea lion.", "sea lion", "a dog.", "dog"]]
    assert_close(found, TinyText()(["dog", "a sea lion.", "dog"]).detach())


def test_pre_trained_features_do_not_depend_on_what_was_asked_for_before():
    tower = Counting()
    fresh, older = side(tower, "teacher.text"), side(tower, "teacher.text")
    older.at(rng()).pretrained(["a"])

    older.at(rng()).pretrained(["a", "b"])
    fresh.at(rng()).pretrained(["a", "b"])

    assert tower.asked == [["a"], ["a", "b"], ["a", "b"]]


def test_very_many_class_prompts_are_encoded_as_they_are_asked_for(monkeypatch):
    monkeypatch.setattr("cfft.step.text._KEPT_CLASS_PROMPTS", 3)
    tower = Counting()

    side(tower, "teacher.text").at(rng()).pretrained(["dog"])

    assert tower.asked == [["dog"]]


def test_random_prompts_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("cfft.step.text._KEPT_LISTS", 2)
    tower = Counting()
    text = side(tower, "teacher.text").at(rng())

    text.pretrained(["a"])
    text.pretrained(["b"])
    text.pretrained(["c"])
    text.pretrained(["c"])
    text.pretrained(["a"])

    assert tower.asked == [["a"], ["b"], ["c"], ["a"]]


def test_class_prompts_are_ordered_by_class_and_template():
    text = side(TinyText(), "student.text").at(rng())

    found = text.of_classes()

    assert found.shape == (2, 2, 8)
    assert_close(found[0, 0], TinyText()(["a sea lion."])[0])
    assert_close(found[1, 1], TinyText()(["dog"])[0])


def test_all_terms_of_a_step_get_the_same_captions_and_another_step_gets_others():
    towers = side(TinyText(), "student.text")
    labels = torch.tensor([0, 1] * 20)

    text = towers.at(rng())
    first, again = text.captions(labels), text.captions(labels)
    other = towers.at(rng(1)).captions(labels)

    assert first is again
    assert first != other
    assert set(first) == {"a sea lion.", "sea lion", "a dog.", "dog"}
    assert all(("dog" in caption) == (place % 2 == 1) for place, caption in enumerate(first))


def test_the_factor_of_similarities_is_brought_down_to_100():
    towers = side(TinyText(), "student.text")
    towers.tower.logit_scale.data.fill_(9.0)

    towers.limit_scale()

    assert_close(towers.at(rng()).logit_scale.detach(), torch.tensor(100.0))


def test_a_smaller_factor_stays_as_it_is():
    towers = side(TinyText(), *BOTH)

    towers.limit_scale()

    assert_close(towers.tower.logit_scale.detach(), torch.tensor(2.0), rtol=0, atol=0)


class Headed(cfft.Task):
    """Make the head of a text tower that it does not train."""

    needs = frozenset({"teacher.text"})
    head_from_text = True

    def measure(self, outputs):
        return outputs.student_original.logits.mean()


def test_a_task_that_makes_the_head_from_text_has_to_train_a_tower():
    towers = tiny_text_side(frozenset({"teacher.text"}))

    with pytest.raises(cfft.PluginError, match=r"'task' makes the head from text.*student\.text"):
        TrainingStep(tiny_classifier(), Headed(), {}, {}, {}, towers)


def test_a_tower_without_words_gives_letters():
    text = side(TinyText(), "teacher.text").at(rng())

    assert text.words == tuple("abcdefghijklmnopqrstuvwxyz")
