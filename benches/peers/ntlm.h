/*
 * The commands that a program with both ends of NTLM answers, and the loops behind them. A peer defines the steps, declared
 * below, and includes this file; then these are its commands:
 *
 *   handshake <times>               both ends, from the first token to the release of both contexts   -> <nanoseconds>
 *   server <times>                  the server's two steps of it                                      -> <nanoseconds>
 *   seal|unseal <times> <bytes>                                                                       -> <nanoseconds>
 *   sign|verify <times> <bytes>                                                                       -> <nanoseconds>
 *   prepare <messages>              establishes the servers' contexts that are exported next; so many messages of 1 KiB
 *                                   went both ways before                               -> <bytes of an exported one>
 *   export|import <times>                                                                             -> <nanoseconds>
 *   check                           sends a message both ways and sees it come back; the AUTHENTICATE of its handshake
 *                                                                                                     -> <hexadecimal>
 *   memory <messages>               the heap that the end of a server's context gives back, after so many messages of
 *                                   1 KiB both ways; the mean of many contexts                        -> <bytes>
 *
 * Where the peer refuses, the answer is "unsupported".
 */

#ifndef PEERS_NTLM_H
#define PEERS_NTLM_H

#include "common.h"

/* Handshakes, and contexts, that are taken step by step together, so that the clock is read once for a step of all. */
#define ABREAST 32
/* Bytes of messages prepared ahead of what is timed: few enough to stay in the processor's cache. */
#define PREPARED (256 << 10)
#define MESSAGE 1024
/* Contexts whose memory is counted. */
#define CONTEXTS 200

/*
 * The peer's own: the type `context`; struct session with both contexts, `client` and `server`, and the token that is on its
 * way; struct message with a message and what it is sealed or signed to.
 */
static void negotiate(struct session *s);
static void challenge(struct session *s);
static void authenticate(struct session *s);
static void accept_client(struct session *s);
static const unsigned char *token_of(const struct session *s, size_t *length);
/* Each may be called for a session where there is nothing of the kind. */
static void end_client(struct session *s);
static void end_server(struct session *s);

/* A message of so many bytes 0x5A. */
static void begin_message(struct message *m, size_t size);
static void end_message(struct message *m);
static void seal(context *sender, struct message *m);
/* Fails where the message does not come back. */
static void unseal(context *receiver, struct message *m);
static void sign(context *sender, struct message *m);
static void verify(context *receiver, struct message *m);
/* Gives back what sending allocated for this message, whose timing it belongs to. */
static void sent(struct message *m);
/* What goes to the other side. */
static const unsigned char *sealed_of(const struct message *m, size_t *length);
/* Like `unseal`, with a copy of the plaintext. */
static void unseal_into(context *receiver, struct message *m, unsigned char *plaintext);

/* Whether it does that at all. */
static int signs(void);
static int exports(void);
static void export_server(struct session *s);
static void import_server(struct session *s);
static size_t exported_length(const struct session *s);
static void end_exported(struct session *s);

typedef void protection(context *c, struct message *m);

static struct session pool[ABREAST];

static void establish(struct session *s)
{
    negotiate(s);
    challenge(s);
    authenticate(s);
    accept_client(s);
}

static void end(struct session *s)
{
    end_client(s);
    end_server(s);
}

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
    static struct session sessions[ABREAST];
    uint64_t total = 0, start;

    while (times > 0) {
        size_t abreast = times < ABREAST ? times : ABREAST, i;

        for (i = 0; i < abreast; i++)
            negotiate(&sessions[i]);
        start = now();
        for (i = 0; i < abreast; i++)
            challenge(&sessions[i]);
        total += now() - start;
        for (i = 0; i < abreast; i++)
            authenticate(&sessions[i]);
        start = now();
        for (i = 0; i < abreast; i++)
            accept_client(&sessions[i]);
        total += now() - start;
        for (i = 0; i < abreast; i++)
            end(&sessions[i]);
        times -= abreast;
    }
    return total;
}

/* The client's sending, and the release of what it made. */
static uint64_t sending(size_t times, size_t size, protection *send)
{
    struct message message;
    struct session s;
    uint64_t start, took;

    begin_message(&message, size);
    establish(&s);
    start = now();
    while (times-- > 0) {
        send(&s.client, &message);
        sent(&message);
    }
    took = now() - start;
    end(&s);
    end_message(&message);
    return took;
}

static uint64_t receiving(size_t times, size_t size, protection *send, protection *receive)
{
    size_t capacity = PREPARED / size, batch, i;
    struct message *messages;
    struct session s;
    uint64_t start, total = 0;

    if (capacity == 0)
        capacity = 1;
    if (capacity > times)
        capacity = times;
    messages = allocate(capacity * sizeof *messages);
    for (i = 0; i < capacity; i++)
        begin_message(&messages[i], size);
    establish(&s);
    for (; times > 0; times -= batch) {
        batch = times < capacity ? times : capacity;
        for (i = 0; i < batch; i++)
            send(&s.client, &messages[i]);
        start = now();
        for (i = 0; i < batch; i++)
            receive(&s.server, &messages[i]);
        total += now() - start;
        for (i = 0; i < batch; i++)
            sent(&messages[i]);
    }
    end(&s);
    for (i = 0; i < capacity; i++)
        end_message(&messages[i]);
    free(messages);
    return total;
}

