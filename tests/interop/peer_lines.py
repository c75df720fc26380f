"""The protocol of gss_peer.c, which describes it, for peers that are driven from Python.

`main(version, Peer)` answers `--version` and then serves lines. Peer is a class with a method for each command that its
implementation can do; the others are refused. A method fails by any exception: Refused is the script's own refusal,
BadMic a signature that does not fit, and whatever else the implementation's.
"""

import os
import sys


class Refused(Exception):
    """What the script itself refuses, for want of a function in the implementation."""


class BadMic(Exception):
    """A signature that does not fit."""


def main(version, peer_class):
    if sys.argv[-1] == "--version":
        print(version())
        return
    peer = peer_class()
    for line in sys.stdin:
        try:
            answer = answer_to(peer, line.split())
        except Refused as refusal:
            answer = f"error 0 0 {refusal}"
        except BadMic as bad:
            answer = f"error {6 << 16} 0 {bad}"
        except Exception as error:  # whatever the implementation throws is its refusal
            answer = f"error 1 0 {type(error).__name__}: {error}"
        print(" ".join(answer.splitlines()), flush=True)


def accounts():
    """The lines of the file that NTLM_USER_FILE names, as (domain, user, password)."""
    with open(os.environ["NTLM_USER_FILE"], encoding="utf-8") as file:
        return [tuple(line.strip().split(":")) for line in file]


def answer_to(peer, words):
    command, arguments = words[0], words[1:]
    method = getattr(peer, command, None)
    if method is None:
        raise Refused(f"it has no {command}")
    if command == "initiate":
        return "token " + to_hex(method(*("" if word == "-" else word for word in arguments)))
    if command == "step":
        token, done = method(from_hex(arguments[0]))
        if token is None:
            return "done"
        return ("done " if done else "token ") + to_hex(token)
    if command in ("wrap", "unwrap", "sign", "key"):
        return "data " + to_hex(method(*map(from_hex, arguments)))
    if command == "flags":
        return " ".join(["flags", *method()])
    if command == "name":
        return "name " + method()
    if command == "request":
        method(*arguments)
    else:
        method(*map(from_hex, arguments))
    return "ok"


def to_hex(value):
    return value.hex() or "-"


def from_hex(text):
    return bytes.fromhex("" if text == "-" else text)
