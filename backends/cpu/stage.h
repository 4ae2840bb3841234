/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file stage.h
 * @brief Rows of a tensor to arithmetic and back: read and written as they lie in memory, so that the processor
 * prefetches them; computed on as [visit][element of a chunk][column], so that a vector's lanes are neighbours.
 */

#if CPU_DTYPE == 1 && defined(__F16C__) /* no compiler makes these instructions of a loop */
#include <immintrin.h>
#define CONVERTS_HALVES
#endif

enum {
    most_vector = 8,
    most_rows = 32, /* of a stage */
    line = 64       /* bytes of a cache line */
};

#if CPU_DTYPE == 0 || CPU_DTYPE == 3
typedef scalar storage;
#define UNPACK(s) (s)
#define PACK(s) (s)
#elif CPU_DTYPE == 1
typedef uint16_t storage;
#define UNPACK half_to_float
#define PACK (storage) float_to_half
#else
typedef uint16_t storage;
#define UNPACK bf16_to_float
#define PACK (storage) float_to_bf16
#endif

static int least(int a, int b)
{
    return a < b ? a : b;
}

/** Memory that is cut into a block's arrays, each from a cache line on. */
typedef struct memory {
    char *next;
    char *end;
} memory;

static void *take(memory *m, size_t bytes)
{
    void *const taken = m->next;
    m->next += (bytes + line - 1) / line * line;
    return taken;
}

static int bytes_left(const memory *m)
{
    return (int)(m->end - m->next);
}

/**
 * Neighbouring columns of a block, which are walked from the first visit to the last before the next ones are. A block
 * with several row lanes has whole rows, and those of a visit lie one behind the other: they are one row here.
 */
typedef struct strip {
    int first;   /* column: thread of the block */
    int columns; /* with work */
    int width;   /* columns, rounded up to whole vectors; the rest reads as 0 */
    int vector;
    int visits; /* that are staged at once */
} strip;

/** The columns of a block with work: its threads. */
DEVICE int columns_of_block(const grkan_tiling *t, const tile *b)
{
    return (int)smaller(b->chunks, t->span_chunks) * t->row_lanes;
}

DEVICE int whole_vectors(int columns)
{
    return (columns + CPU_LANES - 1) / CPU_LANES * CPU_LANES;
}

enum { halves_at_once = 8 };

DEVICE void convert_in(const storage *from, int count, scalar *to)
{
    int i = 0;
#ifdef CONVERTS_HALVES
    for (; i + halves_at_once <= count; i += halves_at_once)
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(from + i))));
#endif
    for (; i < count; ++i)
        to[i] = UNPACK(from[i]);
}

