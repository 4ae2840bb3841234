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
    forward_elements = 1536,  /* of a stage: few, since the next stage is on its way into the first-level cache */
    backward_elements = 9216, /* many, since each loads and stores sums; four of 12 rows x 768 fill a chain of 48 */
    most_width = CPU_MOST_THREADS + 16,
    most_staged = backward_elements + most_vector * most_width,
    most_rows = 64,
    line = 64 /* bytes of a cache line */
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

typedef scalar staged[most_staged] __attribute__((aligned(64)));

static int least(int a, int b)
{
    return a < b ? a : b;
}

/**
 * A thread's share of a row lane: which visits are staged, and how wide their rows are. A block with several row lanes
 * has whole rows, and those of a visit lie one behind the other: they are one row here.
 */
typedef struct stage {
    int columns; /* with work: the block's threads */
    int width;   /* columns, rounded up to whole vectors; the rest reads as 0 */
    int vector;
    int visits; /* that fit at once */
} stage;

DEVICE stage stage_of(const grkan_tiling *t, const tile *b, int elements)
{
    const int columns = (int)smaller(b->chunks, t->span_chunks) * t->row_lanes;
    stage s = {columns, (columns + CPU_LANES - 1) / CPU_LANES * CPU_LANES, t->vector, 1};
    if (s.width > 0)
        s.visits = least(most_rows, elements / s.width) / t->vector;
    s.visits += s.visits == 0;
    return s;
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
static void unpack_wide_row(const storage *from, int count, const stage *s, scalar *to)
{
#ifdef CONVERTS_HALVES
    scalar row[most_vector * most_width];
    convert_in(from, count * s->vector, row);
#else
    const storage *const row = from;
#endif
    if (s->vector == 2)
        unpack_chunks(row, count, 2, s->width, to);
    else if (s->vector == 4)
        unpack_chunks(row, count, 4, s->width, to);
    else
        unpack_chunks(row, count, 8, s->width, to);
}

static void pack_wide_row(const scalar *from, int count, const stage *s, storage *to)
{
#ifdef CONVERTS_HALVES
    scalar row[most_vector * most_width];
#else
    storage *const row = to;
#endif
    if (s->vector == 2)
        pack_chunks(from, count, 2, s->width, row);
    else if (s->vector == 4)
        pack_chunks(from, count, 4, s->width, row);
    else
        pack_chunks(from, count, 8, s->width, row);
#ifdef CONVERTS_HALVES
    convert_out(row, count * s->vector, to);
#endif
}

/** Chunks of one tile row. */
static void unpack_row(const storage *from, int count, const stage *s, scalar *to)
{
    if (s->vector == 1)
        convert_in(from, count, to);
    else
        unpack_wide_row(from, count, s, to);
    for (int v = 0; v < s->vector; ++v)
        for (int column = count; column < s->width; ++column)
            to[v * s->width + column] = 0;
}

static void pack_row(const scalar *from, int count, const stage *s, storage *to)
{
    if (s->vector == 1)
        convert_out(from, count, to);
    else
        pack_wide_row(from, count, s, to);
}

/** Visits that are staged together, and those that will be next. */
typedef struct staged_visits {
    int visits;
    int next;
    grkan_int64 element[2 * most_rows]; /* first of each visit; the next ones follow */
    int count[2 * most_rows];           /* chunks of each */
} staged_visits;

static void find_visits(const grkan_tiling *t, const tile *b, const place *p, const stage *s, int first, int end,
                        staged_visits *v)
{
    cursor at = cursor_at(t, b, p, first);
    grkan_int64 rows = b->rows - first * t->row_step;
    v->visits = least(s->visits, end - first);
    v->next = least(s->visits, end - first - v->visits);
    for (int visit = 0; visit < v->visits + v->next; ++visit, rows -= t->row_step, cursor_advance(t, &at)) {
        const grkan_int64 chunks =
            t->row_lanes > 1 ? smaller(rows, t->row_lanes) * b->chunks : chunks_left(t, b, p, &at);
        v->element[visit] = at.element;
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
DEVICE int is_as_it_lies(const stage *s, int count)
{
    return (CPU_DTYPE == 0 || CPU_DTYPE == 3) && s->vector == 1 && count == s->width;
}

/** @param row out: where each staged row of `from` can be read */
static void stage_in(const stage *s, const staged_visits *v, const storage *from, scalar *to, const scalar **row)
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
static void prepare_result(const stage *s, const staged_visits *v, scalar *staged_result, storage *to, scalar **row)
{
    for (int visit = 0; visit < v->visits; ++visit, row += s->vector, staged_result += s->vector * s->width) {
        const int copied = !is_as_it_lies(s, v->count[visit]);
        for (int i = 0; i < s->vector; ++i)
            row[i] = copied ? staged_result + i * s->width : (scalar *)(void *)(to + v->element[visit]);
    }
}

static void stage_out(const stage *s, const staged_visits *v, const scalar *from, storage *to)
{
    for (int visit = 0; visit < v->visits; ++visit, from += s->vector * s->width)
        if (!is_as_it_lies(s, v->count[visit]))
            pack_row(from, v->count[visit], s, to + v->element[visit]);
}

/** Ask for cache lines, to read and to write. A hint, so that addresses beyond the tensor do no harm. */
DEVICE void ask_for(const storage *from, const storage *to, int elements)
{
    for (int i = 0; i < elements; i += line / (int)sizeof(storage)) {
        __builtin_prefetch(from + i);
        __builtin_prefetch(to + i, 1);
    }
}
