"""NTLM peers for samba.rs, both Samba's: its program ntlm_auth in both roles, or, with the argument `gensec`, the library
below it as a client, through Samba's Python module. ntlm_auth only authenticates; the library seals and signs, too."""

import base64
import subprocess
import sys
import tempfile

from peer_lines import Refused, accounts, main

CONFIGURATION = "[global]\nnetbios name = PEER\nworkgroup = PEER\n"


def configuration():
    file = tempfile.NamedTemporaryFile("w", suffix=".conf")
    file.write(CONFIGURATION)
    file.flush()
    return file


class NtlmAuth:
    """The helper protocols ntlmssp-client-1 and squid-2.5-ntlmssp. Given a password, neither asks winbindd."""

    def __init__(self):
        self.features = "SIGN", "SEAL"

    def request(self, *flags):
        words = {"integ": "SIGN", "conf": "SEAL"}
        self.features = [words[flag] for flag in flags]

    def start(self, protocol, domain, user, password, *arguments):
        self.configuration = configuration()
        self.helper = subprocess.Popen(
            ["ntlm_auth", f"--configfile={self.configuration.name}", f"--helper-protocol={protocol}",
             f"--domain={domain}", f"--username={user}", f"--password={password}", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        features = ("SESSION_KEY", *self.features)
        self.ask("SF " + " ".join(f"NTLMSSP_FEATURE_{feature}" for feature in features), "OK")

    def ask(self, request, *expected):
        """The answer, without its first word, which must be one of those expected."""
        self.helper.stdin.write(request + "\n")
        self.helper.stdin.flush()
        word, _, rest = self.helper.stdout.readline().strip().partition(" ")
        if word not in expected:
            raise PermissionError(f"{word} {rest}")
        self.word = word
        return rest

    def initiate(self, user, domain, password, target):
        self.is_client = True
        service, _, host = target.partition("@")
        arguments = f"--target-service={service}", f"--target-hostname={host}"
        self.start("ntlmssp-client-1", domain, user, password, *arguments)
        return base64.b64decode(self.ask("YR", "YR"))

    def accept(self):
        self.is_client = False
        self.first = True

    def step(self, token):
        token = base64.b64encode(token).decode()
        if self.is_client:
            return base64.b64decode(self.ask(f"TT {token}", "AF")), True
        if self.first:
            # Not before: the features are requested after `accept`.
            ((domain, user, password),) = accounts()
            self.start("squid-2.5-ntlmssp", domain, user, password)
        answer = self.ask(f"{'YR' if self.first else 'KK'} {token}", "TT" if self.first else "AF")
        self.first = False
        if self.word == "TT":
            return base64.b64decode(answer), False
        self.user = answer
        return None, True

    def name(self):
        return self.user

    def key(self):
        return base64.b64decode(self.ask("GK", "GK"))

    def flags(self):
        flags = int(self.ask("GF", "GF"), 16)
        return [word for word, flag in (("integ", 0x10), ("conf", 0x20)) if flags & flag]


class Gensec:
    def initiate(self, user, domain, password, target):
        from samba import credentials, gensec, param

        self.is_client = True
        self.configuration = configuration()
        settings = param.LoadParm()
        settings.load(self.configuration.name)
        account = credentials.Credentials()
        account.guess(settings)
        account.set_username(user)
        account.set_domain(domain)
        account.set_password(password)
        account.set_kerberos_state(credentials.DONT_USE_KERBEROS)
        service, _, host = target.partition("@")
        self.context = gensec.Security.start_client({"lp_ctx": settings, "target_hostname": host})
        self.context.set_credentials(account)
        self.context.set_target_service(service)
        self.context.set_target_hostname(host)
        for feature in (gensec.FEATURE_SESSION_KEY, gensec.FEATURE_SIGN, gensec.FEATURE_SEAL):
            self.context.want_feature(feature)
        self.context.start_mech_by_name("ntlmssp")
        return self.context.update(b"")[1]

    def step(self, token):
        done, token = self.context.update(token)
        return token, done

    def key(self):
        return self.context.session_key()

    def wrap(self, message):
        return self.context.wrap(message)

    def unwrap(self, wrapped):
        return self.context.unwrap(wrapped)

    def sign(self, message):
        return self.context.sign_packet(message, message)

    def verify(self, message, mic):
        self.context.check_packet(message, message, mic)


def version():
    if "gensec" in sys.argv:
        import samba

        return samba.version.split("-")[0]
    return subprocess.run(["ntlm_auth", "--version"], capture_output=True, text=True, check=True).stdout.split()[-1].split("-")[0]


main(version, Gensec if "gensec" in sys.argv else NtlmAuth)
