"""What fits a machine, and what a refusal suggests instead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pointsman.errors import WontFit
from pointsman.models import fit
from pointsman.models.catalogue import load_catalogue
from pointsman.models.fit import CudaDevice, Hardware, check_fit, fits, hardware

SMALL = Hardware(cores=2, total_mb=8000, available_mb=6000)
GPU = Hardware(
    cores=8, total_mb=64_000, available_mb=50_000, cuda=(CudaDevice(name="A", total_mb=12_000, free_mb=11_000),)
)
CATALOGUE = load_catalogue()


def test_a_small_model_fits_a_small_machine() -> None:
    found = fits(CATALOGUE.get("smollm2-135m"), SMALL, precision="nf4", engine="auto")
    assert found.ok and found.where == "llama.cpp" and 98 < found.needed_mb < 1000


def test_four_bits_fit_where_sixteen_do_not() -> None:
    card = CATALOGUE.get("qwen2.5-coder-7b")
    four = fits(card, GPU, precision="nf4", engine="auto")
    sixteen = fits(card, GPU, precision="full", engine="auto")
    assert four.ok and four.where == "cuda" and not sixteen.ok
    assert sixteen.needed_mb - four.needed_mb == card.memory_mb["full"] - card.memory_mb["nf4"]


def test_the_context_counts_up_to_the_models_own_limit() -> None:
    card = CATALOGUE.get("deepseek-coder-6.7b")
    need = [fits(card, GPU, precision="nf4", engine="auto", context=n).needed_mb for n in (1000, 5000, 16_384, 99_999)]
    assert need[1] - need[0] == pytest.approx(2 * 4000 * card.kv_bytes_per_token / 1e6, abs=1), "typing and chat"
    assert need[2] == need[3]


def test_an_embedder_is_never_quantised() -> None:
    card = CATALOGUE.get("nomic-embed-code")
    assert fits(card, GPU, precision="nf4", engine="auto").needed_mb > card.memory_mb["full"]


def test_llama_cpp_without_a_gguf_does_not_fit() -> None:
    found = fits(CATALOGUE.get("qwen2.5-coder-0.5b"), SMALL, precision="nf4", engine="llama.cpp")
    assert not found.ok and "GGUF" in found.reason


def test_the_own_endpoint_needs_nothing_here() -> None:
    assert fits(CATALOGUE.get("codestral-22b"), SMALL, precision="full", engine="own").ok


def test_a_refusal_names_the_largest_that_fits_for_the_same_purpose() -> None:
    with pytest.raises(WontFit) as caught:
        check_fit(CATALOGUE.get("codestral-22b"), SMALL, precision="nf4", engine="auto", alternatives=CATALOGUE.cards)
    fitting = [
        card
        for card in CATALOGUE.cards
        if "completion" in card.roles and fits(card, SMALL, precision="nf4", engine="auto").ok
    ]
    largest = max(fitting, key=lambda card: card.parameters_m)
    assert largest.parameters_m > 1000 and f"models use {largest.name}" in caught.value.remedy
    assert "codestral-22b does not fit" in caught.value.message


def test_a_refusal_at_full_precision_names_four_bits() -> None:
    with pytest.raises(WontFit, match="nf4"):
        check_fit(CATALOGUE.get("qwen2.5-coder-7b"), GPU, precision="full", engine="auto", alternatives=())


def test_what_fits_is_not_refused() -> None:
    check_fit(CATALOGUE.get("smollm2-135m"), SMALL, precision="nf4", engine="auto", alternatives=())


LINES = """0, GPU-aa11, NVIDIA H200, 143771, 143000
1, GPU-ab22, Odd, Name, 16384, 1000
2, GPU-ac33, Split, [N/A], [N/A]

"""


@pytest.fixture
def torch_has_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(fit.importlib.metadata, "version", lambda _: "2.13.0")


@pytest.mark.usefixtures("torch_has_cuda")
def test_devices_are_read_from_nvidia_smi() -> None:
    found = hardware(lambda: LINES).cuda
    assert [(d.name, d.free_mb) for d in found] == [("NVIDIA H200", 149946), ("Odd, Name", 1048)]
    assert hardware(lambda: LINES, device="cpu").cuda == ()


@pytest.mark.usefixtures("torch_has_cuda")
@pytest.mark.parametrize(
    ("visible", "names"),
    [
        ("MIG-1c2d3e4f", ["NVIDIA H200"]),
        ("", []),
        ("-1", []),
        ("1", ["Odd, Name"]),
        ("1,0", ["Odd, Name", "NVIDIA H200"]),
        ("GPU-ab", ["Odd, Name"]),
        ("GPU-a", []),  # more than one
        ("0,7,1", ["NVIDIA H200"]),
    ],
)
def test_only_devices_that_programs_may_see_count(
    visible: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [device.name for device in hardware(lambda: LINES).cuda] == names


def test_the_first_device_must_have_the_room() -> None:
    small, large = (CudaDevice(name="A", total_mb=mb, free_mb=mb) for mb in (2_000, 80_000))
    card = CATALOGUE.get("qwen2.5-coder-7b")
    first = Hardware(cores=8, total_mb=64_000, available_mb=50_000, cuda=(small, large))
    assert not fits(card, first, precision="nf4", engine="auto").ok
    assert fits(card, replace(first, cuda=(large, small)), precision="nf4", engine="auto").ok


def test_a_cpu_holds_32_bits_for_a_weight_and_for_keys_and_values() -> None:
    card = CATALOGUE.get("qwen2.5-coder-1.5b")
    plenty = replace(GPU, cuda=())
    full, four = (fits(card, plenty, precision=p, engine="torch", context=1000).needed_mb for p in ("full", "nf4"))
    cache = 2 * 1000 * 2 * card.kv_bytes_per_token / 1e6
    assert full == pytest.approx(4 * card.parameters_m + cache + 700, abs=1)
    assert card.memory_mb["nf4"] + 400 < four - cache - 700 < card.memory_mb["nf4"] + 600, "embeddings stay wide"


def test_an_embedder_in_the_same_process_counts() -> None:
    card, embedder = CATALOGUE.get("smollm2-135m"), CATALOGUE.get("coderankembed")
    alone, both = (
        fits(card, GPU, precision="nf4", engine="torch", beside=beside).needed_mb for beside in (None, embedder)
    )
    assert both - alone == embedder.memory_mb["full"]
    tight = replace(GPU, cuda=(CudaDevice(name="A", total_mb=2_000, free_mb=round(1.05 * alone / 0.9)),))
    check_fit(card, tight, precision="nf4", engine="torch", alternatives=())
    with pytest.raises(WontFit):
        check_fit(card, tight, precision="nf4", engine="torch", alternatives=(), beside=embedder)


def test_a_torch_without_cuda_has_no_devices_and_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(fit.importlib.metadata, "version", lambda _: "2.13.0+cpu")
    assert hardware(lambda: pytest.fail("asked")).cuda == ()


def test_this_machine_has_cores_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # no nvidia-smi
    found = hardware()
    assert found.cores >= 1 and 0 < found.available_mb <= found.total_mb and found.cuda == ()
