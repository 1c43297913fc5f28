"""The stored text of a params document: within the limits of Parameter Store, without braces, and back again."""

from __future__ import annotations

import json
import random
import string
from typing import Any

import pytest

from handoff_runtime import params
from handoff_runtime.errors import PipelineError, StoreError


def document(*texts: str) -> dict[str, Any]:
    files = [{"name": f"f{number}.json", "value": text} for number, text in enumerate(texts)]
    return {"format": 1, "pipeline": {"project": "x"}, "files": files}


def noise(size: int, seed: int = 1) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=size))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param({}, id="nothing"),
        pytest.param(document("plain"), id="plain"),
        pytest.param(document("{{ a }}", "{{{{", "{{{", "\\{{", "\\\\{{\\"), id="braces"),
        pytest.param(document("x{{ a }}" * 2000), id="long, with braces"),
        pytest.param(document("käse 🧀\n\t\0\x1f\u2028"), id="unicode"),
        pytest.param(document("\udc80\ud800"), id="no unicode"),
        pytest.param(document("\udc80" * 3000), id="long, no unicode"),
        pytest.param(document(noise(20_000)), id="noise"),
        pytest.param(document("ab" * 300_000), id="more than the dictionary would want"),
    ],
)
def test_there_and_back(made: dict[str, Any]) -> None:
    text = params.encode_params(made)
    assert json.loads(params.decode_params(text)) == made
    assert "{{" not in text
    assert text.encode().decode() == text


@pytest.mark.parametrize(("size", "packed"), [(4096, False), (4097, True)])
def test_it_is_compressed_only_where_it_must(size: int, packed: bool) -> None:  # noqa: FBT001
    empty = len(json.dumps(document(""), separators=(",", ":")))
    text = params.encode_params(document("a" * (size - empty)))
    assert text.startswith("handoff:") == packed
    assert packed or len(text) == size


def test_bytes_count_not_letters() -> None:
    assert params.encode_params(document("ä" * 2100)).startswith("handoff:")


@pytest.mark.parametrize(
    ("size", "advanced", "expected"),
    [(4096, False, "Standard"), (4096, True, "Standard"), (4097, True, "Advanced"), (8192, True, "Advanced")],
)
def test_tiers(size: int, advanced: bool, expected: str) -> None:  # noqa: FBT001
    assert params.required_tier(document("x"), "a" * size, advanced=advanced) == expected


@pytest.mark.parametrize(
    ("size", "advanced", "expected", "more"),
    [
        (4097, False, "4,097 bytes when compressed, expected at most 4,096", True),
        (8193, False, "8,193 bytes when compressed, expected at most 4,096", True),
        (8193, True, "8,193 bytes when compressed, expected at most 8,192", False),
    ],
)
def test_what_is_too_long_names_the_largest_file(size: int, advanced: bool, expected: str, more: bool) -> None:  # noqa: FBT001
    with pytest.raises(StoreError) as caught:
        params.required_tier(document("short", "ä" * 600, "\ud800" * 100, "m" * 1000), "a" * size, advanced=advanced)
    assert caught.value.message == f"params: {expected}; the largest file is .local/f1.json (1,200 bytes)"
    assert ("tier: advanced" in str(caught.value.hint)) == more


def test_twelve_files_of_noise_do_not_fit_and_are_told() -> None:
    made = document(*(noise(3000, seed) for seed in range(12)))
    with pytest.raises(StoreError, match=r"bytes when compressed, expected at most 8,192; the largest file is .local/"):
        params.required_tier(made, params.encode_params(made), advanced=True)


@pytest.mark.parametrize("text", ["handoff:zstd:AAAA", "handoff:2:AAAA", "handoff:", "handoff:xz"])
def test_a_form_of_another_kit(text: str) -> None:
    with pytest.raises(PipelineError, match="expected one of lzma, zlib") as caught:
        params.decode_params(text)
    assert caught.value.hint == params.OTHER_KIT


WHOLE = params.encode_params(document(noise(6000)))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(WHOLE[:-40], id="cut"),
        pytest.param(WHOLE[:200] + "AAAA" + WHOLE[204:], id="a few letters others"),
        pytest.param("handoff:zlib:AAAA", id="not zlib"),
        pytest.param("handoff:lzma:AAAA", id="not lzma"),
        pytest.param("handoff:lzma:A", id="no base64"),
        pytest.param("handoff:lzma:ä", id="no ascii"),
        pytest.param("handoff:lzma:", id="nothing"),
    ],
)
def test_what_is_damaged(text: str) -> None:
    try:
        json.loads(params.decode_params(text))
    except PipelineError as error:
        assert error.message.startswith("params: what is stored is damaged (")  # noqa: PT017
    except ValueError:
        pass  # LZMA keeps no checksum; the JSON is none any more, and the reader of the document tells
    else:
        pytest.fail("taken for whole")
