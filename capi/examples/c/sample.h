/*
 * What client.c, server.c and worker.c share: a connection over which tokens and messages go, each behind its length, and
 * signed and sealed messages on it. For C and C++, for Windows and for other systems.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#ifdef _WIN32
#include <winsock2.h>
#include <windows.h>
typedef SOCKET connection;
typedef int socket_length;
#define socket_error() ((SECURITY_STATUS)WSAGetLastError())
#else
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
typedef int connection;
typedef socklen_t socket_length;
#define closesocket close
#define socket_error() ((SECURITY_STATUS)errno)
#define INVALID_SOCKET (-1)
#endif

#define SECURITY_WIN32
#include <security.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processes.h"

/* No token and no message is longer. */
#define LONGEST 65536

static char package_name[] = "NTLM";

static inline void fail(const char *what, SECURITY_STATUS status)
{
    fprintf(stderr, "%s: 0x%08lx\n", what, (unsigned long)status & 0xFFFFFFFFul);
    exit(1);
}

static inline void start_sockets(void)
{
#ifdef _WIN32
    WSADATA data;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        fail("WSAStartup", 0);
#endif
}

static inline struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)port);
    return address;
}

/* Who the environment says this is, in *identity; NULL where it names nobody. */
static inline SEC_WINNT_AUTH_IDENTITY_A *identity_of_environment(SEC_WINNT_AUTH_IDENTITY_A *identity)
{
    char *user = getenv("SAMPLE_USER"), *domain = getenv("SAMPLE_DOMAIN"), *password = getenv("SAMPLE_PASSWORD");
    static char none[] = "";

    if (!user)
        return NULL;
    domain = domain ? domain : none;
    password = password ? password : none;
    memset(identity, 0, sizeof *identity);
    identity->User = (unsigned char *)user;
    identity->UserLength = (ULONG)strlen(user);
    identity->Domain = (unsigned char *)domain;
    identity->DomainLength = (ULONG)strlen(domain);
    identity->Password = (unsigned char *)password;
    identity->PasswordLength = (ULONG)strlen(password);
    identity->Flags = SEC_WINNT_AUTH_IDENTITY_ANSI;
    return identity;
}

/* ---- the connection ---- */

static inline void send_all(connection peer, const unsigned char *bytes, ULONG length)
{
    while (length > 0) {
        int part = (int)send(peer, (const char *)bytes, (int)length, 0);
        if (part <= 0)
            fail("send", socket_error());
        bytes += part;
        length -= (ULONG)part;
    }
}

static inline void receive_all(connection peer, unsigned char *bytes, ULONG length)
{
    while (length > 0) {
        int part = (int)recv(peer, (char *)bytes, (int)length, 0);
        if (part <= 0)
            fail("the other side has ended the connection", 0);
        bytes += part;
        length -= (ULONG)part;
    }
}

static inline void send_part(connection peer, const void *bytes, ULONG length)
{
    unsigned char prefix[4];

    prefix[0] = (unsigned char)length;
    prefix[1] = (unsigned char)(length >> 8);
    prefix[2] = (unsigned char)(length >> 16);
    prefix[3] = (unsigned char)(length >> 24);
    send_all(peer, prefix, sizeof prefix);
    send_all(peer, (const unsigned char *)bytes, length);
}

static inline ULONG receive_part(connection peer, void *bytes, ULONG room)
{
    unsigned char prefix[4];
    ULONG length;

    receive_all(peer, prefix, sizeof prefix);
    length = prefix[0] | (ULONG)prefix[1] << 8 | (ULONG)prefix[2] << 16 | (ULONG)prefix[3] << 24;
    if (length > room)
        fail("a message is too long", 0);
    receive_all(peer, (unsigned char *)bytes, length);
    return length;
}

#ifdef _WIN32
/* Gives the connection to a process that reads from `to`. Winsock makes a copy for that process. */
static inline void give_connection(connection peer, process child, int to)
{
    WSAPROTOCOL_INFOW copy;

    if (WSADuplicateSocketW(peer, GetProcessId((HANDLE)child), &copy) != 0 || !write_all(to, &copy, sizeof copy))
        fail("the connection is not given away", socket_error());
}

