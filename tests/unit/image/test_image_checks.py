"""Files that stages name and an image does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handoff_kit.image.checks import ImageProblem, find_image_problems
from handoff_kit.paths import ProjectPaths
from handoff_kit.project.load import load_project

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("project.yml", "data/a.csv", "data/b.csv", ".local/c.json", "files/d.csv", ".env/config/c.json", "lib/tool")


def problems_of(root: Path, text: str) -> list[ImageProblem]:
    paths = ProjectPaths("shop", root)
    for name in FILES:
        (paths.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (paths.directory / name).write_text("")
    (root / "README.md").write_text("")
    paths.file.write_text(text)
    return list(find_image_problems(paths, load_project(paths.file, paths.display_path)))


def test_files_that_an_image_does_not_have(tmp_path: Path) -> None:
    text = f"""
commands:
  - command: cat
    args: ../../README.md project.yml --in=.local/c.json
  - command: ../../README.md
  - shell: grep x <files/d.csv | tee data/b.csv
  - command: cat
    args: [{tmp_path}/projects/shop/data/a.csv, {tmp_path}/README.md]
image: {{exclude: [data/b.csv]}}
"""
    where = "projects/shop/project.yml: stage"
    never, readme = (
        "docs/concepts/images.md lists what never enters",
        "copy it to projects/shop/, and name it so: README.md",
    )
    expected = [
        ("1 names ../../README.md", readme),
        ("1 names project.yml", never),
        ("1 names .local/c.json", "name it as a run has it: .env/config/c.json"),
        ("2 names ../../README.md", readme),
        ("3 names files/d.csv", "name it as a run has it: .env/files/d.csv"),
        ("3 names data/b.csv", never),
        (f"4 names {tmp_path}/projects/shop/data/a.csv", "name it by its path in the project: data/a.csv"),
        (f"4 names {tmp_path}/README.md", readme),
    ]
    assert problems_of(tmp_path, text) == [
        ImageProblem(f"{where} {message}, which an image does not have", hint, fatal=False)
        for message, hint in expected
    ]


def test_words_that_name_no_such_file(tmp_path: Path) -> None:
    text = """
commands:
  - command: ./lib/tool
    args: data/a.csv files .local .. . / ../none.txt s/../x/ https://a/../../README.md .env/config/c.json /etc/passwd
  - shell: cd data && cat ../../../README.md
"""
    assert problems_of(tmp_path, text) == []
