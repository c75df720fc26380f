/*
 * What a careless or hostile program passes: handles that are none, buffers that overlap, lie anywhere or are cut short,
 * lists of any length, identities of every form, memory that is freed twice. Each pointer leads to memory that the call may
 * use, of just the length that it was told, so that a sanitizer or Valgrind sees a step too far. Both C and C++ compile it.
 *
 *   misuse [STRIDE]    cuts and changes at each STRIDE-th place alone, for who has less time
 */
#include "common.h"

static CredHandle at_client, at_server;
static CtxtHandle client, server;
static ULONG stride = 1;

/* Memory of just that length, at an odd address: nothing may rely on alignment. */
struct odd {
    char *start, *bytes;
};

static struct odd odd(const void *from, size_t length)
{
    struct odd made;

    made.start = (char *)malloc(length + 1);
    CHECK(made.start != NULL);
    made.bytes = made.start + 1;
    if (length)
        memcpy(made.bytes, from, length);
    return made;
}

/* Memory of just that length; a pointer to its end for none. */
static void *just(const void *from, size_t length)
{
    char *made = (char *)malloc(length ? length : 1);

    CHECK(made != NULL);
    if (length)
        memcpy(made, from, length);
    return length ? made : made + 1;
}

static void free_just(void *made, size_t length)
{
    free(length ? made : (char *)made - 1);
}

static void nothing_is_done_with(SecHandle none)
{
    char token[16] = "", data[16] = "", answer[64];
    SecBuffer buffers[2], out, packed = buffer(SECBUFFER_EMPTY, NULL, 0);
    SecBufferDesc message = list_of(buffers, 2);
    CtxtHandle context = none;
    void *token_handle = data;
    ULONG attribute;

    buffers[0] = buffer(SECBUFFER_TOKEN, token, sizeof token);
    buffers[1] = buffer(SECBUFFER_DATA, data, sizeof data);
    memset(answer, 0x55, sizeof answer);
    for (attribute = 0; attribute < 40; attribute++) {
        EXPECT(SEC_E_INVALID_HANDLE, QueryContextAttributesA(&none, attribute, answer));
        EXPECT(SEC_E_INVALID_HANDLE, QueryContextAttributesExW(&none, attribute, answer, 0));
        EXPECT(SEC_E_INVALID_HANDLE, QueryCredentialsAttributesA(&none, attribute, answer));
    }
    CHECK(answer[0] == 0x55 && memcmp(answer, answer + 1, sizeof answer - 1) == 0);
    EXPECT(SEC_E_INVALID_HANDLE, EncryptMessage(&none, 0, &message, 0));
    EXPECT(SEC_E_INVALID_HANDLE, EncryptMessage(&none, 77, &message, 0));
    EXPECT(SEC_E_INVALID_HANDLE, DecryptMessage(&none, &message, 0, NULL));
    EXPECT(SEC_E_INVALID_HANDLE, MakeSignature(&none, 0, &message, 0));
    EXPECT(SEC_E_INVALID_HANDLE, VerifySignature(&none, &message, 0, NULL));
    EXPECT(SEC_E_INVALID_HANDLE, ExportSecurityContext(&none, 2, &packed, &token_handle));
    EXPECT(SEC_E_INVALID_HANDLE, ImpersonateSecurityContext(&none));
    EXPECT(SEC_E_INVALID_HANDLE, RevertSecurityContext(&none));
    EXPECT(SEC_E_INVALID_HANDLE, QuerySecurityContextToken(&none, &token_handle));
    EXPECT(SEC_E_INVALID_HANDLE, CompleteAuthToken(&none, &message));
    EXPECT(SEC_E_INVALID_HANDLE, ApplyControlToken(&none, &message));
    EXPECT(SEC_E_INVALID_HANDLE, SetContextAttributesA(&none, 1, answer, 1));
    EXPECT(SEC_E_INVALID_HANDLE, SetCredentialsAttributesW(&none, 1, answer, 1));
    EXPECT(SEC_E_INVALID_HANDLE, AddCredentialsA(&none, NULL, NULL, 0, NULL, NULL, NULL, NULL));
    EXPECT(SEC_E_INVALID_HANDLE, client_step(&none, &context, 1, NULL, &out));
    EXPECT(SEC_E_INVALID_HANDLE, client_step(&at_client, &context, 0, buffers, &out));
    EXPECT(SEC_E_INVALID_HANDLE, server_step(&none, &context, 1, buffers, &out));
    EXPECT(SEC_E_INVALID_HANDLE, server_step(&at_server, &context, 0, buffers, &out));
    CHECK(memcmp(&context, &none, sizeof none) == 0 && out.pvBuffer == NULL && out.cbBuffer == 0);
    EXPECT(SEC_E_INVALID_HANDLE, DeleteSecurityContext(&none));
    EXPECT(SEC_E_INVALID_HANDLE, FreeCredentialsHandle(&none));
    CHECK(token_handle == data && packed.pvBuffer == NULL);
}

