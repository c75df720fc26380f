/*
 * An NTLM peer for tests/interop/gss.rs: GSSAPI with the gss-ntlmssp mechanism, driven by lines.
 *
 * Reads one command a line from stdin, and answers each with one line on stdout. Byte strings are hexadecimal; "-"
 * stands for the empty one. The names are text, and "-" again the empty one.
 *
 *   request <flag>...                              what the next context asks for: integ conf replay sequence
 *                                                  dce identify anon; default: integ conf       -> ok
 *   bindings <hex>                                 application data of the channel bindings     -> ok
 *   initiate <user> <domain> <password> <target>   a client's first step; target: service@host  -> token <hex>
 *   mic                                            a client that has made its first token shall protect the messages
 *                                                  by a MIC, which this mechanism does below SPNEGO only -> ok
 *   accept                                         a server; its accounts: NTLM_USER_FILE       -> ok
 *   step <hex>                                     the peer's token            -> token <hex> | done [<hex>]
 *   wrap <hex>       gss_wrap with confidentiality                                          -> data <hex>
 *   unwrap <hex>     gss_unwrap                                                             -> data <hex>
 *   sign <hex>       gss_get_mic                                                            -> data <hex>
 *   verify <message> <mic>                                                                  -> ok
 *   name             the client's name, as the mechanism shows it                           -> name <text>
 *   key              the session key                                                        -> data <hex>
 *   flags            the flags of the context                                               -> flags <word>...
 *
 * Whatever fails answers "error <major> <minor> <text>", both numbers in decimal. A failed step ends the handshake;
 * anything else can be tried again. Ends at end of input.
 */

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 1.3.6.1.4.1.311.2.2.10, NTLMSSP */
static gss_OID_desc ntlmssp = { 10, (void *)"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" };
static gss_OID_set_desc ntlmssp_only = { 1, &ntlmssp };

/* 1.3.6.1.4.1.7165.655.1.2: by asking for it, SPNEGO tells the mechanism that it can cope with a MIC */
static gss_OID_desc can_mic = { 11, (void *)"\x2b\x06\x01\x04\x01\xb7\x7d\x85\x0f\x01\x02" };

static const struct {
    const char *word;
    OM_uint32 flag;
} flag_words[] = {
    { "integ", GSS_C_INTEG_FLAG },       { "conf", GSS_C_CONF_FLAG },
    { "replay", GSS_C_REPLAY_FLAG },     { "sequence", GSS_C_SEQUENCE_FLAG },
    { "mutual", GSS_C_MUTUAL_FLAG },     { "anon", GSS_C_ANON_FLAG },
    { "dce", GSS_C_DCE_STYLE },          { "identify", GSS_C_IDENTIFY_FLAG },
    { "extended", GSS_C_EXTENDED_ERROR_FLAG },
};
#define FLAG_WORDS (sizeof flag_words / sizeof *flag_words)

enum role { NO_ROLE, INITIATOR, ACCEPTOR };

static enum role role = NO_ROLE;
static int established;
static OM_uint32 requested = GSS_C_INTEG_FLAG | GSS_C_CONF_FLAG;
static OM_uint32 obtained;
static gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
static gss_ctx_id_t context = GSS_C_NO_CONTEXT;
static gss_name_t target = GSS_C_NO_NAME;
static gss_name_t client = GSS_C_NO_NAME;
static struct gss_channel_bindings_struct bindings_value;
static gss_channel_bindings_t bindings = GSS_C_NO_CHANNEL_BINDINGS;

static void put_hex(const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    size_t i;

    if (length == 0)
        putchar('-');
    for (i = 0; i < length; i++)
        printf("%02x", byte[i]);
}

static void answer_hex(const char *word, const gss_buffer_t buffer)
{
    printf("%s ", word);
    put_hex(buffer->value, buffer->length);
    putchar('\n');
}

static void put_text(OM_uint32 code, int type, gss_OID mechanism)
{
    OM_uint32 minor, more = 0;
    gss_buffer_desc text;

    do {
        if (GSS_ERROR(gss_display_status(&minor, code, type, mechanism, &more, &text)))
            return;
        printf(" %.*s", (int)text.length, (char *)text.value);
        gss_release_buffer(&minor, &text);
    } while (more);
}

static void answer_error(OM_uint32 major, OM_uint32 minor)
{
    printf("error %u %u", (unsigned)major, (unsigned)minor);
    put_text(major, GSS_C_GSS_CODE, GSS_C_NO_OID);
    printf(";");
    put_text(minor, GSS_C_MECH_CODE, &ntlmssp);
    putchar('\n');
}

/* For what this program itself refuses. */
static void answer_refusal(const char *text)
{
    printf("error 0 0 %s\n", text);
}

/* The value of a hexadecimal digit, or -1. */
static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;

    return found != NULL ? (int)(found - digits) : -1;
}

