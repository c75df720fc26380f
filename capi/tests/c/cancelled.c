/*
 * Threads that are cancelled while they are in a call: the call is made to its end, and nothing stays locked. Both C and C++
 * compile it.
 */
#include "common.h"

#include <unistd.h>

static CtxtHandle client, server;

/* Draws random numbers and opens files: what a thread would be cancelled at. */
static void hand_over(void)
{
    CtxtHandle own_client, own_server;
    SecBuffer blob = buffer(SECBUFFER_EMPTY, NULL, 0);

    shake_hands(&own_client, &own_server);
    EXPECT(SEC_E_OK, ExportSecurityContext(&own_server, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &blob, NULL));
    EXPECT(SEC_E_OK, ImportSecurityContextA(NTLM, &blob, NULL, &own_server));
    EXPECT(SEC_E_OK, FreeContextBuffer(blob.pvBuffer));
    converse(&own_client, &own_server, 1);
    EXPECT(SEC_E_OK, DeleteSecurityContext(&own_client));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&own_server));
}

static void *work(void *nothing)
{
    for (;;) {
        hand_over();
        pthread_testcancel();
    }
    return nothing;
}

int main(void)
{
    unsigned round;

    shake_hands(&client, &server);
    for (round = 0; round < 100; round++) {
        pthread_t thread;
        void *result;

        CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
        usleep(300 + 17 * round);
        CHECK(pthread_cancel(thread) == 0);
        CHECK(pthread_join(thread, &result) == 0);
        CHECK(result == PTHREAD_CANCELED);
    }
    hand_over();
    converse(&client, &server, 1);
    converse(&server, &client, 0);
    EXPECT(SEC_E_OK, DeleteSecurityContext(&client));
    EXPECT(SEC_E_OK, DeleteSecurityContext(&server));
    puts("every call came to its end");
    return 0;
}
