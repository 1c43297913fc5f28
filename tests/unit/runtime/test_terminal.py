"""What of text from elsewhere reaches a terminal: colours, tabs and newlines, and nothing that acts on it."""

from __future__ import annotations

import time

import pytest

from handoff_runtime.terminal import safe_bytes, safe_line, safe_name, safe_text

TITLE = "\x1b]0;you are root\x07"
CASES = {
    "plain": ("rows: 12\n", "rows: 12\n"),
    "UTF-8 whose last byte is that of a control": ("ě Û €\n", "ě Û €\n"),
    "tab and newline": ("a\tb\nc", "a\tb\nc"),
    "colour": ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    "colour without a number": ("\x1b[mplain", "\x1b[mplain"),
    "colour of 24 bits, with colons": ("\x1b[1;38:2::255:0:0mX", "\x1b[1;38:2::255:0:0mX"),
    "colour of endless parameters": (f"\x1b[{'1;' * 100}mX", "X"),
    "what only looks like a colour": ("\x1b[>4;2mX\x1b[?1mY\x1b[1 mZ", "XYZ"),
    "clipboard (OSC 52)": ("a\x1b]52;c;cm0gLXJmIC8=\x07b", "ab"),
    "link (OSC 8)": ("\x1b]8;;http://evil.example\x1b\\bank\x1b]8;;\x1b\\", "bank"),
    "title (OSC 0)": (f"{TITLE}x", "x"),
    "title (OSC 2), ended by ST": ("\x1b]2;x\x1b\\y", "y"),
    "title (OSC 0) in one byte each": ("\x9d0;x\x9cy", "y"),
    "OSC without an end": ("\x1b]52;c;cm0=", "^[]52;c;cm0="),
    "OSC does not swallow the next line": ("\x1b]0;a\nfailed\x07\n", "^[]0;a\nfailed^G\n"),
    "OSC broken off by another": ("\x1b]0;a\x1b]0;b\x07c", "^[]0;ac"),
    "DCS": ('\x1bP$q"p\x1b\\x', "x"),
    "APC, PM and SOS": ("\x1b_a\x1b\\\x1b^b\x1b\\\x1bXc\x1b\\x", "x"),
    "clear": ("a\x1b[2J\x1b[3J\x1b[Hb", "ab"),
    "8-bit clear": ("a\x9b2Jb", "ab"),
    "cursor moves": ("a\x1b[1A\x1b[2K\x1b[1;1Hb\x1b[s\x1b[u", "ab"),
    "other screen": ("\x1b[?1049hx\x1b[?1049l", "x"),
    "answer typed for the user": ("\x1b[6n\x1b[c\x1b[21tx", "x"),
    "bracketed paste": ("\x1b[200~x\x1b[201~", "x"),
    "soft reset": ("\x1b[!px", "x"),
    "reset and saved cursor": ("\x1bc\x1b7\x1b8x", "x"),
    "character set": ("\x1b(0\x1b)Bx\x1b#8", "x"),
    "CSI without an end": ("\x1b[12", "^[[12"),
    "CSI broken off by a newline": ("\x1b[12\nm", "^[[12\nm"),
    "sequence in a sequence": ("\x1b[3\x1b[2J1mx", "^[[31mx"),
    "ESC before a colour": ("\x1b\x1b[31mx", "^[\x1b[31mx"),
    "ESC alone at the end": ("x\x1b", "x^["),
    "ESC before a newline": ("\x1b\nx", "^[\nx"),
    "carriage return that overwrites": ("failed\rsucceeded", "failed^Msucceeded"),
    "progress bar": ("10%\r20%\r30%\n", "10%^M20%^M30%\n"),
    "line end of Windows": ("a\r\nb\r\n", "a\nb\n"),
    "line end of Windows, twice": ("a\r\r\nb", "a\nb"),
    "carriage return at the end": ("a\r", "a"),
    "backspace": ("failed\b\b\b\b\b\b", "failed^H^H^H^H^H^H"),
    "NUL, BEL, VT, FF, SO, DEL": ("\x00\x07\x0b\x0c\x0e\x7f", "^@^G^K^L^N^?"),
    "NEL and lone 8-bit controls": ("a\x85b\x9b", "aM-^EbM-^["),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_text_and_bytes_follow_one_rule(text: str, expected: str) -> None:
    assert (safe_text(text), safe_bytes(text.encode())) == (expected, expected.encode())


@pytest.mark.parametrize("text", [expected for _, expected in CASES.values()], ids=CASES)
def test_what_is_safe_stays_as_it_is(text: str) -> None:
    assert (safe_text(text), safe_bytes(text.encode())) == (text, text.encode())


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"a\x9b2Jb", b"ab", id="8-bit clear in one byte"),
        pytest.param(b"\x9d0;x\x9cy", b"y", id="8-bit title in one byte each"),
        pytest.param(b"\xc4\x9b\x9b", b"\xc4\x9bM-^[", id="a control behind a character that ends in the same byte"),
        pytest.param(b"\xff\xfe caf\xe9\n", b"\xff\xfe caf\xe9\n", id="Latin-1 text"),
        pytest.param(b"\xc4\x1b[0m\x9b2J", b"\xc4\x1b[0m", id="a colour between two bytes does not join them"),
        pytest.param(b"\xc2\x1b[2J\x9b2Jx", b"\xc2x", id="nor does what is removed"),
    ],
)
def test_bytes_that_are_not_utf_8(data: bytes, expected: bytes) -> None:
    assert safe_bytes(data) == expected


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        ("a\nhandoff | succeeded", "a^Jhandoff | succeeded", "a^Jhandoff | succeeded"),
        ("a\tb", "a\tb", "a^Ib"),
        ("\x1b[8mhidden", "\x1b[8mhidden", "hidden"),
        (f"{TITLE}a\r", "a", "a"),
    ],
)
def test_a_line_and_a_name_stay_on_one_line(text: str, line: str, name: str) -> None:
    assert (safe_line(text), safe_name(text)) == (line, name)


@pytest.mark.parametrize("piece", ["\x1b]", "\x9d", "\x1b[1", "\x1b[1 ", "\r", "\x1bP\x1b\\", "\x1b]0;x", "\x1b[1;"])
def test_no_text_takes_quadratic_time(piece: str) -> None:
    """A thousand times as long, and a scan of the rest at each piece would take minutes."""
    begun = time.process_time()
    for text in (piece * 100_000, piece * 100_000 + "x", piece + "a" * 500_000):
        safe_bytes(text.encode())
    assert time.process_time() - begun < 10
