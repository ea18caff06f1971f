"""Hypothesis strategies for recipes: the settings of `train`, drawn so that they agree with each other."""

from typing import Any

from helpers.drawn_calls import bound, calls, text_of, values_of
from hypothesis import strategies as st

from cifar_dsl.foundation import limits
from cifar_dsl.ir.recipe import Schedule
from cifar_dsl.operations.recipe import AUGMENTATIONS, SCHEDULES, SETTINGS, Setting

_ARTIFACTS = (
    'weights("0123abcd")',
    'teacher("0123abcd", digest="4567cdef")',
    'selection("0123abcd", digest="4567cdef")',
)


@st.composite
def recipes(draw: st.DrawFn) -> str:
    """A complete recipe for CIFAR-10."""
    values = {s.name: draw(_settings_of(s)) for s in SETTINGS.values() if s.default is None or draw(st.booleans())}
    if values.get("early_stopping", "none") != "none" and values.get("validation", "0") == "0":
        values["validation"] = "100"  # of the images, to stop by
    if values.get("weight_precision") == "half" and values.get("precision", "fp32") == "fp32":
        values["precision"] = "bf16"  # the format of the weights
    if "teacher" in values.get("uses", "") and values.get("distill", "none") == "none":
        values["distill"] = "hard"  # something must learn from it
    if "selection" in values.get("uses", ""):
        values["keep"] = "chosen"
    if values.get("normalize", "").startswith(
        ("gcn", "zca")
    ):  # before augmentation and teachers, which may need pixels
        values.pop("augment", None)
        if values.get("distill", "none") != "none":
            values.pop("normalize")
    # Norms of one place can't be trained on a single image.
    if values.get("batch") == "1":
        values["batch"] = "2"
    elif int(values["batch"]) % 2 or int(values.get("validation", "0")) % 2:  # datasets have even numbers of images
        values["drop_last"] = "true"
    lines = [f"{name} {value}" for name, value in values.items()]
    if values["optimizer"].startswith("muon"):  # muon trains no vectors
        lines.append(_group("rest", "[bias, scale, embedding]", "optimizer adam(lr=1e-3)"))
    else:
        for select in draw(st.lists(st.sampled_from(["matrix", "bias"]), unique=True, max_size=2)):
            optimizer = draw(_settings_of(SETTINGS["optimizer"]).filter(lambda text: not text.startswith("muon")))
            own = [f"optimizer {optimizer}", f"schedule {draw(_settings_of(SETTINGS['schedule']))}", "epochs 0.5"]
            lines.append(_group(f"some_{select}", select, *draw(st.lists(st.sampled_from(own), unique=True))))
    return "train {\n" + "\n".join(draw(st.permutations(lines))) + "\n}\n"


def _group(name: str, select: str, *settings: str) -> str:
    return "\n".join([f"group {name} {{", f"select {select}", *settings, "}"])


def _settings_of(setting: Setting) -> st.SearchStrategy[str]:
    if setting.kind:
        return values_of(setting.kind).map(text_of)
    registry: Any = setting.registry
    if setting.name == "average":  # only one average may be tested, and none may start too late
        return st.sampled_from(["none", "ema(0.9)", "swa(0)", "lookahead", "lookahead(2, rate=1) -> ema(0.5, every=3)"])
    if setting.name == "uses":  # each kind once
        return st.lists(st.sampled_from(_ARTIFACTS), unique=True).map(lambda chain: " -> ".join(chain) or "none")
    if setting.name == "data":
        return st.sampled_from(["cifar10", "shapes", 'npz("0123abcd")'])
    names = sorted(set(registry) - {"resize"})  # which not every network allows
    choice = st.sampled_from(names).flatmap(lambda name: calls(registry[name]))
    if setting.is_chain:
        chains = st.lists(choice, min_size=1, max_size=3).map(lambda chain: sorted(chain, key=_mixes))
        chains = chains.filter(lambda chain: sum(map(_mixes, chain)) <= limits.DEFAULTS.mixtures)
        return chains.map(" -> ".join) | st.just("none")
    if setting.name == "loss":  # as many weights as there are classes
        weighted = st.sampled_from(["cross_entropy", "focal"]).map(
            lambda name: f"{name}(weights={[1.5, *range(1, 10)]})"
        )
        return choice.filter(lambda text: "[" not in text) | weighted
    if setting.name == "schedule":  # not every optimizer has a momentum to set
        return choice.filter(lambda text: not _schedule(text).sets_momentum)
    return choice


def _schedule(text: str) -> Schedule:
    schedule: Schedule | None = bound(SCHEDULES[text.partition("(")[0]], text)
    assert schedule is not None
    return schedule


def _mixes(augmentation: str) -> bool:
    name = augmentation.partition("(")[0]
    return name in AUGMENTATIONS and AUGMENTATIONS[name].mixes
