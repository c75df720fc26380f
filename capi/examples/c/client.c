/*
 * A client: authenticates to server.c on this machine, then sends three messages and prints the answers.
 *
 *   client PORT
 *
 * It is who SAMPLE_USER, SAMPLE_DOMAIN and SAMPLE_PASSWORD in the environment say; without them, who is logged on.
 */
#include "sample.h"

static void authenticate(PCredHandle credential, PCtxtHandle context, connection server)
{
    static unsigned char received[LONGEST];
    static char target[] = "sample/localhost";
    SecBuffer in, out;
    SecBufferDesc in_list = list_of(&in, 1), out_list = list_of(&out, 1);
    SECURITY_STATUS status;
    ULONG attributes;
    TimeStamp expiry;
    int first = 1;

    do {
        if (!first)
            set_buffer(&in, SECBUFFER_TOKEN, received, receive_part(server, received, sizeof received));
        set_buffer(&out, SECBUFFER_TOKEN, NULL, 0);
        status = InitializeSecurityContextA(credential, first ? NULL : context, target,
            ISC_REQ_CONFIDENTIALITY | ISC_REQ_INTEGRITY | ISC_REQ_ALLOCATE_MEMORY, 0, SECURITY_NATIVE_DREP,
            first ? NULL : &in_list, 0, context, &out_list, &attributes, &expiry);
        if (status == SEC_I_COMPLETE_NEEDED || status == SEC_I_COMPLETE_AND_CONTINUE) {
            SECURITY_STATUS completed = CompleteAuthToken(context, &out_list);
            if (completed != SEC_E_OK)
                fail("CompleteAuthToken", completed);
            status = status == SEC_I_COMPLETE_NEEDED ? SEC_E_OK : SEC_I_CONTINUE_NEEDED;
        }
        if (status != SEC_E_OK && status != SEC_I_CONTINUE_NEEDED)
            fail("InitializeSecurityContext", status);
        if (out.cbBuffer != 0)
            send_part(server, out.pvBuffer, out.cbBuffer);
        if (out.pvBuffer)
            FreeContextBuffer(out.pvBuffer);
        first = 0;
    } while (status == SEC_I_CONTINUE_NEEDED);
}

int main(int count, char **arguments)
{
    static char answered[LONGEST];
    SEC_WINNT_AUTH_IDENTITY_A identity;
    CredHandle credential;
    CtxtHandle context;
    TimeStamp expiry;
    SECURITY_STATUS status;
    struct sockaddr_in address;
    connection server;
    static const struct {
        int sealed;
        const char *text;
    } messages[] = { { 1, "the first, sealed" }, { 0, "the second, signed" }, { 1, "the third, sealed" } };
    size_t index;

    if (count != 2) {
        fprintf(stderr, "usage: client PORT\n");
        return 2;
    }
    start_sockets();
    address = loopback(atoi(arguments[1]));
    server = socket(AF_INET, SOCK_STREAM, 0);
    if (server == INVALID_SOCKET || connect(server, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect", socket_error());

    status = AcquireCredentialsHandleA(
        NULL, package_name, SECPKG_CRED_OUTBOUND, NULL, identity_of_environment(&identity), NULL, NULL, &credential, &expiry);
    if (status != SEC_E_OK)
        fail("AcquireCredentialsHandle", status);
    authenticate(&credential, &context, server);

    for (index = 0; index < sizeof messages / sizeof messages[0]; index++) {
        say(&context, server, messages[index].sealed, messages[index].text);
        hear(&context, server, messages[index].sealed, answered);
        printf("client: %s\n", answered);
    }
    DeleteSecurityContext(&context);
    FreeCredentialsHandle(&credential);
    closesocket(server);
    return 0;
}
