"""A checkpoint is looked up once and pinned to a commit; what a folder holds is judged by names before it is read."""

import json

import pytest

from tandem.bridge.checkpoints import Source, check_names, described, digest_of, digests, fetch, files_of, locate
from tandem.bridge.checkpoints import source as module
from tandem.bridge.contract import ModelUnusable

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one repository; what it was asked for."""
    folder, asked = tmp_path / COMMIT, []
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "pi0"}))

    def download(name, file, revision=None):
        asked.append((name, file, revision))
        return str(folder / file)

    def listed(name, revision=None):
        asked.append(("files", revision))
        return ["config.json", "model.safetensors"]

    def snapshot(name, revision=None, **more):
        asked.append(("all", revision))
        return str(folder)

    for name, fake in (("hf_hub_download", download), ("list_repo_files", listed), ("snapshot_download", snapshot)):
        monkeypatch.setattr(module, name, fake)
    return folder, asked


def test_a_repository_is_pinned_to_the_commit_that_was_looked_at(hub):
    folder, asked = hub
    source = locate("maker/model", "main")
    assert source == Source("maker/model", folder, COMMIT)
    assert described(source) == {"model_type": "pi0"}
    assert files_of(source) == ["config.json", "model.safetensors"]
    assert fetch(source) == folder
    assert asked == [("maker/model", "config.json", "main"), ("files", COMMIT), ("all", COMMIT)]


def test_a_folder_has_no_revision(tmp_path):
    (tmp_path / "config.json").write_text("[]")
    source = locate(str(tmp_path), "main")
    assert source.revision is None
    assert fetch(source) == tmp_path
    with pytest.raises(ModelUnusable, match="no object"):
        described(source)
    with pytest.raises(ModelUnusable, match=r"no other\.json"):
        described(source, "other.json")


def test_names_promise_safetensors_or_are_refused():
    check_names("it", ["model.safetensors"])
    check_names("it", ["model.safetensors.index.json"])
    check_names("it", ["adapter_model.safetensors"], "adapter_model.safetensors")
    with pytest.raises(ModelUnusable, match="can run code"):
        check_names("it", ["pytorch_model.bin"])
    with pytest.raises(ModelUnusable, match="has no weights"):
        check_names("it", ["config.json"])


def test_a_file_that_changed_has_another_digest(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"one")
    first = digests([path])
    path.write_bytes(b"another")
    assert digests([path]) != first
    assert digest_of(first) == first["model.safetensors"]
    assert len(digest_of({**first, "other": "0" * 64})) == 64
