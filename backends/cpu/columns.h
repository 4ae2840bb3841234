/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file columns.h
 * @brief Neighbouring columns of a row as it lies in memory: the elements of their vectors to lanes of arithmetic and back.
 *
 * Of CPU_LANES columns with vectors of V elements, element v of each makes SIMD vector v: lanes are neighbouring columns. What
 * is moved are words of 32 bits, four of a column: a word is an element, or two of 16 bits, the first in its low half.
 */

#define SCALAR_DTYPE (CPU_DOUBLE ? GRKAN_F64 : GRKAN_F32)

/** Bytes of an element of a type, which is not f64 unless arithmetic is. */
DEVICE int stored_bytes(grkan_dtype dtype)
{
    return dtype == SCALAR_DTYPE ? (int)sizeof(scalar) : 2;
}

#if !CPU_DOUBLE && !defined(CONVERTS_HALVES)
DEVICE real load_halves(const void *from)
{
    uint16_t words[CPU_LANES];
    real v = {0};
    memcpy(words, from, sizeof words);
    for (int lane = 0; lane < CPU_LANES; ++lane)
        LANE(v, lane) = half_to_float(words[lane]);
    return v;
}

DEVICE void store_halves(void *to, real v)
{
    uint16_t words[CPU_LANES];
    for (int lane = 0; lane < CPU_LANES; ++lane)
        words[lane] = (uint16_t)float_to_half(LANE(v, lane));
    memcpy(to, words, sizeof words);
}
#endif

/** CPU_LANES neighbouring elements of a type that the compiler knows. */
DEVICE real load_stored(grkan_dtype dtype, const void *from)
{
#if !CPU_DOUBLE
    if (dtype == GRKAN_BF16)
        return load_bf16s(from);
    if (dtype == GRKAN_F16)
        return load_halves(from);
#endif
    (void)dtype;
    return load_lanes(from);
}

DEVICE void store_stored(grkan_dtype dtype, void *to, real v)
{
#if !CPU_DOUBLE
    if (dtype == GRKAN_BF16) {
        store_bf16s(to, v);
        return;
    }
    if (dtype == GRKAN_F16) {
        store_halves(to, v);
        return;
    }
#endif
    (void)dtype;
    store_lanes(to, v);
}

/** CPU_LANES elements so many bytes apart, one by one. */
DEVICE real gather_stored(grkan_dtype dtype, const char *from, int step)
{
    real v = {0};
    for (int lane = 0; lane < CPU_LANES; ++lane, from += step) {
        scalar element;
        if (dtype == SCALAR_DTYPE) {
            memcpy(&element, from, sizeof element);
        } else {
            uint16_t word;
            memcpy(&word, from, sizeof word);
            element = (scalar)(dtype == GRKAN_BF16 ? bf16_to_float(word) : half_to_float(word));
        }
        LANE(v, lane) = element;
    }
    return v;
}

DEVICE void scatter_stored(grkan_dtype dtype, char *to, int step, real v)
{
    for (int lane = 0; lane < CPU_LANES; ++lane, to += step) {
        const scalar element = LANE(v, lane);
        const float stored = (float)element;
        const uint16_t word = (uint16_t)(dtype == GRKAN_BF16 ? float_to_bf16(stored) : float_to_half(stored));
        memcpy(to, dtype == SCALAR_DTYPE ? (const void *)&element : &word, (size_t)stored_bytes(dtype));
    }
}

/* ----------------------------------------------------------------------------------------- vectors of several elements */

#if CPU_DOUBLE || CPU_BYTES == 0
#define HAS_WIDE_COLUMNS 0
#else
#define HAS_WIDE_COLUMNS 1

enum { column_words = 4 };

#if CPU_BYTES == 32 && defined(__AVX2__)

