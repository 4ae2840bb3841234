/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file instructions.h
 * @brief Instructions that compilers do not make of plain code, or make badly (GCC 12): tests of masks, and conversions of
 * the 16-bit types. Every word has its portable form.
 */

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

#if CPU_BYTES != 0
/** a b + c. Of the loop compilers make the instruction, too, but GCC 12 at times one for each lane. */
DEVICE real vector_fma(real a, real b, real c)
{
#if CPU_BYTES == 64 && defined(__AVX512F__) && CPU_DOUBLE
    return (real)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif CPU_BYTES == 64 && defined(__AVX512F__)
    return (real)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif CPU_BYTES == 32 && defined(__FMA__) && CPU_DOUBLE
    return (real)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif CPU_BYTES == 32 && defined(__FMA__)
    return (real)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif CPU_BYTES == 16 && defined(__aarch64__) && CPU_DOUBLE
    return (real)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#elif CPU_BYTES == 16 && defined(__aarch64__)
    return (real)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    real result;
    for (int i = 0; i < CPU_LANES; ++i)
        result[i] = SCALAR_FMA(a[i], b[i], c[i]);
    return result;
#endif
}
#endif

/** Whether a mask is empty. */
DEVICE int has_no_lane(real_bits mask)
{
#if CPU_BYTES == 0
    return mask == 0;
#elif CPU_BYTES == 64 && defined(__AVX512DQ__)
    return _mm512_movepi32_mask((__m512i)mask) == 0;
#elif CPU_BYTES == 32 && defined(__AVX2__)
    return _mm256_testz_si256((__m256i)mask, (__m256i)mask);
#elif CPU_BYTES == 16 && defined(__aarch64__)
    return vmaxvq_u32((uint32x4_t)mask) == 0;
#else
    uint64_t words[CPU_BYTES / 8], any = 0;
    memcpy(words, &mask, sizeof words);
    for (int i = 0; i < CPU_BYTES / 8; ++i)
        any |= words[i];
    return any == 0;
#endif
}

/** Whether any is larger than a number with these bits. */
DEVICE int any_bits_above(real_bits bits, scalar_bits limit)
{
#if CPU_BYTES == 64 && defined(__AVX512F__) && CPU_DOUBLE
    return _mm512_cmpgt_epi64_mask((__m512i)bits, _mm512_set1_epi64(limit)) != 0;
#elif CPU_BYTES == 64 && defined(__AVX512F__)
    return _mm512_cmpgt_epi32_mask((__m512i)bits, _mm512_set1_epi32(limit)) != 0;
#else
    return !has_no_lane(IS_ABOVE(bits, limit));
#endif
}

DEVICE int any_above(real v, scalar limit)
{
#if CPU_BYTES == 64 && defined(__AVX512F__) && CPU_DOUBLE
    return _mm512_cmp_pd_mask((__m512d)v, _mm512_set1_pd(limit), _CMP_GT_OQ) != 0;
#elif CPU_BYTES == 64 && defined(__AVX512F__)
    return _mm512_cmp_ps_mask((__m512)v, _mm512_set1_ps(limit), _CMP_GT_OQ) != 0;
#else
    return !has_no_lane(IS_ABOVE(v, limit));
#endif
}

#define ANY_ABOVE any_above

