/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file pairs.h
 * @brief Two elements at once in HIP; see PAIRS in words.h. The rest of the dialect stands before it.
 *
 * CDNA 2 and 3 multiply and add two floats in one instruction, RDNA 3 and 4 issue two instructions together whose registers
 * lie side by side. Compilers find pairs by themselves, but other ones than neighbours, which they move together first: 41
 * instead of 28 instructions an element of a backward (docs/notebook/amd.md).
 */
#define HAS_PACKED_FLOATS                                                                                              \
    (defined(__gfx90a__) || defined(__gfx940__) || defined(__gfx941__) || defined(__gfx942__) || defined(__gfx950__))
#define HAS_DUAL_ISSUE (defined(__GFX11__) || defined(__GFX12__))
#if GRKAN_DTYPE != 3 && GRKAN_VECTOR % 2 == 0 && GRKAN_VECTOR_GROUPS == 1 && (HAS_PACKED_FLOATS || HAS_DUAL_ISSUE)
#define PAIRS
typedef float pair __attribute__((ext_vector_type(2)));
typedef real reals;
typedef pair abreast;
#if GRKAN_IEEE || GRKAN_PROLOGUE > 1
typedef real running_sum;
#else
typedef pair running_sum;
#endif
#define ABREAST 2
#define NEAR template <typename reals, typename running_sum = real> DEVICE
#define NEAR_STRUCT(name) template <typename reals> struct name
#define OF_REALS(name) name<reals>
#define ADD_TERM(sum, term) hip_add(sum, term)
#define ADD_PRODUCT(a, b, sum) hip_add_product(a, b, sum)
#define FIRST_OF(sum) hip_first_of(sum)
#define TOTAL_OF(sum) hip_total_of(sum)
#define WITH_FIRST(sum, value) hip_with_first(sum, value)
#define ELEMENTS_AT(values, i) hip_elements_at((values) + (i))
#define SET_ELEMENTS(values, i, value) hip_set_elements((values) + (i), value)

/** Two registers side by side, which instructions that are issued together may read and write: those have to lie in
    different banks. */
static __device__ inline pair hip_side_by_side(pair value)
{
#if HAS_DUAL_ISSUE
    __asm__("" : "+v"(value));
#endif
    return value;
}

static __device__ inline pair hip_fma(pair a, pair b, pair c)
{
#if __has_builtin(__builtin_elementwise_fma)
    return hip_side_by_side(__builtin_elementwise_fma(a, b, c));
#else
    return (pair){FMA(a.x, b.x, c.x), FMA(a.y, b.y, c.y)};
#endif
}

static __device__ inline pair hip_abs(pair value)
{
    return (pair){ABS(value.x), ABS(value.y)};
}

static __device__ inline pair hip_flip(pair value, pair by)
{
    return (pair){FLIP(value.x, by.x), FLIP(value.y, by.y)};
}

static __device__ inline pair hip_flip_positive(pair value, pair by)
{
    return (pair){FLIP_POSITIVE(value.x, by.x), FLIP_POSITIVE(value.y, by.y)};
}

static __device__ inline pair rounded_quotient(real a, pair b)
{
    return (pair){DIVIDE(a, b.x), DIVIDE(a, b.y)};
}

static __device__ inline pair hip_reciprocal(pair q, int is_shown)
{
    const pair r = {__builtin_amdgcn_rcpf(q.x), __builtin_amdgcn_rcpf(q.y)};
    return is_shown ? FMA(FMA(-q, r, (pair)1.0f), r, r) : r;
}

static __device__ inline pair hip_after(pair value, pair other)
{
    __asm__("" : "+v"(value) : "v"(other));
    return value;
}

static __device__ inline pair hip_elements_at(const real *values)
{
    return (pair){values[0], values[1]};
}

static __device__ inline void hip_set_elements(real *values, pair value)
{
    values[0] = value.x;
    values[1] = value.y;
}

static __device__ inline real hip_add(real sum, real term)
{
    return sum + term;
}

static __device__ inline real hip_add(real sum, pair term)
{
    return (sum + term.x) + term.y;
}

static __device__ inline pair hip_add(pair sum, pair term)
{
    return hip_side_by_side(sum + term);
}

static __device__ inline real hip_add_product(real a, real b, real sum)
{
    return FMA(a, b, sum);
}

static __device__ inline real hip_add_product(pair a, pair b, real sum)
{
    return FMA(a.y, b.y, FMA(a.x, b.x, sum));
}

static __device__ inline pair hip_add_product(pair a, pair b, pair sum)
{
    return FMA(a, b, sum);
}

static __device__ inline real hip_first_of(real sum)
{
    return sum;
}

static __device__ inline real hip_first_of(pair sum)
{
    return sum.x;
}

static __device__ inline real hip_total_of(real sum)
{
    return sum;
}

static __device__ inline real hip_total_of(pair sum)
{
    return sum.x + sum.y;
}

static __device__ inline real hip_with_first(real, real value)
{
    return value;
}

static __device__ inline pair hip_with_first(pair sum, real value)
{
    sum.x = value;
    return sum;
}
#endif