/* So many messages in each direction. */
static void converse(struct session *s, size_t messages)
{
    struct message message;

    begin_message(&message, MESSAGE);
    while (messages-- > 0) {
        seal(&s->client, &message);
        unseal(&s->server, &message);
        sent(&message);
        seal(&s->server, &message);
        unseal(&s->client, &message);
        sent(&message);
    }
    end_message(&message);
}

static size_t prepare(size_t messages)
{
    struct session probe;
    size_t bytes, i;

    for (i = 0; i < ABREAST; i++) {
        end(&pool[i]);
        establish(&pool[i]);
        converse(&pool[i], messages);
    }
    /* Of a session of its own, since messages follow: they show that the context goes on where it was. */
    establish(&probe);
    converse(&probe, messages);
    export_server(&probe);
    bytes = exported_length(&probe);
    import_server(&probe);
    end_exported(&probe);
    converse(&probe, 1);
    end(&probe);
    return bytes;
}

/* Exports and imports the prepared contexts; of one of the two it tells how long it took. */
static uint64_t hand_over(size_t times, int importing)
{
    uint64_t start, exporting_took = 0, importing_took = 0;

    while (times > 0) {
        size_t abreast = times < ABREAST ? times : ABREAST, i;

        start = now();
        for (i = 0; i < abreast; i++)
            export_server(&pool[i]);
        exporting_took += now() - start;
        start = now();
        for (i = 0; i < abreast; i++)
            import_server(&pool[i]);
        importing_took += now() - start;
        for (i = 0; i < abreast; i++)
            end_exported(&pool[i]);
        times -= abreast;
    }
    return importing ? importing_took : exporting_took;
}

/* One message, whose ciphertext must not show its plaintext, and whose plaintext must come back. */
static void check_message(context *sender, context *receiver)
{
    unsigned char plaintext[MESSAGE], came_back[MESSAGE];
    const unsigned char *sealed;
    struct message message;
    size_t length;

    memset(plaintext, 0x5A, sizeof plaintext);
    memset(came_back, 0, sizeof came_back);
    begin_message(&message, MESSAGE);
    seal(sender, &message);
    sealed = sealed_of(&message, &length);
    if (length < MESSAGE || memmem(sealed, length, plaintext, 16) != NULL)
        fail("the message was not encrypted");
    unseal_into(receiver, &message, came_back);
    if (memcmp(plaintext, came_back, MESSAGE) != 0)
        fail("the message came back changed");
    sent(&message);
    end_message(&message);
}

static void check(void)
{
    const unsigned char *token;
    struct session s;
    size_t length, i;

    negotiate(&s);
    challenge(&s);
    authenticate(&s);
    token = token_of(&s, &length);
    for (i = 0; i < length; i++)
        fprintf(answers, "%02x", token[i]);
    accept_client(&s);
    for (i = 0; i < 2; i++) {
        check_message(&s.client, &s.server);
        check_message(&s.server, &s.client);
    }
    end(&s);
    answer("", "");
}

static size_t memory(size_t messages)
{
    static struct session sessions[CONTEXTS];
    size_t i, full;

    for (i = 0; i < CONTEXTS; i++) {
        establish(&sessions[i]);
        converse(&sessions[i], messages);
        end_client(&sessions[i]);
    }
    full = heap_held();
    for (i = 0; i < CONTEXTS; i++)
        end_server(&sessions[i]);
    /* What a library keeps for its own later use is not the context's. */
    return (full - heap_held()) / CONTEXTS;
}

/* Until the end of the input. */
static void serve(void)
{
    struct command c;

    while (next_command(&c)) {
        int signing = is(&c, "sign") || is(&c, "verify");
        int handing_over = is(&c, "prepare") || is(&c, "export") || is(&c, "import");

        if ((signing && !signs()) || (handing_over && !exports()))
            answer("unsupported", "");
        else if (is(&c, "check"))
            check();
        else if (is(&c, "handshake"))
            answer_number(handshake(c.number));
        else if (is(&c, "server"))
            answer_number(server_share(c.number));
        else if (is(&c, "seal"))
            answer_number(sending(c.number, c.size, seal));
        else if (is(&c, "unseal"))
            answer_number(receiving(c.number, c.size, seal, unseal));
        else if (is(&c, "sign"))
            answer_number(sending(c.number, c.size, sign));
        else if (is(&c, "verify"))
            answer_number(receiving(c.number, c.size, sign, verify));
        else if (is(&c, "prepare"))
            answer_number(prepare(c.number));
        else if (is(&c, "export"))
            answer_number(hand_over(c.number, 0));
        else if (is(&c, "import"))
            answer_number(hand_over(c.number, 1));
        else if (is(&c, "memory"))
            answer_number(memory(c.number));
        else
            fail("no such command");
    }
}

#endif