static void handles(void)
{
    CredHandle freed = acquire(SECPKG_CRED_BOTH), freed_again;
    CtxtHandle deleted, other, again[2];
    SecHandle made_up;
    struct odd copy;
    unsigned bit;
    SecPkgContext_Sizes sizes;

    EXPECT(SEC_E_OK, FreeCredentialsHandle(&freed));
    nothing_is_done_with(freed);
    shake_hands(&deleted, &other);
    EXPECT(SEC_E_OK, DeleteSecurityContext(&deleted));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&other));
    nothing_is_done_with(deleted);
    /* Nor is anything where others have taken the place. */
    freed_again = acquire(SECPKG_CRED_BOTH);
    shake_hands(&again[0], &again[1]);
    nothing_is_done_with(freed);
    nothing_is_done_with(deleted);
    nothing_is_done_with(other);
    converse(&again[0], &again[1], 1);
    EXPECT(SEC_E_OK, DeleteSecurityContext(&again[0]));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&again[1]));
    EXPECT(SEC_E_OK, FreeCredentialsHandle(&freed_again));
    memset(&made_up, 0, sizeof made_up);
    nothing_is_done_with(made_up);
    memset(&made_up, 0xFF, sizeof made_up);
    nothing_is_done_with(made_up);
    made_up.dwLower = (ULONG_PTR)&sizes;
    made_up.dwUpper = 1;
    nothing_is_done_with(made_up);
    for (bit = 0; bit < 8 * sizeof made_up.dwLower; bit++) {
        made_up = client;
        made_up.dwUpper ^= (ULONG_PTR)1 << bit;
        EXPECT(SEC_E_INVALID_HANDLE, DeleteSecurityContext(&made_up));
        made_up = client;
        /* The lowest bits lead to other contexts, whose generation may be the same. */
        made_up.dwLower ^= (ULONG_PTR)1 << bit;
        if (bit > 8)
            EXPECT(SEC_E_INVALID_HANDLE, DeleteSecurityContext(&made_up));
    }
    EXPECT(SEC_E_INVALID_HANDLE, DeleteSecurityContext(NULL));
    EXPECT(SEC_E_INVALID_HANDLE, FreeCredentialsHandle(NULL));
    /* Of the other kind. */
    EXPECT(SEC_E_INVALID_HANDLE, DeleteSecurityContext(&at_client));
    EXPECT(SEC_E_INVALID_HANDLE, FreeCredentialsHandle(&client));
    /* At an odd address. */
    copy = odd(&client, sizeof client);
    EXPECT(SEC_E_OK, QueryContextAttributesA((PCtxtHandle)(void *)copy.bytes, SECPKG_ATTR_SIZES, &sizes));
    free(copy.start);
    converse(&client, &server, 1);
}

