/*
 * Several threads use the library at once, on contexts of their own and on shared ones, which others of them delete
 * meanwhile. Both C and C++ compile it.
 *
 *   threads [ROUNDS [THREADS]]
 *
 * Each status is one of those that may come, messages on a thread's own contexts arrive, and at the end each object has
 * been deleted exactly once.
 */
#include "common.h"

#define PLACES 4

/* An object that threads share, by its handle. The lock is the handle's, not the object's: that one is the library's. */
struct shared {
    pthread_mutex_t lock;
    SecHandle handle;
};

static struct shared clients[PLACES], servers[PLACES], credentials[PLACES];

/* How many contexts and shared credentials came and went. */
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static long came, went;

static long rounds = 60;
static long count = 6;
static pthread_barrier_t barrier;

static void add(long *counter, long number)
{
    pthread_mutex_lock(&counting);
    *counter += number;
    pthread_mutex_unlock(&counting);
}

static SecHandle look(struct shared *place)
{
    SecHandle handle;

    pthread_mutex_lock(&place->lock);
    handle = place->handle;
    pthread_mutex_unlock(&place->lock);
    return handle;
}

static SecHandle replace(struct shared *place, SecHandle with)
{
    SecHandle before;

    pthread_mutex_lock(&place->lock);
    before = place->handle;
    place->handle = with;
    pthread_mutex_unlock(&place->lock);
    return before;
}

/* Of a call that another thread's deletion may have come before. */
static int came_first(SECURITY_STATUS status)
{
    if (status != SEC_E_OK)
        EXPECT(SEC_E_INVALID_HANDLE, status);
    return status == SEC_E_OK;
}

static void delete_context(PCtxtHandle context)
{
    add(&went, came_first(DeleteSecurityContext(context)));
    EXPECT(SEC_E_INVALID_HANDLE, DeleteSecurityContext(context));
}

/* Client and server of this thread alone: nothing that the others do is to be noticed. */
static void own(unsigned number)
{
    CtxtHandle client, server, old;
    SecPkgContext_NamesA names;
    SecPkgContext_SessionKey keys[2];
    SecPkgContext_AccessToken access;
    SecBuffer packed = buffer(SECBUFFER_EMPTY, NULL, 0);
    void *token = NULL;
    int message;

    shake_hands(&client, &server);
    add(&came, 2);
    for (message = 0; message < 4; message++) {
        converse(&client, &server, message & 1);
        converse(&server, &client, message & 2);
    }
    EXPECT(SEC_E_OK, QueryContextAttributesA(&server, SECPKG_ATTR_NAMES, &names));
    CHECK(strcmp(names.sUserName, "CORP\\alice") == 0);
    EXPECT(SEC_E_OK, FreeContextBuffer(names.sUserName));
    EXPECT(SEC_E_OK, QueryContextAttributesA(&client, SECPKG_ATTR_SESSION_KEY, &keys[0]));
    EXPECT(SEC_E_OK, QueryContextAttributesA(&server, SECPKG_ATTR_SESSION_KEY, &keys[1]));
    CHECK(keys[0].SessionKeyLength == 16 && memcmp(keys[0].SessionKey, keys[1].SessionKey, 16) == 0);
    EXPECT(SEC_E_OK, FreeContextBuffer(keys[0].SessionKey));
    EXPECT(SEC_E_OK, FreeContextBuffer(keys[1].SessionKey));
    EXPECT(SEC_E_OK, QueryContextAttributesA(&server, SECPKG_ATTR_ACCESS_TOKEN, &access));
    EXPECT(SEC_E_OK, QuerySecurityContextToken(&server, &token));
    CHECK(token != access.AccessToken && CloseHandle(token) && !CloseHandle(token));
    if (number % 4 == 0) {
        old = server;
        EXPECT(SEC_E_OK, ExportSecurityContext(&server, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed, &token));
        CHECK(CloseHandle(token));
        EXPECT(SEC_E_OK, ImportSecurityContextA(NTLM, &packed, NULL, &server));
        EXPECT(SEC_E_CONTEXT_EXPIRED, ImportSecurityContextA(NTLM, &packed, NULL, &old));
        EXPECT(SEC_E_INVALID_HANDLE, DeleteSecurityContext(&old));
        EXPECT(SEC_E_OK, FreeContextBuffer(packed.pvBuffer));
        converse(&client, &server, 1);
        converse(&server, &client, 1);
    }
    delete_context(&client);
    delete_context(&server);
    CHECK(!CloseHandle(access.AccessToken));
}