/** Words of four columns in each half, transposed: word k of column c of a half from words[c] goes to words[k]. It is its own inverse. */
DEVICE void transpose_halves(__m256i *words)
{
    const __m256i a = _mm256_unpacklo_epi32(words[0], words[1]), b = _mm256_unpackhi_epi32(words[0], words[1]);
    const __m256i c = _mm256_unpacklo_epi32(words[2], words[3]), d = _mm256_unpackhi_epi32(words[2], words[3]);
    words[0] = _mm256_unpacklo_epi64(a, c);
    words[1] = _mm256_unpackhi_epi64(a, c);
    words[2] = _mm256_unpacklo_epi64(b, d);
    words[3] = _mm256_unpackhi_epi64(b, d);
}

DEVICE void load_columns(const void *from, real_words *words)
{
    const __m128i *const columns = from;
    __m256i all[column_words];
    for (int i = 0; i < column_words; ++i)
        all[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(columns + i)),
                                         _mm_loadu_si128(columns + 4 + i), 1);
    transpose_halves(all);
    for (int k = 0; k < column_words; ++k)
        words[k] = (real_words)all[k];
}

DEVICE void store_columns(void *to, const real_words *words)
{
    __m128i *const columns = to;
    __m256i all[column_words];
    for (int k = 0; k < column_words; ++k)
        all[k] = (__m256i)words[k];
    transpose_halves(all);
    for (int i = 0; i < column_words; i += 2) {
        _mm256_storeu_si256((__m256i *)(columns + i), _mm256_permute2x128_si256(all[i], all[i + 1], 0x20));
        _mm256_storeu_si256((__m256i *)(columns + 4 + i), _mm256_permute2x128_si256(all[i], all[i + 1], 0x31));
    }
}

#elif CPU_BYTES == 64 && defined(__AVX512F__)

/** Words 0 and 1 of 8 columns that two vectors hold, and words 2 and 3. */
DEVICE __m512i these_columns(int first)
{
    const __m512i step = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
    return _mm512_add_epi32(step, _mm512_set1_epi32(first));
}

DEVICE void load_columns(const void *from, real_words *words)
{
    const __m512i v[column_words] = {_mm512_loadu_si512(from), _mm512_loadu_si512((const char *)from + 64),
                                     _mm512_loadu_si512((const char *)from + 128),
                                     _mm512_loadu_si512((const char *)from + 192)};
    for (int k = 0; k < column_words; k += 2) {
        const __m512i low = _mm512_permutex2var_epi32(v[0], these_columns(k), v[1]);
        const __m512i high = _mm512_permutex2var_epi32(v[2], these_columns(k), v[3]);
        words[k] = (real_words)_mm512_shuffle_i64x2(low, high, 0x44);
        words[k + 1] = (real_words)_mm512_shuffle_i64x2(low, high, 0xEE);
    }
}

DEVICE void store_columns(void *to, const real_words *words)
{
    const __m512i *const w = (const __m512i *)(const void *)words;
    const __m512i halves[2] = {_mm512_setr_epi32(0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27),
                               _mm512_setr_epi32(4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31)};
    for (int half = 0; half < 2; ++half) {
        const __m512i low = half == 0 ? _mm512_shuffle_i64x2(w[0], w[1], 0x44) : _mm512_shuffle_i64x2(w[0], w[1], 0xEE);
        const __m512i high =
            half == 0 ? _mm512_shuffle_i64x2(w[2], w[3], 0x44) : _mm512_shuffle_i64x2(w[2], w[3], 0xEE);
        for (int i = 0; i < 2; ++i)
            _mm512_storeu_si512((char *)to + 128 * half + 64 * i, _mm512_permutex2var_epi32(low, halves[i], high));
    }
}

#elif CPU_BYTES == 16 && defined(__aarch64__)

DEVICE void load_columns(const void *from, real_words *words)
{
    const uint32x4x4_t all = vld4q_u32(from);
    for (int k = 0; k < column_words; ++k)
        words[k] = (real_words)all.val[k];
}

DEVICE void store_columns(void *to, const real_words *words)
{
    uint32x4x4_t all;
    for (int k = 0; k < column_words; ++k)
        all.val[k] = (uint32x4_t)words[k];
    vst4q_u32(to, all);
}

#else

