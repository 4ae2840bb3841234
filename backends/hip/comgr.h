/* SPDX-License-Identifier: Apache-2.0 */
/** @file comgr.h @brief What comgr, the compiler behind hipRTC, tells of architectures and code objects. */
#ifndef GRKAN_COMGR_H
#define GRKAN_COMGR_H

#include "../gpu/runtime.h"

/** Refuse an architecture that comgr does not know. */
grkan_status comgr_check_architecture(const char *architecture);

/** Read what the kernels of a code object take from its metadata; nothing if comgr does not load. */
void comgr_report(const grkan_blob *code_object, grkan_compiler_report *report);

#endif
