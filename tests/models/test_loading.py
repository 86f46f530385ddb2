"""What `load` and `wrap` accept, and one clear line for what they do not."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from monosema.core.errors import ConfigError, DamagedError, DataError, MismatchError
from monosema.models import load, wrap


@pytest.fixture
def folder(tmp_path, build):
    build("gpt2").save_pretrained(tmp_path)
    return tmp_path


def test_a_loaded_model_predicts_what_was_saved(folder, tokens, capfd, build):
    model, saved = load(folder), build("gpt2")
    read = model.module.state_dict()
    assert all(torch.equal(read[name], tensor) for name, tensor in saved.state_dict().items())
    logits = model.run(tokens, ["logits"])["logits"]
    assert torch.equal(logits, model.module(tokens, use_cache=False).logits)
    assert_close(logits, saved(tokens).logits, rtol=0, atol=1e-6)  # where weights lie in memory moves the last bit
    assert (model.name, model.n_layers, model.n_heads, model.d_head, model.n_context) == (folder.name, 2, 3, 8, 32)
    assert not any(p.requires_grad for p in model.module.parameters())
    assert not model.module.training
    assert capfd.readouterr() == ("", "")


def test_dtype_is_that_of_weights_and_activations_and_of_the_fingerprint(folder, tokens):
    model = load(folder, dtype="bfloat16")
    assert model.dtype == model.run(tokens, ["resid_mid.1"])["resid_mid.1"].dtype == torch.bfloat16
    assert model.fingerprint != load(folder).fingerprint


def damage(folder, name, change):
    path = folder / name
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("prepare", "error", "message"),
    [
        (lambda f: (f / "config.json").unlink(), DataError, "holds no model: it has no config.json"),
        (lambda f: damage(f, "config.json", lambda b: b[:40]), DamagedError, "not valid JSON"),
        (
            lambda f: damage(f, "config.json", lambda b: b.replace(b'"gpt2"', b'"gpt5"')),
            ConfigError,
            "Did you mean 'gpt2'",
        ),
        (lambda f: damage(f, "config.json", lambda _: b"{}"), DataError, "names no model_type"),
        (lambda f: (f / "model.safetensors").unlink(), DataError, "no weights: model.safetensors is missing or empty"),
        (lambda f: damage(f, "model.safetensors", lambda b: b[: len(b) // 2]), DamagedError, "cannot be read"),
        (lambda f: damage(f, "model.safetensors", lambda _: b""), DataError, "missing or empty"),
    ],
)
def test_a_folder_that_is_no_model_is_refused_in_one_line(folder, prepare, error, message):
    prepare(folder)
    with pytest.raises(error, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_all_there_are_not_made_up(folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors.pop("transformer.h.1.mlp.c_fc.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        DamagedError, match=r"lack 1 of the model's tensors, first transformer\.h\.1\.mlp\.c_fc\.weight"
    ):
        load(folder)


def test_a_config_of_another_size_than_the_weights_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_inner": 64}))
    with pytest.raises(DamagedError, match=r"h\.0\.mlp\.c_fc\.bias in .* is \[96\], the config says \[64\]"):
        load(folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"dtype": "float23"}, "unknown dtype 'float23'. Did you mean 'float32'"), ({"device": "cuda"}, "no CUDA GPU")],
)
def test_settings_that_cannot_work_are_refused(folder, arguments, message):
    if torch.cuda.is_available() and "device" in arguments:
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match=message):
        load(folder, **arguments)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no model at"):
        load(tmp_path / "nothing")


def test_training_mode_is_refused(build):
    with pytest.raises(ConfigError, match="in training mode"):
        wrap(build("gpt2").train(), "tiny")


class Doubled(nn.Module):
    """An MLP whose output the block adds is not what the table says: the table's path is one module too deep."""

    def __init__(self, mlp: nn.Module) -> None:
        super().__init__()
        self.c_proj, self.mlp = mlp.c_proj, mlp

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.mlp.c_proj = self.c_proj
        return 2 * self.mlp(x)


class Leaky(nn.Module):
    """A block that adds a constant of its own to the residual stream."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.attn, self.mlp, self.ln_2, self.block = block.attn, block.mlp, block.ln_2, block

    def forward(self, *args, **kwargs):
        return self.block(*args, **kwargs) + 0.25


def test_a_model_whose_parts_do_not_add_up_is_refused(build):
    module = build("gpt2")
    module.transformer.h[1] = Leaky(module.transformer.h[1])
    with pytest.raises(MismatchError, match=r"does not hold exactly: resid_mid \+ mlp_out = resid_post in layer 1"):
        wrap(module, "leaky")
    module = build("gpt2")
    module.transformer.h[1].mlp = Doubled(module.transformer.h[1].mlp)
    wrap(module, "an MLP that doubles is still what the block adds")


def test_attention_that_no_hook_can_see_is_refused(build):
    # This switch makes transformers compute eager attention by another function than the interface's, in float32.
    module = build("gpt2", reorder_and_upcast_attn=True)
    with pytest.raises(MismatchError, match="does not hold exactly: the hooked logits are the eager ones"):
        wrap(module.bfloat16(), "upcast")


def test_a_model_without_its_tables_modules_is_refused(build):
    module = build("gpt2")
    module.transformer.h[0].mlp = nn.Identity()
    with pytest.raises(MismatchError, match=r"has no 'transformer\.h\.0\.mlp\.c_proj'"):
        wrap(module, "bare")


def test_a_model_that_predicts_nan_is_refused(build):
    module = build("gpt2")
    module.transformer.wte.weight.data[7] = float("nan")
    with pytest.raises(DataError, match="NaN or infinite logits"):
        wrap(module, "broken")


def test_the_names_and_the_config_checks_cost_no_torch():
    code = "import sys, monosema.models.families, monosema.models; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
