/*
 * gss-ntlmssp for the benchmarks: both ends of NTLM in one process, timed by the processor time of its thread.
 *
 * The account: GSS_BENCH_USER (DOMAIN\user) and GSS_BENCH_PASSWORD; the server finds it in NTLM_USER_FILE. The first line
 * on stdout is "ready", or "missing" where GSSAPI has no such mechanism. Then each line on stdin is answered by one:
 *
 *   handshake <times>               both ends, from the first token to the release of both contexts   -> <nanoseconds>
 *   server <times>                  the server's two steps of it                                      -> <nanoseconds>
 *   seal|unseal <times> <bytes>     gss_wrap, gss_unwrap with confidentiality                         -> <nanoseconds>
 *   sign|verify <times> <bytes>     gss_get_mic, gss_verify_mic                                       -> <nanoseconds>
 *   prepare <messages>              establishes the servers' contexts that are exported next; so many messages of 1 KiB
 *                                   went both ways before                               -> <bytes of an exported one>
 *   export|import <times>           gss_export_sec_context, gss_import_sec_context                    -> <nanoseconds>
 *   authenticate                    the AUTHENTICATE of one handshake                                 -> <hexadecimal>
 *
 * Whatever fails ends the program, with the reason on stderr: figures of a failing mechanism mean nothing.
 */

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Handshakes, and contexts, that are taken step by step together, so that the clock is read once for a step of all. */
#define ABREAST 32
/* Bytes of messages prepared ahead of what is timed: few enough to stay in the processor's cache. */
#define PREPARED (256 << 10)
#define MESSAGE 1024

/* 1.3.6.1.4.1.311.2.2.10, NTLMSSP */
static gss_OID_desc ntlmssp = { 10, (void *)"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" };
static gss_OID_set_desc ntlmssp_only = { 1, &ntlmssp };
/* 1.3.6.1.4.1.7165.655.1.2: by asking for it, SPNEGO tells the mechanism that it can cope with a MIC */
static gss_OID_desc can_mic = { 11, (void *)"\x2b\x06\x01\x04\x01\xb7\x7d\x85\x0f\x01\x02" };

static gss_cred_id_t outbound = GSS_C_NO_CREDENTIAL, inbound = GSS_C_NO_CREDENTIAL;
static gss_name_t target = GSS_C_NO_NAME;

struct session {
    gss_ctx_id_t client, server;
    gss_buffer_desc token; /* the one that is on its way */
};

static struct session pool[ABREAST];

static void fail(const char *what)
{
    fprintf(stderr, "gss_ntlmssp: %s\n", what);
    exit(1);
}

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

static uint64_t now(void)
{
    struct timespec time;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0)
        fail("clock_gettime");
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
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

static void establish(struct session *s)
{
    negotiate(s);
    accept_token(s, GSS_S_CONTINUE_NEEDED);
    initiate(s, GSS_S_COMPLETE);
    accept_token(s, GSS_S_COMPLETE);
    release(&s->token);
}

static void end(struct session *s)
{
    OM_uint32 ignored;

    gss_delete_sec_context(&ignored, &s->client, GSS_C_NO_BUFFER);
    gss_delete_sec_context(&ignored, &s->server, GSS_C_NO_BUFFER);
}

static void seal(gss_ctx_id_t context, gss_buffer_t message, gss_buffer_t sealed)
{
    OM_uint32 major, minor;
    int confidential = 0;

    major = gss_wrap(&minor, context, 1, GSS_C_QOP_DEFAULT, message, &confidential, sealed);
    succeed(major, minor, GSS_S_COMPLETE, "gss_wrap");
    if (!confidential)
        fail("the message was not encrypted");
}

static void unseal(gss_ctx_id_t context, gss_buffer_t message, gss_buffer_t sealed)
{
    OM_uint32 major, minor;
    gss_buffer_desc output = GSS_C_EMPTY_BUFFER;

    major = gss_unwrap(&minor, context, sealed, &output, NULL, NULL);
    succeed(major, minor, GSS_S_COMPLETE, "gss_unwrap");
    if (output.length != message->length)
        fail("the message came back with another length");
    release(&output);
}

