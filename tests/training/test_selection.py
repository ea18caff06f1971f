"""Selection of training images: the hardest of each batch, and those that the run of another network chose."""

import numpy as np
import pytest
import torch
from attrs import evolve
from helpers.engines import TEACHER, pictures
from helpers.tolerances import FLOAT32, TRAINED
from helpers.training import CPU, fitted, meaning, selection_file, teacher_file
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F  # noqa: N812

from cifar_dsl.analysis.work import work_share
from cifar_dsl.foundation.errors import RunError
from cifar_dsl.operations.recipe import KEEPINGS
from cifar_dsl.training import draws
from cifar_dsl.training.checkpoints import restored, to_bytes
from cifar_dsl.training.engines import EagerEngine
from cifar_dsl.training.images import load_images
from cifar_dsl.training.learner import Learner
from cifar_dsl.training.lowering.torch_module import build_module
from cifar_dsl.training.plan import Plan
from cifar_dsl.training.selecting import check_selection
from cifar_dsl.training.selection import Chooser, Selected

SPEC = """
arch proxy
input 3x8x8
model { conv(4, 3, bias=false) -> bn -> relu -> flatten -> dense(10) }
train {
    data npz("00")
    normalize signed
    epochs 3
    batch 16
    drop_last true
    optimizer sgd(lr=0.01, momentum=0.85, nesterov=true, weight_decay=0.1)
    schedule linear
    loss cross_entropy(label_smoothing=0.2, reduction=sum)
    keep hardest(0.5, every=2)
}
"""
TRAIN, TEST = pictures(0, 50), pictures(1, 30)
STEPS = 3 * 3


def inputs(count: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    """The images as the recipe normalizes them, and their labels."""
    return torch.from_numpy(TRAIN[0]).permute(0, 3, 1, 2)[:count].float() / 127.5 - 1, torch.from_numpy(TRAIN[1])


def sgd(module: torch.nn.Module) -> tuple[torch.optim.SGD, torch.optim.lr_scheduler.LambdaLR]:
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.85, nesterov=True, weight_decay=0.1)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (STEPS - step) / STEPS)


def batches() -> list[torch.Tensor]:
    """The indices of the images in each batch of seed 0."""
    return [batch for epoch in (1, 2, 3) for batch in draws.permutation(0, epoch, 50)[:48].split(16)]


def train_proxy(module: torch.nn.Module, every: int) -> list[torch.Tensor]:
    """As `train_proxy` of airbench96_faster.py, but for its loader and hyperparameters: a mask for each batch."""
    loss_fn = torch.nn.CrossEntropyLoss(label_smoothing=0.2, reduction="none")
    optimizer, scheduler = sgd(module)
    images, all_labels = inputs()
    masks = []
    module.train()
    for current_steps, index in enumerate(batches()):
        batch, labels = images[index], all_labels[index]
        # Skip every other backward pass
        if current_steps % every == 0:
            outputs = module(batch)
            loss1 = loss_fn(outputs, labels)
            mask = torch.zeros(len(batch)).bool()
            mask[loss1.argsort()[-8:]] = True
            masks.append(mask)
            loss = (loss1 * mask.float()).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        else:
            with torch.no_grad():
                outputs = module(batch)
                loss1 = loss_fn(outputs, labels)
                mask = torch.zeros(len(batch)).bool()
                mask[loss1.argsort()[-8:]] = True
                masks.append(mask)
        scheduler.step()
    return masks


def train_on(module: torch.nn.Module, masks: list[torch.Tensor]) -> None:
    """As `main` of airbench96_faster.py trains with the masks, but for lookahead and the rest around them."""
    loss_fn = torch.nn.CrossEntropyLoss(label_smoothing=0.2, reduction="none")
    optimizer, scheduler = sgd(module)
    images, all_labels = inputs()
    module.train()
    for index, mask in zip(batches(), masks, strict=True):
        batch, labels = images[index][mask], all_labels[index][mask]
        loss = loss_fn(module(batch), labels).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        scheduler.step()


