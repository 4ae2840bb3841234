/* SPDX-License-Identifier: Apache-2.0 */
/** @file family.h @brief The family whose formulas the kernels are compiled with: the one place that names it. */
#ifndef GRKAN_FAMILY_H
#define GRKAN_FAMILY_H

#include "families/rational.h"
#ifndef LANES /* lanes that need the scaled formulas go one by one to where real is a scalar */
#include "families/rational_scaled.h"
#endif
#include "prologue.h"

/** All tables: the family's, then those of a prologue. */
#ifdef PROLOGUE_TABLES
#define TABLES (FAMILY_TABLES + PROLOGUE_TABLES)
#else
#define TABLES FAMILY_TABLES
#endif

#endif
