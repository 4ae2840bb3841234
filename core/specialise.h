/* SPDX-License-Identifier: Apache-2.0 */
/** @file specialise.h @brief From a plan to the text of its kernels, their name in the cache, and the kernels. Private. */
#ifndef GRKAN_SPECIALISE_H
#define GRKAN_SPECIALISE_H

#include "internal.h"

/** Of a text of definitions, with what ends it. */
#define GRKAN_DEFINITION_BYTES 1024

/** The constants of a plan's kernels. Sizes of the tensor are not among them. */
void grkan_write_definitions(const grkan_plan_data *data, char text[GRKAN_DEFINITION_BYTES]);

/** What to compile. It refers to its arguments. */
grkan_compile_request grkan_request_of(const grkan_plan_data *data, const char *definitions, const char *architecture);

/** All that a compiled program depends on. @param device NULL where there is none */
grkan_cache_key grkan_program_key(const grkan_backend *backend, const grkan_backend_device *device,
                                  const grkan_plan_data *data, const grkan_compile_request *request);

/** Compile the kernels of a plan, or take them from the cache, and load them. */
grkan_status grkan_specialise(grkan_plan *plan);

#endif