def learner(*overrides: str, selection: Selected | None = None, seed: int = 0, engine=None) -> Learner:
    graph, recipe = meaning(SPEC, overrides)
    images = load_images(recipe, TRAIN, TEST, CPU).train
    return Learner(graph, recipe, "s", seed, images, engine or EagerEngine(CPU), selection=selection)


def stepped(one: Learner) -> Learner:
    one.prepare()
    one.step()
    return one


@pytest.mark.parametrize("every", [1, 4])
def test_proxy_and_network_equal_the_authors_code(every):
    graph, recipe = meaning(SPEC, [f"train.keep=hardest(0.5, every={every})"])
    splits = load_images(recipe, TRAIN, TEST, CPU)
    (proxy,) = fitted(graph, recipe, splits)
    module = build_module(graph, "proxy", seed=0)
    masks = train_proxy(module, every)
    torch.testing.assert_close(proxy.weights, module.state_dict(), **TRAINED)

    selected = Selected(selection_file(proxy.learner))
    chosen = [selected.of(draws.permutation(0, epoch, 50)[:48], epoch).split(8) for epoch in (1, 2, 3)]
    expected = [index[mask] for index, mask in zip(batches(), masks, strict=True)]
    assert [each.tolist() for epoch in chosen for each in epoch] == [each.tolist() for each in expected]

    graph, recipe = meaning(SPEC, ["train.keep=chosen"])
    (network,) = fitted(graph, recipe, splits, seeds=(5,), selection=selected)
    module = build_module(graph, "proxy", seed=5)  # whose images are those of seed 0
    train_on(module, masks)
    torch.testing.assert_close(network.weights, module.state_dict(), **TRAINED)


def test_a_mean_over_accumulated_batches_is_that_of_the_kept_images():
    """With distillation and an incomplete last batch: 3 of 12 images, and 1 of 2."""
    overrides = ["train.keep=hardest(0.25)", "train.batch=12", "train.accumulate=2", "train.drop_last=false"]
    overrides += ["train.loss=cross_entropy", "train.distill=soft(temperature=2, weight=0.3)", "train.epochs=1"]
    graph, recipe = meaning(SPEC, overrides)
    (outcome,) = fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU), teacher=teacher_file(TEACHER))
    module, teacher = build_module(graph, "proxy", 0), build_module(teacher_file(TEACHER).graph, "teacher", 7).eval()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.85, nesterov=True, weight_decay=0.1)
    images, labels = inputs()
    total = 0.0
    for number, step in enumerate(draws.permutation(0, 1, 50).split(24)):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - number / 3)
        optimizer.zero_grad()
        kept = []
        for index in step.split(12):
            scores = module(images[index])
            with torch.no_grad():
                taught = teacher(images[index])
            log_p, log_q = (F.log_softmax(each / 2, 1) for each in (scores, taught))
            losses = 0.7 * F.cross_entropy(scores, labels[index], reduction="none")
            losses = losses + 0.3 * 4 * (log_q.exp() * (log_q - log_p)).sum(1)
            total += losses.sum().item()
            kept.append(losses.topk(3 if len(index) == 12 else 1).values)
        torch.cat(kept).mean().backward()
        optimizer.step()
    torch.testing.assert_close(outcome.weights, module.state_dict(), **TRAINED)
    assert outcome.metrics[0].train_loss == pytest.approx(total / 50, **FLOAT32)  # of all images


def test_of_equal_losses_the_first_is_kept_and_one_that_is_no_number_always():
    chooser = Chooser(KEEPINGS["hardest"](share=0.5), Plan(6, 6, 1), 0, CPU)
    index, losses = torch.tensor([5, 4, 3, 2, 1, 0]), torch.tensor([1.0, 2.0, 2.0, 2.0, float("nan"), 0.0])
    chooser.begin_epoch()
    chooser.begin_step()
    assert chooser.kept(0, losses, index).tolist() == [4, 1, 2]
    assert chooser.kept(0, -losses, index).tolist() == [4, 1, 2]  # a further pass over the same batch
    chooser.end_epoch(1)
    assert np.unpackbits(chooser.state()["noted"].numpy(), bitorder="little").tolist() == [0, 1, 0, 1, 1, 0, 0, 0]