static void lists(void)
{
    static SecBuffer many[1025];
    static char bytes[1025];
    char token[16], data[48] = "";
    SecBuffer buffers[3];
    SecBufferDesc message = list_of(buffers, 0);
    size_t index;
    struct odd copy, list;

    /* None, and none where there should be. */
    EXPECT(SEC_E_INVALID_TOKEN, EncryptMessage(&client, 0, NULL, 0));
    EXPECT(SEC_E_INVALID_TOKEN, DecryptMessage(&client, &message, 0, NULL));
    message = list_of(NULL, 0);
    EXPECT(SEC_E_INVALID_TOKEN, MakeSignature(&client, 0, &message, 0));
    message = list_of(NULL, 7);
    EXPECT(SEC_E_INTERNAL_ERROR, MakeSignature(&client, 0, &message, 0));
    /* Longer than any; nothing of it is looked at. */
    message = list_of(buffers, 0xFFFFFFFFu);
    EXPECT(SEC_E_INVALID_TOKEN, EncryptMessage(&client, 0, &message, 0));
    message = list_of(many, 1025);
    EXPECT(SEC_E_INVALID_TOKEN, EncryptMessage(&client, 0, &message, 0));
    message.ulVersion = 1;
    message.cBuffers = 1;
    EXPECT(SEC_E_INVALID_TOKEN, EncryptMessage(&client, 0, &message, 0));
    /* Just as long as may be, each message byte by itself. */
    many[0] = buffer(SECBUFFER_TOKEN, token, sizeof token);
    for (index = 1; index < 1024; index++)
        many[index] = buffer(SECBUFFER_DATA, &bytes[index], 1);
    message = list_of(many, 1024);
    EXPECT(SEC_E_OK, EncryptMessage(&client, 0, &message, 0));
    EXPECT(SEC_E_OK, DecryptMessage(&server, &message, 0, NULL));
    CHECK(bytes[0] == 0 && memcmp(bytes, bytes + 1, sizeof bytes - 1) == 0);
    /* One type after the other, of all lengths that a token can have. */
    message = list_of(buffers, 2);
    for (index = 0; index < 256; index++) {
        void *small = just(data, index % 17);
        SECURITY_STATUS status;

        buffers[0] = buffer((ULONG)(index / 17) | (index % 3 ? 0 : SECBUFFER_READONLY_WITH_CHECKSUM), small, index % 17);
        buffers[1] = buffer(SECBUFFER_DATA, data, sizeof data);
        status = DecryptMessage(&server, &message, 0, NULL);
        CHECK(status != SEC_E_OK);
        status = VerifySignature(&server, &message, 0, NULL);
        CHECK(status != SEC_E_OK);
        free_just(small, index % 17);
    }
    /* A length without a pointer, and a pointer without a length. */
    for (index = 0; index < 3; index++) {
        static const ULONG types[] = {SECBUFFER_TOKEN, SECBUFFER_DATA, SECBUFFER_STREAM};

        buffers[0] = buffer(SECBUFFER_TOKEN, token, sizeof token);
        buffers[1] = buffer(types[index], NULL, 64);
        message = list_of(buffers + (index == 0), 2 - (index == 0));
        CHECK(DecryptMessage(&server, &message, 0, NULL) != SEC_E_OK);
        buffers[1] = buffer(types[index], data, 0);
        CHECK(DecryptMessage(&server, &message, 0, NULL) != SEC_E_OK);
    }
    /* Everything at odd addresses. */
    copy = odd("at an odd address", 17);
    buffers[0] = buffer(SECBUFFER_TOKEN, token, sizeof token);
    buffers[1] = buffer(SECBUFFER_DATA, copy.bytes, 17);
    list = odd(buffers, 2 * sizeof buffers[0]);
    message = list_of((SecBuffer *)(void *)list.bytes, 2);
    EXPECT(SEC_E_OK, EncryptMessage(&client, 0, &message, 0));
    EXPECT(SEC_E_OK, DecryptMessage(&server, &message, 0, NULL));
    CHECK(memcmp(copy.bytes, "at an odd address", 17) == 0);
    free(copy.start);
    free(list.start);
    converse(&server, &client, 1);
}

static void overlaps(void)
{
    char bytes[64], before[64];
    SecBuffer buffers[3];
    SecBufferDesc message = list_of(buffers, 2);
    int offset;

    memset(bytes, 7, sizeof bytes);
    memcpy(before, bytes, sizeof bytes);
    for (offset = -15; offset < 32; offset++) {
        buffers[0] = buffer(SECBUFFER_TOKEN, bytes + 16 + offset, 16);
        buffers[1] = buffer(SECBUFFER_DATA, bytes + 16, 32);
        EXPECT(SEC_E_INVALID_TOKEN, EncryptMessage(&client, 0, &message, 0));
        EXPECT(SEC_E_INVALID_TOKEN, DecryptMessage(&server, &message, 0, NULL));
        EXPECT(SEC_E_INVALID_TOKEN, MakeSignature(&client, 0, &message, 0));
    }
    message = list_of(buffers, 3);
    buffers[0] = buffer(SECBUFFER_TOKEN, bytes, 16);
    buffers[1] = buffers[2] = buffer(SECBUFFER_DATA, bytes + 16, 32);
    EXPECT(SEC_E_INVALID_TOKEN, EncryptMessage(&client, 0, &message, 0));
    buffers[2].BufferType |= SECBUFFER_READONLY;
    EXPECT(SEC_E_INVALID_TOKEN, EncryptMessage(&client, 0, &message, 0));
    /* The end of memory. */
    buffers[2] = buffer(SECBUFFER_DATA, (void *)(~(uintptr_t)0 - 7), 16);
    CHECK(EncryptMessage(&client, 0, &message, 0) != SEC_E_OK);
    CHECK(memcmp(bytes, before, sizeof bytes) == 0);
    converse(&client, &server, 1);
}

