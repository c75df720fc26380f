/*
 * WinPR for the benchmarks: both ends of its NTLM in one process, timed by the processor time of its thread. ntlm.h has the
 * commands.
 *
 * The account: PEER_USER, PEER_DOMAIN and PEER_PASSWORD. The server gets the NT hash of the password with each context, which
 * is the quickest of the ways that WinPR has: it looks nothing up, and reads no file.
 */

#include <winpr/ntlm.h>
#include <winpr/sspi.h>
#include <winpr/winpr.h>
#include <winpr/wlog.h>

#include <stddef.h>

#define TOKEN 2048
#define SIGNATURE 16

typedef CtxtHandle context;

struct session {
    CtxtHandle client, server;
    int has_client, has_server;
    /* What the client sent last, and what the server did. */
    unsigned char from_client[TOKEN], from_server[TOKEN];
    ULONG client_length, server_length;
};

/* Sealed and unsealed in place. */
struct message {
    size_t size;
    unsigned char *data, signature[SIGNATURE];
};

#define PROGRAM "winpr"
#include "ntlm.h"

static SecurityFunctionTableW *table;
static CredHandle outbound, inbound;
static SecPkgContext_AuthNtlmHash account;

static void succeed(SECURITY_STATUS status, SECURITY_STATUS wanted, const char *what)
{
    if (status == wanted)
        return;
    fprintf(stderr, "%s\n", GetSecurityStatusString(status));
    fail(what);
}

static void initiate(struct session *s, SECURITY_STATUS wanted)
{
    SecBuffer in = { s->server_length, SECBUFFER_TOKEN, s->from_server };
    SecBuffer out = { TOKEN, SECBUFFER_TOKEN, s->from_client };
    SecBufferDesc input = { SECBUFFER_VERSION, 1, &in }, output = { SECBUFFER_VERSION, 1, &out };
    SECURITY_STATUS status;
    ULONG attributes;
    TimeStamp expiry;

    status = table->InitializeSecurityContextW(&outbound, s->has_client ? &s->client : NULL, NULL,
                                               ISC_REQ_CONFIDENTIALITY, 0, SECURITY_NATIVE_DREP,
                                               s->has_client ? &input : NULL, 0, &s->client, &output, &attributes,
                                               &expiry);
    succeed(status, wanted, "InitializeSecurityContext");
    s->has_client = 1;
    s->client_length = out.cbBuffer;
}

static SECURITY_STATUS accept_token(struct session *s)
{
    SecBuffer in = { s->client_length, SECBUFFER_TOKEN, s->from_client };
    SecBuffer out = { TOKEN, SECBUFFER_TOKEN, s->from_server };
    SecBufferDesc input = { SECBUFFER_VERSION, 1, &in }, output = { SECBUFFER_VERSION, 1, &out };
    SECURITY_STATUS status;
    ULONG attributes;
    TimeStamp expiry;

    status = table->AcceptSecurityContext(&inbound, s->has_server ? &s->server : NULL, &input,
                                          ASC_REQ_CONFIDENTIALITY, SECURITY_NATIVE_DREP, &s->server, &output,
                                          &attributes, &expiry);
    /* Only this computes the keys and checks the MIC. */
    if (status == SEC_I_COMPLETE_NEEDED)
        status = table->CompleteAuthToken(&s->server, &output);
    s->has_server = 1;
    s->server_length = out.cbBuffer;
    return status;
}

static void negotiate(struct session *s)
{
    s->has_client = s->has_server = 0;
    initiate(s, SEC_I_CONTINUE_NEEDED);
}

static void challenge(struct session *s)
{
    succeed(accept_token(s), SEC_I_CONTINUE_NEEDED, "the first AcceptSecurityContext");
}

static void authenticate(struct session *s)
{
    initiate(s, SEC_E_OK);
}

static void accept_client(struct session *s)
{
    succeed(table->SetContextAttributesW(&s->server, SECPKG_ATTR_AUTH_NTLM_HASH, &account, sizeof account), SEC_E_OK,
            "SetContextAttributes");
    succeed(accept_token(s), SEC_E_OK, "the second AcceptSecurityContext");
}

static const unsigned char *token_of(const struct session *s, size_t *length)
{
    *length = s->client_length;
    return s->from_client;
}

static void end_client(struct session *s)
{
    if (s->has_client)
        succeed(table->DeleteSecurityContext(&s->client), SEC_E_OK, "DeleteSecurityContext");
    s->has_client = 0;
}

static void end_server(struct session *s)
{
    if (s->has_server)
        succeed(table->DeleteSecurityContext(&s->server), SEC_E_OK, "DeleteSecurityContext");
    s->has_server = 0;
}

static void begin_message(struct message *m, size_t size)
{
    m->size = size;
    m->data = allocate(size);
    memset(m->data, 0x5A, size);
}

static void end_message(struct message *m)
{
    free(m->data);
}

static void sent(struct message *m)
{
    (void)m; /* WinPR allocated nothing for it */
}

typedef SECURITY_STATUS send_function(CtxtHandle *c, ULONG qop, SecBufferDesc *message, ULONG sequence);
typedef SECURITY_STATUS receive_function(CtxtHandle *c, SecBufferDesc *message, ULONG sequence, ULONG *qop);