def test_a_step_that_only_chooses_moves_statistics_and_nothing_else():
    one = learner()
    one.begin_epoch()
    stepped(one)
    before = {name: tensor.clone() for name, tensor in one.state().items()}
    stepped(one)
    changed = {name for name, tensor in one.state().items() if not torch.equal(tensor, before[name])}
    assert changed == {
        *(f"module.bn.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")),
        *("chooser.chosen", "sums.loss", "sums.correct"),
    }


def test_the_network_sees_the_images_that_were_judged_whatever_its_seed():
    """The same crops, flips and mixtures, in the same order."""
    changes = "train.augment=crop(padding=2) -> flip -> cutmix"
    seen: list[list[torch.Tensor]] = [[], []]
    proxy = learner(changes, "train.keep=hardest(0.5)", seed=3)
    graph, recipe = meaning(SPEC, [changes, "train.keep=hardest(0.5)"])
    (whole,) = fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU), seeds=(3,))
    network = learner(changes, "train.keep=chosen", selection=Selected(selection_file(whole.learner)), seed=8)
    for one, images in zip((proxy, network), seen, strict=True):
        one.module.register_forward_pre_hook(lambda _, inputs, images=images: images.append(inputs[0]))
        one.begin_epoch()
        for _ in range(3):
            stepped(one)
    assert not torch.equal(proxy.module.state_dict()["dense.weight"], network.module.state_dict()["dense.weight"])
    for mine, its in zip(*seen, strict=True):
        assert (len(mine), len(its)) == (16, 8)
        places = [next(place for place, image in enumerate(mine) if torch.equal(image, other)) for other in its]
        assert places == sorted(places)
    one, other = (learner("train.keep=chosen", selection=network.selection, seed=seed) for seed in (1, 2))
    with pytest.raises(ValueError, match="needs a selection"):
        learner("train.keep=chosen")
    assert one._seed_of_images == other._seed_of_images == 3


@pytest.mark.parametrize("after", [1, 5], ids=["in the first epoch", "in the second"])
def test_a_killed_training_chooses_the_same_images(after):
    whole = learner("train.augment=flip -> mixup")
    broken = learner("train.augment=flip -> mixup")
    content = b""
    for number, one in ((10, whole), (after, broken)):
        for step in range(number - 1):
            if step % 3 == 0:
                one.begin_epoch()
            stepped(one)
            if step % 3 == 2:
                one.end_epoch()
                one.advance_epoch()
    content = to_bytes(broken, (), 0.0, None, b"", None)
    resumed = learner("train.augment=flip -> mixup")
    restored(resumed, content)
    for step in range(after - 1, 9):
        if step % 3 == 0 or step == after - 1:
            resumed.begin_epoch()
        stepped(resumed)
        if step % 3 == 2:
            resumed.end_epoch()
            resumed.advance_epoch()
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, resumed.state()[name]), name
    assert whole.chooser.content(3) == resumed.chooser.content(3)


def test_steps_and_images_of_an_epoch_are_counted_after_the_choice():
    plan = Plan(50, 8, 1.5, accumulate=3, share=0.5)
    assert [plan.batches_in_step(1, step) for step in range(plan.steps)] == [[4, 4, 4], [4, 4, 4], [1]]
    assert (plan.steps, plan.drawn_in(1), plan.images_in(1), plan.drawn_in(2), plan.images_in(2)) == (3, 50, 25, 48, 24)
    assert plan.images_per_step == 12
    airbench = Plan(50_000, 1024, 45, drop_last=True, share=0.5)
    assert (airbench.steps_until(45), airbench.images_in(45), airbench.images_per_step) == (2160, 48 * 512, 512)
    thirds = Plan(30, 10, 1, share=0.07)  # 0.7 images, rounded up; 0.07 * 100 would be slightly more than 7
    assert (thirds.batches_in_step(1, 0), Plan(100, 100, 1, share=0.07).images_in(1)) == ([1], 7)


