/* The header that programs include; what they take from it is in these two. */
#ifdef _WIN32
/* Windows has its own of this name; the next on the path is it. */
#ifdef __GNUC__
#include_next <security.h>
#else
#error "portable-sspi's headers for other systems hide those of Windows: take their directory off the path"
#endif
#else
#ifndef PORTABLE_SSPI_SECURITY_H
#define PORTABLE_SSPI_SECURITY_H

#include "sspi.h"
#include "secext.h"

#define NTLMSP_NAME_A "NTLM"
#define NTLMSP_NAME PORTABLE_SSPI_WIDE("NTLM")
#define NEGOSSP_NAME_A "Negotiate"
#define NEGOSSP_NAME_W PORTABLE_SSPI_WIDE("Negotiate")
#define MICROSOFT_KERBEROS_NAME_A "Kerberos"
#define MICROSOFT_KERBEROS_NAME_W PORTABLE_SSPI_WIDE("Kerberos")
#define MICROSOFT_KERBEROS_NAME MICROSOFT_KERBEROS_NAME_W
#ifdef UNICODE
#define NEGOSSP_NAME NEGOSSP_NAME_W
#else
#define NEGOSSP_NAME NEGOSSP_NAME_A
#endif

#endif
#endif
