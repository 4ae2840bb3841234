/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file operation.h
 * @brief What is computed: storage types, tables, families of functions, what stands before them. A part of grkan.h, which
 * includes it.
 */
#ifndef GRKAN_OPERATION_H
#define GRKAN_OPERATION_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Storage type of x and dx, and of y and dy unless grkan_output_dtype says otherwise. Tables and their gradients are f32,
    or f64 for GRKAN_F64. */
typedef enum grkan_dtype { GRKAN_F32 = 0, GRKAN_F16 = 1, GRKAN_BF16 = 2, GRKAN_F64 = 3 } grkan_dtype;

/** Storage type of y and dy: that of x, or 1 + a grkan_dtype. Any of f32, f16 and bf16 goes with any; f64 with f64 alone. */
typedef enum grkan_output_dtype {
    GRKAN_OUTPUT_AS_INPUT = 0, /**< that of x and dx */
    GRKAN_OUTPUT_F32 = 1 + GRKAN_F32,
    GRKAN_OUTPUT_F16 = 1 + GRKAN_F16,
    GRKAN_OUTPUT_BF16 = 1 + GRKAN_BF16,
    GRKAN_OUTPUT_F64 = 1 + GRKAN_F64
} grkan_output_dtype;

/** Tables that an operation has, at most. */
#define GRKAN_MOST_TABLES 4

/** Which elements read the same row of a table. */
typedef enum grkan_scope {
    GRKAN_SCOPE_SHARED = 0, /**< all: the table has one row */
    GRKAN_SCOPE_GROUP = 1,  /**< those of a group: one row for each */
    GRKAN_SCOPE_CHANNEL = 2 /**< those of a channel: one row for each */
} grkan_scope;

/** What is learned: numbers [rows][width], f32, or f64 for GRKAN_F64. Its gradient has the same shape. */
typedef struct grkan_table {
    const char *name;     /**< "numerator"; lives as long as the process */
    const char *gradient; /**< name of its gradient, "dnumerator"; likewise */
    grkan_scope scope;
    int64_t rows;  /**< 1, groups or channels, as the scope says */
    int32_t width; /**< numbers of a row; 0: the table is empty, and its buffer may be NULL */
} grkan_table;

/** Families of functions. Each has its own parameters in grkan_operation, and its tables. */
typedef enum grkan_family {
    GRKAN_FAMILY_RATIONAL = 0 /**< grkan_rational; tables GRKAN_NUMERATOR, GRKAN_DENOMINATOR */
} grkan_family;

/** Highest degree of numerator and denominator. */
#define GRKAN_MAX_DEGREE 15

/** The form of the denominator Q(x). With n its degree, a row of its table holds b1..bn, or b0..bn where said. */
typedef enum grkan_form {
    GRKAN_ABS_TERMS = 0,      /**< 1 + sum_j |b_j| |x|^j   (KAT; PAU version A) */
    GRKAN_ABS_SUM = 1,        /**< 1 + |sum_j b_j x^j|     (PAU version B) */
    GRKAN_ABS_SUM_OFFSET = 2, /**< 0.1 + |sum_j b_j x^j|, with b0: n + 1 numbers  (PAU version C) */
    GRKAN_PLAIN = 3,          /**< 1 + sum_j b_j x^j, poles allowed  (PAU version N) */
    GRKAN_SQUARE = 4          /**< 1 + (sum_j b_j x^j)^2, smooth and without poles; its degree is 2 n */
} grkan_form;

/**
 * The rational function F(x) = P(x) / Q(x), P(x) = a0 + a1 x + ... + am x^m, Q as the form says (Molina et al., "Padé
 * Activation Units", ICLR 2020; shared by groups of channels: Yang and Wang, "Kolmogorov-Arnold Transformer", 2024).
 */
typedef struct grkan_rational {
    int numerator_degree;   /**< m, 0..GRKAN_MAX_DEGREE */
    int denominator_degree; /**< n, 0..GRKAN_MAX_DEGREE */
    grkan_form form;
    grkan_scope numerator_scope;   /**< GRKAN_SCOPE_SHARED or GRKAN_SCOPE_GROUP */
    grkan_scope denominator_scope; /**< likewise */
} grkan_rational;

