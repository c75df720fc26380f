"""An NTLM peer for impacket.rs: the functions of the package impacket that its clients call, and its SMB server."""

import configparser
import hashlib
from importlib.metadata import version

from Cryptodome.Cipher import ARC4
from impacket import ntlm, smbserver
from impacket import smb3structs as smb2

from peer_lines import BadMic, Refused, accounts, main


class Peer:
    def __init__(self):
        self.hash_of_bindings = b""
        self.server = None
        self.protection = None

    # The client: what impacket.dcerpc.v5.rpcrt and impacket.ldap do.

    def bindings(self, application_data):
        if self.server is not None:
            raise Refused("the server takes no channel bindings")
        # The package takes the hash, and leaves making it to its caller.
        bindings = bytes(16) + len(application_data).to_bytes(4, "little") + application_data
        self.hash_of_bindings = hashlib.md5(bindings).digest()

    def initiate(self, user, domain, password, target):
        self.is_client = True
        self.account = (user, password, domain)
        self.service = target.partition("@")[0]
        self.negotiate = ntlm.getNTLMSSPType1("PEER", domain, signingRequired=True, use_ntlmv2=True)
        return self.negotiate.getData()

    def step_of_client(self, token):
        authenticate, self.session_key = ntlm.getNTLMSSPType3(
            self.negotiate, token, *self.account, use_ntlmv2=True,
            channel_binding_value=self.hash_of_bindings, service=self.service,
        )
        flags = authenticate["flags"]
        self.protection = {
            who: Direction(flags, self.session_key, who) for who in ("Client", "Server")
        }
        return authenticate.getData(), True

    # The server: SMB2's SESSION_SETUP, which takes a bare NTLM token.

    def accept(self):
        self.is_client = False
        config = configparser.ConfigParser()
        config["global"] = {
            "server_name": "PEER", "server_os": "", "server_domain": "PEER", "log_file": "None",
            "credentials_file": "",
        }
        # It listens as soon as it exists; nobody connects.
        self.server = smbserver.SMBSERVER(("127.0.0.1", 0), config_parser=config)
        self.server.processConfigFile()
        for _, user, password in accounts():
            self.server.addCredential(user, 0, "", ntlm.compute_nthash(password))
        self.server.addConnection("peer", "127.0.0.1", 0)

    def step_of_server(self, token):
        request = smb2.SMB2SessionSetup()
        request["SecurityBufferLength"] = len(token)
        request["SecurityBufferOffset"] = 0x58
        request["Buffer"] = token
        packet = smb2.SMB2Packet()
        packet["Command"] = smb2.SMB2_SESSION_SETUP
        packet["Data"] = request.getData()
        commands, _, status = smbserver.SMB2Commands.smb2SessionSetup("peer", self.server, packet)
        if status == smbserver.STATUS_MORE_PROCESSING_REQUIRED:
            return self.connection()["CHALLENGE_MESSAGE"].getData(), False
        if status != smbserver.STATUS_SUCCESS:
            raise PermissionError(f"status {status:#x}")
        self.session_key = self.connection()["SigningSessionKey"]
        return None, True

    def connection(self):
        return self.server.getConnectionData("peer", checkStatus=False)

    def step(self, token):
        return self.step_of_client(token) if self.is_client else self.step_of_server(token)

    def name(self):
        return "{user_domain_name}\\{user_name}".format(**self.connection())

    def key(self):
        return self.session_key

    def direction(self, sending):
        if self.protection is None:
            raise Refused("the server protects messages by SMB's own means")
        return self.protection["Client" if sending else "Server"]

    def wrap(self, message):
        return self.direction(True).seal(message)

    def unwrap(self, wrapped):
        return self.direction(False).unseal(wrapped)

    def sign(self, message):
        return self.direction(True).sign(message)

    def verify(self, message, mic):
        if self.direction(False).sign(message) != mic:
            raise BadMic("the signature does not fit")


class Direction:
    """One direction of a session, as impacket.dcerpc.v5.rpcrt keeps it."""

    def __init__(self, flags, key, who):
        self.flags = flags
        self.signing_key = ntlm.SIGNKEY(flags, key, who)
        self.sealing_key = ntlm.SEALKEY(flags, key, who)
        self.handle = ARC4.new(self.sealing_key).encrypt
        self.sequence = 0

    def seal(self, message):
        sealed, signature = ntlm.SEAL(
            self.flags, self.signing_key, self.sealing_key, message, message, self.sequence, self.handle
        )
        self.sequence += 1
        return signature.getData() + sealed

    def unseal(self, wrapped):
        message = self.handle(wrapped[16:])
        if self.sign(message) != wrapped[:16]:
            raise BadMic("the signature does not fit")
        return message

    def sign(self, message):
        signature = ntlm.SIGN(self.flags, self.signing_key, message, self.sequence, self.handle)
        self.sequence += 1
        return signature.getData()


main(lambda: version("impacket"), Peer)
