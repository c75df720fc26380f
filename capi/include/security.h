/* The header that programs include; what they take from it is in these two. */
#ifndef PORTABLE_SSPI_SECURITY_H
#define PORTABLE_SSPI_SECURITY_H

#include "sspi.h"
#include "secext.h"

#endif
