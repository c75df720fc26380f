/* What threads.c and misuse.c share: a check that says why it failed, buffers, and a handshake. */
#define SECURITY_WIN32
#include <security.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            char why[512];                                                                 \
            PortableSspiGetLastErrorMessage(why, (ULONG)sizeof why);                       \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, why);      \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

/* Compares a status, and says which one it was. */
#define EXPECT(expected, call)                                                             \
    do {                                                                                   \
        SECURITY_STATUS found_ = (call);                                                   \
        if (found_ != (expected)) {                                                        \
            fprintf(stderr, "status %08X, not %08X\n", (unsigned)found_, (unsigned)(expected)); \
            CHECK(!#call);                                                                 \
        }                                                                                  \
    } while (0)

static char NTLM[] = "NTLM";

static SecBuffer buffer(ULONG type, void *bytes, size_t length)
{
    SecBuffer made;

    made.cbBuffer = (ULONG)length;
    made.BufferType = type;
    made.pvBuffer = bytes;
    return made;
}

static SecBufferDesc list_of(SecBuffer *buffers, size_t count)
{
    SecBufferDesc made;

    made.ulVersion = SECBUFFER_VERSION;
    made.cBuffers = (ULONG)count;
    made.pBuffers = buffers;
    return made;
}

static SEC_WINNT_AUTH_IDENTITY_A alice(void)
{
    static unsigned char user[] = "alice", domain[] = "CORP", password[] = "secret";
    SEC_WINNT_AUTH_IDENTITY_A identity;

    memset(&identity, 0, sizeof identity);
    identity.User = user;
    identity.UserLength = sizeof user - 1;
    identity.Domain = domain;
    identity.DomainLength = sizeof domain - 1;
    identity.Password = password;
    identity.PasswordLength = sizeof password - 1;
    identity.Flags = SEC_WINNT_AUTH_IDENTITY_ANSI;
    return identity;
}

static CredHandle acquire(ULONG use)
{
    SEC_WINNT_AUTH_IDENTITY_A identity = alice();
    CredHandle credential;
    TimeStamp expiry;

    EXPECT(SEC_E_OK, AcquireCredentialsHandleA(NULL, NTLM, use, NULL, &identity, NULL, NULL, &credential, &expiry));
    return credential;
}

/* A client's step: the first without a context. The token lies in a block of the library's. */
static SECURITY_STATUS client_step(PCredHandle credential, PCtxtHandle context, int is_first, SecBuffer *in, SecBuffer *out)
{
    SecBufferDesc input = list_of(in, 1), output = list_of(out, 1);
    ULONG flags;
    TimeStamp expiry;

    *out = buffer(SECBUFFER_TOKEN, NULL, 0);
    return InitializeSecurityContextA(credential, is_first ? NULL : context, "HTTP/files",
        ISC_REQ_CONFIDENTIALITY | ISC_REQ_ALLOCATE_MEMORY, 0, SECURITY_NATIVE_DREP, is_first ? NULL : &input, 0, context,
        &output, &flags, &expiry);
}

/* A server's step. */
static SECURITY_STATUS server_step(PCredHandle credential, PCtxtHandle context, int is_first, SecBuffer *in, SecBuffer *out)
{
    SecBufferDesc input = list_of(in, 1), output = list_of(out, 1);
    ULONG flags;
    TimeStamp expiry;

    *out = buffer(SECBUFFER_TOKEN, NULL, 0);
    return AcceptSecurityContext(credential, is_first ? NULL : context, &input,
        ASC_REQ_CONFIDENTIALITY | ASC_REQ_ALLOCATE_MEMORY, SECURITY_NATIVE_DREP, context, &output, &flags, &expiry);
}

/* A handshake up to the AUTHENTICATE, which is left to the caller to pass on and to free. */
static void shake_almost(PCredHandle at_client, PCredHandle at_server, PCtxtHandle client, PCtxtHandle server, SecBuffer *last)
{
    SecBuffer negotiate, challenge;

    EXPECT(SEC_I_CONTINUE_NEEDED, client_step(at_client, client, 1, NULL, &negotiate));
    EXPECT(SEC_I_CONTINUE_NEEDED, server_step(at_server, server, 1, &negotiate, &challenge));
    EXPECT(SEC_E_OK, client_step(at_client, client, 0, &challenge, last));
    EXPECT(SEC_E_OK, FreeContextBuffer(negotiate.pvBuffer));
    EXPECT(SEC_E_OK, FreeContextBuffer(challenge.pvBuffer));
}

static void shake_hands(PCtxtHandle client, PCtxtHandle server)
{
    CredHandle at_client = acquire(SECPKG_CRED_OUTBOUND), at_server = acquire(SECPKG_CRED_INBOUND);
    SecBuffer last, none;

    shake_almost(&at_client, &at_server, client, server, &last);
    EXPECT(SEC_E_OK, server_step(&at_server, server, 0, &last, &none));
    CHECK(none.cbBuffer == 0 && none.pvBuffer == NULL);
    EXPECT(SEC_E_OK, FreeContextBuffer(last.pvBuffer));
    EXPECT(SEC_E_OK, FreeCredentialsHandle(&at_client));
    EXPECT(SEC_E_OK, FreeCredentialsHandle(&at_server));
}

/* One message from one to the other, encrypted or signed. */
static void converse(PCtxtHandle from, PCtxtHandle to, int encrypted)
{
    char token[16], data[] = "a message of some length, to and fro";
    const char clear[] = "a message of some length, to and fro";
    SecBuffer buffers[2];
    SecBufferDesc message = list_of(buffers, 2);

    buffers[0] = buffer(SECBUFFER_DATA, data, sizeof data);
    buffers[1] = buffer(SECBUFFER_TOKEN, token, sizeof token);
    if (encrypted) {
        EXPECT(SEC_E_OK, EncryptMessage(from, 0, &message, 0));
        CHECK(memcmp(data, clear, sizeof clear) != 0);
        EXPECT(SEC_E_OK, DecryptMessage(to, &message, 0, NULL));
    } else {
        EXPECT(SEC_E_OK, MakeSignature(from, 0, &message, 0));
        EXPECT(SEC_E_OK, VerifySignature(to, &message, 0, NULL));
    }
    CHECK(memcmp(data, clear, sizeof clear) == 0);
}
