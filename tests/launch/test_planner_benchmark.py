"""The planner benchmark: the comparison with plain `generate` runs, and its floor counts the right weights."""

import pytest

torch = pytest.importorskip("torch")

from benchmarks import eight_billion  # noqa: E402
from benchmarks.generation import STEPS, measure, plain, plan_question, read_bytes  # noqa: E402
from benchmarks.small_families import canvas_of  # noqa: E402

from tandem.agent.planner.answers import read_answer  # noqa: E402
from tandem.agent.planner.in_process.model import InProcessModel  # noqa: E402

TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 16,
    "num_key_value_heads": 1, "vocab_size": 640,
    "rope_parameters": {
        "rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2], "mrope_interleaved": True,
    },
}
VISION = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "deepstack_visual_indexes": [0]}
SIZE = (256, 256)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = eight_billion.write(tmp_path_factory.mktemp("small"), device="cpu", text=TEXT, vision=VISION)
    return InProcessModel(str(folder))


def test_a_plan_has_four_steps_however_it_is_written(model):
    asked = plan_question(model, SIZE)
    [answer] = model.answer([asked])
    assert len(answer.value["steps"]) == STEPS
    assert len(read_answer(plain(model, asked), asked.schema)["steps"]) == STEPS


def test_the_picture_is_resized_by_the_real_rule(model):
    assert canvas_of(model).resized[0] >= 256
    assert model.resized(640, 480) == (640, 480)


def test_everything_is_measured(model):
    found = measure(model, size=SIZE, repeats=1)
    assert found.plan_s > 0
    assert found.generate_s > 0
    assert found.tokens["forced"] > found.tokens["sampled"]
    assert found.tokens["cached"] > 0


def test_the_floor_counts_the_text_model_and_its_head(model):
    network = model._model
    every = sum(weight.nbytes for weight in network.parameters())
    eyes = sum(weight.nbytes for name, weight in network.named_parameters() if "visual" in name)
    assert read_bytes(network) == every - eyes - network.get_input_embeddings().weight.nbytes