/* A token in the place of the one that it answers, as programs with one buffer do. */
static void a_step_in_place(void)
{
    char *bytes = (char *)malloc(4096);
    CtxtHandle from, to;
    SecBuffer in = buffer(SECBUFFER_TOKEN, bytes, 4096), out = in, too_small;
    SecBufferDesc input = list_of(&in, 1), output = list_of(&out, 1), small = list_of(&too_small, 1);
    ULONG flags, room;

    CHECK(bytes != NULL);
    EXPECT(SEC_I_CONTINUE_NEEDED, InitializeSecurityContextA(&at_client, NULL, NULL, ISC_REQ_CONFIDENTIALITY, 0, 0, NULL, 0,
        &from, &output, &flags, NULL));
    in = out;
    out.cbBuffer = 4096;
    EXPECT(SEC_I_CONTINUE_NEEDED, AcceptSecurityContext(&at_server, NULL, &input, 0, 0, &to, &output, &flags, NULL));
    in = out;
    out.cbBuffer = 4096;
    /* Any room that is too small leaves what is behind it alone, and the step is made once. */
    for (room = 0; room < 64; room++) {
        void *little = just(bytes, room);

        too_small = buffer(SECBUFFER_TOKEN, little, room);
        EXPECT(SEC_E_BUFFER_TOO_SMALL, InitializeSecurityContextA(&at_client, &from, NULL, ISC_REQ_CONFIDENTIALITY, 0, 0,
            &input, 0, &from, &small, NULL, NULL));
        CHECK(too_small.cbBuffer == room && too_small.pvBuffer == little);
        free_just(little, room);
    }
    EXPECT(SEC_E_OK, InitializeSecurityContextA(&at_client, &from, NULL, ISC_REQ_CONFIDENTIALITY, 0, 0, &input, 0, &from,
        &output, &flags, NULL));
    in = out;
    EXPECT(SEC_E_OK, AcceptSecurityContext(&at_server, &to, &input, 0, 0, &to, &input, &flags, NULL));
    converse(&from, &to, 1);
    EXPECT(SEC_E_OK, DeleteSecurityContext(&from));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&to));
    free(bytes);
}

/* Each token cut at each length, in memory of just that length; what is left of a failed handshake is only deleted. */
static void tokens_cut_short(void)
{
    SecBuffer negotiate, challenge, last, none, in;
    CtxtHandle from, to, ours;
    ULONG length;

    EXPECT(SEC_I_CONTINUE_NEEDED, client_step(&at_client, &from, 1, NULL, &negotiate));
    for (length = 0; length < negotiate.cbBuffer; length += stride) {
        in = buffer(SECBUFFER_TOKEN, just(negotiate.pvBuffer, length), length);
        if (server_step(&at_server, &to, 1, &in, &none) == SEC_I_CONTINUE_NEEDED) {
            EXPECT(SEC_E_OK, FreeContextBuffer(none.pvBuffer));
            EXPECT(SEC_E_OK, DeleteSecurityContext(&to));
        }
        free_just(in.pvBuffer, length);
    }
    EXPECT(SEC_I_CONTINUE_NEEDED, server_step(&at_server, &to, 1, &negotiate, &challenge));
    for (length = 0; length < challenge.cbBuffer; length += 3 * stride) {
        SecBuffer ignored;

        EXPECT(SEC_I_CONTINUE_NEEDED, client_step(&at_client, &ours, 1, NULL, &ignored));
        EXPECT(SEC_E_OK, FreeContextBuffer(ignored.pvBuffer));
        in = buffer(SECBUFFER_TOKEN, just(challenge.pvBuffer, length), length);
        CHECK(client_step(&at_client, &ours, 0, &in, &none) != SEC_E_OK && none.pvBuffer == NULL);
        EXPECT(SEC_E_OUT_OF_SEQUENCE, client_step(&at_client, &ours, 0, &challenge, &none));
        /* The other side's function, and messages. */
        EXPECT(SEC_E_OUT_OF_SEQUENCE, server_step(&at_server, &ours, 0, &challenge, &none));
        EXPECT(SEC_E_OK, DeleteSecurityContext(&ours));
        free_just(in.pvBuffer, length);
    }
    EXPECT(SEC_E_OK, client_step(&at_client, &from, 0, &challenge, &last));
    for (length = 0; length < last.cbBuffer; length += 7 * stride) {
        SecBuffer ignored;

        EXPECT(SEC_I_CONTINUE_NEEDED, server_step(&at_server, &ours, 1, &negotiate, &ignored));
        EXPECT(SEC_E_OK, FreeContextBuffer(ignored.pvBuffer));
        in = buffer(SECBUFFER_TOKEN, just(last.pvBuffer, length), length);
        CHECK(server_step(&at_server, &ours, 0, &in, &none) != SEC_E_OK && none.pvBuffer == NULL);
        EXPECT(SEC_E_OK, DeleteSecurityContext(&ours));
        free_just(in.pvBuffer, length);
    }
    /* A client's context in a server's step. */
    EXPECT(SEC_E_OK, DeleteSecurityContext(&from));
    EXPECT(SEC_E_OK, FreeContextBuffer(last.pvBuffer));
    EXPECT(SEC_I_CONTINUE_NEEDED, client_step(&at_client, &from, 1, NULL, &last));
    CHECK(server_step(&at_server, &from, 0, &negotiate, &none) != SEC_E_OK);
    EXPECT(SEC_E_OK, FreeContextBuffer(last.pvBuffer));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&from));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&to));
    EXPECT(SEC_E_OK, FreeContextBuffer(negotiate.pvBuffer));
    EXPECT(SEC_E_OK, FreeContextBuffer(challenge.pvBuffer));
}

