/*
 * A library with the functions of sspi.h, for the benchmarks: opened by dlopen, as the program's argument says, and called
 * through pointers. Both ends of NTLM are in this one process.
 *
 * The first line on stdout is "ready". Then each line on stdin is answered by one:
 *
 *   seal|unseal <times> <bytes>           EncryptMessage, DecryptMessage            -> <nanoseconds>, or "unsupported"
 *   sign|verify <times> <bytes>           MakeSignature, VerifySignature            -> <nanoseconds>, or "unsupported"
 *   lookup <times>                        QueryContextAttributes, SECPKG_ATTR_SIZES -> <nanoseconds>
 *   threads <count> <what> <times> <gap>  so many threads at once, each with a context of its own, do it so many times:
 *                                         lookup, sign (16 bytes), handshake, or spin, which calls nothing. Contexts of
 *                                         gap 1 were made one after the other, of gap n with others between
 *                                                                                   -> <nanoseconds on the wall>
 *   crowd <count>                         makes servers' contexts until there are so many
 *                                                                 -> <nanoseconds> <those of the slowest 64 together>
 *   each <times> <what> <order>           lookup, sign or seal (16 bytes) on one of them after the other; order: 0 as they
 *                                         were made, 1 any                          -> <nanoseconds>
 *   export <times>                        ExportSecurityContext, DELETE_OLD, of the last ones -> <nanoseconds>
 *   delete                                DeleteSecurityContext of all              -> <nanoseconds>
 *
 * Time is the processor's for this thread, but for "threads". Whatever fails ends the program, with the reason on stderr.
 */
#define SECURITY_WIN32
#include <security.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bytes of messages prepared ahead of what is timed: few enough to stay in the processor's cache. */
#define PREPARED (256 << 10)
#define SIGNATURE 16
/* Sessions that threads take their contexts from. */
#define POOL 256
#define THREADS 64

static ACQUIRE_CREDENTIALS_HANDLE_FN_A acquire_credentials;
static INITIALIZE_SECURITY_CONTEXT_FN_A initialize;
static ACCEPT_SECURITY_CONTEXT_FN accept_context;
static COMPLETE_AUTH_TOKEN_FN complete;
static DELETE_SECURITY_CONTEXT_FN delete_context;
static QUERY_CONTEXT_ATTRIBUTES_FN_A query;
static MAKE_SIGNATURE_FN make_signature;
static VERIFY_SIGNATURE_FN verify_signature;
static ENCRYPT_MESSAGE_FN encrypt;
static DECRYPT_MESSAGE_FN decrypt;
static EXPORT_SECURITY_CONTEXT_FN export_context;
static FREE_CONTEXT_BUFFER_FN free_buffer;

static CredHandle outbound, inbound;

struct session {
    CtxtHandle client, server;
};

/* A message, its signature, and the list that names both. */
struct message {
    unsigned char *data, signature[SIGNATURE];
    ULONG length;
};

static void fail(const char *what)
{
    fprintf(stderr, "functions.c: %s\n", what);
    exit(1);
}

static void succeed(SECURITY_STATUS status, SECURITY_STATUS wanted, const char *what)
{
    if (status == wanted)
        return;
    fprintf(stderr, "status %08x, ", (unsigned)status);
    fail(what);
}

static uint64_t read_clock(clockid_t which)
{
    struct timespec time;

    if (clock_gettime(which, &time) != 0)
        fail("clock_gettime");
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t now(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (memory == NULL)
        fail("no memory");
    return memory;
}

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    if (library == NULL)
        fail(dlerror());
    /* Through memory: ISO C knows no conversion from an object's address to a function's. */
#define FUNCTION(variable, name)                          \
    do {                                                  \
        void *found = dlsym(library, name);               \
        if (found == NULL)                                \
            fail("the library has no " name);             \
        memcpy(&variable, &found, sizeof variable);       \
    } while (0)
    FUNCTION(acquire_credentials, "AcquireCredentialsHandleA");
    FUNCTION(initialize, "InitializeSecurityContextA");
    FUNCTION(accept_context, "AcceptSecurityContext");
    FUNCTION(complete, "CompleteAuthToken");
    FUNCTION(delete_context, "DeleteSecurityContext");
    FUNCTION(query, "QueryContextAttributesA");
    FUNCTION(make_signature, "MakeSignature");
    FUNCTION(verify_signature, "VerifySignature");
    FUNCTION(encrypt, "EncryptMessage");
    FUNCTION(decrypt, "DecryptMessage");
    FUNCTION(export_context, "ExportSecurityContext");
    FUNCTION(free_buffer, "FreeContextBuffer");
#undef FUNCTION
}

