"""Requirements that are places: a repository, a directory, a file; and what of them an image has to have."""

from __future__ import annotations

import pytest

from handoff_kit.venvs import locks


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        pytest.param("my-tap @ ./my-tap", "my-tap", id="directory"),
        pytest.param("my-tap @ ./parts/../parts/tap/", "parts/tap", id="roundabout"),
        pytest.param("./my-tap", "my-tap", id="nameless"),
        pytest.param("my-tap @ file:parts/tap", "parts/tap", id="as an address"),
        pytest.param("my-tap @ file:./tap", "tap", id="as an address with a dot"),
        pytest.param("my-tap @ file:///opt/tap", "/opt/tap", id="elsewhere"),
        pytest.param("my-tap @ ../tap", "../tap", id="outside"),
        pytest.param("my-tap @ git+https://example.com/a@main", None, id="repository"),
        pytest.param("git+ssh://git@example.com/a", None, id="nameless repository"),
        pytest.param("my-tap @ https://example.com/a-1.tar.gz", None, id="archive"),
        pytest.param("my-tap[s3]>=1; python_version < '4'", None, id="version"),
    ],
)
def test_the_path_that_a_requirement_installs(requirement: str, expected: str | None) -> None:
    assert locks.local_path(requirement) == expected
