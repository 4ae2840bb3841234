/* SPDX-License-Identifier: Apache-2.0 */
/** @file nvrtc.c @brief An NVRTC of a version that does not serve; with FAKE_POOR one that has only its version. */
#define EXPORTED __attribute__((dllexport))

int nvrtcVersion(int *major, int *minor);

EXPORTED int nvrtcVersion(int *major, int *minor)
{
    *major = 11;
    *minor = 8;
    return 0;
}

#ifndef FAKE_POOR
#define nvrtcVersion nvrtc_other_version /* of the list below, which has all */
#define FUNCTION(result, name, arguments)                                                                              \
    EXPORTED int name(void);                                                                                           \
    EXPORTED int name(void)                                                                                            \
    {                                                                                                                  \
        return 1;                                                                                                      \
    }
#include "../../../backends/cuda/nvrtc_functions.h"
#endif
