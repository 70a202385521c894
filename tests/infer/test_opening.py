"""What a person may write for a model, and what is said about the rest: one line, naming the place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError, CorruptError, DataError, PresageError, RunError
from presage.data.verbs import Continuation, Decoding, Generation, LanguageModel
from presage.infer.opening import open_model


def test_a_run_its_step_and_a_directory(run_folder: Path, hf_folder: Path, tmp_path: Path) -> None:
    newest, step, hf = (open_model(spec) for spec in (str(run_folder), f"{run_folder}@7", f"hf:{hf_folder}"))
    assert newest.identity() == step.identity()
    assert (newest.name, hf.name) == ("target", "hf:exported")
    named = tmp_path / "run@home"
    shutil.copytree(run_folder, named)
    shutil.copytree(run_folder.parent / "s", tmp_path / "s")
    assert open_model(str(named)).name == "run@home"
    assert open_model(str(named) + "@7").identity()["step"] == 7


def test_settings_are_recorded(run_folder: Path) -> None:
    model = open_model(str(run_folder), begin=False, stride=5, batch_size=3)
    assert model.identity().items() >= {"begin": False, "stride": 5}.items()


@pytest.mark.parametrize(
    ("spec", "settings", "error", "message"),
    [
        ("{missing}", {}, RunError, "no such directory.*hf:DIR"),
        ("hf:{missing}", {}, RunError, "no such directory"),
        ("hf:", {}, RunError, "hf:: no such directory"),
        ("", {}, RunError, "a model is a run directory"),
        ("gpt-4", {}, RunError, "gpt-4: no such directory"),
        ("{run}@9", {}, RunError, "no checkpoint of step 9.*there are: 7"),
        ("{run}@last", {}, ConfigError, "'last' is not a step"),
        ("{run}@", {}, ConfigError, "'' is not a step"),
        ("{hf}", {}, ConfigError, "a Hugging Face directory, not a run.*write hf:"),
        ("hf:{run}", {}, PresageError, "missing file"),
        ("HTTP://127.0.0.1:1#m", {"attempts": 0}, ConfigError, "attempts"),
        ("Https://127.0.0.1:1#m", {"price_in": 1e308}, ConfigError, "price_in"),
        ("http://" + 300 * "a" + ".invalid/v1#m", {}, ConfigError, "not the address of an endpoint"),
        ("http://a..invalid/v1#m", {}, ConfigError, "not the address of an endpoint"),
        ("http://127.0.0.1:1/v1#m", {"proxy": "socks5://127.0.0.1:1"}, PresageError, "socksio|cannot be"),
        ("http://a.invalid/v1#m", {"proxy": "http://" + 300 * "a" + ".invalid"}, PresageError, "proxy|cannot be asked"),
        ("http://127.0.0.1:1/v1#m", {"timeout_s": 1e300}, ConfigError, "timeout_s"),
        ("http://127.0.0.1:1/v1#m", {"deadline_s": 1e300}, ConfigError, "deadline_s"),
        ("{run}", {"batchsize": 3}, ConfigError, "batchsize.*did you mean 'batch_size'"),
        ("{run}", {"batch_size": 0}, ConfigError, "batch_size"),
        ("hf:{hf}", {"engine": "vllm"}, ConfigError, "engine"),
    ],
)
def test_bad_specs_are_said_in_one_line(
    run_folder: Path,
    hf_folder: Path,
    tmp_path: Path,
    spec: str,
    settings: dict[str, Any],
    error: type[PresageError],
    message: str,
) -> None:
    place = {"run": run_folder, "hf": hf_folder, "missing": tmp_path / "nothing"}
    with pytest.raises(error, match=message) as caught:
        open_model(spec.format(**place), **settings)
    assert "\n" not in str(caught.value)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    ("file", "damage", "error", "message"),
    [
        ("tokenizer.json", Path.unlink, RunError, "tokenizer.json: missing file.*save_pretrained"),
        ("tokenizer.json", _torn, CorruptError, "tokenizer.json"),
        ("model.safetensors", Path.unlink, RunError, "model.safetensors: missing file.*pickled"),
        ("model.safetensors", _torn, CorruptError, "not a whole safetensors file"),
        ("config.json", _torn, CorruptError, "config.json: not readable as JSON"),
        ("tokenizer_config.json", _torn, DataError, "tokenizer_config.json: not JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_damaged_directories_are_named(
    hf_folder: Path, tmp_path: Path, file: str, damage: Callable[[Path], None], error: type[PresageError], message: str
) -> None:
    copy = shutil.copytree(hf_folder, tmp_path / "copy")
    damage(copy / file)
    with pytest.raises(error, match=message) as caught:
        open_model(f"hf:{copy}")
    assert "\n" not in str(caught.value)


def test_a_run_with_damaged_weights_is_refused(run_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    shutil.copytree(run_folder.parent / "s", tmp_path / "s")
    _torn(copy / "checkpoints" / f"{7:08d}" / "model.safetensors")
    with pytest.raises(CorruptError, match="differs from MANIFEST"):
        open_model(str(copy))


# ---- architectures that are not ours --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def neox(hf_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-NeoX of two layers, which our Transformer does not compute, with the tokenizer of the others."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("neox")
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.GPTNeoXConfig(vocab_size=280, max_position_embeddings=48, **shape)
    transformers.set_seed(0)
    transformers.GPTNeoXForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(hf_folder / name, folder / name)
    return folder


def test_other_architectures_go_through_transformers(neox: Path) -> None:
    model: LanguageModel = open_model(f"hf:{neox}")
    assert str(model.identity()["engine"]).startswith("transformers ")
    assert model.identity()["context_length"] == 48
    asked = [Continuation("The cat sat on", text) for text in (" the mat.", " the log.", " a", "")]
    together = model.loglikelihood(asked)
    alone = [model.loglikelihood([one])[0] for one in asked]
    assert [one.logprob for one in together] == pytest.approx([one.logprob for one in alone], abs=1e-4)
    assert [one.tokens > 0 for one in together] == [True, True, True, False]
    ((text,),) = model.generate([Generation("The cat", Decoding(max_tokens=60))])  # past the context
    ((beam,),) = model.generate([Generation("The cat", Decoding(max_tokens=60, beams=2))])
    assert text.logprob is not None and beam.logprob is not None
    assert text.tokens == 60 or text.finish == "stop"
    assert beam.logprob < 0


def test_what_ours_cannot_compute_is_said_where_ours_is_asked_for(neox: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="model_type 'gpt_neox' is not supported"):
        open_model(f"hf:{neox}", engine="presage")
    copy = shutil.copytree(neox, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"model_type": "nosuch", "architectures": ["NoSuch"]}))
    with pytest.raises(ConfigError, match=r"transformers cannot open this model.*presage's own engine: model") as e:
        open_model(f"hf:{copy}")
    assert "\n" not in str(e.value)
