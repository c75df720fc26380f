/*
 * The library on every system, under its own names on Windows.
 *
 * Off Windows it has the names of sspi.h, and this header is security.h and nothing else.
 *
 * On Windows secur32.dll has these names, and each function of the library has PortableSspi in front of its own. Types and
 * constants are those of the system's headers. There are two ways to use it, in one file one of them:
 *
 * - Include this after windows.h, and call PortableSspiAcquireCredentialsHandleW and so on. secur32.dll can be used beside.
 * - Define PORTABLE_SSPI_REPLACES_SECUR32 and include this before security.h: every function of security.h that the library
 *   has is then the library's, and so are the members of a function table. Nothing is included; a program may be compiled so
 *   as it is:  gcc -DPORTABLE_SSPI_REPLACES_SECUR32 -include portable_sspi.h program.c ... -lportable-sspi
 */
#ifndef PORTABLE_SSPI_H
#define PORTABLE_SSPI_H

#ifndef _WIN32

#include "security.h"

#else

#ifdef PORTABLE_SSPI_REPLACES_SECUR32
#ifdef __SSPI_H__
#error "portable_sspi.h has come too late: the names of sspi.h are given away already"
#endif
#else
#ifndef SECURITY_WIN32
#define SECURITY_WIN32
#endif
#include <security.h>
#endif

#include "portable_sspi_functions.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the last failed call in this thread said of it. UTF-8, NUL-terminated, cut to size bytes. Returns how many bytes it has,
 * without the NUL.
 */
unsigned long __stdcall PortableSspiGetLastErrorMessage(char *buffer, unsigned long size);

#ifdef __cplusplus
}
#endif

#endif

#endif
