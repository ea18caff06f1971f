"""Distillation: what a teacher is shown, and what a network learns from it."""

import math

import pytest
import torch
from attrs import evolve
from helpers.engines import TEACHER, pictures
from helpers.tolerances import FLOAT32, SAME_FORMULA, TRAINED, sums
from helpers.training import CPU, fitted, meaning, teacher_file
from torch.nn import functional as F  # noqa: N812

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.operations.recipe import DISTILLATIONS
from cifar_dsl.training import draws
from cifar_dsl.training.augmentation.pipeline import resized
from cifar_dsl.training.distillation import Teacher
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.losses import DISTILLATION_MODULES
from cifar_dsl.training.lowering.torch_module import build_module, make
from cifar_dsl.training.teaching import check_teacher

SPEC = """
arch small
input 3x8x8
model { conv(4, 3) -> relu -> flatten -> dense(10) }
train {
    data npz("00")
    normalize signed
    epochs 2
    batch 16
    optimizer sgd(lr=0.05)
    distill soft(temperature=3, weight=0.7)
}
"""
TRAIN, TEST = pictures(0, 50), pictures(1, 30)


def scores(seed: int) -> torch.Tensor:
    return 3 * torch.randn(6, 10, generator=torch.Generator().manual_seed(seed))


def distillation(name: str, reduction: str = "mean", **arguments: float):
    """The loss of student and teacher scores that a setting declares."""
    return make(DISTILLATIONS[name](**arguments).lower(reduction), DISTILLATION_MODULES)


@pytest.mark.parametrize("temperature", [0.5, 1, 4])
def test_soft_is_the_divergence_of_the_teachers_probabilities(temperature):
    """As Hinton et al. write it; DeiT's code divides by the number of classes, too."""
    student, taught = scores(0), scores(1)
    q, p = (torch.softmax(each / temperature, dim=1) for each in (taught, student))
    of_images = temperature**2 * (q * (q.log() - p.log())).sum(1)
    soft = distillation("soft", temperature=temperature)
    torch.testing.assert_close(soft(student, taught), of_images.mean(), **SAME_FORMULA)
    deit = F.kl_div(p.log(), q.log(), reduction="sum", log_target=True) * temperature**2 / student.numel()
    torch.testing.assert_close(soft(student, taught), 10 * deit, **SAME_FORMULA)
    summed = distillation("soft", "sum", temperature=temperature)
    torch.testing.assert_close(summed(student, taught), of_images.sum(), **SAME_FORMULA)
    # A sum of ten differences that are 0 but for the rounding of float32.
    assert soft(student, student).item() == pytest.approx(0, abs=1e-6)


def test_hard_is_the_cross_entropy_of_the_teachers_class():
    """As in losses.py of https://github.com/facebookresearch/deit."""
    student, taught = scores(0), scores(1)
    expected = F.cross_entropy(student, taught.argmax(dim=1))
    torch.testing.assert_close(distillation("hard")(student, taught), expected, **SAME_FORMULA)
    torch.testing.assert_close(distillation("hard", "sum")(student, taught), 6 * expected, **SAME_FORMULA)


def test_gradients_of_soft_are_those_of_matched_scores_at_high_temperatures():
    """The limit of Hinton et al., equation 4: T^2 times a gradient is (v - mean v - t + mean t) / classes."""
    student, taught = scores(0).requires_grad_(), scores(1)
    distillation("soft", "sum", temperature=1000)(student, taught).backward()
    centred = [each - each.mean(1, keepdim=True) for each in (student.detach(), taught)]
    # The next term of the series is smaller by the scores, at most 10, divided by the temperature.
    torch.testing.assert_close(student.grad, (centred[0] - centred[1]) / 10, rtol=2e-2, atol=1e-3)


def plain_teacher():
    return build_module(teacher_file(TEACHER).graph, "teacher", seed=7).eval()