/* Decodes hexadecimal text; the buffer's value is the caller's to free. */
static int take_hex(const char *text, gss_buffer_t out)
{
    size_t length, i;
    unsigned char *bytes;

    out->length = 0;
    out->value = NULL;
    if (text == NULL)
        return 0;
    if (strcmp(text, "-") == 0)
        text = "";
    length = strlen(text);
    if (length % 2 != 0)
        return 0;
    bytes = malloc(length / 2 + 1);
    if (bytes == NULL)
        return 0;
    for (i = 0; i < length / 2; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            free(bytes);
            return 0;
        }
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    out->length = length / 2;
    out->value = bytes;
    return 1;
}

static char *word(void)
{
    return strtok(NULL, " ");
}

static const char *text_word(void)
{
    const char *text = word();

    return text != NULL && strcmp(text, "-") == 0 ? "" : text;
}

static void command_request(void)
{
    const char *name;
    OM_uint32 flags = 0;
    size_t i;

    while ((name = word()) != NULL) {
        for (i = 0; i < FLAG_WORDS; i++)
            if (strcmp(name, flag_words[i].word) == 0)
                break;
        if (i == FLAG_WORDS) {
            answer_refusal("no such flag");
            return;
        }
        flags |= flag_words[i].flag;
    }
    requested = flags;
    puts("ok");
}

static void command_bindings(void)
{
    gss_buffer_desc data;

    if (!take_hex(word(), &data)) {
        answer_refusal("bindings <hex>");
        return;
    }
    free(bindings_value.application_data.value);
    memset(&bindings_value, 0, sizeof bindings_value);
    bindings_value.application_data = data;
    bindings = &bindings_value;
    puts("ok");
}

/* One step of the handshake in either role. */
static void step(gss_buffer_t input)
{
    OM_uint32 major, minor, ignored;
    gss_buffer_desc output = GSS_C_EMPTY_BUFFER;

    if (role == INITIATOR)
        major = gss_init_sec_context(&minor, credential, &context, target, &ntlmssp, requested, 0, bindings, input,
                                     NULL, &output, &obtained, NULL);
    else
        major = gss_accept_sec_context(&minor, &context, credential, input, bindings, &client, NULL, &output,
                                       &obtained, NULL, NULL);

    if (GSS_ERROR(major)) {
        answer_error(major, minor);
        gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
        role = NO_ROLE;
    } else if (major & GSS_S_CONTINUE_NEEDED) {
        answer_hex("token", &output);
    } else {
        established = 1;
        if (output.length != 0)
            answer_hex("done", &output);
        else
            puts("done");
    }
    gss_release_buffer(&ignored, &output);
}

static void command_initiate(void)
{
    const char *user = text_word(), *domain = text_word(), *password = text_word(), *service = text_word();
    gss_buffer_desc text, secret, empty = GSS_C_EMPTY_BUFFER;
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 major, minor, ignored;
    char full[512];

    if (role != NO_ROLE || service == NULL) {
        answer_refusal("initiate <user> <domain> <password> <target>, once");
        return;
    }
    if (snprintf(full, sizeof full, "%s%s%s", domain, *domain ? "\\" : "", user) >= (int)sizeof full) {
        answer_refusal("the name is too long");
        return;
    }
    text.value = full;
    text.length = strlen(full);
    major = gss_import_name(&minor, &text, GSS_C_NT_USER_NAME, &name);
    if (!GSS_ERROR(major)) {
        secret.value = (void *)password;
        secret.length = strlen(password);
        major = gss_acquire_cred_with_password(&minor, name, &secret, GSS_C_INDEFINITE, &ntlmssp_only,
                                               GSS_C_INITIATE, &credential, NULL, NULL);
    }
    if (!GSS_ERROR(major) && *service) {
        text.value = (void *)service;
        text.length = strlen(service);
        major = gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &target);
    }
    gss_release_name(&ignored, &name);
    if (GSS_ERROR(major)) {
        answer_error(major, minor);
        return;
    }
    role = INITIATOR;
    step(&empty);
}

static void command_mic(void)
{
    gss_buffer_set_t ignored_set = GSS_C_NO_BUFFER_SET;
    OM_uint32 major, minor, ignored;

    if (role != INITIATOR || established) {
        answer_refusal("mic, after initiate");
        return;
    }
    major = gss_inquire_sec_context_by_oid(&minor, context, &can_mic, &ignored_set);
    gss_release_buffer_set(&ignored, &ignored_set);
    if (GSS_ERROR(major))
        answer_error(major, minor);
    else
        puts("ok");
}

