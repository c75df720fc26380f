/*
 * gss-ntlmssp for the benchmarks: both ends of NTLM in one process, timed by the processor time of its thread. ntlm.h has the
 * commands; seal and unseal are gss_wrap and gss_unwrap with confidentiality, sign and verify gss_get_mic and gss_verify_mic.
 *
 * The account: PEER_USER, PEER_DOMAIN and PEER_PASSWORD; the server finds it in NTLM_USER_FILE.
 */

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>

#include <stddef.h>

typedef gss_ctx_id_t context;

struct session {
    gss_ctx_id_t client, server;
    gss_buffer_desc token; /* the one that is on its way, or an exported context */
};

/* The plaintext is one for all messages: gss_unwrap gives its result elsewhere. */
struct message {
    size_t size;
    gss_buffer_desc made; /* the sealed message, or the signature */
};

#define PROGRAM "gss_ntlmssp"
#include "ntlm.h"

/* 1.3.6.1.4.1.311.2.2.10, NTLMSSP */
static gss_OID_desc ntlmssp = { 10, (void *)"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" };
static gss_OID_set_desc ntlmssp_only = { 1, &ntlmssp };
/* 1.3.6.1.4.1.7165.655.1.2: by asking for it, SPNEGO tells the mechanism that it can cope with a MIC */
static gss_OID_desc can_mic = { 11, (void *)"\x2b\x06\x01\x04\x01\xb7\x7d\x85\x0f\x01\x02" };

static gss_cred_id_t outbound = GSS_C_NO_CREDENTIAL, inbound = GSS_C_NO_CREDENTIAL;
static gss_name_t target = GSS_C_NO_NAME;

static void succeed(OM_uint32 major, OM_uint32 minor, OM_uint32 wanted, const char *what)
{
    OM_uint32 ignored, more = 0;
    gss_buffer_desc text;

    if (major == wanted)
        return;
    if (!GSS_ERROR(gss_display_status(&ignored, minor, GSS_C_MECH_CODE, &ntlmssp, &more, &text)))
        fprintf(stderr, "%.*s\n", (int)text.length, (char *)text.value);
    fprintf(stderr, "major %08x, minor %08x\n", (unsigned)major, (unsigned)minor);
    fail(what);
}

static void release(gss_buffer_t buffer)
{
    OM_uint32 ignored;

    gss_release_buffer(&ignored, buffer);
}

/* The client's step, with the token on its way; leaves its own there. */
static void initiate(struct session *s, OM_uint32 wanted)
{
    OM_uint32 major, minor;
    gss_buffer_desc output = GSS_C_EMPTY_BUFFER;

    major = gss_init_sec_context(&minor, outbound, &s->client, target, &ntlmssp,
                                 GSS_C_INTEG_FLAG | GSS_C_CONF_FLAG, 0, GSS_C_NO_CHANNEL_BINDINGS, &s->token, NULL,
                                 &output, NULL, NULL);
    succeed(major, minor, wanted, "gss_init_sec_context");
    release(&s->token);
    s->token = output;
}

static void negotiate(struct session *s)
{
    gss_buffer_set_t set = GSS_C_NO_BUFFER_SET;
    OM_uint32 major, minor, ignored;

    memset(s, 0, sizeof *s);
    initiate(s, GSS_S_CONTINUE_NEEDED);
    major = gss_inquire_sec_context_by_oid(&minor, s->client, &can_mic, &set);
    succeed(major, minor, GSS_S_COMPLETE, "to ask for a MIC");
    gss_release_buffer_set(&ignored, &set);
}

static void authenticate(struct session *s)
{
    initiate(s, GSS_S_COMPLETE);
}

/* The server's step, the same way. */
static void accept_token(struct session *s, OM_uint32 wanted)
{
    OM_uint32 major, minor;
    gss_buffer_desc output = GSS_C_EMPTY_BUFFER;

    major = gss_accept_sec_context(&minor, &s->server, inbound, &s->token, GSS_C_NO_CHANNEL_BINDINGS, NULL, NULL,
                                   &output, NULL, NULL, NULL);
    succeed(major, minor, wanted, "gss_accept_sec_context");
    release(&s->token);
    s->token = output;
}

static void challenge(struct session *s)
{
    accept_token(s, GSS_S_CONTINUE_NEEDED);
}

static void accept_client(struct session *s)
{
    accept_token(s, GSS_S_COMPLETE);
    release(&s->token);
}

static const unsigned char *token_of(const struct session *s, size_t *length)
{
    *length = s->token.length;
    return s->token.value;
}

static void end_client(struct session *s)
{
    OM_uint32 ignored;

    gss_delete_sec_context(&ignored, &s->client, GSS_C_NO_BUFFER);
}

static void end_server(struct session *s)
{
    OM_uint32 ignored;

    gss_delete_sec_context(&ignored, &s->server, GSS_C_NO_BUFFER);
}

static gss_buffer_desc plaintext(size_t size)
{
    static gss_buffer_desc text = GSS_C_EMPTY_BUFFER;

    if (text.length != size) {
        free(text.value);
        text.value = allocate(size);
        text.length = size;
        memset(text.value, 0x5A, size);
    }
    return text;
}

