"""An NTLM peer for pyspnego.rs: the package pyspnego, its own Python implementation of NTLM."""

from importlib.metadata import version

import spnego
import spnego.channel_bindings
from spnego.exceptions import BadMICError

from peer_lines import BadMic, main

OPTIONS = spnego.NegotiateOptions.use_ntlm


class Peer:
    def __init__(self):
        self.channel_bindings = None
        self.context = None

    def bindings(self, application_data):
        self.channel_bindings = spnego.channel_bindings.GssChannelBindings(application_data=application_data)

    def initiate(self, user, domain, password, target):
        service, _, host = target.partition("@")
        self.context = spnego.client(
            f"{domain}\\{user}", password, hostname=host, service=service,
            channel_bindings=self.channel_bindings, protocol="ntlm", options=OPTIONS,
            context_req=spnego.ContextReq.integrity | spnego.ContextReq.confidentiality,
        )
        return self.context.step()

    def mic(self):
        # How the package's own SPNEGO tells it, before the AUTHENTICATE_MESSAGE.
        assert not self.context._requires_mech_list_mic

    def accept(self):
        self.context = None

    def step(self, token):
        if self.context is None:
            # Not before: the bindings are told after `accept`.
            self.context = spnego.server(channel_bindings=self.channel_bindings, protocol="ntlm", options=OPTIONS)
        token = self.context.step(token)
        return token, self.context.complete

    def wrap(self, message):
        return self.context.wrap(message, encrypt=True).data

    def unwrap(self, wrapped):
        return checked(lambda: self.context.unwrap(wrapped).data)

    def sign(self, message):
        return self.context.sign(message)

    def verify(self, message, mic):
        checked(lambda: self.context.verify(message, mic))

    def name(self):
        return self.context.client_principal

    def key(self):
        return self.context.session_key


def checked(action):
    try:
        return action()
    except BadMICError as error:
        raise BadMic(error) from error


main(lambda: version("pyspnego"), Peer)
