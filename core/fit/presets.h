/* SPDX-License-Identifier: Apache-2.0 */
/** @file presets.h @brief The two lists that presets come from. Private to core/fit. */
#ifndef GRKAN_FIT_PRESETS_H
#define GRKAN_FIT_PRESETS_H

#include <grkan/fit.h>

enum { KAT_PRESETS = 9 };

/** The tables that the authors of KAT publish. */
extern const grkan_preset grkan_kat_presets[KAT_PRESETS];

/** What all presets have in common, and where the largest error is; numerator and denominator follow. */
#define PRESET(name_, function_, form_, error_, x_, ...)                                                               \
    {.name = name_,                                                                                                    \
     .function = function_,                                                                                            \
     .form = form_,                                                                                                    \
     .numerator_degree = 5,                                                                                            \
     .denominator_degree = 4,                                                                                          \
     .low = -3,                                                                                                        \
     .high = 3,                                                                                                        \
     .f32 = {error_, x_},                                                                                              \
     __VA_ARGS__}

#endif