static CredHandle acquire(ULONG use)
{
    static char user[] = "alice", domain[] = "CORP", password[] = "correct horse battery staple", package[] = "NTLM";
    SEC_WINNT_AUTH_IDENTITY_A identity;
    CredHandle credential;
    TimeStamp expiry;

    memset(&identity, 0, sizeof identity);
    identity.User = (unsigned char *)user;
    identity.UserLength = (ULONG)strlen(user);
    identity.Domain = (unsigned char *)domain;
    identity.DomainLength = (ULONG)strlen(domain);
    identity.Password = (unsigned char *)password;
    identity.PasswordLength = (ULONG)strlen(password);
    identity.Flags = SEC_WINNT_AUTH_IDENTITY_ANSI;
    memset(&credential, 0, sizeof credential);
    succeed(acquire_credentials(NULL, package, use, NULL, &identity, NULL, NULL, &credential, &expiry), SEC_E_OK,
        "AcquireCredentialsHandle");
    return credential;
}

static SecBufferDesc list_of(SecBuffer *buffers, ULONG count)
{
    SecBufferDesc list;

    list.ulVersion = SECBUFFER_VERSION;
    list.cBuffers = count;
    list.pBuffers = buffers;
    return list;
}

static SecBuffer buffer(ULONG type, void *bytes, size_t length)
{
    SecBuffer buffer;

    buffer.cbBuffer = (ULONG)length;
    buffer.BufferType = type;
    buffer.pvBuffer = bytes;
    return buffer;
}

/* The handshake; tokens go into room of ours, so that nothing is allocated for them. */
static struct session establish(void)
{
    static char target[] = "HTTP/files";
    unsigned char negotiate[4096], challenge[4096], authenticate[4096];
    struct session session;
    SecBuffer to_server = buffer(SECBUFFER_TOKEN, negotiate, sizeof negotiate);
    SecBuffer to_client = buffer(SECBUFFER_TOKEN, challenge, sizeof challenge);
    SecBuffer answer = buffer(SECBUFFER_TOKEN, authenticate, sizeof authenticate);
    SecBuffer nothing = buffer(SECBUFFER_TOKEN, NULL, 0);
    SecBufferDesc first = list_of(&to_server, 1), second = list_of(&to_client, 1);
    SecBufferDesc third = list_of(&answer, 1), none = list_of(&nothing, 1);
    SECURITY_STATUS status;
    ULONG flags;
    TimeStamp expiry;

    memset(&session, 0, sizeof session);
    succeed(initialize(&outbound, NULL, target, ISC_REQ_CONFIDENTIALITY, 0, SECURITY_NATIVE_DREP, NULL, 0, &session.client,
                &first, &flags, &expiry),
        SEC_I_CONTINUE_NEEDED, "the client's first step");
    succeed(accept_context(&inbound, NULL, &first, ASC_REQ_CONFIDENTIALITY, SECURITY_NATIVE_DREP, &session.server, &second,
                &flags, &expiry),
        SEC_I_CONTINUE_NEEDED, "the server's first step");
    succeed(initialize(&outbound, &session.client, target, ISC_REQ_CONFIDENTIALITY, 0, SECURITY_NATIVE_DREP, &second, 0,
                &session.client, &third, &flags, &expiry),
        SEC_E_OK, "the client's second step");
    status = accept_context(&inbound, &session.server, &third, ASC_REQ_CONFIDENTIALITY, SECURITY_NATIVE_DREP, &session.server,
        &none, &flags, &expiry);
    if (status == SEC_I_COMPLETE_NEEDED)
        status = complete(&session.server, &none);
    succeed(status, SEC_E_OK, "the server's second step");
    return session;
}

static void end(CtxtHandle *context)
{
    succeed(delete_context(context), SEC_E_OK, "DeleteSecurityContext");
}

enum work { SEAL, UNSEAL, SIGN, VERIFY, LOOKUP, HANDSHAKE, SPIN, WORKS };
static const char *const names[WORKS] = { "seal", "unseal", "sign", "verify", "lookup", "handshake", "spin" };

static enum work work_of(const char *name)
{
    int work;

    for (work = 0; work < WORKS; work++) {
        if (strcmp(names[work], name) == 0)
            return (enum work)work;
    }
    fail("an unknown work");
    return WORKS;
}