static void sign(gss_ctx_id_t context, gss_buffer_t message, gss_buffer_t mic)
{
    OM_uint32 major, minor;

    major = gss_get_mic(&minor, context, GSS_C_QOP_DEFAULT, message, mic);
    succeed(major, minor, GSS_S_COMPLETE, "gss_get_mic");
}

static void verify(gss_ctx_id_t context, gss_buffer_t message, gss_buffer_t mic)
{
    OM_uint32 major, minor;

    major = gss_verify_mic(&minor, context, message, mic, NULL);
    succeed(major, minor, GSS_S_COMPLETE, "gss_verify_mic");
}

typedef void protection(gss_ctx_id_t context, gss_buffer_t message, gss_buffer_t result);

static uint64_t handshake(size_t times)
{
    uint64_t start = now();
    struct session s;

    while (times-- > 0) {
        establish(&s);
        end(&s);
    }
    return now() - start;
}

static uint64_t server_share(size_t times)
{
    struct session sessions[ABREAST];
    uint64_t total = 0, start;

    while (times > 0) {
        size_t abreast = times < ABREAST ? times : ABREAST, i;

        for (i = 0; i < abreast; i++)
            negotiate(&sessions[i]);
        start = now();
        for (i = 0; i < abreast; i++)
            accept_token(&sessions[i], GSS_S_CONTINUE_NEEDED);
        total += now() - start;
        for (i = 0; i < abreast; i++)
            initiate(&sessions[i], GSS_S_COMPLETE);
        start = now();
        for (i = 0; i < abreast; i++)
            accept_token(&sessions[i], GSS_S_COMPLETE);
        total += now() - start;
        for (i = 0; i < abreast; i++)
            end(&sessions[i]);
        times -= abreast;
    }
    return total;
}

static gss_buffer_desc new_message(size_t size)
{
    gss_buffer_desc message = { size, malloc(size) };

    if (message.value == NULL)
        fail("no memory");
    memset(message.value, 0x5A, size);
    return message;
}

/* The client's sending, and the release of what it made. */
static uint64_t sending(size_t times, size_t size, protection *send)
{
    gss_buffer_desc message = new_message(size), made = GSS_C_EMPTY_BUFFER;
    struct session s;
    uint64_t start, took;

    establish(&s);
    start = now();
    while (times-- > 0) {
        send(s.client, &message, &made);
        release(&made);
    }
    took = now() - start;
    end(&s);
    free(message.value);
    return took;
}

static uint64_t receiving(size_t times, size_t size, protection *send, protection *receive)
{
    size_t capacity = PREPARED / size, batch, i;
    gss_buffer_desc message = new_message(size), *made;
    struct session s;
    uint64_t start, total = 0;

    if (capacity == 0)
        capacity = 1;
    made = calloc(capacity, sizeof *made);
    if (made == NULL)
        fail("no memory");
    establish(&s);
    for (; times > 0; times -= batch) {
        batch = times < capacity ? times : capacity;
        for (i = 0; i < batch; i++)
            send(s.client, &message, &made[i]);
        start = now();
        for (i = 0; i < batch; i++)
            receive(s.server, &message, &made[i]);
        total += now() - start;
        for (i = 0; i < batch; i++)
            release(&made[i]);
    }
    end(&s);
    free(made);
    free(message.value);
    return total;
}

static void export_context(struct session *s)
{
    OM_uint32 minor, major = gss_export_sec_context(&minor, &s->server, &s->token);

    succeed(major, minor, GSS_S_COMPLETE, "gss_export_sec_context");
}

static void import_context(struct session *s)
{
    OM_uint32 minor, major = gss_import_sec_context(&minor, &s->token, &s->server);

    succeed(major, minor, GSS_S_COMPLETE, "gss_import_sec_context");
}

/* One message in each direction. */
static void converse(struct session *s)
{
    gss_buffer_desc message = new_message(MESSAGE), sealed = GSS_C_EMPTY_BUFFER;

    seal(s->client, &message, &sealed);
    unseal(s->server, &message, &sealed);
    release(&sealed);
    seal(s->server, &message, &sealed);
    unseal(s->client, &message, &sealed);
    release(&sealed);
    free(message.value);
}

