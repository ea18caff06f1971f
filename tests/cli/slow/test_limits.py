"""A raised limit holds in every process of a command."""

from cifar_dsl.foundation import limits


def test_other_processes_have_the_limits_that_were_raised(cli, make_spec, pictures, one_worker):
    model = f"model {{ repeat {limits.DEFAULTS.layers + 1} {{ relu }}\nflatten -> dense(10) }}\n"
    recipe = "train { data shapes\n epochs 1\n batch 60\n optimizer sgd(lr=1e-3) }\n"
    deep = make_spec("deep", f"arch deep\ninput 3x32x32\n{model}{recipe}")
    arguments = ("train", deep, "--data", f"npz:{pictures}", "--seeds", 2, "--jobs", 2, "--device", "cpu")
    assert cli("--limit", "LAYERS=20_000", *arguments).code == 0
