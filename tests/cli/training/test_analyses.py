"""How often one process analyses a spec: once, whatever a command does with it."""

import pytest

from cifar_dsl.compiler import analysis
from cifar_dsl.experiments.jobs import InlineExecutor, job


@pytest.fixture
def analysed(monkeypatch):
    """The names of the specs whose graph was made, in this process."""
    names: list[str] = []
    expand = analysis.expand

    def counted(program, *more):
        names.append(program.name.text)
        return expand(program, *more)

    monkeypatch.setattr(analysis, "expand", counted)
    return names


@pytest.fixture
def three(tiny, make_spec):
    """Three specs of different meaning."""
    text = tiny.read_text()
    others = {f"tiny_{n}": text.replace("arch tiny", f"arch tiny_{n}").replace("1e-3", f"{n}e-3") for n in (2, 3)}
    return [tiny, *(make_spec(name, other) for name, other in others.items())]


def test_train_analyses_its_spec_once(cli, tiny, pictures, analysed):
    assert cli("train", tiny, "--data", f"npz:{pictures}", "--device", "cpu", "--seeds", 2, "--jobs", 1).code == 0
    assert analysed == ["tiny"]


def test_compare_analyses_each_spec_once(cli, three, pictures, analysed):
    assert cli("compare", *three, "--data", f"npz:{pictures}", "--device", "cpu", "--jobs", 1).code == 0
    assert analysed == ["tiny", "tiny_2", "tiny_3"]


def test_a_worker_analyses_a_spec_once_for_all_its_seeds(tiny, pictures, tmp_path, analysed):
    from cifar_dsl import api
    from cifar_dsl.training.events import TrainingEnded
    from cifar_dsl.training.options import RunOptions

    spec, dataset = api.open_data(api.load(tiny), f"npz:{pictures}")
    jobs = [api.job(spec, dataset, (seed,), RunOptions(runs=tmp_path, device="cpu")).portable() for seed in (0, 1)]
    analysed.clear()
    job._analyzed.cache_clear()
    events = InlineExecutor().run(jobs, lambda *_: None)
    assert [type(event) for event in events] == [TrainingEnded] * 2
    assert analysed == ["tiny"]