/* Channel bindings of every length, with parts that point anywhere. */
static void bindings(void)
{
    SEC_CHANNEL_BINDINGS bindings;
    ULONG length, part;
    static const ULONG places[] = {0, 1, 32, 33, 39, 40, 41, 0x7FFFFFFF, 0xFFFFFFFF};

    for (part = 0; part < 81; part++) {
        for (length = 30; length < 42; length++) {
            char bytes[64] = "";
            SecBuffer in[2], out = buffer(SECBUFFER_TOKEN, NULL, 0);
            SecBufferDesc input = list_of(in, 1), output = list_of(&out, 1);
            CtxtHandle context;
            SECURITY_STATUS status;

            memset(&bindings, 0, sizeof bindings);
            bindings.dwApplicationDataOffset = places[part % 9];
            bindings.cbApplicationDataLength = places[part / 9];
            memcpy(bytes, &bindings, sizeof bindings);
            in[0] = buffer(SECBUFFER_CHANNEL_BINDINGS, just(bytes, length), length);
            status = InitializeSecurityContextA(&at_client, NULL, NULL, ISC_REQ_ALLOCATE_MEMORY, 0, 0, &input, 0, &context,
                &output, NULL, NULL);
            CHECK(status == SEC_I_CONTINUE_NEEDED || status == SEC_E_INVALID_TOKEN);
            if (status == SEC_I_CONTINUE_NEEDED) {
                EXPECT(SEC_E_OK, DeleteSecurityContext(&context));
                EXPECT(SEC_E_OK, FreeContextBuffer(out.pvBuffer));
            }
            free_just(in[0].pvBuffer, length);
        }
    }
}

static SECURITY_STATUS acquire_with(const void *identity)
{
    CredHandle credential;
    SECURITY_STATUS status = AcquireCredentialsHandleW(NULL, NULL, SECPKG_CRED_OUTBOUND, NULL, NULL, NULL, NULL, &credential,
        NULL);
    static const WCHAR negotiate[] = {'N', 'e', 'g', 'o', 't', 'i', 'a', 't', 'e', 0};

    EXPECT(SEC_E_SECPKG_NOT_FOUND, status);
    status = AcquireCredentialsHandleW(NULL, negotiate, SECPKG_CRED_OUTBOUND, NULL, (void *)identity, NULL, NULL, &credential,
        NULL);
    if (status == SEC_E_OK)
        EXPECT(SEC_E_OK, FreeCredentialsHandle(&credential));
    return status;
}

