from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remote.command import Command, Script, Secret

# Anything that a program can be given: no NUL, and no lone surrogates but those of undecodable bytes.
words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (Command.of("ls", "-l"), "ls -l"),
        (Command.of("echo", "a b", "$HOME", "it's"), """echo 'a b' '$HOME' 'it'"'"'s'"""),
        (Command.of("a").and_then(Command.of("b", "c d")), "{ a && b 'c d' ; }"),
        (Command.of("a").or_else(Command.of("b")).and_then(Command.of("c")), "{ { a || b ; } && c ; }"),
        (Command.of("ls").in_folder("/a b"), "{ cd -- '/a b' && ls ; }"),
        (Command.of("p").with_environment({"A": "1 2", "B": ""}), "env A='1 2' B='' p"),
        (Command.of("p").with_environment({}), "p"),
    ],
)
def test_commands_render_as_written(command: Command, text: str) -> None:
    """The exact text that the machine's shell gets."""
    assert command.render() == text
    assert str(command) == text


def test_secrets_and_scripts_never_show() -> None:
    """Neither `str` nor `repr` of a command, nor a masked message, holds a secret; what runs does."""
    command = Command.of("curl", Secret("s3cret x"), Script("fetch.py", "print(1)"))
    command = command.with_environment({"TOKEN": Secret("t0ken")})
    assert str(command) == "env TOKEN=*** curl *** <fetch.py>"
    assert repr(command) == "Command('env TOKEN=*** curl *** <fetch.py>')"
    assert command.render() == "env TOKEN=t0ken curl 's3cret x' 'print(1)'"
    assert command.masked("failed: s3cret x, t0ken") == "failed: ***, ***"
    assert "s3cret" not in repr(Secret("s3cret x"))


def test_commands_are_values() -> None:
    """Equal commands are equal and can be keys; the masked form plays no part in it."""
    assert Command.of("a", Secret("x")) == Command.of("a", Secret("x"))
    assert Command.of("a", Secret("x")) != Command.of("a", Secret("y"))
    assert len({Command.of("a"), Command.of("a")}) == 1


@pytest.mark.parametrize("make", [Command.of, lambda: Command.of("a", "b\0c")])
def test_impossible_commands_are_refused(make: object) -> None:
    """No word at all, or a NUL, is an error where the command is built."""
    assert callable(make)
    with pytest.raises(ValueError, match="command"):
        make()


def test_environment_goes_to_a_program_only() -> None:
    """A combination or a bad name is refused: `env` could not do what was meant."""
    with pytest.raises(ValueError, match="single program"):
        Command.of("a").and_then(Command.of("b")).with_environment({"A": "1"})
    with pytest.raises(ValueError, match="name"):
        Command.of("a").with_environment({"A B": "1"})


@given(st.lists(words, min_size=1, max_size=20))
def test_every_word_survives_the_shell(given_words: list[str]) -> None:
    """Whatever the words are, /bin/sh hands exactly them to the program."""
    command = Command.of("printf", r"%s\0", *given_words)
    printed = subprocess.run(["/bin/sh", "-c", command.render()], capture_output=True, check=True).stdout
    assert printed.decode() == "".join(f"{word}\0" for word in given_words)


@given(words, words)
def test_environment_survives_the_shell(plain: str, secret: str) -> None:
    """Values of variables arrive exactly, secret or not."""
    variables: dict[str, str | Secret] = {"LLAMALIFT_A": plain, "LLAMALIFT_B": Secret(secret)}
    show = Command.of("/bin/sh", "-c", r'printf "%s\0%s" "$LLAMALIFT_A" "$LLAMALIFT_B"').with_environment(variables)
    printed = subprocess.run(["/bin/sh", "-c", show.render()], capture_output=True, check=True).stdout
    assert printed.decode() == f"{plain}\0{secret}"
