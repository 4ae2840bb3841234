/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file stage.h
 * @brief Rows of a tensor to arithmetic and back: read and written as they lie in memory, so that the processor
 * prefetches them; computed on as [visit][element of a chunk][column], so that a vector's lanes are neighbours.
 */

enum {
    most_vector = 8,
    stage_elements = 16384, /* of one tensor: with x and dy beside each other, a part of a second-level cache */
    most_width = CPU_MOST_THREADS + 16
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
        s.visits = stage_elements / (s.width * vector);
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

static void stage_in(const grkan_tiling *t, const tile *b, const place *p, int first, int visits, const stage *s,
                     const storage *from, scalar *to)
{
    cursor at = cursor_at(t, b, p, first);
    for (int visit = 0; visit < visits; ++visit, cursor_advance(t, &at))
        unpack_row(from + at.element, row_count(t, b, p, &at, s), s, to + visit * s->vector * s->width);
}

static void stage_out(const grkan_tiling *t, const tile *b, const place *p, int first, int visits, const stage *s,
                      const scalar *from, storage *to)
{
    cursor at = cursor_at(t, b, p, first);
    for (int visit = 0; visit < visits; ++visit, cursor_advance(t, &at))
        pack_row(from + visit * s->vector * s->width, row_count(t, b, p, &at, s), s, to + at.element);
}