static void command_accept(void)
{
    OM_uint32 major, minor;

    if (role != NO_ROLE) {
        answer_refusal("accept, once");
        return;
    }
    major = gss_acquire_cred(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &ntlmssp_only, GSS_C_ACCEPT, &credential,
                             NULL, NULL);
    if (GSS_ERROR(major)) {
        answer_error(major, minor);
        return;
    }
    role = ACCEPTOR;
    puts("ok");
}

static void command_step(void)
{
    gss_buffer_desc input;

    if (role == NO_ROLE || established) {
        answer_refusal("there is no handshake");
    } else if (!take_hex(word(), &input)) {
        answer_refusal("step <hex>");
    } else {
        step(&input);
        free(input.value);
    }
}

enum protection { WRAP, UNWRAP, SIGN };

static void command_protect(enum protection what)
{
    gss_buffer_desc input, output = GSS_C_EMPTY_BUFFER;
    OM_uint32 major, minor, ignored;
    int confidential = 1;

    if (!take_hex(word(), &input)) {
        answer_refusal("a message in hexadecimal is missing");
        return;
    }
    if (what == WRAP)
        major = gss_wrap(&minor, context, 1, GSS_C_QOP_DEFAULT, &input, &confidential, &output);
    else if (what == UNWRAP)
        major = gss_unwrap(&minor, context, &input, &output, &confidential, NULL);
    else
        major = gss_get_mic(&minor, context, GSS_C_QOP_DEFAULT, &input, &output);
    if (GSS_ERROR(major))
        answer_error(major, minor);
    else if (what != SIGN && !confidential)
        answer_refusal("the message was not encrypted");
    else
        answer_hex("data", &output);
    gss_release_buffer(&ignored, &output);
    free(input.value);
}

static void command_verify(void)
{
    gss_buffer_desc message, mic = GSS_C_EMPTY_BUFFER;
    OM_uint32 major, minor;

    if (!take_hex(word(), &message) || !take_hex(word(), &mic)) {
        answer_refusal("verify <message> <mic>");
    } else {
        major = gss_verify_mic(&minor, context, &message, &mic, NULL);
        if (major != GSS_S_COMPLETE)
            answer_error(major, minor);
        else
            puts("ok");
    }
    free(message.value);
    free(mic.value);
}

static void command_name(void)
{
    gss_name_t name = GSS_C_NO_NAME;
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    OM_uint32 major, minor, ignored;

    major = gss_inquire_context(&minor, context, &name, NULL, NULL, NULL, NULL, NULL, NULL);
    if (!GSS_ERROR(major))
        major = gss_display_name(&minor, name, &text, NULL);
    if (GSS_ERROR(major))
        answer_error(major, minor);
    else
        printf("name %.*s\n", (int)text.length, (char *)text.value);
    gss_release_buffer(&ignored, &text);
    gss_release_name(&ignored, &name);
}

static void command_key(void)
{
    gss_buffer_set_t keys = GSS_C_NO_BUFFER_SET;
    OM_uint32 major, minor, ignored;

    major = gss_inquire_sec_context_by_oid(&minor, context, GSS_C_INQ_SSPI_SESSION_KEY, &keys);
    if (GSS_ERROR(major))
        answer_error(major, minor);
    else if (keys == GSS_C_NO_BUFFER_SET || keys->count == 0)
        answer_refusal("the mechanism gives no key");
    else
        answer_hex("data", &keys->elements[0]);
    gss_release_buffer_set(&ignored, &keys);
}

static void command_flags(void)
{
    size_t i;

    printf("flags");
    for (i = 0; i < FLAG_WORDS; i++)
        if (obtained & flag_words[i].flag)
            printf(" %s", flag_words[i].word);
    putchar('\n');
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;

    while ((length = getline(&line, &capacity, stdin)) > 0) {
        const char *command;

        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        command = strtok(line, " ");
        if (command == NULL)
            answer_refusal("empty line");
        else if (strcmp(command, "request") == 0)
            command_request();
        else if (strcmp(command, "bindings") == 0)
            command_bindings();
        else if (strcmp(command, "initiate") == 0)
            command_initiate();
        else if (strcmp(command, "mic") == 0)
            command_mic();
        else if (strcmp(command, "accept") == 0)
            command_accept();
        else if (strcmp(command, "step") == 0)
            command_step();
        else if (!established)
            answer_refusal("no such command, or not before the handshake is done");
        else if (strcmp(command, "wrap") == 0)
            command_protect(WRAP);
        else if (strcmp(command, "unwrap") == 0)
            command_protect(UNWRAP);
        else if (strcmp(command, "sign") == 0)
            command_protect(SIGN);
        else if (strcmp(command, "verify") == 0)
            command_verify();
        else if (strcmp(command, "name") == 0)
            command_name();
        else if (strcmp(command, "key") == 0)
            command_key();
        else if (strcmp(command, "flags") == 0)
            command_flags();
        else
            answer_refusal("no such command");
        fflush(stdout);
    }
    free(line);
    return 0;
}
