# SPDX-License-Identifier: Apache-2.0
"""Programs that were written for KAT's and FlashKAT's packages run unedited, with grkan in the package's place."""

import importlib
import os
import sys

import pytest
from conftest import ROOT, coefficients, reference, run_python

torch = pytest.importorskip("torch")

import grkan
import grkan.torch
from grkan.torch import KAT_Group, KAT_Group_Torch, in_place_of
from grkan.torch.in_place_of import __main__ as command

# What the published packages and their modules export, but for their scripts (fit, gain) and Triton's kernels.
EXPORTED = {
    "kat_rational": "RationalTriton1DGroup KAT_Group KAT_Group2D KAT_Group_Torch",
    "kat_rational.kat_1dgroup": "rational_1dgroup KAT_Group",
    "kat_rational.kat_1dgroup_torch": "Rational_CUDA_A_1DGroup KAT_Group_Torch",
    "kat_rational.kat_1dgroup_triton": "KAT_Group",
    "kat_rational.kat_2dgroup_triton": "KAT_Group2D",
    "kat_rational.rational_triton": "RationalTriton1DGroup rational_fwd_triton rational_bwd_triton",
    "kat_rational.rational_triton2d": "RationalTriton2D rational_fwd_triton_2d rational_bwd_triton_2d",
    "kat_rational_cu": "rational_fwd_1dgroup rational_bwd_1dgroup",
    "rational_kat": "RationalTriton1DGroup KAT_Group FlashKAT_Group KAT_Group_Torch",
    "rational_kat.kat_1dgroup_torch": "Rational_CUDA_A_1DGroup KAT_Group_Torch",
    "rational_kat.kat_1dgroup_triton": "KAT_Group",
    "rational_kat.flash_kat_1dgroup_triton": "FlashKAT_Group",
    "rational_kat.kernels.rational_triton": "RationalTriton1DGroup rational_fwd_triton rational_bwd_triton",
    "rational_kat.kernels.flash_rational_triton":
        "FlashRationalTriton1DGroup rational_fwd_triton rational_bwd_triton",
}


@pytest.fixture
def packages(monkeypatch):
    """The packages as a program finds them that runs with grkan in their place; none of them afterwards."""
    folder = ROOT / "python" / "grkan" / "torch" / "in_place_of"
    monkeypatch.setattr(sys, "path", [str(folder / "kat_rational"), str(folder / "rational_kat"), *sys.path])

    def forget():
        for name in [name for name in sys.modules if name.partition(".")[0] in in_place_of.PACKAGES]:
            del sys.modules[name]

    forget()
    yield importlib.import_module
    forget()


@pytest.mark.parametrize("name", EXPORTED)
def test_every_published_name_is_there(packages, name):
    module = packages(name)
    assert [one for one in EXPORTED[name].split() if not callable(getattr(module, one, None))] == []
    if "." not in name and name != "kat_rational_cu":
        assert [one for one in EXPORTED[name].split() if not hasattr(grkan.torch, one)] == []


FUNCTIONS = [  # apply, forward and backward of a module, and what shape of x they take
    ("kat_rational.rational_triton", "RationalTriton1DGroup", "rational_fwd_triton", "rational_bwd_triton", (4,), -1),
    ("kat_rational.rational_triton2d", "RationalTriton2D", "rational_fwd_triton_2d", "rational_bwd_triton_2d", (4,), 1),
    ("rational_kat.kernels.flash_rational_triton", "FlashRationalTriton1DGroup", "rational_fwd_triton",
     "rational_bwd_triton", (), -1),
]


@pytest.mark.parametrize("name, node, forward, backward, group, channel_dim", FUNCTIONS)
def test_published_functions(packages, name, node, forward, backward, group, channel_dim):
    module = packages(name)
    numerator, denominator = coefficients(groups=4, shared=False)
    x = torch.randn((2, 8, 3, 3) if channel_dim == 1 else (2, 3, 8), dtype=torch.float64, requires_grad=True)
    tables = [torch.tensor(table, requires_grad=True) for table in (numerator, denominator)]
    y = getattr(module, node).apply(x, *tables, *group)
    expected = reference(x.detach().numpy(), numerator, denominator, channel_dim=channel_dim)
    torch.testing.assert_close(y.detach(), torch.tensor(expected))
    torch.testing.assert_close(getattr(module, forward)(x, *tables, *group), y.detach())
    dy = torch.randn_like(y)
    y.backward(dy)
    found = getattr(module, backward)(dy, x, *tables, *group)
    for gradient, t in zip(found, (x, *tables)):
        torch.testing.assert_close(gradient, t.grad)