@pytest.mark.parametrize("setting", ["soft(temperature=3, weight=0.7)", "hard", "hard(weight=1)"])
def test_training_equals_a_plain_pytorch_loop(setting):
    graph, recipe = meaning(SPEC, [f"train.distill={setting}"])
    module, teacher = build_module(graph, "small", seed=0), plain_teacher()
    x = torch.from_numpy(TRAIN[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    y = torch.from_numpy(TRAIN[1])
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    total, weight = 0.0, recipe.distill.weight
    for epoch in (1, 2):
        total = 0.0
        for index in draws.permutation(0, epoch, 50).split(16):
            optimizer.zero_grad()
            student = module(x[index])
            with torch.no_grad():
                taught = teacher(x[index])
            if setting.startswith("soft"):
                log_p, q = F.log_softmax(student / 3, 1), F.softmax(taught / 3, 1)
                of_teacher = 9 * (q * (q.log() - log_p)).sum(1).mean()
            else:
                of_teacher = F.cross_entropy(student, taught.argmax(1))
            loss = (1 - weight) * F.cross_entropy(student, y[index]) + weight * of_teacher
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
    splits = load_images(recipe, TRAIN, TEST, CPU)
    (outcome,) = fitted(graph, recipe, splits, teacher=teacher_file(TEACHER))
    torch.testing.assert_close(outcome.weights, module.state_dict(), **TRAINED)
    assert outcome.metrics[-1].train_loss == pytest.approx(total / 50, **FLOAT32)
    with torch.no_grad():  # tests know no teacher
        images = torch.from_numpy(TEST[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
        expected = F.cross_entropy(outcome.module.eval()(images), torch.from_numpy(TEST[1])).item()
    assert outcome.metrics[-1].test_loss == pytest.approx(expected, **FLOAT32)


def learner(*overrides: str, teacher: Teacher, text: str = SPEC) -> Learner:
    graph, recipe = meaning(text, overrides)
    return Learner(
        graph, recipe, "s", 0, load_images(recipe, TRAIN, TEST, CPU).train, EagerEngine(CPU), teacher=teacher
    )


@pytest.mark.parametrize("size", [None, (5, 6)])
def test_the_teacher_sees_the_students_images_in_full_size_and_stays_what_it_is(size):
    seen: list[list[torch.Tensor]] = [[], []]
    teacher = Teacher(teacher_file(TEACHER), CPU, EagerEngine(CPU))  # it flattens, so it takes no other size
    chain = "crop(padding=2) -> flip -> mixup -> cutmix" + (" -> resize([0], [5x6])" if size else "")
    student = learner(f"train.augment={chain}", teacher=teacher, text=SPEC.replace("flatten", "global_avgpool"))
    before = {name: tensor.clone() for name, tensor in teacher._module.state_dict().items()}
    for module, inputs in zip((student.module, teacher._module), seen, strict=True):
        module.register_forward_pre_hook(lambda module, args, inputs=inputs: inputs.append((args[0], module.training)))
    student.begin_epoch()
    for _ in range(2):
        student.prepare().run()
    assert len(seen[0]) == len(seen[1]) == 2
    for (mine, trains), (its, teaches_in_training) in zip(*seen, strict=True):
        assert its.shape[2:] == (8, 8)
        assert torch.equal(mine, resized(its, size) if size else its)  # both are normalized as `signed`
        assert trains
        assert not teaches_in_training
    for name, tensor in teacher._module.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(parameter.grad is None for parameter in teacher._module.parameters())


def test_the_teacher_normalizes_images_as_it_was_trained():
    values = torch.from_numpy(TRAIN[0][:4])
    teacher = Teacher(teacher_file(TEACHER, mean=0.2, std=0.3), CPU, EagerEngine(CPU))
    expected = plain_teacher()((values.permute(0, 3, 1, 2).float() / 255 - 0.2) / 0.3)
    torch.testing.assert_close(teacher(values), expected, **sums(expected))
    assert not teacher(values).requires_grad


@pytest.mark.parametrize("augment", ["none", "mixup", "cutmix"])
def test_labels_are_smoothed_and_mixed_as_without_a_teacher(augment):
    """With a teacher of equal scores, the other half of the loss is cross-entropy with even targets - log(classes)."""
    flat = teacher_file("arch flat\ninput 3x8x8\nmodel { flatten -> dense(10, bias=false, init=zeros) }")
    still = (f"train.augment={augment}", "train.epochs=1", "train.optimizer.lr=1e-30")

    def loss(*overrides: str) -> float:
        graph, recipe = meaning(SPEC, [*still, *overrides])
        teacher = flat if recipe.distill.weight else None
        (outcome,) = fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU), teacher=teacher)
        return outcome.metrics[0].train_loss

    smooth = "train.loss=cross_entropy(label_smoothing=0.2)"
    even = loss("train.loss=cross_entropy(label_smoothing=0.9999999)", "train.distill=none") - math.log(10)
    expected = 0.5 * loss(smooth, "train.distill=none") + 0.5 * even
    # A label smoothing of 1 can't be written, and log(classes) is subtracted from a loss of nearly that size.
    assert loss(smooth, "train.distill=soft(temperature=1, weight=0.5)") == pytest.approx(expected, rel=1e-5)


def test_seeds_share_a_teacher():
    graph, recipe = meaning(SPEC)
    splits = load_images(recipe, TRAIN, TEST, CPU)
    together = fitted(graph, recipe, splits, seeds=(0, 1), teacher=teacher_file(TEACHER))
    assert together[0].learner.teacher is together[1].learner.teacher
    for outcome in together:
        (alone,) = fitted(graph, recipe, splits, seeds=(outcome.learner.seed,), teacher=teacher_file(TEACHER))
        assert all(torch.equal(tensor, alone.weights[name]) for name, tensor in outcome.weights.items())


@pytest.mark.parametrize(
    ("text", "classes", "problem"),
    [
        (TEACHER.replace("3x8x8", "3x16x16"), (), "it takes images of 3x16x16, and the network 3x8x8"),
        (TEACHER.replace("dense(10)", "dense(7)"), (), "it gives 7 scores, and the network 10"),
        (TEACHER, tuple("abcdefghix"), "its class 9 is 'x', and that of the dataset 'j'"),
    ],
)
def test_a_teacher_of_other_images_or_classes_is_refused(text, classes, problem):
    (graph, _), file = meaning(SPEC), evolve(teacher_file(text), classes=classes)
    with pytest.raises(RunError, match=f"the teacher doesn't fit: {problem}"):
        check_teacher(graph, tuple("abcdefghij"), [file])
    check_teacher(graph, tuple("abcdefghij"), [evolve(teacher_file(TEACHER), classes=tuple("abcdefghij"))])
    check_teacher(graph, (), [])


def test_weights_that_are_not_those_of_the_teachers_network_are_refused():
    file = evolve(teacher_file(TEACHER), graph=meaning(SPEC)[0])
    with pytest.raises(RunError, match="are not those of its network"):
        Teacher(file, CPU, EagerEngine(CPU))


def test_steps_cost_a_teachers_forward_pass():
    file = teacher_file(TEACHER)
    taught = learner(teacher=Teacher(file, CPU, EagerEngine(CPU)))
    assert taught.step_macs(100) == 300 + file.graph.cost.macs
    assert taught.step_macs(100) == 300 + 5 * 27 * 36 + 180 * 10


TWO_TOKENS = SPEC.replace(
    "model { conv(4, 3) -> relu -> flatten -> dense(10) }",
    """model {
    patches(12, 4) -> class_token -> class_token
    add { layernorm -> attention(3) | identity }
    let labelled = token(0) -> dense(10) -> exit
    let taught = token(1) -> dense(10) -> exit(learns=teacher)
    mean { labelled | taught } -> exit(0)
}""",
)


@pytest.mark.parametrize(("setting", "alpha"), [("hard", 0.5), ("soft(temperature=3, weight=0.1)", 0.1)])
def test_exits_that_learn_from_the_teacher_are_those_of_deit(setting, alpha):
    """`DistillationLoss` of https://github.com/facebookresearch/deit, where `soft` also divides by the classes."""
    graph, recipe = meaning(TWO_TOKENS, [f"train.distill={setting}", "train.loss=cross_entropy(label_smoothing=0.1)"])
    module, teacher = build_module(graph, "deit", seed=0), plain_teacher()
    x = torch.from_numpy(TRAIN[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    y = torch.from_numpy(TRAIN[1])
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    parts = [0.0, 0.0]
    for epoch in (1, 2):
        parts = [0.0, 0.0]
        for index in draws.permutation(0, epoch, 50).split(16):
            optimizer.zero_grad()
            _, outputs, outputs_kd = module(x[index])
            with torch.no_grad():
                teacher_outputs = teacher(x[index])
            base_loss = F.cross_entropy(outputs, y[index], label_smoothing=0.1)
            if setting == "hard":
                distillation_loss = F.cross_entropy(outputs_kd, teacher_outputs.argmax(dim=1))
            else:
                log_p, log_q = (F.log_softmax(each / 3, dim=1) for each in (outputs_kd, teacher_outputs))
                distillation_loss = F.kl_div(log_p, log_q, reduction="sum", log_target=True) * 3 * 3 / len(index)
            loss = base_loss * (1 - alpha) + distillation_loss * alpha
            loss.backward()
            optimizer.step()
            parts = [parts[0] + (1 - alpha) * base_loss.item() * len(index), parts[1]]
            parts = [parts[0], parts[1] + alpha * distillation_loss.item() * len(index)]
    (outcome,) = fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU), teacher=teacher_file(TEACHER))
    torch.testing.assert_close(outcome.weights, module.state_dict(), **TRAINED)
    metrics = outcome.metrics[-1]
    assert [one.train_loss * 50 for one in metrics.exits] == pytest.approx(parts, **FLOAT32)
    assert metrics.train_loss * 50 == pytest.approx(sum(parts), **FLOAT32)


def gradients(text: str) -> dict[str, torch.Tensor]:
    """Those of the first step."""
    graph, recipe = meaning(text, ["train.distill=hard(weight=1)"])
    teacher = Teacher(teacher_file(TEACHER), CPU, EagerEngine(CPU))
    images = load_images(recipe, TRAIN, TEST, CPU).train
    student = Learner(graph, recipe, "s", 0, images, EagerEngine(CPU), teacher=teacher)
    student.begin_epoch()
    student.prepare().run()
    return {name: p.grad for name, p in student.module.named_parameters() if p.grad is not None}


def test_with_a_share_of_1_only_the_teachers_exits_have_a_gradient():
    found = gradients(TWO_TOKENS)
    assert found["taught.dense.weight"].norm() > 0
    assert found["labelled.dense.weight"].norm() == 0
    doubled = gradients(TWO_TOKENS.replace("exit(learns", "exit(2, learns"))
    torch.testing.assert_close(doubled["taught.dense.weight"], 2 * found["taught.dense.weight"], **SAME_FORMULA)


def test_exits_without_learns_learn_what_the_network_learns():
    """An exit with the stages of the output has its loss."""
    twin = SPEC.replace("flatten -> dense(10) }", "flatten\nlet last = dense(10)\nlet twin = last -> exit(0.5)\nlast }")
    graph, recipe = meaning(twin)
    (outcome,) = fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU), teacher=teacher_file(TEACHER))
    for one in outcome.metrics:
        assert one.train_loss == pytest.approx(1.5 * one.exits[0].train_loss, **FLOAT32)
