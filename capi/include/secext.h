/* The names of users and computers. */
#ifdef _WIN32
/* Windows has its own of this name; the next on the path is it. */
#ifdef __GNUC__
#include_next <secext.h>
#else
#error "portable-sspi's headers for other systems hide those of Windows: take their directory off the path"
#endif
#else
#ifndef PORTABLE_SSPI_SECEXT_H
#define PORTABLE_SSPI_SECEXT_H

#include "sspi.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    NameUnknown = 0,
    NameFullyQualifiedDN = 1,
    NameSamCompatible = 2,
    NameDisplay = 3,
    NameUniqueId = 6,
    NameCanonical = 7,
    NameUserPrincipal = 8,
    NameCanonicalEx = 9,
    NameServicePrincipal = 10,
    NameDnsDomain = 12,
    NameGivenName = 13,
    NameSurname = 14
} EXTENDED_NAME_FORMAT, *PEXTENDED_NAME_FORMAT;

BOOLEAN SEC_ENTRY GetUserNameExA(EXTENDED_NAME_FORMAT NameFormat, char *lpNameBuffer, PULONG nSize);
BOOLEAN SEC_ENTRY GetUserNameExW(EXTENDED_NAME_FORMAT NameFormat, WCHAR *lpNameBuffer, PULONG nSize);
BOOLEAN SEC_ENTRY GetComputerObjectNameA(EXTENDED_NAME_FORMAT NameFormat, char *lpNameBuffer, PULONG nSize);
BOOLEAN SEC_ENTRY GetComputerObjectNameW(EXTENDED_NAME_FORMAT NameFormat, WCHAR *lpNameBuffer, PULONG nSize);
BOOLEAN SEC_ENTRY TranslateNameA(const char *lpAccountName, EXTENDED_NAME_FORMAT AccountNameFormat,
    EXTENDED_NAME_FORMAT DesiredNameFormat, char *lpTranslatedName, PULONG nSize);
BOOLEAN SEC_ENTRY TranslateNameW(const WCHAR *lpAccountName, EXTENDED_NAME_FORMAT AccountNameFormat,
    EXTENDED_NAME_FORMAT DesiredNameFormat, WCHAR *lpTranslatedName, PULONG nSize);

#ifdef UNICODE
#define GetUserNameEx GetUserNameExW
#define GetComputerObjectName GetComputerObjectNameW
#define TranslateName TranslateNameW
#else
#define GetUserNameEx GetUserNameExA
#define GetComputerObjectName GetComputerObjectNameA
#define TranslateName TranslateNameA
#endif

#ifdef __cplusplus
}
#endif

#endif
#endif