def test_groups_that_do_not_fit_the_coefficients_are_refused():
    x, a, b = torch.ones(2, 3, 8), torch.ones(4, 6), torch.ones(4, 4)
    with pytest.raises(grkan.InvalidArgumentError, match="group is 8; expected 4, the rows of the coefficients"):
        grkan.torch.RationalTriton1DGroup.apply(x, a, b, 8)


def test_the_module_for_the_cpu_computes_what_the_other_does():
    """The published one leaves out the abs of x in Q, so that it is another function where x is negative."""
    torch.manual_seed(0)
    cpu, gpu = KAT_Group_Torch(num_groups=4, mode="swish"), KAT_Group(num_groups=4)
    with torch.no_grad():
        cpu.weight_denominator.add_(torch.rand(4, 4))
    gpu.load_state_dict(cpu.state_dict())
    x = torch.randn(2, 5, 8)
    torch.testing.assert_close(cpu(x), gpu(x), rtol=0, atol=0)


# Modes whose published tables were fitted for another form: the function, and the error of the best fit, rounded up.
PRODUCTS = {
    "geglu": (lambda x: x * torch.nn.functional.gelu(x), 2e-3),
    "swishglu": (lambda x: x * torch.nn.functional.silu(x), 1e-4),
    "erfc_Softplus_2": (lambda x: torch.special.erfc(torch.nn.functional.softplus(x))**2, 2e-4),
}


@pytest.mark.parametrize("mode", PRODUCTS)
def test_published_modes_without_a_preset(mode):
    module, (function, error) = KAT_Group(mode="identity"), PRODUCTS[mode]
    module.initialize(mode)
    x = torch.linspace(-3, 3, 8000).reshape(1, 1000, 8)
    with torch.no_grad():
        assert float((module(x) - function(x)).abs().max()) <= error


PROGRAM = """
import multiprocessing, sys
from kat_rational import KAT_Group
from kat_rational.rational_triton import RationalTriton1DGroup
import beside

def work():
    sys.exit(KAT_Group.__module__ != "grkan.torch._modules")

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
    print(sys.argv[1:], __file__, __name__, beside.where, KAT_Group.__module__, process.exitcode)
    sys.exit(5)
"""


@pytest.fixture
def program(tmp_path):
    """A program with a file beside it, and another package of the name beside it, which the program shall not find."""
    (tmp_path / "kat_rational").mkdir()
    (tmp_path / "kat_rational" / "__init__.py").write_text("raise ImportError('the wrong one')")
    (tmp_path / "beside.py").write_text("where = 'here'")
    (tmp_path / "train.py").write_text(PROGRAM)
    return tmp_path / "train.py"


def in_place(*words, folder=None, **environment):
    path = os.pathsep.join([str(ROOT / "python"), *([str(folder)] if folder else [])])
    return run_python("-m", "grkan.torch.in_place_of", *words, **{**environment, "PYTHONPATH": path})


def test_a_script_and_its_processes(program):
    done = in_place("kat_rational", str(program), "-b", "128", "--model", "kat")
    assert done.stdout.strip() == (f"['-b', '128', '--model', 'kat'] {program} __main__ here grkan.torch._modules "
                                   "0"), done.stderr
    assert done.returncode == 5


def test_a_module(program):
    done = in_place("kat_rational", "-m", "train", "-m", "x", folder=program.parent)
    assert done.stdout.startswith(f"['-m', 'x'] {program} __main__ here grkan.torch._modules 0"), done.stderr
    assert done.returncode == 5


def test_a_program_that_puts_its_own_folder_first(program):
    program.write_text(f"import sys\nsys.path.insert(0, {str(program.parent)!r})\n"
                       "import kat_rational\nprint(kat_rational.KAT_Group.__module__)")
    done = in_place("kat_rational", str(program))
    assert done.stdout.strip() == "grkan.torch._modules", done.stderr


@pytest.mark.parametrize("words, text", [
    (["kat", "train.py"], "argument PACKAGE: invalid choice: 'kat' (choose from"),
    (["kat_rational", "no/train.py"], "there is no file 'no/train.py'"),
    (["kat_rational", ""], "there is no file ''"),
    (["kat_rational", str(ROOT / "docs")], f"there is no file '{ROOT / 'docs'}'"),
    (["rational_kat", "-m", "no.module"], "there is no module 'no.module'"),
    (["rational_kat", "-m", ".relative"], "there is no module '.relative'"),
    (["rational_kat"], "the following arguments are required: PROGRAM"),
])
def test_bad_usage(words, text, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit, match="2"):
        command.main(words)
    assert text in capsys.readouterr().err


def test_the_programs_own_errors_are_its_own(tmp_path):
    (tmp_path / "train.py").write_text("import no_such_module")
    done = in_place("rational_kat", str(tmp_path / "train.py"))
    assert done.returncode == 1 and "No module named 'no_such_module'" in done.stderr
