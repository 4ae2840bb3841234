/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file stage.h
 * @brief Rows of a tensor to arithmetic and back: read and written as they lie in memory, so that the processor
 * prefetches them; computed on as [visit][element of a chunk][column], so that a vector's lanes are neighbours.
 */

enum {
    most_vector = 8,
    stage_elements = 4096, /* of one tensor: with x and dy beside each other, a part of a second-level cache */
    most_width = CPU_MOST_THREADS + 16,
    most_visits = 64,
    most_rows = most_visits * most_vector,
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

typedef scalar staged[stage_elements + most_vector * most_width] __attribute__((aligned(64)));

/** A thread's share of a row lane: which visits are staged, and how wide their rows are. */
typedef struct stage {
    int columns; /* with work */
    int width;   /* columns, rounded up to whole vectors; the rest reads as 0 */
    int vector;
    int visits; /* that fit at once */
} stage;

DEVICE stage stage_of(int columns, int vector)
{
    stage s = {columns, (columns + CPU_LANES - 1) / CPU_LANES * CPU_LANES, vector, 1};
    if (s.width * vector > 0 && stage_elements / (s.width * vector) > 1)
        s.visits =
            stage_elements / (s.width * vector) < most_visits ? stage_elements / (s.width * vector) : most_visits;
    return s;
}

DEVICE void unpack_chunks(const storage *from, int count, int vector, int width, scalar *to)
{
    for (int column = 0; column < count; ++column)
        for (int v = 0; v < vector; ++v)
            to[v * width + column] = UNPACK(from[column * vector + v]);
}

DEVICE void pack_chunks(const scalar *from, int count, int vector, int width, storage *to)
{
    for (int column = 0; column < count; ++column)
        for (int v = 0; v < vector; ++v)
            to[column * vector + v] = PACK(from[v * width + column]);
}

/** Chunks of one tile row. The strides are constants where the compiler can make permutations of them. */
static void unpack_row(const storage *from, int count, const stage *s, scalar *to)
{
    if (s->vector == 1)
        unpack_chunks(from, count, 1, s->width, to);
    else if (s->vector == 2)
        unpack_chunks(from, count, 2, s->width, to);
    else if (s->vector == 4)
        unpack_chunks(from, count, 4, s->width, to);
    else
        unpack_chunks(from, count, 8, s->width, to);
    for (int v = 0; v < s->vector; ++v)
        for (int column = count; column < s->width; ++column)
            to[v * s->width + column] = 0;
}

static void pack_row(const scalar *from, int count, const stage *s, storage *to)
{
    if (s->vector == 1)
        pack_chunks(from, count, 1, s->width, to);
    else if (s->vector == 2)
        pack_chunks(from, count, 2, s->width, to);
    else if (s->vector == 4)
        pack_chunks(from, count, 4, s->width, to);
    else
        pack_chunks(from, count, 8, s->width, to);
}

DEVICE int row_count(const grkan_tiling *t, const tile *b, const place *p, const cursor *at, const stage *s)
{
    const grkan_int64 left = smaller(chunks_left(t, b, p, at), s->columns);
    return left > 0 ? (int)left : 0;
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
static void stage_in(const grkan_tiling *t, const tile *b, const place *p, int first, int visits, const stage *s,
                     const storage *from, scalar *to, const scalar **row)
{
    cursor at = cursor_at(t, b, p, first);
    for (int visit = 0; visit < visits; ++visit, cursor_advance(t, &at)) {
        const int count = row_count(t, b, p, &at, s);
        const int copied = !is_as_it_lies(s, count);
        if (copied)
            unpack_row(from + at.element, count, s, to + visit * s->vector * s->width);
        for (int v = visit * s->vector; v < (visit + 1) * s->vector; ++v)
            row[v] = copied ? to + v * s->width : (const scalar *)(const void *)(from + at.element);
    }
}

/** @param row out: where each row of the result is to be written; stage_out brings it to `to` if need be */
static void prepare_result(const grkan_tiling *t, const tile *b, const place *p, int first, int visits, const stage *s,
                           scalar *staged_result, storage *to, scalar **row)
{
    cursor at = cursor_at(t, b, p, first);
    for (int visit = 0; visit < visits; ++visit, cursor_advance(t, &at)) {
        const int copied = !is_as_it_lies(s, row_count(t, b, p, &at, s));
        for (int v = visit * s->vector; v < (visit + 1) * s->vector; ++v)
            row[v] = copied ? staged_result + v * s->width : (scalar *)(void *)(to + at.element);
    }
}

static void stage_out(const grkan_tiling *t, const tile *b, const place *p, int first, int visits, const stage *s,
                      const scalar *from, storage *to)
{
    cursor at = cursor_at(t, b, p, first);
    for (int visit = 0; visit < visits; ++visit, cursor_advance(t, &at)) {
        const int count = row_count(t, b, p, &at, s);
        if (!is_as_it_lies(s, count))
            pack_row(from + visit * s->vector * s->width, count, s, to + at.element);
    }
}

/** The rows of the next stage, which are asked for while this one is computed. */
typedef struct outlook {
    const storage *x;
    const storage *dy; /* NULL: forward */
    const storage *result;
    int rows;
    int64_t row[most_visits]; /* first element of each */
} outlook;

static void find_outlook(const grkan_tiling *t, const tile *b, const place *p, int first, int visits, outlook *o)
{
    cursor at = cursor_at(t, b, p, first);
    o->rows = visits;
    for (int visit = 0; visit < visits; ++visit, cursor_advance(t, &at))
        o->row[visit] = at.element;
}

/** Ask for the cache lines of CPU_LANES columns. A hint, so that addresses beyond the tensor do no harm. */
DEVICE void look_ahead(const outlook *o, int column, int vector)
{
    const int size = (int)sizeof(storage);
    const int step = line / size;
    int first = column * vector;
    if (CPU_LANES * vector < step && first % step != 0)
        return;
    for (const int end = first + CPU_LANES * vector; first < end; first += step) {
        for (int row = 0; row < o->rows; ++row) {
            const int64_t element = o->row[row] + first;
            __builtin_prefetch(o->x + element);
            if (o->dy != NULL)
                __builtin_prefetch(o->dy + element);
            __builtin_prefetch(o->result + element, 1);
        }
    }
}
