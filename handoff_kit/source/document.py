"""The YAML document of a text: a graph of nodes. No constructor runs, so no value is guessed at."""

from __future__ import annotations

import re

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from handoff_kit.source.misread import misread
from handoff_kit.source.position import place
from handoff_kit.source.problem import UnreadableError

NULLS = frozenset({"", "~", "null", "Null", "NULL"})


def root(text: str) -> MappingNode:
    """The one document of a text, a mapping; UnreadableError where it is none."""
    documents = _composed(text)
    if not documents:
        hint = 'the smallest project file: commands: [{command: echo, args: "hello"}]'
        raise UnreadableError("the file is empty, expected at least commands", hint)
    if len(documents) > 1:
        where = place(text, documents[1].start_mark.index)
        hint = "one file is one project: take out the --- line, or move this part to another project"
        raise UnreadableError("a second document begins here, expected one document", hint, where)
    return _mapping(text, documents[0])


def _mapping(text: str, node: Node) -> MappingNode:
    if isinstance(node, MappingNode):
        return node
    if isinstance(node, SequenceNode):
        found, hint = "a list", "write `commands:` on a line above the list, and indent the list below it"
    else:
        found, hint = "a text", "write `key: value`; YAML wants a blank after the colon"
    where = place(text, node.start_mark.index)
    raise UnreadableError(f"found {found}, expected a mapping with commands in it", hint, where)


def _composed(text: str) -> list[Node]:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        return [node for node in yaml.compose_all(text) if node is not None and not _is_blank(node)]
    except ReaderError as error:
        raise _unprintable(text, error) from error
    except MarkedYAMLError as error:
        raise misread(text, error) from error
    except (YAMLError, ValueError, AssertionError, NotImplementedError) as error:
        message = f"this is not YAML: {str(error).splitlines()[0]}"
        raise UnreadableError(message, "an editor with YAML support shows the place") from error


def _is_blank(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not node.style and node.value in NULLS


def _unprintable(text: str, error: ReaderError) -> UnreadableError:
    found = re.search(re.escape(chr(error.character)), text) if isinstance(error.character, int) else None
    where = place(text, found.start()) if found else (0, 0)
    code = f"U+{error.character:04X}" if isinstance(error.character, int) else str(error.character)
    hint = f'take it out, or write it as an escape in double quotes: "\\x{code[-2:].lower()}"'
    return UnreadableError(f"found the unprintable character {code}, expected text", hint, where)