def test_the_work_is_that_of_the_passes_that_run():
    def share(*overrides: str, **seen: float) -> float:
        return work_share(meaning(SPEC, overrides)[1], 100, **seen)

    assert share("train.keep=all") == 1
    assert share("train.keep=hardest(0.5)") == 1  # the forward pass takes all images, and so does the backward pass
    assert share("train.keep=hardest(0.5, every=4)") == (3 + 3) / (4 * 3)
    assert share("train.keep=chosen", seen=0.5) == 0.5
    assert share("train.keep=hardest(0.5, every=4)", "train.perturb=sam") == (2 * 3 + 3) / (4 * 2 * 3)
    assert share("train.keep=hardest(0.5, every=2)", teacher=60) == (360 + 160) / (2 * 360)
    assert work_share(meaning(SPEC)[1], 0) == 1  # a network without products


@pytest.fixture(scope="module")
def chosen():
    graph, recipe = meaning(SPEC)
    (proxy,) = fitted(graph, recipe, load_images(recipe, TRAIN, TEST, CPU))
    return selection_file(proxy.learner)


@pytest.mark.parametrize(
    ("overrides", "images", "digest", "reason"),
    [
        ((), 60, "", "its run chose among 50 training images, and the dataset has 60"),
        ((), 50, "0" * 64, "its run chose among other images, those of shapes with the digest abababababababab"),
        (("train.batch=8",), 50, "", "its run was trained with `batch 16`, and this recipe has `batch 8`"),
        (
            ("train.validation=5",),
            50,
            "",
            "with `validation 0`, and this recipe has `validation 5`",
        ),
        (("train.drop_last=false",), 50, "", "with `drop_last true`, and this recipe has `drop_last false`"),
        (("train.epochs=3.5",), 50, "", "its run ended after 3 epochs, and this training has 3.5"),
    ],
)
def test_a_selection_of_other_batches_does_not_fit(chosen, overrides, images, digest, reason):
    graph, recipe = meaning(SPEC, ["train.keep=chosen", *overrides])
    with pytest.raises(RunError, match="the selection of images doesn't fit") as caught:
        check_selection(graph, recipe, images, digest or chosen.run.data.digest, [chosen])
    assert reason in caught.value.message
    assert "--selection RUN" in caught.value.help[0]


def test_a_selection_fits_fewer_epochs_and_another_augmentation_and_step(chosen):
    overrides = ["train.keep=chosen", "train.epochs=2.5", "train.augment=flip", "train.accumulate=3"]
    check_selection(*meaning(SPEC, overrides), 50, chosen.run.data.digest, [chosen])
    check_selection(*meaning(SPEC), 1, "", [])


def test_a_batch_of_which_one_image_is_chosen_needs_a_network_that_can_be_trained_on_it(chosen):
    overrides = ["train.keep=chosen", "train.drop_last=false"]
    file = evolve(chosen, recipe=evolve(chosen.recipe, drop_last=False))
    check_selection(*meaning(SPEC, overrides), 50, file.run.data.digest, [file])  # `bn` of images has many places
    graph, recipe = meaning(SPEC.replace("flatten ->", "flatten -> bn ->"), overrides)
    with pytest.raises(RunError, match="`bn2` can't be trained on a single image, and of a batch only one was chosen"):
        check_selection(graph, recipe, 50, file.run.data.digest, [file])


def test_on_pretended_cuda_tensors_a_choice_never_waits_for_the_device():
    """A wait is an error there, and so is an operation on tensors of two devices."""
    with FakeTensorMode():
        device = torch.device("cuda", 0)
        chooser = Chooser(KEEPINGS["hardest"](share=0.5), Plan(50, 6, 1), 0, device)
        chooser.begin_epoch()
        chooser.begin_step()
        index, losses = torch.arange(6, device=device), torch.rand(6, device=device)
        kept = chooser.kept(0, losses, index)
        assert (losses.index_select(0, kept).device, kept.shape) == (device, (3,))
        assert chooser.state()["chosen"].device == device
