/*
 * MD5 and RC4 of OpenSSL by themselves, timed by the processor time of the thread. The commands:
 *
 *   md5 <times> <bytes>    MD5 of a message                -> <nanoseconds>
 *   rc4 <times> <bytes>    RC4 over a message, in place    -> <nanoseconds>
 *   both <times> <bytes>   MD5, then RC4                   -> <nanoseconds>
 *   check                  both algorithms give what is known of them   -> ok
 */

#define PROGRAM "openssl"
#include "common.h"

#include <openssl/evp.h>
#include <openssl/provider.h>

static EVP_MD *md5;
static EVP_CIPHER *rc4;

static void digest(EVP_MD_CTX *context, const unsigned char *message, size_t size, unsigned char *sum)
{
    if (!EVP_DigestInit_ex2(context, md5, NULL) || !EVP_DigestUpdate(context, message, size) ||
        !EVP_DigestFinal_ex(context, sum, NULL))
        fail("MD5");
}

static void encrypt(EVP_CIPHER_CTX *context, unsigned char *message, size_t size)
{
    int written;

    if (!EVP_EncryptUpdate(context, message, &written, message, (int)size) || (size_t)written != size)
        fail("RC4");
}

static EVP_CIPHER_CTX *keystream(const unsigned char *key)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    if (context == NULL || !EVP_EncryptInit_ex2(context, rc4, key, NULL, NULL))
        fail("a key for RC4");
    return context;
}

static uint64_t work(size_t times, size_t size, int hashing, int encrypting)
{
    static const unsigned char key[16] = "sixteen bytes...";
    unsigned char *message = allocate(size), sum[EVP_MAX_MD_SIZE];
    EVP_CIPHER_CTX *cipher = keystream(key);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    uint64_t start;

    if (hash == NULL)
        fail("no memory");
    start = now();
    while (times-- > 0) {
        if (hashing)
            digest(hash, message, size, sum);
        if (encrypting)
            encrypt(cipher, message, size);
    }
    start = now() - start;
    EVP_MD_CTX_free(hash);
    EVP_CIPHER_CTX_free(cipher);
    free(message);
    return start;
}

/* "abc" of RFC 1321, and the first bytes for the 128-bit key 01 02 ... 10 of RFC 6229. */
static void check(void)
{
    static const unsigned char key[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    static const unsigned char stream[] = { 0x9a, 0xc7, 0xcc, 0x9a, 0x60, 0x9d, 0x1e, 0xf7 };
    static const unsigned char abc[] = { 0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0,
                                         0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72 };
    unsigned char zeros[sizeof stream] = { 0 }, sum[EVP_MAX_MD_SIZE];
    EVP_CIPHER_CTX *cipher = keystream(key);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();

    if (hash == NULL)
        fail("no memory");
    encrypt(cipher, zeros, sizeof zeros);
    digest(hash, (const unsigned char *)"abc", 3, sum);
    if (memcmp(zeros, stream, sizeof stream) != 0 || memcmp(sum, abc, sizeof abc) != 0)
        fail("another result than that of the RFC");
    EVP_MD_CTX_free(hash);
    EVP_CIPHER_CTX_free(cipher);
    answer("ok", "");
}

int main(void)
{
    struct command c;

    open_answers();
    if (OSSL_PROVIDER_load(NULL, "legacy") == NULL || OSSL_PROVIDER_load(NULL, "default") == NULL ||
        (rc4 = EVP_CIPHER_fetch(NULL, "RC4", NULL)) == NULL) {
        answer("missing", "OpenSSL has no legacy provider, where its RC4 is");
        return 0;
    }
    md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    if (md5 == NULL) {
        answer("missing", "OpenSSL has no MD5 here");
        return 0;
    }
    answer("ready", OpenSSL_version(OPENSSL_VERSION_STRING));
    while (next_command(&c)) {
        if (is(&c, "check"))
            check();
        else if (is(&c, "md5"))
            answer_number(work(c.number, c.size, 1, 0));
        else if (is(&c, "rc4"))
            answer_number(work(c.number, c.size, 0, 1));
        else if (is(&c, "both"))
            answer_number(work(c.number, c.size, 1, 1));
        else
            fail("no such command");
    }
    return 0;
}
