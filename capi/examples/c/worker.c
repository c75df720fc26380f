/*
 * The process to which server.c hands a client over: takes the connection, imports the context that comes on the standard
 * input, and goes on with the client. server.c starts it.
 */
#include "sample.h"

int main(void)
{
    static unsigned char bytes[LONGEST];
    SecBuffer packed;
    CtxtHandle context;
    connection client;
    SECURITY_STATUS status;
    ULONG length;

    start_sockets();
    pipes_are_binary();
    client = take_connection(0);
    if (!read_all(0, &length, sizeof length) || length > sizeof bytes || !read_all(0, bytes, length))
        fail("no context", 0);
    set_buffer(&packed, SECBUFFER_EMPTY, bytes, length);
    status = ImportSecurityContextA(package_name, &packed, NULL, &context);
    if (status != SEC_E_OK)
        fail("ImportSecurityContext", status);

    answer(&context, client, 0, "worker");
    answer(&context, client, 1, "worker");
    DeleteSecurityContext(&context);
    closesocket(client);
    return 0;
}