static SECURITY_STATUS call(enum work work, CtxtHandle *context, struct message *message)
{
    SecBuffer buffers[2];
    SecBufferDesc list = list_of(buffers, 2);

    buffers[0] = buffer(SECBUFFER_TOKEN, message->signature, SIGNATURE);
    buffers[1] = buffer(SECBUFFER_DATA, message->data, message->length);
    switch (work) {
    case SEAL:
        return encrypt(context, 0, &list, 0);
    case UNSEAL:
        return decrypt(context, &list, 0, NULL);
    case SIGN:
        return make_signature(context, 0, &list, 0);
    default:
        return verify_signature(context, &list, 0, NULL);
    }
}

static void look_up(CtxtHandle *context)
{
    SecPkgContext_Sizes sizes;

    succeed(query(context, SECPKG_ATTR_SIZES, &sizes), SEC_E_OK, "QueryContextAttributes");
    if (sizes.cbSecurityTrailer != SIGNATURE)
        fail("a signature of another length");
}

/* Messages of `work`: those that are received are sent first, as many at a time as fit in the cache. */
static void messages(enum work work, unsigned times, size_t size)
{
    static struct session session;
    static int established;
    enum work before = work == UNSEAL ? SEAL : SIGN;
    int receives = work == UNSEAL || work == VERIFY;
    size_t count = size < PREPARED ? PREPARED / size : 1, index, left = times, part;
    struct message *all;
    unsigned char *data;
    uint64_t total = 0, start;

    if (!established)
        session = establish();
    established = 1;
    if (count > times)
        count = times;
    if (!receives)
        count = 1;
    all = allocate(count, sizeof *all);
    data = allocate(count, size);
    memset(data, 0x5A, count * size);
    for (index = 0; index < count; index++) {
        all[index].data = data + index * size;
        all[index].length = (ULONG)size;
    }
    if (call(receives ? before : work, &session.client, &all[0]) == SEC_E_UNSUPPORTED_FUNCTION) {
        puts("unsupported");
        free(data);
        free(all);
        return;
    }
    /* What was sent to see whether that is supported does not count, but its number does. */
    if (receives)
        succeed(call(work, &session.server, &all[0]), SEC_E_OK, "the first message");
    if (!receives) {
        /* Nobody receives these, and the two ends are not used together again. */
        start = now();
        for (index = 0; index < times; index++)
            succeed(call(work, &session.client, &all[0]), SEC_E_OK, names[work]);
        total = now() - start;
        end(&session.client);
        end(&session.server);
        established = 0;
        left = 0;
    }
    for (; left > 0; left -= part) {
        part = left < count ? left : count;
        for (index = 0; index < part; index++)
            succeed(call(before, &session.client, &all[index]), SEC_E_OK, names[before]);
        start = now();
        for (index = 0; index < part; index++)
            succeed(call(work, &session.server, &all[index]), SEC_E_OK, names[work]);
        total += now() - start;
    }
    for (index = 0; receives && index < count * size; index++) {
        if (data[index] != 0x5A)
            fail("a message did not come back");
    }
    free(data);
    free(all);
    printf("%llu\n", (unsigned long long)total);
}

static void lookups(unsigned times)
{
    struct session session = establish();
    uint64_t start = now();
    unsigned index;

    for (index = 0; index < times; index++)
        look_up(&session.client);
    printf("%llu\n", (unsigned long long)(now() - start));
    end(&session.client);
    end(&session.server);
}

/* One of several threads. Each is on cache lines of its own, so that they share nothing that is not the library's. */
struct worker {
    pthread_t thread;
    pthread_barrier_t *start;
    enum work work;
    unsigned times;
    CtxtHandle context;
    uint64_t began, ended;
    volatile uint64_t spun;
    char apart[256];
};

static void *run(void *argument)
{
    struct worker *worker = argument;
    unsigned char data[SIGNATURE] = { 0 };
    CtxtHandle context = worker->context;
    struct message message;
    struct session session;
    unsigned index, step;
    uint64_t value = 1;

    memset(&message, 0, sizeof message);
    message.data = data;
    message.length = sizeof data;
    pthread_barrier_wait(worker->start);
    worker->began = read_clock(CLOCK_MONOTONIC);
    for (index = 0; index < worker->times; index++) {
        switch (worker->work) {
        case LOOKUP:
            look_up(&context);
            break;
        case SIGN:
            succeed(call(SIGN, &context, &message), SEC_E_OK, "MakeSignature");
            break;
        case HANDSHAKE:
            session = establish();
            end(&session.client);
            end(&session.server);
            break;
        default:
            /* A chain of multiplications, which no processor can do at once. */
            for (step = 0; step < 32; step++)
                value = value * 6364136223846793005u + 1442695040888963407u;
        }
    }
    worker->spun = value;
    worker->ended = read_clock(CLOCK_MONOTONIC);
    return NULL;
}

