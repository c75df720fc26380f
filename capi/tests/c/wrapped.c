/*
 * A program that wraps functions of the library in functions of its own that have the same names, and calls the library by its
 * table. Both C and C++ compile it.
 */
#define SECURITY_WIN32
#include <security.h>

#include <stdio.h>

static int queried, freed;

SECURITY_STATUS SEC_ENTRY QuerySecurityPackageInfoA(const SEC_CHAR *name, PSecPkgInfoA *info)
{
    /* In the table would be this one, again. */
    if (queried++)
        return SEC_E_INTERNAL_ERROR;
    return InitSecurityInterfaceA()->QuerySecurityPackageInfoA(name, info);
}

SECURITY_STATUS SEC_ENTRY FreeContextBuffer(void *block)
{
    if (freed++)
        return SEC_E_INTERNAL_ERROR;
    return InitSecurityInterfaceW()->FreeContextBuffer(block);
}

/* The library's own calls of it are the library's. */
SECURITY_STATUS SEC_ENTRY SetContextAttributesA(PCtxtHandle context, ULONG attribute, void *value, ULONG length)
{
    (void)context, (void)attribute, (void)value, (void)length;
    return SEC_E_OK;
}

int main(void)
{
    static char ntlm[] = "NTLM";
    CtxtHandle none = {0, 0};
    PSecPkgInfoA info;

    if (QuerySecurityPackageInfoA(ntlm, &info) != SEC_E_OK || FreeContextBuffer(info) != SEC_E_OK)
        return 1;
    if (SetContextAttributesW(&none, 0, NULL, 0) != SEC_E_INVALID_HANDLE)
        return 2;
    if (queried != 1 || freed != 1)
        return 3;
    puts("each function once");
    return 0;
}