static void begin_message(struct message *m, size_t size)
{
    memset(m, 0, sizeof *m);
    m->size = size;
    plaintext(size);
}

static void sent(struct message *m)
{
    release(&m->made);
}

static void end_message(struct message *m)
{
    sent(m);
}

static void seal(context *sender, struct message *m)
{
    gss_buffer_desc text = plaintext(m->size);
    OM_uint32 major, minor;
    int confidential = 0;

    major = gss_wrap(&minor, *sender, 1, GSS_C_QOP_DEFAULT, &text, &confidential, &m->made);
    succeed(major, minor, GSS_S_COMPLETE, "gss_wrap");
    if (!confidential)
        fail("the message was not encrypted");
}

static const unsigned char *sealed_of(const struct message *m, size_t *length)
{
    *length = m->made.length;
    return m->made.value;
}

static gss_buffer_desc unwrap(context *receiver, struct message *m)
{
    gss_buffer_desc output = GSS_C_EMPTY_BUFFER;
    OM_uint32 major, minor;

    major = gss_unwrap(&minor, *receiver, &m->made, &output, NULL, NULL);
    succeed(major, minor, GSS_S_COMPLETE, "gss_unwrap");
    if (output.length != m->size)
        fail("the message came back with another length");
    return output;
}

static void unseal(context *receiver, struct message *m)
{
    gss_buffer_desc output = unwrap(receiver, m);

    release(&output);
}

static void unseal_into(context *receiver, struct message *m, unsigned char *into)
{
    gss_buffer_desc output = unwrap(receiver, m);

    memcpy(into, output.value, output.length);
    release(&output);
}

static int signs(void)
{
    return 1;
}

static void sign(context *sender, struct message *m)
{
    gss_buffer_desc text = plaintext(m->size);
    OM_uint32 major, minor;

    major = gss_get_mic(&minor, *sender, GSS_C_QOP_DEFAULT, &text, &m->made);
    succeed(major, minor, GSS_S_COMPLETE, "gss_get_mic");
}

static void verify(context *receiver, struct message *m)
{
    gss_buffer_desc text = plaintext(m->size);
    OM_uint32 major, minor;

    major = gss_verify_mic(&minor, *receiver, &text, &m->made, NULL);
    succeed(major, minor, GSS_S_COMPLETE, "gss_verify_mic");
}

static int exports(void)
{
    return 1;
}

static void export_server(struct session *s)
{
    OM_uint32 minor, major = gss_export_sec_context(&minor, &s->server, &s->token);

    succeed(major, minor, GSS_S_COMPLETE, "gss_export_sec_context");
}

static void import_server(struct session *s)
{
    OM_uint32 minor, major = gss_import_sec_context(&minor, &s->token, &s->server);

    succeed(major, minor, GSS_S_COMPLETE, "gss_import_sec_context");
}

static size_t exported_length(const struct session *s)
{
    return s->token.length;
}

static void end_exported(struct session *s)
{
    release(&s->token);
}

static int has_mechanism(void)
{
    gss_OID_set all = GSS_C_NO_OID_SET;
    OM_uint32 major, minor, ignored;
    int present = 0;

    major = gss_indicate_mechs(&minor, &all);
    succeed(major, minor, GSS_S_COMPLETE, "gss_indicate_mechs");
    major = gss_test_oid_set_member(&minor, &ntlmssp, all, &present);
    succeed(major, minor, GSS_S_COMPLETE, "gss_test_oid_set_member");
    gss_release_oid_set(&ignored, &all);
    return present;
}

static gss_buffer_desc text_of(const char *text)
{
    gss_buffer_desc buffer = { strlen(text), (void *)text };

    return buffer;
}

static void acquire(void)
{
    gss_buffer_desc text, secret = text_of(setting("PEER_PASSWORD"));
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 major, minor, ignored;
    char user[256];

    if (snprintf(user, sizeof user, "%s\\%s", setting("PEER_DOMAIN"), setting("PEER_USER")) >= (int)sizeof user)
        fail("the name is too long");
    text = text_of(user);
    major = gss_import_name(&minor, &text, GSS_C_NT_USER_NAME, &name);
    succeed(major, minor, GSS_S_COMPLETE, "gss_import_name");
    major = gss_acquire_cred_with_password(&minor, name, &secret, GSS_C_INDEFINITE, &ntlmssp_only, GSS_C_INITIATE,
                                           &outbound, NULL, NULL);
    succeed(major, minor, GSS_S_COMPLETE, "gss_acquire_cred_with_password");
    major = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &ntlmssp_only, GSS_C_ACCEPT, &inbound, NULL,
                             NULL);
    succeed(major, minor, GSS_S_COMPLETE, "gss_acquire_cred");
    gss_release_name(&ignored, &name);
    /* GSSAPI itself refuses a client without a target. */
    text = text_of("cifs@files");
    major = gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &target);
    succeed(major, minor, GSS_S_COMPLETE, "gss_import_name");
}

int main(void)
{
    open_answers();
    if (!has_mechanism()) {
        answer("missing", "GSSAPI has no NTLMSSP mechanism (Debian: gss-ntlmssp)");
        return 0;
    }
    acquire();
    answer("ready", "");
    serve();
    return 0;
}
