# SPDX-License-Identifier: Apache-2.0
"""Activations by name in Hugging Face's Transformers."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("safetensors")

import grkan
import grkan.transformers
from grkan.torch import Rational, replace_activation
from transformers.activations import ACT2FN

SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 50,
        "max_position_embeddings": 16}


def make_bert(act):
    torch.manual_seed(0)
    return transformers.BertModel(transformers.BertConfig(hidden_act=act, **SIZE)).eval()


def activations_of(model):
    return [module for module in model.modules() if isinstance(module, Rational)]


TOKENS = torch.arange(12).reshape(2, 6)


@torch.no_grad()
def test_a_model_by_name():
    model, plain = make_bert("grkan_gelu"), make_bert("gelu")
    found = activations_of(model)
    assert len(found) == 2 and found[0].denominator.shape == (1, 4) and found[0] is not found[1]
    model.load_state_dict(plain.state_dict(), strict=False)
    difference = (model(TOKENS).last_hidden_state - plain(TOKENS).last_hidden_state).abs().max()
    assert 0 < float(difference) < 0.01


def test_groups_on_request():
    try:
        grkan.transformers.register(groups=4)
        assert ACT2FN["grkan_swish"].denominator.shape == (4, 4)
        with pytest.raises(grkan.InvalidArgumentError, match="groups is 0; expected an integer from 1"):
            grkan.transformers.register(groups=0)
    finally:
        grkan.transformers.register()
    assert ACT2FN["grkan_swish"].denominator.shape == (1, 4)


def test_a_checkpoint_without_coefficients_leaves_them_as_they_begin(tmp_path):
    make_bert("gelu").save_pretrained(tmp_path)
    for _ in range(3):  # what memory without values holds is by chance
        junk = torch.full((1 << 16,), float("nan"))
        del junk
        model = transformers.BertModel.from_pretrained(tmp_path, hidden_act="grkan_gelu")
        for act in activations_of(model):
            torch.testing.assert_close(act.state_dict(), Rational(1, "gelu").state_dict(), rtol=0, atol=0)


@torch.no_grad()
def test_a_checkpoint_with_coefficients_gives_them_back(tmp_path):
    model = make_bert("grkan_gelu")
    for act in activations_of(model):
        act.numerator.add_(1)
        act.denominator.add_(torch.rand(1, 4))
    model.save_pretrained(tmp_path)
    again = transformers.BertModel.from_pretrained(tmp_path)
    for old, new in zip(activations_of(model), activations_of(again)):
        torch.testing.assert_close(new.state_dict(), old.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(again.eval()(TOKENS).last_hidden_state, model(TOKENS).last_hidden_state)


@pytest.mark.parametrize("act, error", [("gelu", 0.01), ("gelu_new", 0.01), ("quick_gelu", 0.01), ("relu", 0.1)])
@torch.no_grad()
def test_activations_of_a_model_are_replaced(act, error):
    model, plain = make_bert(act), make_bert(act)
    assert replace_activation(model) == [f"encoder.layer.{i}.intermediate.intermediate_act_fn" for i in range(2)]
    assert float((model(TOKENS).last_hidden_state - plain(TOKENS).last_hidden_state).abs().max()) < error