DEVICE void load_columns(const void *from, real_words *words)
{
    uint32_t all[column_words * CPU_LANES];
    memcpy(all, from, sizeof all);
    for (int i = 0; i < column_words * CPU_LANES; ++i)
        words[i % column_words][i / column_words] = all[i];
}

DEVICE void store_columns(void *to, const real_words *words)
{
    uint32_t all[column_words * CPU_LANES];
    for (int i = 0; i < column_words * CPU_LANES; ++i)
        all[i] = words[i % column_words][i / column_words];
    memcpy(to, all, sizeof all);
}

#endif

/** Halves that lie side by side, two in each word. */
DEVICE void halves_of_words(real_words words, real *first, real *second)
{
#if CPU_BYTES == 32 && defined(__AVX2__)
    const __m256i order =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    const __m256i parted = _mm256_permute4x64_epi64(_mm256_shuffle_epi8((__m256i)words, order), 0xD8);
    *first = (real)_mm256_cvtph_ps(_mm256_castsi256_si128(parted));
    *second = (real)_mm256_cvtph_ps(_mm256_extracti128_si256(parted, 1));
#else
    uint16_t halves[2][CPU_LANES];
    store_words(halves[0], words & 0xFFFFu);
    store_words(halves[1], words >> 16);
    *first = load_halves(halves[0]);
    *second = load_halves(halves[1]);
#endif
}

DEVICE real_words words_of_halves(real first, real second)
{
#if CPU_BYTES == 32 && defined(__AVX2__)
    const __m128i low = _mm256_cvtps_ph((__m256)first, _MM_FROUND_TO_NEAREST_INT);
    const __m128i high = _mm256_cvtps_ph((__m256)second, _MM_FROUND_TO_NEAREST_INT);
    return (real_words)_mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi16(low, high)),
                                               _mm_unpackhi_epi16(low, high), 1);
#else
    uint16_t halves[2][CPU_LANES];
    store_halves(halves[0], first);
    store_halves(halves[1], second);
    return load_words(halves[0]) | load_words(halves[1]) << 16;
#endif
}

/** The elements of words of two, the first of each and the second. */
DEVICE void elements_of_words(grkan_dtype dtype, real_words words, real *first, real *second)
{
    if (dtype == GRKAN_BF16) {
        *first = (real)(words << 16);
        *second = (real)(words & 0xFFFF0000u);
    } else {
        halves_of_words(words, first, second);
    }
}

DEVICE real_words words_of_elements(grkan_dtype dtype, real first, real second)
{
    if (dtype == GRKAN_BF16)
        return round_to_bf16(first) >> 16 | (round_to_bf16(second) & 0xFFFF0000u);
    return words_of_halves(first, second);
}
#endif

/** Elements of a column's vector that can be loaded and stored where they lie, beside one. */
DEVICE int wide_vector(grkan_dtype dtype)
{
    return HAS_WIDE_COLUMNS ? 16 / stored_bytes(dtype) : 1;
}

/** CPU_LANES columns with vectors of one element or of wide_vector. @param v out, [vector] */
DEVICE void load_vectors(grkan_dtype dtype, int vector, const void *from, real *v)
{
    if (vector == 1) {
        v[0] = load_stored(dtype, from);
        return;
    }
#if HAS_WIDE_COLUMNS
    real_words words[column_words];
    load_columns(from, words);
    UNROLL
    for (int k = 0; k < column_words; ++k) {
        if (dtype == SCALAR_DTYPE)
            v[k] = (real)words[k];
        else
            elements_of_words(dtype, words[k], &v[2 * k], &v[2 * k + 1]);
    }
#endif
}

DEVICE void store_vectors(grkan_dtype dtype, int vector, void *to, const real *v)
{
    if (vector == 1) {
        store_stored(dtype, to, v[0]);
        return;
    }
#if HAS_WIDE_COLUMNS
    real_words words[column_words];
    UNROLL
    for (int k = 0; k < column_words; ++k)
        words[k] = dtype == SCALAR_DTYPE ? (real_words)v[k] : words_of_elements(dtype, v[2 * k], v[2 * k + 1]);
    store_columns(to, words);
#endif
}
