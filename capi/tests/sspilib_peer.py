"""The Python package sspilib over our library in the place of its own. Arguments: our library, an empty directory."""

import importlib.util
import pathlib
import shutil
import sys

library, directory = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
# Found and not imported: its own library must not be loaded.
package = pathlib.Path(importlib.util.find_spec("sspilib").origin).parent
bundled = package.parent / "sspilib.libs"
shutil.copytree(package, directory / "sspilib")
shutil.copytree(bundled, directory / "sspilib.libs")
[replaced] = (directory / "sspilib.libs").glob("libsspi*")
shutil.copyfile(library, replaced)
sys.path.insert(0, str(directory))

import sspilib  # noqa: E402
import sspilib.raw as raw  # noqa: E402

assert pathlib.Path(sspilib.__file__).is_relative_to(directory), sspilib.__file__
with open("/proc/self/maps", encoding="utf-8") as maps:
    mapped = {line.split()[-1] for line in maps if "libsspi" in line}
assert mapped == {str(replaced.resolve())}, mapped


def established(password="secret", bindings=(None, None), package="NTLM"):
    packages = ["NTLM"] if package == "Negotiate" else None
    client = sspilib.ClientSecurityContext(
        sspilib.UserCredential("alice", password, "CORP", package, "initiate", protocol_list=packages),
        "HTTP/files",
        channel_bindings=bindings[0],
    )
    server = sspilib.ServerSecurityContext(
        sspilib.UserCredential("alice", "secret", "CORP", package, "accept"), channel_bindings=bindings[1]
    )
    token = None
    while not server.complete:
        token = server.step(client.step(token))
    assert client.complete
    return client, server


def refused(status, call):
    try:
        call()
    except OSError as error:
        assert error.winerror & 0xFFFFFFFF == status, hex(error.winerror & 0xFFFFFFFF)
    else:
        raise AssertionError(f"not refused with {status:#x}")


assert "NTLM" in [package.name for package in raw.enumerate_security_packages()]
for package in ["NTLM", "Negotiate"]:
    for reverse in [False, True]:
        client, server = established(package=package)
        sender, receiver = (server, client) if reverse else (client, server)
        for length in [0, 1, 1024, 65536]:
            message = bytes(length)
            wrapped = sender.wrap(message)
            assert length < 16 or message not in wrapped
            assert receiver.unwrap(wrapped).data == message
            receiver.verify(message, sender.sign(message))
        refused(0x8009030F, lambda: receiver.verify(b"Message", sender.sign(b"message")))
    names = raw.query_context_attributes(server, raw.SecPkgContextNames)
    assert names.username == "CORP\\alice", names
    keys = [raw.query_context_attributes(side, raw.SecPkgContextSessionKey).session_key for side in (client, server)]
    assert keys[0] == keys[1] and len(keys[0]) == 16

one, other = (raw.SecChannelBindings(application_data=b"tls-unique:" + end) for end in [b"1", b"2"])
established(bindings=(one, one))
refused(0x8009030C, lambda: established(bindings=(one, other)))
refused(0x8009030C, lambda: established(bindings=(None, one)))
refused(0x8009030C, lambda: established(password="wrong"))
print("sspilib is content")
