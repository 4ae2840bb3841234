/* SPDX-License-Identifier: Apache-2.0 */
/** @file no_symbol.c @brief A shared object that is no backend. */
#include <grkan/grkan.h>

GRKAN_API extern const int grkan_something_else;
const int grkan_something_else = 1;