/* Everything that takes an identity, whether it is one or not. */
static void use_identity(void *identity)
{
    void *made, *bytes;
    WCHAR *texts[2];
    const WCHAR *strings[3];
    ULONG length, kind;
    BOOLEAN same_user, same;
    static const WCHAR package[] = {'N', 'T', 'L', 'M', 0};

    if (SspiCopyAuthIdentity(identity, &made) == SEC_E_OK) {
        SspiZeroAuthIdentity(made);
        SspiFreeAuthIdentity(made);
    }
    if (SspiExcludePackage(identity, package, &made) == SEC_E_OK)
        SspiFreeAuthIdentity(made);
    if (SspiMarshalAuthIdentity(identity, &length, (char **)&bytes) == SEC_E_OK) {
        void *all = just(bytes, length);

        EXPECT(SEC_E_OK, SspiUnmarshalAuthIdentity(length, (char *)all, &made));
        SspiFreeAuthIdentity(made);
        free_just(all, length);
        SspiLocalFree(bytes);
    }
    if (SspiEncodeAuthIdentityAsStrings(identity, &strings[0], &strings[1], &strings[2]) == SEC_E_OK)
        for (kind = 0; kind < 3; kind++)
            SspiLocalFree((void *)strings[kind]);
    if (SspiPrepareForCredWrite(identity, NULL, &kind, &texts[0], &texts[1], (unsigned char **)&bytes, &length) == SEC_E_OK) {
        SspiLocalFree(texts[0]);
        SspiLocalFree(texts[1]);
        SspiLocalFree(bytes);
    }
    if (SspiPrepareForCredRead(identity, NULL, &kind, &texts[0]) == SEC_E_OK)
        SspiLocalFree(texts[0]);
    SspiCompareAuthIdentities(identity, identity, &same_user, &same);
    SspiValidateAuthIdentity(identity);
    SspiIsAuthIdentityEncrypted(identity);
    acquire_with(identity);
    if (SspiEncryptAuthIdentity(identity) == SEC_E_OK) {
        acquire_with(identity);
        EXPECT(SEC_E_OK, SspiDecryptAuthIdentity(identity));
    }
}

static void identities(void)
{
    static WCHAR user[] = {'b', 'o', 'b', 0}, domain[] = {'D', 0}, password[] = {0xD800, 's', 0};
    static const ULONG flags[] = {0, 1, 2, 3, 4, 6, 0x12, 0x20, 0x42, 0x80, 0xFFFFFFFF};
    void *made, *marshalled;
    ULONG length, cut, place;
    unsigned number;
    char *bytes;

    /* Plain and EX, with all flags, with texts of just that length, and none. */
    for (number = 0; number < 11 * 16; number += stride) {
        SEC_WINNT_AUTH_IDENTITY_EXW ex;
        struct odd texts[4], whole;
        size_t size = (flags[number / 16] & 3) == 1 ? 1 : 2;
        int index;

        for (index = 0; index < 4; index++)
            texts[index] = odd("a\0b\0c\0d", 4 * size);
        memset(&ex, 0, sizeof ex);
        ex.Version = SEC_WINNT_AUTH_IDENTITY_VERSION;
        ex.Length = sizeof ex;
        ex.User = number & 1 ? (WCHAR *)(void *)texts[0].bytes : NULL;
        ex.UserLength = ex.DomainLength = ex.PasswordLength = ex.PackageListLength = 4;
        ex.Domain = number & 2 ? (WCHAR *)(void *)texts[1].bytes : NULL;
        ex.Password = number & 4 ? (WCHAR *)(void *)texts[2].bytes : NULL;
        ex.PackageList = number & 8 ? (WCHAR *)(void *)texts[3].bytes : NULL;
        ex.Flags = flags[number / 16];
        whole = odd(&ex, sizeof ex);
        use_identity(whole.bytes);
        SspiZeroAuthIdentity(whole.bytes);
        free(whole.start);
        /* The older form is the middle of the newer one. */
        whole = odd(&ex.User, sizeof(SEC_WINNT_AUTH_IDENTITY_W));
        use_identity(whole.bytes);
        SspiZeroAuthIdentity(whole.bytes);
        free(whole.start);
        for (index = 0; index < 4; index++)
            free(texts[index].start);
    }
    use_identity(NULL);
    SspiZeroAuthIdentity(NULL);
    SspiFreeAuthIdentity(NULL);
    SspiLocalFree(NULL);

    /* In one piece: whole, cut at each length, and with each byte changed. */
    EXPECT(SEC_E_OK, SspiEncodeStringsAsAuthIdentity(user, domain, password, &made));
    use_identity(made);
    EXPECT(SEC_E_OK, SspiExcludePackage(made, user, &marshalled));
    SspiFreeAuthIdentity(made);
    SspiFreeAuthIdentity(made);
    EXPECT(SEC_E_OK, SspiMarshalAuthIdentity(marshalled, &length, &bytes));
    SspiFreeAuthIdentity(marshalled);
    for (cut = 0; cut < length; cut += stride) {
        void *part = just(bytes, cut);

        EXPECT(SEC_E_INVALID_TOKEN, SspiUnmarshalAuthIdentity(cut, (char *)part, &made));
        free_just(part, cut);
    }
    for (place = 0; place < 2 * length; place += stride) {
        struct odd changed = odd(bytes, length);

        changed.bytes[place / 2] = (char)(changed.bytes[place / 2] ^ (place % 2 ? 0xFF : 1));
        if (SspiUnmarshalAuthIdentity(length, changed.bytes, &made) == SEC_E_OK) {
            use_identity(made);
            SspiFreeAuthIdentity(made);
        }
        /* As an identity itself, where version and lengths still say which form it is, and how long. */
        if (place / 2 >= 12)
            use_identity(changed.bytes);
        free(changed.start);
    }
    EXPECT(SEC_E_INVALID_TOKEN, SspiUnmarshalAuthIdentity(0, NULL, &made));
    EXPECT(SEC_E_INVALID_TOKEN, SspiUnmarshalAuthIdentity(100, NULL, &made));
    EXPECT(SEC_E_INVALID_TOKEN, SspiUnmarshalAuthIdentity(length, bytes, NULL));
    SspiLocalFree(bytes);
}

