/* SPDX-License-Identifier: Apache-2.0 */
/** @file arguments.h @brief The arguments of specialised kernels: as parameters, which plans have which, and what becomes of them. */
#ifndef GRKAN_ARGUMENTS_H
#define GRKAN_ARGUMENTS_H

#include "launch.h"
#include "tables.h"

#ifndef GRKAN_WRITES_Y
#define GRKAN_WRITES_Y 0
#endif
#ifndef GRKAN_FROZEN_X
#define GRKAN_FROZEN_X 0
#endif

/* A parameter of a kernel for each table, and an array of them, as kernels cannot have one for a parameter. */
#if TABLES == 1
#define TABLE_PARAMETERS(type, name) type name##0
#define TABLE_ARRAY(array, name) (array)[0] = name##0
#elif TABLES == 2
#define TABLE_PARAMETERS(type, name) type name##0, type name##1
#define TABLE_ARRAY(array, name) (array)[0] = name##0, (array)[1] = name##1
#elif TABLES == 3
#define TABLE_PARAMETERS(type, name) type name##0, type name##1, type name##2
#define TABLE_ARRAY(array, name) (array)[0] = name##0, (array)[1] = name##1, (array)[2] = name##2
#else
#define TABLE_PARAMETERS(type, name) type name##0, type name##1, type name##2, type name##3
#define TABLE_ARRAY(array, name) (array)[0] = name##0, (array)[1] = name##1, (array)[2] = name##2, (array)[3] = name##3
#endif

/* Parameters that not every plan's kernel has. */
#if HAS_MEAN
#define NORM_PARAMETERS GLOBAL scalar *mean, GLOBAL scalar *rstd,
#elif HAS_NORM
#define NORM_PARAMETERS GLOBAL scalar *rstd,
#else
#define NORM_PARAMETERS
#endif

#if GRKAN_WRITES_Y
#define Y_PARAMETER GLOBAL char *y,
#else
#define Y_PARAMETER
#endif
#if HAS_OFFSETS
#define MORE_PARAMETER , const grkan_more_offsets more
#else
#define MORE_PARAMETER
#endif
#if HAS_NORM || GRKAN_WRITES_Y
#define MORE_OFFSETS MORE_PARAMETER
#else
#define MORE_OFFSETS
#endif

/** The buffers of a kernel as it gets them; offsets, where a vendor has them, are in the launch. */
typedef struct arguments {
    GLOBAL const char *x;
    GLOBAL const char *dy; /* this and what follows: of backward */
    GLOBAL const scalar *tables[TABLES];
    GLOBAL char *result; /* y, or dx */
    GLOBAL scalar *gradients[TABLES];
    GLOBAL char *workspace;
    GLOBAL const scalar *mean; /* these with offsets added */
    GLOBAL const scalar *rstd;
    GLOBAL const scalar *means; /* see row_means */
    GLOBAL char *y;
} arguments;

/** The gradients of a call, found again where they are needed, so that no loop keeps them in registers. */
APART gradients gradients_of(const grkan_geometry *g, const grkan_launch *launch, const arguments *a)
{
    gradients d;
    d.g = g;
    d.f = the_family();
#define ADD_OFFSETS(i)                                                                                                 \
    d.tables[i] = OFFSET(a->tables[i], launch->tables[i]);                                                             \
    d.gradients[i] = OFFSET(a->gradients[i], launch->gradients[i]);
    EACH_POINTER(ADD_OFFSETS)
#undef ADD_OFFSETS
    d.partials = (GLOBAL scalar *)(OFFSET(a->workspace, launch->workspace) + GRKAN_WORKSPACE_COUNTER_BYTES);
    d.strategy = GRKAN_STRATEGY;
    d.add = launch->add;
    return d;
}

#endif