DEVICE void convert_out(const scalar *from, int count, storage *to)
{
    int i = 0;
#ifdef CONVERTS_HALVES
    for (; i + halves_at_once <= count; i += halves_at_once)
        _mm_storeu_si128((__m128i *)(void *)(to + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
#endif
    for (; i < count; ++i)
        to[i] = PACK(from[i]);
}

/* What wide chunks are moved from and to: elements as they are stored, or halves converted before and after. */
#ifdef CONVERTS_HALVES
typedef scalar moved;
#define MOVE_IN(s) (s)
#define MOVE_OUT(s) (s)
#else
typedef storage moved;
#define MOVE_IN UNPACK
#define MOVE_OUT PACK
#endif

DEVICE void unpack_chunks(const moved *from, int count, int vector, int width, scalar *to)
{
    for (int column = 0; column < count; ++column)
        for (int v = 0; v < vector; ++v)
            to[v * width + column] = MOVE_IN(from[column * vector + v]);
}

DEVICE void pack_chunks(const scalar *from, int count, int vector, int width, moved *to)
{
    for (int column = 0; column < count; ++column)
        for (int v = 0; v < vector; ++v)
            to[column * vector + v] = MOVE_OUT(from[v * width + column]);
}

/** The strides are constants where the compiler can make permutations of them. */
static void unpack_stored(const moved *from, int count, const strip *s, scalar *to)
{
    if (s->vector == 2)
        unpack_chunks(from, count, 2, s->width, to);
    else if (s->vector == 4)
        unpack_chunks(from, count, 4, s->width, to);
    else
        unpack_chunks(from, count, 8, s->width, to);
}

static void pack_stored(const scalar *from, int count, const strip *s, moved *to)
{
    if (s->vector == 2)
        pack_chunks(from, count, 2, s->width, to);
    else if (s->vector == 4)
        pack_chunks(from, count, 4, s->width, to);
    else
        pack_chunks(from, count, 8, s->width, to);
}

#ifdef CONVERTS_HALVES
enum { converted_at_once = 32 }; /* chunks */

static void unpack_wide_row(const storage *from, int count, const strip *s, scalar *to)
{
    scalar some[converted_at_once * most_vector];
    for (; count > 0; count -= converted_at_once, to += converted_at_once) {
        const int now = least(count, converted_at_once);
        convert_in(from, now * s->vector, some);
        unpack_stored(some, now, s, to);
        from += now * s->vector;
    }
}

static void pack_wide_row(const scalar *from, int count, const strip *s, storage *to)
{
    scalar some[converted_at_once * most_vector];
    for (; count > 0; count -= converted_at_once, from += converted_at_once) {
        const int now = least(count, converted_at_once);
        pack_stored(from, now, s, some);
        convert_out(some, now * s->vector, to);
        to += now * s->vector;
    }
}
#else
#define unpack_wide_row unpack_stored
#define pack_wide_row pack_stored
#endif

/** Chunks of one tile row. */
static void unpack_row(const storage *from, int count, const strip *s, scalar *to)
{
    if (s->vector == 1)
        convert_in(from, count, to);
    else
        unpack_wide_row(from, count, s, to);
    for (int v = 0; v < s->vector; ++v)
        for (int column = count; column < s->width; ++column)
            to[v * s->width + column] = 0;
}

static void pack_row(const scalar *from, int count, const strip *s, storage *to)
{
    if (s->vector == 1)
        convert_out(from, count, to);
    else
        pack_wide_row(from, count, s, to);
}

/** Visits that are at hand. */
typedef struct staged_visits {
    int visits;
    grkan_int64 element[most_rows]; /* first of each visit */
    int count[most_rows];           /* chunks of each */
} staged_visits;

static void find_visits(const grkan_tiling *t, const tile *b, const place *p, const strip *s, int first, int end,
                        staged_visits *v)
{
    cursor at = cursor_at(t, b, p, first);
    grkan_int64 rows = b->rows - first * t->row_step;
    v->visits = end - first;
    for (int visit = 0; visit < v->visits; ++visit, rows -= t->row_step, cursor_advance(t, &at)) {
        const grkan_int64 chunks =
            (t->row_lanes > 1 ? smaller(rows, t->row_lanes) * b->chunks : chunks_left(t, b, p, &at)) - s->first;
        v->element[visit] = at.element + (grkan_int64)s->first * s->vector;
        v->count[visit] = chunks > 0 ? (int)smaller(chunks, s->columns) : 0;
    }
}

/** Where the staged rows are: in a stage, or in the tensor itself where it can be computed on as it lies. */
typedef struct staged_rows {
    const scalar *x[most_rows];
    const scalar *dy[most_rows];
    scalar *result[most_rows];
} staged_rows;

/** Whether the tensor has what a stage would hold: whole vectors of the type of arithmetic. */
DEVICE int is_as_it_lies(const strip *s, int count)
{
    return (CPU_DTYPE == 0 || CPU_DTYPE == 3) && s->vector == 1 && count == s->width;
}

/** @param row out: where each staged row of `from` can be read */
static void stage_in(const strip *s, const staged_visits *v, const storage *from, scalar *to, const scalar **row)
{
    for (int visit = 0; visit < v->visits; ++visit, row += s->vector, to += s->vector * s->width) {
        const int copied = !is_as_it_lies(s, v->count[visit]);
        if (copied)
            unpack_row(from + v->element[visit], v->count[visit], s, to);
        for (int i = 0; i < s->vector; ++i)
            row[i] = copied ? to + i * s->width : (const scalar *)(const void *)(from + v->element[visit]);
    }
}

/** @param row out: where each row of the result is to be written; stage_out brings it to `to` if need be */
static void prepare_result(const strip *s, const staged_visits *v, scalar *staged_result, storage *to, scalar **row)
{
    for (int visit = 0; visit < v->visits; ++visit, row += s->vector, staged_result += s->vector * s->width) {
        const int copied = !is_as_it_lies(s, v->count[visit]);
        for (int i = 0; i < s->vector; ++i)
            row[i] = copied ? staged_result + i * s->width : (scalar *)(void *)(to + v->element[visit]);
    }
}

static void stage_out(const strip *s, const staged_visits *v, const scalar *from, storage *to)
{
    for (int visit = 0; visit < v->visits; ++visit, from += s->vector * s->width)
        if (!is_as_it_lies(s, v->count[visit]))
            pack_row(from, v->count[visit], s, to + v->element[visit]);
}
