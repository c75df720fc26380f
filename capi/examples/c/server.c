/*
 * A server: authenticates one client, prints who it is, and answers its messages.
 *
 *   server PORT          answers all of them; port 0 takes a free one, which is printed
 *   server PORT WORKER   answers the first, then exports the context and starts the program WORKER (worker.c), which answers
 *                        the others on the same connection
 *
 * Whom it admits is the package's affair: on Windows who has an account; elsewhere whom NTLM_USER_FILE names, or the one of
 * SAMPLE_USER, SAMPLE_DOMAIN and SAMPLE_PASSWORD.
 */
#include "sample.h"

static connection accepted_client(int port)
{
    struct sockaddr_in address = loopback(port);
    socket_length length = sizeof address;
    connection listening = socket(AF_INET, SOCK_STREAM, 0), client;

    if (listening == INVALID_SOCKET || bind(listening, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listening, 1) != 0 || getsockname(listening, (struct sockaddr *)&address, &length) != 0)
        fail("listen", socket_error());
    printf("server: on port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    client = accept(listening, NULL, NULL);
    if (client == INVALID_SOCKET)
        fail("accept", socket_error());
    closesocket(listening);
    return client;
}

static void authenticate(PCredHandle credential, PCtxtHandle context, connection client)
{
    static unsigned char received[LONGEST];
    SecBuffer in, out;
    SecBufferDesc in_list = list_of(&in, 1), out_list = list_of(&out, 1);
    SECURITY_STATUS status;
    ULONG attributes;
    TimeStamp expiry;
    int first = 1;

    do {
        set_buffer(&in, SECBUFFER_TOKEN, received, receive_part(client, received, sizeof received));
        set_buffer(&out, SECBUFFER_TOKEN, NULL, 0);
        status = AcceptSecurityContext(credential, first ? NULL : context, &in_list,
            ASC_REQ_CONFIDENTIALITY | ASC_REQ_INTEGRITY | ASC_REQ_ALLOCATE_MEMORY, SECURITY_NATIVE_DREP, context, &out_list,
            &attributes, &expiry);
        if (status == SEC_I_COMPLETE_NEEDED || status == SEC_I_COMPLETE_AND_CONTINUE) {
            SECURITY_STATUS completed = CompleteAuthToken(context, &out_list);
            if (completed != SEC_E_OK)
                fail("CompleteAuthToken", completed);
            status = status == SEC_I_COMPLETE_NEEDED ? SEC_E_OK : SEC_I_CONTINUE_NEEDED;
        }
        if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED)
            fail("AcceptSecurityContext", status);
        if (out.cbBuffer != 0)
            send_part(client, out.pvBuffer, out.cbBuffer);
        if (out.pvBuffer)
            FreeContextBuffer(out.pvBuffer);
        first = 0;
    } while (status == SEC_I_CONTINUE_NEEDED);
}

/* Who the client is, and whether this thread can act as it. */
static void tell_who(PCtxtHandle context)
{
    SecPkgContext_NamesA names;
    char user[256];
    ULONG length = sizeof user;
    SECURITY_STATUS status = QueryContextAttributesA(context, SECPKG_ATTR_NAMES, &names);

    if (status != SEC_E_OK)
        fail("QueryContextAttributes(NAMES)", status);
    printf("server: the client is %s\n", names.sUserName);
    FreeContextBuffer(names.sUserName);
    status = ImpersonateSecurityContext(context);
    if (status == SEC_E_OK) {
        if (GetUserNameExA(NameSamCompatible, user, &length))
            printf("server: acts as %s\n", user);
        RevertSecurityContext(context);
    } else {
        printf("server: does not act as the client: 0x%08lx\n", (unsigned long)status & 0xFFFFFFFFul);
    }
    fflush(stdout);
}

/* Gives context and connection away. */
static void hand_over(PCtxtHandle context, connection client, const char *worker)
{
    SecBuffer packed;
    process child;
    int to;
    SECURITY_STATUS status;

    set_buffer(&packed, SECBUFFER_EMPTY, NULL, 0);
    status = ExportSecurityContext(context, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed, NULL);
    if (status != SEC_E_OK)
        fail("ExportSecurityContext", status);
    if (!start_process(worker, NULL, &to, NULL, &child))
        fail("the worker does not start", 0);
    give_connection(client, child, to);
    if (!write_all(to, &packed.cbBuffer, sizeof packed.cbBuffer) || !write_all(to, packed.pvBuffer, packed.cbBuffer))
        fail("the worker does not read", 0);
    FreeContextBuffer(packed.pvBuffer);
    close_pipe(to);
    if (!ended_well(child))
        fail("the worker has failed", 0);
}

int main(int count, char **arguments)
{
    SEC_WINNT_AUTH_IDENTITY_A identity;
    CredHandle credential;
    CtxtHandle context;
    TimeStamp expiry;
    SECURITY_STATUS status;
    connection client;

    if (count != 2 && count != 3) {
        fprintf(stderr, "usage: server PORT [WORKER]\n");
        return 2;
    }
    start_sockets();
    status = AcquireCredentialsHandleA(
        NULL, package_name, SECPKG_CRED_INBOUND, NULL, identity_of_environment(&identity), NULL, NULL, &credential, &expiry);
    if (status != SEC_E_OK)
        fail("AcquireCredentialsHandle", status);
    client = accepted_client(atoi(arguments[1]));
    authenticate(&credential, &context, client);
    tell_who(&context);

    answer(&context, client, 1, "server");
    if (count == 3) {
        hand_over(&context, client, arguments[2]);
    } else {
        answer(&context, client, 0, "server");
        answer(&context, client, 1, "server");
        DeleteSecurityContext(&context);
    }
    FreeCredentialsHandle(&credential);
    closesocket(client);
    return 0;
}