/** The tables of GRKAN_FAMILY_RATIONAL: places in arguments' `tables` and `gradients`. */
enum {
    GRKAN_NUMERATOR = 0,  /**< a0..am */
    GRKAN_DENOMINATOR = 1 /**< b1..bn, or b0..bn for GRKAN_ABS_SUM_OFFSET */
};

/** What stands before F: z = prologue(x). */
typedef enum grkan_prologue {
    GRKAN_PROLOGUE_NONE = 0,       /**< x itself */
    GRKAN_PROLOGUE_BIAS = 1,       /**< x + bias[channel]; table GRKAN_BIAS */
    GRKAN_PROLOGUE_LAYER_NORM = 2, /**< over the channels of a row (Ba, Kiros and Hinton, "Layer Normalization", 2016):
                                        (x - mean) rstd scale + shift, rstd = 1 / sqrt(variance + epsilon), the variance
                                        that of all channels, not of a sample; tables GRKAN_SCALE, GRKAN_SHIFT. inner is 1 */
    GRKAN_PROLOGUE_RMS_NORM = 3    /**< likewise, with 0 for the mean (Zhang and Sennrich, "Root Mean Square Layer
                                        Normalization", NeurIPS 2019) */
} grkan_prologue;

/**
 * Parameters of GRKAN_PROLOGUE_LAYER_NORM and _RMS_NORM. Sums over a row are of the tables' type: where that of the squares is
 * beyond its largest number (of f32, with about 1e18 in a row of 768), rstd is 0, and so are (x - mean) rstd and dx, as in
 * PyTorch; where that of x itself is (about 1e35), the row is NaN.
 */
typedef struct grkan_norm {
    double epsilon; /**< finite, >= 0; rounded to f32 unless x is f64 */
    int has_scale;  /**< 1: a table of factors; 0: it is empty, and stands for ones */
    int has_shift;  /**< 1: a table of what is added; 0: it is empty, and stands for zeros */
} grkan_norm;

/** The tables of prologues: places in arguments' `tables` and `gradients` behind those of GRKAN_FAMILY_RATIONAL. */
enum {
    GRKAN_BIAS = 2,  /**< of GRKAN_PROLOGUE_BIAS */
    GRKAN_SCALE = 2, /**< of the norms */
    GRKAN_SHIFT = 3
};

/**
 * The operation. A tensor is outer x channels x inner, contiguous, last index fastest: [B, L, C] is outer = B * L,
 * inner = 1; [B, C, H, W] is outer = B, inner = H * W. Channels are split into consecutive groups as
 * numpy.array_split does: the first channels % groups groups get one channel more.
 */
typedef struct grkan_operation {
    int64_t outer;                   /**< >= 0 */
    int64_t channels;                /**< >= 1 */
    int64_t inner;                   /**< >= 0 */
    int64_t groups;                  /**< 1..channels */
    grkan_dtype dtype;               /**< of x and dx */
    grkan_output_dtype output_dtype; /**< of y and dy */
    grkan_family family;
    grkan_rational rational; /**< of GRKAN_FAMILY_RATIONAL */
    grkan_prologue prologue;
    grkan_norm norm; /**< of the norms */
} grkan_operation;

/** The layer of KAT: 8 groups, degrees (5, 4), shared numerator, all in f32, no prologue (a norm has epsilon 1e-5, scale and
    shift). Set outer and channels (and inner). The members in their order, since C++ before 20 does not name them. */
#define GRKAN_OPERATION_INIT                                                                                           \
    {0,                                                                                                                \
     8,                                                                                                                \
     1,                                                                                                                \
     8,                                                                                                                \
     GRKAN_F32,                                                                                                        \
     GRKAN_OUTPUT_AS_INPUT,                                                                                            \
     GRKAN_FAMILY_RATIONAL,                                                                                            \
     {5, 4, GRKAN_ABS_TERMS, GRKAN_SCOPE_SHARED, GRKAN_SCOPE_GROUP},                                                   \
     GRKAN_PROLOGUE_NONE,                                                                                              \
     {1e-5, 1, 1}}

#ifdef __cplusplus
}
#endif

#endif
