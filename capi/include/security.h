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

#endif
#endif