/* Names of any length: none leads out of the library, or out of its own memory. */
static void long_texts(void)
{
    static const size_t lengths[] = {0, 1, 255, 256, 32766, 32767, 32768, 65534, 65535, 65536, 70000};
    size_t index;

    for (index = 0; index < sizeof lengths / sizeof lengths[0]; index++) {
        char *text = (char *)malloc(lengths[index] + 1);
        SEC_WINNT_AUTH_IDENTITY_A identity = alice();
        CredHandle credential;
        CtxtHandle context;
        SecBuffer out = buffer(SECBUFFER_TOKEN, NULL, 0), challenge, last;
        SecBufferDesc output = list_of(&out, 1), input = list_of(&challenge, 1);
        PSecPkgInfoA info;
        SECURITY_STATUS status;

        CHECK(text != NULL);
        memset(text, 'a', lengths[index]);
        text[lengths[index]] = 0;
        EXPECT(SEC_E_SECPKG_NOT_FOUND, QuerySecurityPackageInfoA(text, &info));
        identity.User = identity.Domain = (unsigned char *)text;
        identity.UserLength = identity.DomainLength = (ULONG)lengths[index];
        status = AcquireCredentialsHandleA(text, NTLM, SECPKG_CRED_OUTBOUND, NULL, &identity, NULL, NULL, &credential, NULL);
        CHECK(status == (lengths[index] > 32767 ? SEC_E_UNKNOWN_CREDENTIALS : SEC_E_OK));
        if (status == SEC_E_OK) {
            status = InitializeSecurityContextA(&credential, NULL, text,
                ISC_REQ_CONFIDENTIALITY | ISC_REQ_ALLOCATE_MEMORY, 0, 0, NULL, 0, &context,
                &output, NULL, NULL);
            if (status == SEC_I_CONTINUE_NEEDED) {
                CtxtHandle to;

                EXPECT(SEC_I_CONTINUE_NEEDED, server_step(&at_server, &to, 1, &out, &challenge));
                EXPECT(SEC_E_OK, FreeContextBuffer(out.pvBuffer));
                out = buffer(SECBUFFER_TOKEN, NULL, 0);
                status = InitializeSecurityContextA(NULL, &context, text,
                    ISC_REQ_CONFIDENTIALITY | ISC_REQ_ALLOCATE_MEMORY, 0, 0, &input, 0, &context,
                    &output, NULL, NULL);
                if (status == SEC_E_OK) {
                    CHECK(server_step(&at_server, &to, 0, &out, &last) == SEC_E_LOGON_DENIED);
                    EXPECT(SEC_E_OK, FreeContextBuffer(out.pvBuffer));
                }
                EXPECT(SEC_E_OK, FreeContextBuffer(challenge.pvBuffer));
                EXPECT(SEC_E_OK, DeleteSecurityContext(&to));
                EXPECT(SEC_E_OK, DeleteSecurityContext(&context));
            }
            EXPECT(SEC_E_OK, FreeCredentialsHandle(&credential));
        }
        free(text);
    }
}

