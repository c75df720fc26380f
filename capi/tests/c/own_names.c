/*
 * The library for Windows by its own names, beside secur32.dll in one program. Only for Windows.
 */
#define UNICODE
#include <windows.h>

#include <portable_sspi.h>

#include <stdio.h>

int main(void)
{
    static WCHAR ntlm[] = L"NTLM", unknown[] = L"no such package";
    PSecurityFunctionTableW ours = PortableSspiInitSecurityInterfaceW(), the_systems = InitSecurityInterfaceW();
    PSecPkgInfoW package;
    SecPkgInfoW *of_system;
    CredHandle credential;
    TimeStamp expiry;
    char why[256];

    if (!ours || !the_systems || ours == the_systems || ours->dwVersion != SECURITY_SUPPORT_PROVIDER_INTERFACE_VERSION)
        return 1;
    /* What one entrance gives, the other takes. */
    if (PortableSspiAcquireCredentialsHandleW(NULL, ntlm, SECPKG_CRED_INBOUND, NULL, NULL, NULL, NULL, &credential, &expiry) !=
            SEC_E_OK ||
        ours->FreeCredentialsHandle(&credential) != SEC_E_OK)
        return 2;
    if (ours->QuerySecurityPackageInfo(ntlm, &package) != SEC_E_OK || wcscmp(package->Name, ntlm) != 0)
        return 3;
    if (PortableSspiFreeContextBuffer(package) != SEC_E_OK || PortableSspiFreeContextBuffer(package) == SEC_E_OK)
        return 4;
    if (PortableSspiQuerySecurityPackageInfoW(unknown, &package) != SEC_E_SECPKG_NOT_FOUND ||
        PortableSspiGetLastErrorMessage(why, sizeof why) == 0 || why[0] == 0)
        return 5;
    if (QuerySecurityPackageInfoW(ntlm, &of_system) == SEC_E_OK)
        FreeContextBuffer(of_system);
    puts("beside the system's");
    return 0;
}