DEVICE real_bits bits_of_lanes(real v)
{
    real_bits bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

DEVICE real_bits larger_bits(real_bits a, real_bits b)
{
#if CPU_BYTES == 0
    return a > b ? a : b;
#elif CPU_BYTES == 64 && defined(__AVX512F__) && CPU_DOUBLE
    return (real_bits)_mm512_max_epi64((__m512i)a, (__m512i)b);
#elif CPU_BYTES == 64 && defined(__AVX512F__)
    return (real_bits)_mm512_max_epi32((__m512i)a, (__m512i)b);
#elif CPU_BYTES == 32 && defined(__AVX2__) && !CPU_DOUBLE
    return (real_bits)_mm256_max_epi32((__m256i)a, (__m256i)b);
#elif CPU_BYTES == 16 && defined(__aarch64__) && !CPU_DOUBLE
    return (real_bits)vmaxq_s32((int32x4_t)a, (int32x4_t)b);
#else
    const real_bits is_larger = a > b;
    return (a & is_larger) | (b & ~is_larger);
#endif
}

#if !CPU_DOUBLE && CPU_BYTES == 0

DEVICE real load_bf16s(const void *from)
{
    uint16_t word;
    memcpy(&word, from, sizeof word);
    return float_of((unsigned int)word << 16);
}

DEVICE void store_bf16s(void *to, real v)
{
    const unsigned int bits = bits_of(v);
    const uint16_t word = (uint16_t)(v != v ? 0x7FC0u : (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
    memcpy(to, &word, sizeof word);
}

#elif !CPU_DOUBLE

typedef uint32_t real_words __attribute__((vector_size(CPU_BYTES)));
typedef uint16_t stored_words __attribute__((vector_size(CPU_BYTES / 2)));

/** CPU_LANES words of 16 bits, each in the low half of its lane. */
DEVICE real_words load_words(const void *from)
{
#if CPU_BYTES == 64 && defined(__AVX512F__)
    return (real_words)_mm512_cvtepu16_epi32(_mm256_loadu_si256(from));
#elif CPU_BYTES == 32 && defined(__AVX2__)
    return (real_words)_mm256_cvtepu16_epi32(_mm_loadu_si128(from));
#elif CPU_BYTES == 16 && defined(__aarch64__)
    return (real_words)vmovl_u16(vld1_u16(from));
#else
    stored_words stored;
    memcpy(&stored, from, sizeof stored);
    return __builtin_convertvector(stored, real_words);
#endif
}

/** @param words less than 2^16 each */
DEVICE void store_words(void *to, real_words words)
{
#if CPU_BYTES == 64 && defined(__AVX512F__)
    _mm256_storeu_si256(to, _mm512_cvtepi32_epi16((__m512i)words));
#elif CPU_BYTES == 32 && defined(__AVX2__)
    _mm_storeu_si128(
        to, _mm_packus_epi32(_mm256_castsi256_si128((__m256i)words), _mm256_extracti128_si256((__m256i)words, 1)));
#else
    const stored_words stored = __builtin_convertvector(words, stored_words);
    memcpy(to, &stored, sizeof stored);
#endif
}

#if CPU_BYTES == 64 && defined(__AVX512BW__)
typedef uint16_t half_words __attribute__((vector_size(64)));

/* Words of 16 bits move to the high halves of lanes and back by one instruction, where widening and a shift are two or three. */

DEVICE real load_bf16s(const void *from)
{
    const half_words order = {0, 0, 1, 1, 2,  2,  3,  3,  4,  4,  5,  5,  6,  6,  7,  7,
                              8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15};
    const __m512i stored = _mm512_castsi256_si512(_mm256_loadu_si256(from));
    return (real)_mm512_maskz_permutexvar_epi16(0xAAAAAAAAu, (__m512i)order, stored);
}

/** @param words their high halves are stored */
DEVICE void store_high_words(void *to, real_words words)
{
    const half_words order = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31};
    _mm256_storeu_si256(to, _mm512_castsi512_si256(_mm512_permutexvar_epi16((__m512i)order, (__m512i)words)));
}
#else
DEVICE real load_bf16s(const void *from)
{
    return (real)(load_words(from) << 16);
}

DEVICE void store_high_words(void *to, real_words words)
{
    store_words(to, words >> 16);
}
#endif

DEVICE real_words these_words(const uint32_t *from)
{
    real_words words;
    memcpy(&words, from, sizeof words);
    return words;
}

/** As float_to_bf16, in the high halves of words. */
DEVICE real_words round_to_bf16(real v)
{
    const cpu_bf16_words *const w = &grkan_cpu_bf16_words;
    const real_words bits = (real_words)v, nan = these_words(w->nan);
    const real_words rounded = bits + these_words(w->half) + (bits >> 16 & these_words(w->lowest));
#if CPU_BYTES == 64 && defined(__AVX512F__)
    const __mmask16 is_nan = _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q);
    return (real_words)_mm512_mask_mov_epi32((__m512i)rounded, is_nan, (__m512i)nan);
#elif CPU_BYTES == 32 && defined(__AVX2__)
    const __m256 is_nan = _mm256_cmp_ps((__m256)v, (__m256)v, _CMP_UNORD_Q);
    return (real_words)_mm256_blendv_ps((__m256)rounded, (__m256)nan, is_nan);
#else
    const real_words is_nan = (real_words)(v != v);
    return (rounded & ~is_nan) | (nan & is_nan);
#endif
}

DEVICE void store_bf16s(void *to, real v)
{
    store_high_words(to, round_to_bf16(v));
}

#if CPU_BYTES == 64 && defined(__AVX512F__)
#define CONVERTS_HALVES
DEVICE real load_halves(const void *from)
{
    return (real)_mm512_cvtph_ps(_mm256_loadu_si256(from));
}

DEVICE void store_halves(void *to, real v)
{
    _mm256_storeu_si256(to, _mm512_maskz_cvtps_ph((__mmask16)0xFFFF, (__m512)v, _MM_FROUND_TO_NEAREST_INT));
}
#elif CPU_BYTES == 32 && defined(__F16C__)
#define CONVERTS_HALVES
DEVICE real load_halves(const void *from)
{
    return (real)_mm256_cvtph_ps(_mm_loadu_si128(from));
}

DEVICE void store_halves(void *to, real v)
{
    _mm_storeu_si128(to, _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
}
#elif CPU_BYTES == 16 && defined(__aarch64__)
#define CONVERTS_HALVES
DEVICE real load_halves(const void *from)
{
    return (real)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)));
}

DEVICE void store_halves(void *to, real v)
{
    vst1_u16(to, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)v)));
}
#endif

#endif