/* Contexts that others use just now are replaced, and deleted. */
static void replace_contexts(unsigned place)
{
    CtxtHandle client, server;
    SecBuffer packed = buffer(SECBUFFER_EMPTY, NULL, 0);

    shake_hands(&client, &server);
    add(&came, 2);
    client = replace(&clients[place], client);
    server = replace(&servers[place], server);
    delete_context(&client);
    if (place == 0 && came_first(ExportSecurityContext(&server, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed, NULL))) {
        add(&went, 1);
        EXPECT(SEC_E_OK, FreeContextBuffer(packed.pvBuffer));
    }
    delete_context(&server);
}

/* Who else uses them decides which messages come out in which order, so no message of theirs is read. */
static void use_contexts(unsigned place)
{
    CtxtHandle client = look(&clients[place]), server = look(&servers[place]);
    char token[16] = "", data[100] = "", why[100];
    SecBuffer buffers[2];
    SecBufferDesc message = list_of(buffers, 2);
    SecPkgContext_NativeNamesA names;
    SecPkgContext_Sizes sizes;
    SecPkgContext_AccessToken access;
    SECURITY_STATUS status;

    buffers[0] = buffer(SECBUFFER_TOKEN, token, sizeof token);
    buffers[1] = buffer(SECBUFFER_DATA, data, sizeof data);
    came_first(EncryptMessage(&client, 0, &message, 0));
    came_first(MakeSignature(&server, 0, &message, 0));
    memset(token, 0, sizeof token);
    status = DecryptMessage(&server, &message, 0, NULL);
    CHECK(status == SEC_E_MESSAGE_ALTERED || status == SEC_E_INVALID_TOKEN || status == SEC_E_INVALID_HANDLE);
    CHECK(PortableSspiGetLastErrorMessage(why, sizeof why) > 10);
    if (came_first(QueryContextAttributesA(&server, SECPKG_ATTR_NATIVE_NAMES, &names))) {
        CHECK(strcmp(names.sClientName, "CORP\\alice") == 0 && strcmp(names.sServerName, "HTTP/files") == 0);
        EXPECT(SEC_E_OK, FreeContextBuffer(names.sClientName));
        EXPECT(SEC_E_OK, FreeContextBuffer(names.sServerName));
    }
    if (came_first(QueryContextAttributesA(&client, SECPKG_ATTR_SIZES, &sizes)))
        CHECK(sizes.cbMaxSignature == 16);
    came_first(QueryContextAttributesA(&server, SECPKG_ATTR_ACCESS_TOKEN, &access));
    /* The other kind of handle. */
    EXPECT(SEC_E_INVALID_HANDLE, FreeCredentialsHandle(&client));
}

/* Credentials that others begin handshakes with are replaced, and freed. */
static void replace_credentials(unsigned place)
{
    CredHandle credential = acquire(SECPKG_CRED_BOTH);

    add(&came, 1);
    credential = replace(&credentials[place], credential);
    add(&went, came_first(FreeCredentialsHandle(&credential)));
    EXPECT(SEC_E_INVALID_HANDLE, FreeCredentialsHandle(&credential));
}

static void use_credentials(unsigned place)
{
    CredHandle credential = look(&credentials[place]);
    CtxtHandle client, server;
    SecBuffer negotiate, challenge, last, none;
    SECURITY_STATUS status = client_step(&credential, &client, 1, NULL, &negotiate);

    if (status == SEC_E_INVALID_HANDLE)
        return;
    EXPECT(SEC_I_CONTINUE_NEEDED, status);
    add(&came, 1);
    status = server_step(&credential, &server, 1, &negotiate, &challenge);
    EXPECT(SEC_E_OK, FreeContextBuffer(negotiate.pvBuffer));
    if (status == SEC_I_CONTINUE_NEEDED) {
        add(&came, 1);
        /* Contexts have their credentials, whatever becomes of the handle. */
        EXPECT(SEC_E_OK, client_step(NULL, &client, 0, &challenge, &last));
        EXPECT(SEC_E_OK, server_step(NULL, &server, 0, &last, &none));
        EXPECT(SEC_E_OK, FreeContextBuffer(challenge.pvBuffer));
        EXPECT(SEC_E_OK, FreeContextBuffer(last.pvBuffer));
        converse(&server, &client, 1);
        delete_context(&server);
    } else {
        EXPECT(SEC_E_INVALID_HANDLE, status);
    }
    delete_context(&client);
}

/* Identities of this thread's. */
static void identities(void)
{
    static WCHAR user[] = {'b', 'o', 'b', 0}, password[] = {'s', 'e', 'c', 'r', 'e', 't', 0};
    void *one, *other;
    char *bytes;
    ULONG length;
    BOOLEAN same_user, same;

    EXPECT(SEC_E_OK, SspiEncodeStringsAsAuthIdentity(user, NULL, password, &one));
    EXPECT(SEC_E_OK, SspiEncryptAuthIdentity(one));
    EXPECT(SEC_E_OK, SspiMarshalAuthIdentity(one, &length, &bytes));
    EXPECT(SEC_E_OK, SspiUnmarshalAuthIdentity(length, bytes, &other));
    EXPECT(SEC_E_OK, SspiDecryptAuthIdentity(one));
    EXPECT(SEC_E_OK, SspiCompareAuthIdentities(one, other, &same_user, &same));
    CHECK(same_user && same && SspiIsAuthIdentityEncrypted(other));
    SspiZeroAuthIdentity(other);
    SspiFreeAuthIdentity(other);
    SspiFreeAuthIdentity(one);
    SspiLocalFree(bytes);
}