static void threads(unsigned count, enum work work, unsigned times, unsigned gap)
{
    static struct session pool[POOL];
    static int made;
    struct worker *workers = allocate(THREADS, sizeof *workers);
    pthread_barrier_t start;
    uint64_t began = UINT64_MAX, ended = 0;
    unsigned index, place;

    for (; made < POOL; made++)
        pool[made] = establish();
    if (count == 0 || count > THREADS || (count - 1) * gap >= 2 * POOL)
        fail("so many threads, or so far apart");
    pthread_barrier_init(&start, NULL, count);
    for (index = 0; index < count; index++) {
        place = index * gap;
        workers[index].start = &start;
        workers[index].work = work;
        workers[index].times = times;
        workers[index].context = place % 2 == 0 ? pool[place / 2].client : pool[place / 2].server;
        if (pthread_create(&workers[index].thread, NULL, run, &workers[index]) != 0)
            fail("pthread_create");
    }
    for (index = 0; index < count; index++) {
        pthread_join(workers[index].thread, NULL);
        if (workers[index].began < began)
            began = workers[index].began;
        if (workers[index].ended > ended)
            ended = workers[index].ended;
    }
    pthread_barrier_destroy(&start);
    free(workers);
    printf("%llu\n", (unsigned long long)(ended - began));
}

/* Many contexts at once. */
static CtxtHandle *crowd;
static size_t crowded;

static void make_crowd(size_t count)
{
    struct session session;
    uint64_t start, before, slowest = 0;
    unsigned part;

    crowd = realloc(crowd, count * sizeof *crowd);
    if (crowd == NULL)
        fail("no memory");
    start = now();
    while (crowded < count) {
        before = now();
        for (part = 0; part < 64 && crowded < count; part++) {
            session = establish();
            end(&session.client);
            crowd[crowded++] = session.server;
        }
        if (now() - before > slowest)
            slowest = now() - before;
    }
    printf("%llu %llu\n", (unsigned long long)(now() - start), (unsigned long long)slowest);
}

static void each(unsigned times, enum work work, int any)
{
    unsigned char data[SIGNATURE] = { 0 };
    struct message message;
    uint64_t random = 88172645463325252u, start;
    size_t place;
    unsigned index;

    memset(&message, 0, sizeof message);
    message.data = data;
    message.length = sizeof data;
    start = now();
    for (index = 0; index < times; index++) {
        /* xorshift64 */
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        place = (any ? random : index) % crowded;
        if (work == LOOKUP)
            look_up(&crowd[place]);
        else
            succeed(call(work, &crowd[place], &message), SEC_E_OK, names[work]);
    }
    printf("%llu\n", (unsigned long long)(now() - start));
}

static void export_some(unsigned times)
{
    SecBuffer packed;
    uint64_t start = now();

    for (; times > 0 && crowded > 0; times--) {
        packed = buffer(SECBUFFER_EMPTY, NULL, 0);
        succeed(export_context(&crowd[--crowded], SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed, NULL), SEC_E_OK,
            "ExportSecurityContext");
        succeed(free_buffer(packed.pvBuffer), SEC_E_OK, "FreeContextBuffer");
    }
    printf("%llu\n", (unsigned long long)(now() - start));
}

static void delete_all(void)
{
    size_t index;
    uint64_t start = now();

    for (index = 0; index < crowded; index++)
        end(&crowd[index]);
    crowded = 0;
    printf("%llu\n", (unsigned long long)(now() - start));
}

int main(int count, char **arguments)
{
    char line[256], command[32], what[32];
    unsigned number, times, more;

    if (count != 2)
        fail("which library?");
    load(arguments[1]);
    outbound = acquire(SECPKG_CRED_OUTBOUND);
    inbound = acquire(SECPKG_CRED_INBOUND);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "threads %u %31s %u %u", &number, what, &times, &more) == 4)
            threads(number, work_of(what), times, more);
        else if (sscanf(line, "each %u %31s %u", &times, what, &more) == 3)
            each(times, work_of(what), more != 0);
        else if (sscanf(line, "crowd %u", &times) == 1)
            make_crowd(times);
        else if (sscanf(line, "export %u", &times) == 1)
            export_some(times);
        else if (sscanf(line, "lookup %u", &times) == 1)
            lookups(times);
        else if (strcmp(line, "delete\n") == 0)
            delete_all();
        else if (sscanf(line, "%31s %u %u", command, &times, &more) == 3 && times > 0 && more > 0)
            messages(work_of(command), times, more);
        else
            fail("an unknown command");
        fflush(stdout);
    }
    return 0;
}