static size_t prepare(size_t messages)
{
    struct session probe;
    size_t bytes, i, sent;

    for (i = 0; i < ABREAST; i++) {
        end(&pool[i]);
        establish(&pool[i]);
        for (sent = 0; sent < messages; sent++)
            converse(&pool[i]);
    }
    /* Of a session of its own, since messages follow: they show that the context goes on where it was. */
    establish(&probe);
    for (sent = 0; sent < messages; sent++)
        converse(&probe);
    export_context(&probe);
    bytes = probe.token.length;
    import_context(&probe);
    release(&probe.token);
    converse(&probe);
    end(&probe);
    return bytes;
}

/* Exports and imports the prepared contexts; of one of the two it tells how long it took. */
static uint64_t hand_over(size_t times, int importing)
{
    uint64_t start, exports = 0, imports = 0;

    while (times > 0) {
        size_t abreast = times < ABREAST ? times : ABREAST, i;

        start = now();
        for (i = 0; i < abreast; i++)
            export_context(&pool[i]);
        exports += now() - start;
        start = now();
        for (i = 0; i < abreast; i++)
            import_context(&pool[i]);
        imports += now() - start;
        for (i = 0; i < abreast; i++)
            release(&pool[i].token);
        times -= abreast;
    }
    return importing ? imports : exports;
}

static void show_authenticate(void)
{
    struct session s;
    size_t i;

    negotiate(&s);
    accept_token(&s, GSS_S_CONTINUE_NEEDED);
    initiate(&s, GSS_S_COMPLETE);
    for (i = 0; i < s.token.length; i++)
        printf("%02x", ((unsigned char *)s.token.value)[i]);
    putchar('\n');
    accept_token(&s, GSS_S_COMPLETE);
    end(&s);
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

static void acquire(void)
{
    const char *user = getenv("GSS_BENCH_USER"), *password = getenv("GSS_BENCH_PASSWORD");
    gss_name_t name = GSS_C_NO_NAME;
    gss_buffer_desc text, secret;
    OM_uint32 major, minor, ignored;

    if (user == NULL || password == NULL)
        fail("GSS_BENCH_USER and GSS_BENCH_PASSWORD are not set");
    text.value = (void *)user;
    text.length = strlen(user);
    secret.value = (void *)password;
    secret.length = strlen(password);
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
    text.value = "cifs@files";
    text.length = strlen(text.value);
    major = gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &target);
    succeed(major, minor, GSS_S_COMPLETE, "gss_import_name");
}

int main(void)
{
    char line[128], what[32];
    size_t number, size;

    puts(has_mechanism() ? "ready" : "missing");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned long long answer = 0;

        number = size = 1;
        if (sscanf(line, "%31s %zu %zu", what, &number, &size) < 1 || size == 0)
            fail("not a command");
        if (inbound == GSS_C_NO_CREDENTIAL)
            acquire();
        if (strcmp(what, "authenticate") == 0) {
            show_authenticate();
            fflush(stdout);
            continue;
        }
        if (strcmp(what, "handshake") == 0)
            answer = handshake(number);
        else if (strcmp(what, "server") == 0)
            answer = server_share(number);
        else if (strcmp(what, "seal") == 0)
            answer = sending(number, size, seal);
        else if (strcmp(what, "unseal") == 0)
            answer = receiving(number, size, seal, unseal);
        else if (strcmp(what, "sign") == 0)
            answer = sending(number, size, sign);
        else if (strcmp(what, "verify") == 0)
            answer = receiving(number, size, sign, verify);
        else if (strcmp(what, "prepare") == 0)
            answer = prepare(number);
        else if (strcmp(what, "export") == 0)
            answer = hand_over(number, 0);
        else if (strcmp(what, "import") == 0)
            answer = hand_over(number, 1);
        else
            fail("no such command");
        printf("%llu\n", answer);
        fflush(stdout);
    }
    return 0;
}
