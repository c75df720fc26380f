/*
 * A server's context is exported in one process and imported in another, in the manner of a program for Windows. Both C and
 * C++ compile it, for Windows, too.
 *
 *   handoff           the first process: client and server, then the second one with the blob on its standard input
 *   handoff import    the second process: goes on with the server's context
 *
 * The two talk over pipes, each message behind its length.
 */
#ifdef _WIN32
#include <windows.h>
#endif
#define SECURITY_WIN32
#include <security.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../examples/c/processes.h"

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            char why[512];                                                                 \
            PortableSspiGetLastErrorMessage(why, (ULONG)sizeof why);                       \
            fprintf(stderr, "handoff.c:%d: %s (%s)\n", __LINE__, #condition, why);         \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

static SecPkgContext_Sizes sizes;

static CredHandle acquire(ULONG use)
{
    static char user[] = "alice", domain[] = "CORP", password[] = "secret", package[] = "NTLM";
    SEC_WINNT_AUTH_IDENTITY_A identity;
    CredHandle credential;
    TimeStamp expiry;

    identity.User = (unsigned char *)user;
    identity.UserLength = (ULONG)strlen(user);
    identity.Domain = (unsigned char *)domain;
    identity.DomainLength = (ULONG)strlen(domain);
    identity.Password = (unsigned char *)password;
    identity.PasswordLength = (ULONG)strlen(password);
    identity.Flags = SEC_WINNT_AUTH_IDENTITY_ANSI;
    CHECK(AcquireCredentialsHandleA(NULL, package, use, NULL, &identity, NULL, NULL, &credential, &expiry) == SEC_E_OK);
    return credential;
}

static void put(int to, const void *bytes, ULONG length)
{
    CHECK(write_all(to, &length, sizeof length));
    CHECK(write_all(to, bytes, length));
}

static ULONG get(int from, void *bytes, ULONG room)
{
    ULONG length;

    CHECK(read_all(from, &length, sizeof length));
    CHECK(length <= room);
    CHECK(read_all(from, bytes, length));
    return length;
}

static void say(PCtxtHandle context, int to, const char *text)
{
    char message[256];
    SecBuffer buffers[2];
    SecBufferDesc list;

    memcpy(message + 16, text, strlen(text));
    buffers[0].cbBuffer = 16;
    buffers[0].BufferType = SECBUFFER_TOKEN;
    buffers[0].pvBuffer = message;
    buffers[1].cbBuffer = (ULONG)strlen(text);
    buffers[1].BufferType = SECBUFFER_DATA;
    buffers[1].pvBuffer = message + 16;
    list.ulVersion = SECBUFFER_VERSION;
    list.cBuffers = 2;
    list.pBuffers = buffers;
    CHECK(EncryptMessage(context, 0, &list, 0) == SEC_E_OK);
    CHECK(memcmp(message + 16, text, strlen(text)) != 0);
    put(to, message, 16 + (ULONG)strlen(text));
}

static void hear(PCtxtHandle context, int from, const char *text)
{
    char message[256];
    SecBuffer buffers[2];
    SecBufferDesc list;

    buffers[0].cbBuffer = get(from, message, sizeof message);
    buffers[0].BufferType = SECBUFFER_STREAM;
    buffers[0].pvBuffer = message;
    buffers[1].cbBuffer = 0;
    buffers[1].BufferType = SECBUFFER_DATA;
    buffers[1].pvBuffer = NULL;
    list.ulVersion = SECBUFFER_VERSION;
    list.cBuffers = 2;
    list.pBuffers = buffers;
    CHECK(DecryptMessage(context, &list, 0, NULL) == SEC_E_OK);
    CHECK(buffers[1].cbBuffer == strlen(text) && memcmp(buffers[1].pvBuffer, text, strlen(text)) == 0);
}

static void shake_hands(PCtxtHandle client, PCtxtHandle server)
{
    static char target[] = "HTTP/files";
    CredHandle at_client = acquire(SECPKG_CRED_OUTBOUND), at_server = acquire(SECPKG_CRED_INBOUND);
    SECURITY_STATUS of_client = SEC_I_CONTINUE_NEEDED, of_server = SEC_I_CONTINUE_NEEDED;
    SecBuffer to_server, to_client;
    SecBufferDesc out, in;
    ULONG flags;
    TimeStamp expiry;
    int step;

    for (step = 0; of_server == SEC_I_CONTINUE_NEEDED; step++) {
        to_server.cbBuffer = 0;
        to_server.BufferType = SECBUFFER_TOKEN;
        to_server.pvBuffer = NULL;
        out.ulVersion = in.ulVersion = SECBUFFER_VERSION;
        out.cBuffers = in.cBuffers = 1;
        out.pBuffers = &to_server;
        in.pBuffers = &to_client;
        of_client = InitializeSecurityContextA(&at_client, step ? client : NULL, target,
            ISC_REQ_CONFIDENTIALITY | ISC_REQ_ALLOCATE_MEMORY, 0, SECURITY_NATIVE_DREP, step ? &in : NULL, 0, client, &out,
            &flags, &expiry);
        CHECK(of_client == (step ? SEC_E_OK : SEC_I_CONTINUE_NEEDED));
        CHECK(flags & ISC_RET_ALLOCATED_MEMORY);
        if (step)
            CHECK(FreeContextBuffer(to_client.pvBuffer) == SEC_E_OK);
        to_client.cbBuffer = 0;
        to_client.BufferType = SECBUFFER_TOKEN;
        to_client.pvBuffer = NULL;
        in.pBuffers = &to_server;
        out.pBuffers = &to_client;
        of_server = AcceptSecurityContext(&at_server, step ? server : NULL, &in, ASC_REQ_CONFIDENTIALITY | ASC_REQ_ALLOCATE_MEMORY,
            SECURITY_NATIVE_DREP, server, &out, &flags, &expiry);
        CHECK(of_server == (step ? SEC_E_OK : SEC_I_CONTINUE_NEEDED));
        CHECK(FreeContextBuffer(to_server.pvBuffer) == SEC_E_OK);
    }
    CHECK(QueryContextAttributesA(server, SECPKG_ATTR_SIZES, &sizes) == SEC_E_OK && sizes.cbSecurityTrailer == 16);
    CHECK(FreeCredentialsHandle(&at_client) == SEC_E_OK);
    CHECK(FreeCredentialsHandle(&at_server) == SEC_E_OK);
}

static int second(void)
{
    static char blob[4096], package[] = "NTLM";
    SecBuffer packed;
    CtxtHandle server;
    SecPkgContext_NamesA names;

    pipes_are_binary();
    packed.cbBuffer = get(0, blob, sizeof blob);
    packed.BufferType = SECBUFFER_EMPTY;
    packed.pvBuffer = blob;
    CHECK(ImportSecurityContextA(package, &packed, NULL, &server) == SEC_E_OK);
    CHECK(ImportSecurityContextA(package, &packed, NULL, &server) == SEC_E_CONTEXT_EXPIRED);
    CHECK(QueryContextAttributesA(&server, SECPKG_ATTR_NAMES, &names) == SEC_E_OK);
    CHECK(strcmp(names.sUserName, "CORP\\alice") == 0);
    CHECK(FreeContextBuffer(names.sUserName) == SEC_E_OK);
    hear(&server, 0, "third, to the second process");
    say(&server, 1, "fourth, from the second process");
    CHECK(DeleteSecurityContext(&server) == SEC_E_OK);
    return 0;
}

int main(int count, char **arguments)
{
    int there, back, here[2];
    CtxtHandle client, server;
    SecBuffer packed;
    void *token = NULL;
    process child;

    if (count > 1)
        return second();
    shake_hands(&client, &server);
    CHECK(make_pipe(here));
    say(&client, here[1], "first, in one process");
    hear(&server, here[0], "first, in one process");
    say(&server, here[1], "second, the other way");
    hear(&client, here[0], "second, the other way");

    packed.cbBuffer = 0;
    packed.BufferType = SECBUFFER_EMPTY;
    packed.pvBuffer = NULL;
    CHECK(ExportSecurityContext(&server, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed, &token) == SEC_E_OK);
#ifdef _WIN32
    /* Only the system's own authority makes tokens. */
    CHECK(token == NULL);
#else
    CHECK(token != NULL && CloseHandle(token) && !CloseHandle(token));
#endif
    CHECK(DeleteSecurityContext(&server) == SEC_E_INVALID_HANDLE);

    CHECK(start_process(arguments[0], "import", &there, &back, &child));
    put(there, packed.pvBuffer, packed.cbBuffer);
    CHECK(FreeContextBuffer(packed.pvBuffer) == SEC_E_OK);
    CHECK(FreeContextBuffer(packed.pvBuffer) == SEC_E_INVALID_HANDLE);
    say(&client, there, "third, to the second process");
    hear(&client, back, "fourth, from the second process");
    CHECK(ended_well(child));
    CHECK(DeleteSecurityContext(&client) == SEC_E_OK);
    puts("handed over");
    return 0;
}