static SECURITY_STATUS send_by(send_function *function, context *sender, struct message *m)
{
    SecBuffer buffers[2] = { { SIGNATURE, SECBUFFER_TOKEN, m->signature },
                             { (ULONG)m->size, SECBUFFER_DATA, m->data } };
    SecBufferDesc description = { SECBUFFER_VERSION, 2, buffers };

    return function(sender, 0, &description, 0);
}

static SECURITY_STATUS receive_by(receive_function *function, context *receiver, struct message *m)
{
    SecBuffer buffers[2] = { { SIGNATURE, SECBUFFER_TOKEN, m->signature },
                             { (ULONG)m->size, SECBUFFER_DATA, m->data } };
    SecBufferDesc description = { SECBUFFER_VERSION, 2, buffers };
    ULONG qop;

    return function(receiver, &description, 0, &qop);
}

static void seal(context *sender, struct message *m)
{
    succeed(send_by(table->EncryptMessage, sender, m), SEC_E_OK, "EncryptMessage");
}

static const unsigned char *sealed_of(const struct message *m, size_t *length)
{
    *length = m->size;
    return m->data;
}

static void unseal(context *receiver, struct message *m)
{
    succeed(receive_by(table->DecryptMessage, receiver, m), SEC_E_OK, "DecryptMessage");
}

static void unseal_into(context *receiver, struct message *m, unsigned char *into)
{
    unseal(receiver, m);
    memcpy(into, m->data, m->size);
}

static void sign(context *sender, struct message *m)
{
    succeed(send_by(table->MakeSignature, sender, m), SEC_E_OK, "MakeSignature");
}

static void verify(context *receiver, struct message *m)
{
    succeed(receive_by(table->VerifySignature, receiver, m), SEC_E_OK, "VerifySignature");
}

/* The status that the function has in a session of its own. A refusal is expected: WinPR shall not complain of it. */
static SECURITY_STATUS tried(SECURITY_STATUS (*function)(struct session *s))
{
    DWORD level = WLog_GetLogLevel(WLog_GetRoot());
    SECURITY_STATUS status;
    struct session s;

    establish(&s);
    WLog_SetLogLevel(WLog_GetRoot(), WLOG_OFF);
    status = function(&s);
    WLog_SetLogLevel(WLog_GetRoot(), level);
    end(&s);
    return status;
}

static SECURITY_STATUS try_to_sign(struct session *s)
{
    SECURITY_STATUS status;
    struct message m;

    begin_message(&m, MESSAGE);
    status = send_by(table->MakeSignature, &s->client, &m);
    end_message(&m);
    return status;
}

static SECURITY_STATUS try_to_export(struct session *s)
{
    SecBuffer exported;
    HANDLE token;

    return ExportSecurityContext(&s->server, 0, &exported, &token);
}

/* WinPR 2.11 has MakeSignature, and refuses in it. */
static int signs(void)
{
    SECURITY_STATUS status = tried(try_to_sign);

    if (status != SEC_E_UNSUPPORTED_FUNCTION)
        succeed(status, SEC_E_OK, "MakeSignature");
    return status == SEC_E_OK;
}

/* No version is known that exports. Should one, its rows must not stay empty without a word. */
static int exports(void)
{
    if (tried(try_to_export) != SEC_E_UNSUPPORTED_FUNCTION)
        fail("WinPR exports contexts now, and this program does not know how to measure it");
    return 0;
}

static void export_server(struct session *s)
{
    (void)s;
    fail("WinPR exports no contexts");
}

static void import_server(struct session *s)
{
    export_server(s);
}

static size_t exported_length(const struct session *s)
{
    (void)s;
    fail("WinPR exports no contexts");
    return 0;
}

static void end_exported(struct session *s)
{
    export_server(s);
}

static void acquire(void)
{
    static WCHAR package[] = { 'N', 'T', 'L', 'M', 0 };
    const char *user = setting("PEER_USER"), *password = setting("PEER_PASSWORD");
    SEC_WINNT_AUTH_IDENTITY identity;
    TimeStamp expiry;

    memset(&identity, 0, sizeof identity);
    if (sspi_SetAuthIdentity(&identity, user, setting("PEER_DOMAIN"), password) < 0)
        fail("sspi_SetAuthIdentity");
    succeed(table->AcquireCredentialsHandleW(NULL, package, SECPKG_CRED_OUTBOUND, NULL, &identity, NULL, NULL,
                                             &outbound, &expiry),
            SEC_E_OK, "AcquireCredentialsHandle for the client");
    succeed(table->AcquireCredentialsHandleW(NULL, package, SECPKG_CRED_INBOUND, NULL, NULL, NULL, NULL, &inbound,
                                             &expiry),
            SEC_E_OK, "AcquireCredentialsHandle for the server");
    account.Version = 1; /* the NT hash; 2 would be NTOWFv2 */
    if (!NTOWFv1A((char *)password, (UINT32)strlen(password), account.NtlmHash))
        fail("NTOWFv1");
}

int main(void)
{
    open_answers();
    table = InitSecurityInterfaceExW(SSPI_INTERFACE_WINPR);
    if (table == NULL)
        fail("InitSecurityInterfaceEx");
    acquire();
    answer("ready", winpr_get_version_string());
    serve();
    return 0;
}