static inline connection take_connection(int from)
{
    WSAPROTOCOL_INFOW copy;
    connection peer = INVALID_SOCKET;

    if (read_all(from, &copy, sizeof copy))
        peer = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &copy, 0, WSA_FLAG_OVERLAPPED);
    if (peer == INVALID_SOCKET)
        fail("no connection", socket_error());
    return peer;
}
#else
/* Gives the connection to a process that reads from `to`, which has inherited it and need only be told its number. */
static inline void give_connection(connection peer, process child, int to)
{
    (void)child;
    if (!write_all(to, &peer, sizeof peer))
        fail("the connection is not given away", socket_error());
}

static inline connection take_connection(int from)
{
    connection peer;

    if (!read_all(from, &peer, sizeof peer))
        fail("no connection", socket_error());
    return peer;
}
#endif

/* ---- messages ---- */

static inline SecBufferDesc list_of(SecBuffer *buffers, ULONG count)
{
    SecBufferDesc list;

    list.ulVersion = SECBUFFER_VERSION;
    list.cBuffers = count;
    list.pBuffers = buffers;
    return list;
}

static inline void set_buffer(SecBuffer *buffer, ULONG type, void *bytes, ULONG length)
{
    buffer->BufferType = type;
    buffer->pvBuffer = bytes;
    buffer->cbBuffer = length;
}

/* Sends a text, sealed or only signed: the token first, then the text. */
static inline void say(PCtxtHandle context, connection peer, int sealed, const char *text)
{
    static unsigned char token[LONGEST], message[LONGEST];
    SecPkgContext_Sizes sizes;
    SecBuffer buffers[2];
    SecBufferDesc list = list_of(buffers, 2);
    SECURITY_STATUS status = QueryContextAttributesA(context, SECPKG_ATTR_SIZES, &sizes);
    ULONG length = (ULONG)strlen(text);

    if (status != SEC_E_OK)
        fail("QueryContextAttributes(SIZES)", status);
    if (sizes.cbSecurityTrailer > LONGEST || sizes.cbMaxSignature > LONGEST || length > LONGEST)
        fail("a message is too long", 0);
    memcpy(message, text, length);
    set_buffer(&buffers[0], SECBUFFER_TOKEN, token, sealed ? sizes.cbSecurityTrailer : sizes.cbMaxSignature);
    set_buffer(&buffers[1], SECBUFFER_DATA, message, length);
    status = sealed ? EncryptMessage(context, 0, &list, 0) : MakeSignature(context, 0, &list, 0);
    if (status != SEC_E_OK)
        fail(sealed ? "EncryptMessage" : "MakeSignature", status);
    send_part(peer, token, buffers[0].cbBuffer);
    send_part(peer, message, buffers[1].cbBuffer);
}

/* Receives what `say` sends, into room for LONGEST bytes. */
static inline void hear(PCtxtHandle context, connection peer, int sealed, char *text)
{
    static unsigned char token[LONGEST];
    SecBuffer buffers[2];
    SecBufferDesc list = list_of(buffers, 2);
    SECURITY_STATUS status;
    ULONG quality = 0;

    set_buffer(&buffers[0], SECBUFFER_TOKEN, token, receive_part(peer, token, sizeof token));
    set_buffer(&buffers[1], SECBUFFER_DATA, text, receive_part(peer, text, LONGEST - 1));
    status = sealed ? DecryptMessage(context, &list, 0, &quality) : VerifySignature(context, &list, 0, &quality);
    if (status != SEC_E_OK)
        fail(sealed ? "DecryptMessage" : "VerifySignature", status);
    text[buffers[1].cbBuffer] = 0;
}

/* Hears one message and answers it likewise. */
static inline void answer(PCtxtHandle context, connection peer, int sealed, const char *who)
{
    static char heard[LONGEST];
    char said[256];

    hear(context, peer, sealed, heard);
    printf("%s: heard \"%s\"\n", who, heard);
    fflush(stdout);
    snprintf(said, sizeof said, "%s has heard \"%.100s\"", who, heard);
    say(context, peer, sealed, said);
}

#endif