static void *work(void *argument)
{
    unsigned place, random = (unsigned)(size_t)argument * 2654435761u + 1;
    long round;

    for (round = 0; round < rounds; round++) {
        random = random * 1664525u + 1013904223u;
        place = (random >> 8) % PLACES;
        switch ((random >> 16) % 8) {
        case 0: own((unsigned)round); break;
        case 1: replace_contexts(place); break;
        case 2: case 3: case 4: use_contexts(place); break;
        case 5: replace_credentials(place); break;
        case 6: use_credentials(place); break;
        default: identities(); break;
        }
    }
    return NULL;
}

/* What all threads at once do with the same object, of which one alone succeeds. */
static CtxtHandle one_server;
static SecBuffer one_token;
static void *blocks[64];
static long accepted, deleted, freed;

static void *all_at_once(void *argument)
{
    /* The handle is written to, so each thread has a copy: the object is the same. */
    CtxtHandle server = one_server;
    SecBuffer token = one_token, none;
    SECURITY_STATUS status;
    size_t index;

    (void)argument;
    pthread_barrier_wait(&barrier);
    status = server_step(NULL, &server, 0, &token, &none);
    CHECK(status == SEC_E_OK || status == SEC_E_OUT_OF_SEQUENCE);
    add(&accepted, status == SEC_E_OK);
    pthread_barrier_wait(&barrier);
    add(&deleted, came_first(DeleteSecurityContext(&server)));
    /* Nobody gets a block now: one at the address of a block that was freed would be freed, too. */
    pthread_barrier_wait(&barrier);
    for (index = 0; index < sizeof blocks / sizeof blocks[0]; index++)
        add(&freed, came_first(FreeContextBuffer(blocks[index])));
    return NULL;
}

static void run(pthread_t *threads, void *(*function)(void *))
{
    long index;

    for (index = 0; index < count; index++)
        CHECK(pthread_create(&threads[index], NULL, function, (void *)(size_t)index) == 0);
    for (index = 0; index < count; index++)
        CHECK(pthread_join(threads[index], NULL) == 0);
}

int main(int arguments, char **values)
{
    CredHandle at_client, at_server;
    CtxtHandle client;
    pthread_t *threads;
    size_t index;

    if (arguments > 1)
        rounds = atol(values[1]);
    if (arguments > 2)
        count = atol(values[2]);
    CHECK(rounds > 0 && count > 0);
    threads = (pthread_t *)calloc((size_t)count, sizeof *threads);
    CHECK(threads != NULL && pthread_barrier_init(&barrier, NULL, (unsigned)count) == 0);

    for (index = 0; index < PLACES; index++) {
        pthread_mutex_init(&clients[index].lock, NULL);
        pthread_mutex_init(&servers[index].lock, NULL);
        pthread_mutex_init(&credentials[index].lock, NULL);
        shake_hands(&clients[index].handle, &servers[index].handle);
        credentials[index].handle = acquire(SECPKG_CRED_BOTH);
        came += 3;
    }
    run(threads, work);
    for (index = 0; index < PLACES; index++) {
        delete_context(&clients[index].handle);
        delete_context(&servers[index].handle);
        add(&went, came_first(FreeCredentialsHandle(&credentials[index].handle)));
    }
    CHECK(came == went);

    at_client = acquire(SECPKG_CRED_OUTBOUND);
    at_server = acquire(SECPKG_CRED_INBOUND);
    shake_almost(&at_client, &at_server, &client, &one_server, &one_token);
    for (index = 0; index < sizeof blocks / sizeof blocks[0]; index++) {
        PSecPkgInfoA info;

        EXPECT(SEC_E_OK, QuerySecurityPackageInfoA(NTLM, &info));
        blocks[index] = info;
    }
    run(threads, all_at_once);
    CHECK(accepted == 1 && deleted == 1 && freed == (long)(sizeof blocks / sizeof blocks[0]));
    EXPECT(SEC_E_OK, FreeContextBuffer(one_token.pvBuffer));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&client));
    EXPECT(SEC_E_OK, FreeCredentialsHandle(&at_client));
    EXPECT(SEC_E_OK, FreeCredentialsHandle(&at_server));
    pthread_barrier_destroy(&barrier);
    free(threads);
    puts("no thread disturbed another");
    return 0;
}
