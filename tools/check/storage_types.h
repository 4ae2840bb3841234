/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file storage_types.h
 * @brief The storage types, in software: how the checks read and write f32, f16, bf16 and f64 on the host.
 *
 * Independent of the library's own conversions, so that a wrong rounding there shows.
 */
#ifndef GRKAN_CHECK_STORAGE_H
#define GRKAN_CHECK_STORAGE_H

#include <grkan/grkan.h>

/** Type of the coefficients of a storage type: GRKAN_F64 for GRKAN_F64, else GRKAN_F32. */
grkan_dtype storage_of_coefficients(grkan_dtype dtype);

/** Read element index of an array; exact. */
long double storage_load(grkan_dtype dtype, const void *array, int64_t index);

/** Write element index, rounded to nearest even; overflow gives infinity, underflow subnormals. */
void storage_store(grkan_dtype dtype, void *array, int64_t index, long double value);

/** Value rounded to the type, as storage_store would write it. */
long double storage_round(grkan_dtype dtype, long double value);

/** Distance between the numbers of the type around a finite value; never below the smallest subnormal. */
long double storage_ulp(grkan_dtype dtype, long double value);

/** Largest finite number. */
long double storage_max(grkan_dtype dtype);

/** Smallest positive normal number. */
long double storage_min_normal(grkan_dtype dtype);

#endif