/* An exported context cut at each length or with a byte changed is refused, and imported once for all that. */
static void blobs(void)
{
    CtxtHandle from, to, imported;
    SecBuffer packed = buffer(SECBUFFER_DATA, NULL, 77), none = buffer(SECBUFFER_EMPTY, NULL, 100);
    ULONG length;

    shake_hands(&from, &to);
    EXPECT(SEC_E_INTERNAL_ERROR, ExportSecurityContext(&to, SECPKG_CONTEXT_EXPORT_DELETE_OLD, NULL, NULL));
    EXPECT(SEC_E_UNSUPPORTED_FUNCTION, ExportSecurityContext(&to, SECPKG_CONTEXT_EXPORT_TO_KERNEL, &packed, NULL));
    EXPECT(SEC_E_OK, ExportSecurityContext(&to, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed, NULL));
    for (length = 0; length < packed.cbBuffer; length += stride) {
        SecBuffer part = buffer(SECBUFFER_EMPTY, just(packed.pvBuffer, length), length);
        struct odd changed = odd(packed.pvBuffer, packed.cbBuffer);
        SecBuffer other = buffer(SECBUFFER_EMPTY, changed.bytes, packed.cbBuffer);

        CHECK(ImportSecurityContextA(NTLM, &part, NULL, &imported) != SEC_E_OK);
        changed.bytes[length] = (char)(changed.bytes[length] ^ 0x10);
        CHECK(ImportSecurityContextA(NTLM, &other, NULL, &imported) != SEC_E_OK);
        free_just(part.pvBuffer, length);
        free(changed.start);
    }
    CHECK(ImportSecurityContextA(NTLM, &none, NULL, &imported) != SEC_E_OK);
    CHECK(ImportSecurityContextA(NTLM, NULL, NULL, &imported) != SEC_E_OK);
    CHECK(ImportSecurityContextA(NTLM, &packed, NULL, NULL) != SEC_E_OK);
    EXPECT(SEC_E_OK, ImportSecurityContextA(NTLM, &packed, NULL, &imported));
    converse(&from, &imported, 1);
    EXPECT(SEC_E_OK, FreeContextBuffer(packed.pvBuffer));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&from));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&imported));
}

static void memory(void)
{
    PSecPkgInfoA info;
    ULONG how_many, size;
    char inside[8], *name;
    static const char zeros[80] = "";
    EXTENDED_NAME_FORMAT format = NameSamCompatible;

    EXPECT(SEC_E_OK, EnumerateSecurityPackagesA(&how_many, &info));
    /* Into a block, of the program's own, and anything else. */
    EXPECT(SEC_E_INVALID_HANDLE, FreeContextBuffer((char *)(void *)info + 1));
    EXPECT(SEC_E_INVALID_HANDLE, FreeContextBuffer(info->Name));
    EXPECT(SEC_E_INVALID_HANDLE, FreeContextBuffer(inside));
    EXPECT(SEC_E_INVALID_HANDLE, FreeContextBuffer((void *)1));
    EXPECT(SEC_E_INVALID_HANDLE, FreeContextBuffer((void *)~(uintptr_t)0));
    EXPECT(SEC_E_OK, FreeContextBuffer(NULL));
    EXPECT(SEC_E_OK, FreeContextBuffer(info));
    EXPECT(SEC_E_INVALID_HANDLE, FreeContextBuffer(info));
    EXPECT(SEC_E_INTERNAL_ERROR, EnumerateSecurityPackagesA(NULL, &info));
    EXPECT(SEC_E_INTERNAL_ERROR, EnumerateSecurityPackagesA(&how_many, NULL));
    CHECK(!CloseHandle(NULL) && !CloseHandle(inside) && !CloseHandle((void *)~(uintptr_t)0));
    /* Names and messages in every room. */
    for (size = 0; size < 80; size++) {
        ULONG room = size;

        name = (char *)just(zeros, size);
        GetUserNameExA(format, name, &room);
        PortableSspiGetLastErrorMessage(name, size);
        free_just(name, size);
    }
    CHECK(!GetUserNameExA(format, NULL, NULL) && !TranslateNameA(NULL, format, format, NULL, NULL));
    PortableSspiGetLastErrorMessage(NULL, 100);
}

int main(int arguments, char **values)
{
    if (arguments > 1)
        stride = (ULONG)atol(values[1]);
    CHECK(stride > 0);
    at_client = acquire(SECPKG_CRED_OUTBOUND);
    at_server = acquire(SECPKG_CRED_INBOUND);
    shake_hands(&client, &server);
    handles();
    lists();
    overlaps();
    a_step_in_place();
    tokens_cut_short();
    bindings();
    identities();
    long_texts();
    blobs();
    memory();
    converse(&server, &client, 0);
    EXPECT(SEC_E_OK, DeleteSecurityContext(&client));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&server));
    EXPECT(SEC_E_OK, FreeCredentialsHandle(&at_client));
    EXPECT(SEC_E_OK, FreeCredentialsHandle(&at_server));
    puts("nothing was misused");
    return 0;
}
